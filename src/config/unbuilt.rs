//! Settings whose feature is not built yet.
//!
//! Their form is checked as it will be, so that a mistake is told as a mistake; a right value is refused by name,
//! since to ignore it would be to lie.

use crate::config::mistake::Reason;
use crate::config::mistake::quoted;
use crate::config::parser::Parser;
use crate::config::settings::IMDS_UPSTREAM;
use crate::config::settings::IMDS_UPSTREAM_ALLOW;
use crate::config::settings::ROLES_FILE;
use crate::config::settings::Setting;
use crate::config::url::parse_endpoint;

/// Never passed on, whatever the list says: they are the node's identity and what its owner wrote for the node alone.
const NEVER_ALLOWED: [&str; 3] = ["iam", "identity-credentials", "user-data"];

type Check = fn(&str) -> Result<(), Reason>;

pub(super) fn refuse_what_is_not_built(parser: &mut Parser<'_>) {
    let checks: [(&'static Setting, Check); 3] = [
        (&IMDS_UPSTREAM, check_upstream),
        (&IMDS_UPSTREAM_ALLOW, check_upstream_allow),
        (&ROLES_FILE, check_roles_file),
    ];
    for (setting, check) in checks {
        let refuse = |()| {
            if setting.is_built { Ok(()) } else { Err(not_built()) }
        };
        parser.value(setting, |text| check(text).and_then(refuse));
    }
}

fn not_built() -> Reason {
    Reason::from("it is right, but what it asks for is not built yet").mend("Leave it out for now")
}

fn check_upstream(text: &str) -> Result<(), Reason> {
    let target = parse_endpoint(text)?;
    if target.is_https {
        return Err("the metadata service speaks http:// alone".into());
    }
    Ok(())
}

fn check_upstream_allow(text: &str) -> Result<(), Reason> {
    for entry in text.split(',').map(str::trim) {
        let shown = quoted(entry);
        let mut segments = entry.trim_matches('/').split('/');
        if entry.trim_matches('/').is_empty() {
            return Err("it has an empty entry".into());
        }
        if !entry.bytes().all(|b| b.is_ascii_graphic()) || entry.contains(['%', '?', '#', '\\']) {
            return Err(format!("{shown} is not a plain path").into());
        }
        if segments.clone().any(|segment| segment.is_empty() || segment == "." || segment == "..") {
            return Err(format!("{shown} has a segment that is empty, . or ..").into());
        }
        if segments.any(|segment| NEVER_ALLOWED.contains(&segment)) {
            return Err(format!("{shown} is never passed on: it is the node's, not the pod's").into());
        }
    }
    Ok(())
}

fn check_roles_file(text: &str) -> Result<(), Reason> {
    if text.trim() != text {
        return Err("it begins or ends with white space".into());
    }
    Ok(())
}

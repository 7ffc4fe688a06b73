//! Settings whose feature is not built yet.
//!
//! Their form is checked as it will be, so that a mistake is told as a mistake; a right value is refused by name,
//! since to ignore it would be to lie.

use crate::config::log::one_of;
use crate::config::mistake::Reason;
use crate::config::mistake::quoted;
use crate::config::parser::Parser;
use crate::config::settings::IMDS;
use crate::config::settings::IMDS_AVAILABILITY_ZONE;
use crate::config::settings::IMDS_INSTANCE_ID;
use crate::config::settings::IMDS_INSTANCE_TYPE;
use crate::config::settings::IMDS_UPSTREAM;
use crate::config::settings::IMDS_UPSTREAM_ALLOW;
use crate::config::settings::ROLES_FILE;
use crate::config::settings::Setting;
use crate::config::url::parse_endpoint;

/// Never passed on, whatever the list says: they are the node's identity and what its owner wrote for the node alone.
const NEVER_ALLOWED: [&str; 3] = ["iam", "identity-credentials", "user-data"];

type Check = fn(&str) -> Result<(), Reason>;

pub(super) fn refuse_what_is_not_built(parser: &mut Parser<'_>) {
    let checks: [(&'static Setting, Check); 7] = [
        (&IMDS, check_imds),
        (&IMDS_UPSTREAM, check_upstream),
        (&IMDS_UPSTREAM_ALLOW, check_upstream_allow),
        (&IMDS_AVAILABILITY_ZONE, check_availability_zone),
        (&IMDS_INSTANCE_ID, check_instance_id),
        (&IMDS_INSTANCE_TYPE, check_instance_type),
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

/// Without an IMDS listener `off` and `optional` are kept as they are: there is nothing that would answer otherwise.
fn check_imds(text: &str) -> Result<(), Reason> {
    match one_of(text, &[("off", false), ("optional", false), ("required", true)])? {
        true => Err(not_built()),
        false => Ok(()),
    }
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

fn check_availability_zone(text: &str) -> Result<(), Reason> {
    let is_plain = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !is_plain || !text.contains('-') {
        return Err("a zone is a region and a letter".into());
    }
    let words = text.trim_end_matches(|c: char| c.is_ascii_digit());
    if words.len() < text.len() && !words.contains(|c: char| c.is_ascii_digit()) {
        return Err(Reason::from("it is a region, not a zone").mend(format!("For example {text}a")));
    }
    Ok(())
}

fn check_instance_id(text: &str) -> Result<(), Reason> {
    let digits = text.strip_prefix("i-").unwrap_or_default();
    let is_hex = digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if is_hex && matches!(digits.len(), 8 | 17) {
        return Ok(());
    }
    Err("an instance id is i- and 17 (once 8) hexadecimal digits".into())
}

fn check_instance_type(text: &str) -> Result<(), Reason> {
    let is_plain = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    match text.split_once('.') {
        Some((family, size)) if is_plain(family) && is_plain(size) => Ok(()),
        _ => Err("an instance type is a family and a size with a dot between them".into()),
    }
}

fn check_roles_file(text: &str) -> Result<(), Reason> {
    if text.trim() != text {
        return Err("it begins or ends with white space".into());
    }
    Ok(())
}

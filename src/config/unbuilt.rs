//! Settings whose feature is not built yet.
//!
//! Their form is checked as it will be, so that a mistake is told as a mistake; a right value is refused by name,
//! since to ignore it would be to lie.

use crate::config::mistake::Reason;
use crate::config::parser::Parser;
use crate::config::settings::ROLES_FILE;
use crate::config::settings::Setting;

type Check = fn(&str) -> Result<(), Reason>;

pub(super) fn refuse_what_is_not_built(parser: &mut Parser<'_>) {
    let checks: [(&'static Setting, Check); 1] = [(&ROLES_FILE, check_roles_file)];
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

fn check_roles_file(text: &str) -> Result<(), Reason> {
    if text.trim() != text {
        return Err("it begins or ends with white space".into());
    }
    Ok(())
}

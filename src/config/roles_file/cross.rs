//! What roles must be to each other: names of their own, sources that are there, no loops, one for the metadata service.

use crate::config::mistake::Reason;
use crate::config::roles_file::Defaults;
use crate::config::roles_file::fields::Place;
use crate::config::roles_file::fields::Report;
use crate::config::roles_file::role::Placed;
use crate::config::settings::ALLOW_UNAUTHENTICATED;
use crate::contract::DEFAULT_ROLE;

/// `names` are all that stand in the file, those of roles that could not be read included.
pub(super) fn check(
    placed: &[Placed],
    names: &[(Place, String)],
    defaults: &Defaults,
    report: &mut Report<'_>,
) {
    check_names(names, report);
    check_sources(placed, names, report);
    check_loops(placed, report);
    check_imds(placed, defaults, report);
}

fn check_names(names: &[(Place, String)], report: &mut Report<'_>) {
    for (index, (place, name)) in names.iter().enumerate() {
        if let Some((first, _)) = names[..index].iter().find(|(_, other)| other == name) {
            let why = format!("a role of this name is there already, on line {}", first.line);
            report.wrong(place, Some(name), Reason::from(why).mend("Give each role a name of its own"), "");
        }
    }
}

fn check_sources(placed: &[Placed], names: &[(Place, String)], report: &mut Report<'_>) {
    for Placed { role, place } in placed {
        let Some(from) = role.from() else { continue };
        if names.iter().any(|(_, name)| name == from) {
            continue;
        }
        let known: Vec<&str> = names.iter().map(|(_, name)| name.as_str()).collect();
        let reason =
            Reason::from("there is no role of this name").mend(format!("The roles are {}", known.join(", ")));
        report.wrong(&place.below("chain.from", place.line), Some(from), reason, "");
    }
}

/// Each loop is told once, at the first of its roles.
fn check_loops(placed: &[Placed], report: &mut Report<'_>) {
    let from = |name: &str| {
        placed.iter().find(|placed| placed.role.name == name).and_then(|placed| placed.role.from())
    };
    let mut told: Vec<&str> = Vec::new();
    for Placed { role, place } in placed {
        if told.contains(&role.name.as_str()) {
            continue;
        }
        let mut way = vec![role.name.as_str()];
        let mut next = role.from();
        while let Some(name) = next {
            if name == role.name {
                let reason = Reason::from(format!("it starts from itself: {} → {name}", way.join(" → ")))
                    .mend("Let one of them start from a role without a chain");
                report.wrong(&place.below("chain.from", place.line), None, reason, "");
                told.extend(&way);
                break;
            }
            // A loop further on, of which this role is no part.
            if way.contains(&name) {
                break;
            }
            way.push(name);
            next = from(name);
        }
    }
}

fn check_imds(placed: &[Placed], defaults: &Defaults, report: &mut Report<'_>) {
    let marked: Vec<&Placed> = placed.iter().filter(|placed| placed.role.is_imds).collect();
    for Placed { place, .. } in marked.iter().skip(1) {
        let why = format!("{} is marked already: the metadata service serves one role", marked[0].role.name);
        report.wrong(
            &place.below("imds", place.line),
            None,
            Reason::from(why).mend("Mark one of them alone"),
            "",
        );
    }
    let served = marked.first().copied();
    let served = served.or_else(|| placed.iter().find(|placed| placed.role.name == DEFAULT_ROLE));
    let served = served.or(match placed {
        [only] => Some(only),
        _ => None,
    });
    let closed = &defaults.surroundings.closed_imds;
    if let Some(Placed { role, place }) = served
        && role.authorization_token_file.is_some()
        && !closed.is_empty()
    {
        let open: Vec<String> = closed.iter().map(ToString::to_string).collect();
        let open = open.join(",");
        let why = format!(
            "{open} would give this role's credentials to whoever asks without its token: the metadata service (IMDS) has \
             no place for it"
        );
        let mend = format!(
            "Write {}={open} if that is meant, mark another role with `imds: true`, or leave the address out",
            ALLOW_UNAUTHENTICATED.variable
        );
        let place = place.below("authorization_token_file", place.line);
        report.wrong(&place, None, Reason::from(why).mend(mend), "");
    }
}

//! `NO_PROXY`: an application behind a proxy must not ask the proxy for its credentials.
//!
//! What is written in the container is appended to. Where a value comes from elsewhere nothing is touched, since it
//! cannot be seen here, and a variable of ours would silently beat one of `envFrom`.

use serde_json::json;

use crate::contract::ENV_NO_PROXY;
use crate::inject::pod::Container;
use crate::inject::pod::literal;
use crate::patch::Op;

/// What is to be added to the container's variables; what it has is replaced in `patch`.
pub(super) fn exempt(
    container: &Container<'_>,
    addresses: &[String],
    patch: &mut Vec<Op>,
    warnings: &mut Vec<String>,
) -> Vec<serde_json::Value> {
    let name = container.name();
    let present: Vec<_> =
        ENV_NO_PROXY.into_iter().filter_map(|name| Some((name, container.variable(name)?))).collect();
    for (variable, (index, value)) in &present {
        match literal(value) {
            Some(list) => {
                if let Some(longer) = longer(list, addresses) {
                    let path = container.at.field("env").index(*index).field("value");
                    // A variable without a value has no field to replace.
                    patch.push(match value.get("value") {
                        Some(_) => Op::Replace { path, value: json!(longer) },
                        None => Op::Add { path, value: json!(longer) },
                    });
                }
            }
            None => warnings.push(format!(
                "container {name}: {variable} comes from elsewhere (valueFrom) and was left; where a proxy is used, add \
                 {} to it",
                addresses.join(",")
            )),
        }
    }
    // One of the two alone: some clients read it, others find the other missing and read it too. A second one of ours
    // would hide it from them.
    if !present.is_empty() {
        return Vec::new();
    }
    if container.takes_env_from() {
        warnings.push(format!(
            "container {name} takes variables from elsewhere (envFrom), and NO_PROXY was left; where a proxy is used, \
             add {} to it",
            addresses.join(",")
        ));
        return Vec::new();
    }
    let list = addresses.join(",");
    ENV_NO_PROXY.map(|name| json!({ "name": name, "value": list })).to_vec()
}

/// The list with what is missing in it; none where nothing is.
pub(crate) fn longer(list: &str, addresses: &[String]) -> Option<String> {
    let entries: Vec<&str> =
        list.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty()).collect();
    if entries.contains(&"*") {
        return None;
    }
    let missing: Vec<&str> =
        addresses.iter().map(String::as_str).filter(|address| !entries.contains(address)).collect();
    if missing.is_empty() {
        return None;
    }
    let list = list.trim_end_matches([',', ' ']);
    let separator = if list.is_empty() { "" } else { "," };
    Some(format!("{list}{separator}{}", missing.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appends_what_is_missing_alone() {
        let addresses = ["127.0.0.1".to_owned(), "169.254.170.2".to_owned()];
        for (list, expected) in [
            ("", Some("127.0.0.1,169.254.170.2")),
            ("corp,", Some("corp,127.0.0.1,169.254.170.2")),
            ("corp, 127.0.0.1", Some("corp, 127.0.0.1,169.254.170.2")),
            ("corp 127.0.0.1 169.254.170.2", None),
            ("*", None),
        ] {
            assert_eq!(longer(list, &addresses).as_deref(), expected, "{list}");
        }
    }
}

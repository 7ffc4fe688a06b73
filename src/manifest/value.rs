//! What a tree means: JSON, as `kubectl` would read it.
//!
//! Plain scalars are resolved by YAML's core schema, and YAML 1.1's `yes`, `no`, `on`, `off` are truth values, as
//! `kubectl`'s reader has them.

use serde_json::Map;
use serde_json::Number;
use serde_json::Value;

use crate::manifest::tree::Kind;
use crate::manifest::tree::Node;

pub(super) fn value(node: &Node) -> Value {
    match &node.kind {
        Kind::Scalar { text, is_plain: true, tag: None } => plain(text),
        Kind::Scalar { text, tag, .. } => match tag.as_deref() {
            Some(tag) if !tag.ends_with("str") && tag != "!" => plain(text),
            _ => Value::String(text.clone()),
        },
        Kind::List { items, .. } => items.iter().map(|item| value(item)).collect(),
        Kind::Map { entries, .. } => {
            let mut map = Map::new();
            for (key, node) in entries {
                let Kind::Scalar { text, .. } = &key.kind else { continue };
                if text == "<<" {
                    merge(&mut map, node);
                } else {
                    map.insert(text.clone(), value(node));
                }
            }
            map.into()
        }
    }
}

/// Keys that are written beat merged ones, wherever they stand.
fn merge(map: &mut Map<String, Value>, node: &Node) {
    let sources: Vec<Value> = match value(node) {
        Value::Array(sources) => sources,
        source => vec![source],
    };
    for source in sources {
        for (key, value) in source.as_object().into_iter().flatten() {
            map.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
}

/// A scalar without quotes.
pub(super) fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return true.into(),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => return false.into(),
        _ => {}
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return text.into();
    }
    integer(text, digits).or_else(|| float(text)).unwrap_or_else(|| text.into())
}

fn integer(text: &str, digits: &str) -> Option<Value> {
    let radix = |prefix: &str, radix| digits.strip_prefix(prefix).map(|rest| (rest, radix));
    let octal =
        || (digits.len() > 1 && digits.bytes().all(|b| b.is_ascii_digit())).then_some(()).and(radix("0", 8));
    let (rest, base) = radix("0x", 16).or_else(|| radix("0o", 8)).or_else(octal).unwrap_or((digits, 10));
    let magnitude = u64::from_str_radix(rest, base).ok().filter(|_| !rest.starts_with(['+', '-']))?;
    if text.starts_with('-') {
        return i64::try_from(magnitude).ok().map(|magnitude| Value::from(-magnitude));
    }
    Some(magnitude.into())
}

fn float(text: &str) -> Option<Value> {
    let is_float =
        text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b)) && text.contains(['.', 'e', 'E']);
    let number: f64 = is_float.then(|| text.parse().ok())??;
    Number::from_f64(number).map(Value::Number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn scalars_mean_what_kubectl_takes_them_for() {
        for (text, expected) in [
            ("", json!(null)),
            ("~", json!(null)),
            ("true", json!(true)),
            ("off", json!(false)),
            ("8080", json!(8080)),
            ("-1", json!(-1)),
            ("0644", json!(0o644)),
            ("0x1f", json!(31)),
            ("1.5", json!(1.5)),
            ("1e3", json!(1000.0)),
            ("5m", json!("5m")),
            ("1.2.3", json!("1.2.3")),
            ("127.0.0.1", json!("127.0.0.1")),
            ("2024-01-01", json!("2024-01-01")),
            ("089", json!("089")),
            ("--", json!("--")),
        ] {
            assert_eq!(plain(text), expected, "{text}");
        }
    }
}

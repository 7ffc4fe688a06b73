//! Values as YAML: block style, names first, quotes where a reader could take a text for something else.

use serde_json::Map;
use serde_json::Value;

use crate::manifest::value::plain;

/// How far a list's dashes stand in from their key; as the file has it.
pub(super) type Dashes = usize;

const STEP: usize = 2;
/// In this order, as people write a container; then the others.
const FIRST: [&str; 8] =
    ["apiVersion", "kind", "name", "image", "imagePullPolicy", "args", "restartPolicy", "env"];

pub(super) fn document(value: &Value) -> String {
    lines(value, 0, STEP).join("\n")
}

/// The lines of a value that is no scalar, from this column on.
pub(super) fn lines(value: &Value, column: usize, dashes: Dashes) -> Vec<String> {
    let pad = " ".repeat(column);
    match value {
        Value::Object(map) if !map.is_empty() => {
            sorted(map).into_iter().flat_map(|(key, value)| entry(key, value, column, dashes)).collect()
        }
        Value::Array(items) if !items.is_empty() => {
            items.iter().flat_map(|value| item(value, column, dashes)).collect()
        }
        scalar => vec![format!("{pad}{}", flow(scalar))],
    }
}

/// A key and what stands under it.
pub(super) fn entry(key: &str, value: &Value, column: usize, dashes: Dashes) -> Vec<String> {
    let pad = " ".repeat(column);
    let key = text(key);
    match value {
        Value::Object(map) if !map.is_empty() => {
            [vec![format!("{pad}{key}:")], lines(value, column + STEP, dashes)].concat()
        }
        Value::Array(items) if !items.is_empty() => {
            [vec![format!("{pad}{key}:")], lines(value, column + dashes, dashes)].concat()
        }
        scalar => vec![format!("{pad}{key}: {}", flow(scalar))],
    }
}

/// An item of a list, its dash at this column.
pub(super) fn item(value: &Value, column: usize, dashes: Dashes) -> Vec<String> {
    let mut lines = lines(value, column + STEP, dashes);
    if let Some(first) = lines.first_mut() {
        first.replace_range(column..=column, "-");
    }
    lines
}

fn sorted(map: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut entries: Vec<_> = map.iter().collect();
    let rank = |key: &str| FIRST.iter().position(|first| *first == key).unwrap_or(FIRST.len());
    entries.sort_by_key(|(key, _)| (rank(key), *key));
    entries
}

/// On one line: a scalar, or JSON, which is YAML too.
pub(super) fn flow(value: &Value) -> String {
    match value {
        Value::String(string) => text(string),
        value => value.to_string(),
    }
}

fn text(text: &str) -> String {
    if is_safe(text) { text.to_owned() } else { Value::from(text).to_string() }
}

/// Whether no reader takes it for anything but this text.
fn is_safe(text: &str) -> bool {
    let ordinary = |b: u8| b.is_ascii_alphanumeric() || b"-_./:@+=,".contains(&b);
    let starts = |c: char| c.is_ascii_alphanumeric() || c == '/';
    let is_number_like = text.starts_with(|c: char| c.is_ascii_digit());
    text.starts_with(starts)
        && text.bytes().all(ordinary)
        && !text.ends_with(':')
        && !["y", "Y", "n", "N"].contains(&text)
        && plain(text).is_string()
        // Dates, times and numbers with underscores are values in YAML 1.1.
        && !(is_number_like && text.contains(['-', ':', '_', '+', 'e', 'E', ',']))
}

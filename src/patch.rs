//! JSON Patch (RFC 6902), of which `add` and `replace` are enough here.

use std::fmt;
use std::fmt::Display;
use std::fmt::Formatter;

use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum Op {
    Add { path: Pointer, value: Value },
    Replace { path: Pointer, value: Value },
}

/// A JSON Pointer (RFC 6901).
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Pointer(String);

/// A patch that is for another document.
#[derive(Debug, Error)]
#[error("there is nothing at {0}")]
pub struct ApplyError(Pointer);

impl Op {
    pub fn path(&self) -> &Pointer {
        match self {
            Self::Add { path, .. } | Self::Replace { path, .. } => path,
        }
    }

    /// The same, for a document that holds this one at `at`.
    pub fn below(self, at: &Pointer) -> Self {
        match self {
            Self::Add { path, value } => Self::Add { path: at.join(&path), value },
            Self::Replace { path, value } => Self::Replace { path: at.join(&path), value },
        }
    }
}

impl Pointer {
    pub fn root() -> Self {
        Self::default()
    }

    pub fn field(&self, name: &str) -> Self {
        Self(format!("{}/{}", self.0, name.replace('~', "~0").replace('/', "~1")))
    }

    pub fn index(&self, index: usize) -> Self {
        Self(format!("{}/{index}", self.0))
    }

    /// After a list's last.
    pub fn end(&self) -> Self {
        Self(format!("{}/-", self.0))
    }

    pub fn join(&self, below: &Self) -> Self {
        Self(format!("{}{}", self.0, below.0))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn tokens(&self) -> Vec<String> {
        self.0.split('/').skip(1).map(|token| token.replace("~1", "/").replace("~0", "~")).collect()
    }
}

impl Display for Pointer {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Carries a patch out, one operation after the other.
pub fn apply(document: &mut Value, patch: &[Op]) -> Result<(), ApplyError> {
    patch.iter().try_for_each(|op| apply_one(document, op).ok_or_else(|| ApplyError(op.path().clone())))
}

fn apply_one(document: &mut Value, op: &Op) -> Option<()> {
    let (parent, last) = op.path().0.rsplit_once('/')?;
    let last = last.replace("~1", "/").replace("~0", "~");
    match (document.pointer_mut(parent)?, op) {
        (Value::Object(map), Op::Add { value, .. }) => {
            map.insert(last, value.clone());
        }
        (Value::Object(map), Op::Replace { value, .. }) => *map.get_mut(&last)? = value.clone(),
        (Value::Array(items), Op::Add { value, .. }) => {
            let index = if last == "-" { items.len() } else { last.parse().ok()? };
            if index > items.len() {
                return None;
            }
            items.insert(index, value.clone());
        }
        (Value::Array(items), Op::Replace { value, .. }) => {
            *items.get_mut(last.parse::<usize>().ok()?)? = value.clone();
        }
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn adds_and_replaces_as_rfc_6902_has_it() {
        let root = Pointer::root();
        let mut document = json!({ "a": [1, 2], "b": { "x/y": 0 } });
        let patch = [
            Op::Add { path: root.field("a").index(1), value: json!(9) },
            Op::Add { path: root.field("a").end(), value: json!(3) },
            Op::Replace { path: root.field("b").field("x/y"), value: json!("~") },
            Op::Add { path: root.field("c"), value: json!({}) },
        ];
        apply(&mut document, &patch).unwrap();
        assert_eq!(document, json!({ "a": [1, 9, 2, 3], "b": { "x/y": "~" }, "c": {} }));
        let json = serde_json::to_value(&patch[2]).unwrap();
        assert_eq!(json, json!({ "op": "replace", "path": "/b/x~1y", "value": "~" }));
        for path in [root.field("nowhere").field("x"), root.field("a").index(9), root] {
            assert!(apply(&mut document, &[Op::Add { path, value: json!(1) }]).is_err());
        }
    }
}

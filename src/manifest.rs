//! Manifests as people keep them: YAML or JSON, several documents in a file, edited without losing a comment.
//!
//! A patch is carried out on the text: what it adds is written in the file's own style, and everything else stays as it
//! was, byte for byte. The result is read again, and where it does not say what the patch says, or where the place is one
//! that counts twice (an alias, a merge key), the document is written anew from its values, which loses its comments and
//! is told.

use std::fmt;
use std::fmt::Display;
use std::fmt::Formatter;
use std::rc::Rc;

use serde_json::Value;

use crate::patch::Op;
use crate::patch::Pointer;
use crate::patch::apply;

mod emit;
mod splice;
#[cfg(test)]
mod tests;
mod tree;
mod value;

use tree::Node;

/// The documents of a file, empty ones left out.
#[derive(Debug)]
pub struct Manifest {
    text: String,
}

/// Why a text is no manifest, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ManifestError {
    pub line: usize,
    pub column: usize,
    pub why: String,
}

/// Why a document could not be edited in place.
pub type Rewritten = &'static str;

impl Display for ManifestError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.why)
    }
}

impl std::error::Error for ManifestError {}

impl Manifest {
    pub fn parse(text: impl Into<String>) -> Result<Self, ManifestError> {
        let text = text.into();
        tree::parse(&text)?;
        Ok(Self { text })
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// What each document says.
    pub fn values(&self) -> Vec<Value> {
        roots(&self.text).iter().map(|root| value::value(root)).collect()
    }

    /// Carries a patch out on one document; tells why, where it had to be written anew.
    pub fn edit(&mut self, document: usize, patch: &[Op]) -> Option<Rewritten> {
        if patch.is_empty() {
            return None;
        }
        let mut wanted = self.values();
        if apply(&mut wanted[document], patch).is_err() {
            return None;
        }
        let edited = patch.iter().try_fold(self.text.clone(), |text, op| {
            let roots = tree::parse(&text).map_err(|_| UNREADABLE)?;
            let root = roots.get(document).ok_or(UNREADABLE)?;
            splice::splice(&text, &root.root, op)
        });
        let (text, rewritten) = match edited {
            Ok(text) if says(&text, &wanted) => (text, None),
            Ok(_) => (self.written_anew(document, &wanted[document]), Some(UNREADABLE)),
            Err(why) => (self.written_anew(document, &wanted[document]), Some(why)),
        };
        self.text = text;
        rewritten
    }

    fn written_anew(&self, document: usize, value: &Value) -> String {
        let roots = roots(&self.text);
        let root = &roots[document];
        let start = splice::line_start(&self.text, root.span.start);
        let begins_line = self.text[start..root.span.start].trim().is_empty();
        let start = if begins_line { start } else { root.span.start };
        let end = splice::line_end(&self.text, root.span.end);
        let newline = if begins_line { "" } else { "\n" };
        format!("{}{newline}{}{}", &self.text[..start], emit::document(value), &self.text[end..])
    }
}

const UNREADABLE: Rewritten = "its layout is one that cannot be edited in place";

fn roots(text: &str) -> Vec<Rc<Node>> {
    tree::parse(text).map(|trees| trees.into_iter().map(|tree| tree.root).collect()).unwrap_or_default()
}

fn says(text: &str, wanted: &[Value]) -> bool {
    let roots = roots(text);
    roots.len() == wanted.len()
        && roots.iter().zip(wanted).all(|(root, wanted)| value::value(root) == *wanted)
}

/// Where a document has pods, or templates of them.
pub fn workloads(value: &Value) -> Vec<Pointer> {
    let root = Pointer::root();
    let spec = root.field("spec");
    match value["kind"].as_str() {
        Some("Pod") => vec![root],
        Some("PodTemplate") => vec![root.field("template")],
        Some("DaemonSet" | "Deployment" | "Job" | "ReplicaSet" | "ReplicationController" | "StatefulSet") => {
            vec![spec.field("template")]
        }
        Some("CronJob") => vec![spec.field("jobTemplate").field("spec").field("template")],
        Some(kind) if kind.ends_with("List") => {
            let items = value["items"].as_array().into_iter().flatten().enumerate();
            items
                .flat_map(|(index, item)| {
                    let at = root.field("items").index(index);
                    workloads(item).into_iter().map(move |inner| at.join(&inner))
                })
                .collect()
        }
        _ => Vec::new(),
    }
}

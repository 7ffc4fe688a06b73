//! The fields of a mapping, taken one by one; what is wrong is kept with its line, so that all of it is told at once.

use std::path::Path;
use std::path::PathBuf;
use std::rc::Rc;

use crate::config::mistake::Mistake;
use crate::config::mistake::Reason;
use crate::config::mistake::Warning;
use crate::config::parser::nearest_of;
use crate::config::yaml::Key;
use crate::config::yaml::Node;
use crate::config::yaml::Value;

/// What was found in one file.
pub(super) struct Report<'a> {
    path: &'a Path,
    pub(super) mistakes: Vec<Mistake>,
    pub(super) warnings: Vec<Warning>,
}

/// Where something stands: `roles[1].chain.steps[0]`.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) field: String,
}

/// One mapping, and which of its keys have been asked for.
pub(super) struct Fields<'a> {
    place: Place,
    entries: &'a [(Key, Rc<Node>)],
    known: Vec<&'static str>,
}

/// A field with what it holds.
pub(super) struct Field<'a> {
    pub(super) place: Place,
    pub(super) node: &'a Node,
}

impl<'a> Report<'a> {
    pub(super) fn new(path: &'a Path) -> Self {
        Self { path, mistakes: Vec::new(), warnings: Vec::new() }
    }

    /// As messages name a place.
    pub(super) fn label(&self, place: &Place) -> String {
        format!("{}:{} {}", self.path.display(), place.line, place.field).trim_end().to_owned()
    }

    pub(super) fn wrong(&mut self, place: &Place, value: Option<&str>, reason: Reason, example: &str) {
        let label = self.label(place);
        self.mistakes.push(Mistake::at(label, value, reason, example));
    }

    pub(super) fn warn(&mut self, code: &'static str, message: String) {
        self.warnings.push(Warning { code, message });
    }
}

impl Place {
    pub(super) fn below(&self, name: &str, line: usize) -> Self {
        let dot = if self.field.is_empty() || name.starts_with('[') { "" } else { "." };
        Self { line, field: format!("{}{dot}{name}", self.field) }
    }
}

impl<'a> Fields<'a> {
    /// None, and a mistake, where it is no mapping.
    pub(super) fn of(node: &'a Node, place: &Place, example: &str, report: &mut Report<'_>) -> Option<Self> {
        match &node.value {
            Value::Map(entries) => Some(Self { place: place.clone(), entries, known: Vec::new() }),
            other => {
                let why = format!("it is {}; a mapping goes here", other.kind());
                report.wrong(place, None, why.into(), example);
                None
            }
        }
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Where the field of this name stands, or would.
    pub(super) fn place_of(&self, name: &str) -> Place {
        let key = self.entries.iter().map(|(key, _)| key).find(|key| key.name == name);
        self.place.below(name, key.map_or(self.place.line, |key| key.line))
    }

    /// The field of this name. One that is there and empty is a mistake, since nobody can tell what was meant.
    pub(super) fn take(&mut self, name: &'static str, report: &mut Report<'_>) -> Option<Field<'a>> {
        self.known.push(name);
        let (key, node) = self.entries.iter().find(|(key, _)| key.name == name)?;
        let place = self.place.below(name, key.line);
        if matches!(node.value, Value::Empty) {
            let reason = Reason::from("it is empty").mend("Leave it out, or give it a value");
            report.wrong(&place, None, reason, "");
            return None;
        }
        Some(Field { place, node })
    }

    /// Text, parsed.
    pub(super) fn parse<T>(
        &mut self,
        name: &'static str,
        example: &str,
        parse: impl FnOnce(&str) -> Result<T, Reason>,
        report: &mut Report<'_>,
    ) -> Option<T> {
        self.take(name, report)?.parse(example, parse, report)
    }

    /// The path of a file, from the root: a sidecar's working directory is nobody's choice.
    pub(super) fn path(
        &mut self,
        name: &'static str,
        example: &str,
        report: &mut Report<'_>,
    ) -> Option<PathBuf> {
        self.parse(name, example, absolute_path, report)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|(key, _)| key.name == name)
    }

    /// Keys that nobody has asked for.
    pub(super) fn refuse_others(self, report: &mut Report<'_>) {
        for (key, _) in self.entries.iter().filter(|(key, _)| !self.known.contains(&key.name.as_str())) {
            let mend = match nearest_of(&key.name, &self.known) {
                Some(near) => format!("Did you mean {near}?"),
                None => format!("The keys here are {}", self.known.join(", ")),
            };
            let place = self.place.below(&key.name.escape_debug().to_string(), key.line);
            report.wrong(&place, None, Reason::from("there is no such key").mend(mend), "");
        }
    }
}

impl<'a> Field<'a> {
    pub(super) fn text(&self, example: &str, report: &mut Report<'_>) -> Option<&'a str> {
        match &self.node.value {
            Value::Text(text) => Some(text),
            other => {
                let why = format!("it is {}; text goes here", other.kind());
                report.wrong(&self.place, None, why.into(), example);
                None
            }
        }
    }

    pub(super) fn parse<T>(
        &self,
        example: &str,
        parse: impl FnOnce(&str) -> Result<T, Reason>,
        report: &mut Report<'_>,
    ) -> Option<T> {
        let text = self.text(example, report)?;
        parse(text).map_err(|reason| report.wrong(&self.place, Some(text), reason, example)).ok()
    }

    /// The items of a list, each with its place.
    pub(super) fn items(&self, example: &str, report: &mut Report<'_>) -> Vec<Self> {
        match &self.node.value {
            Value::List(items) => {
                let item = |(index, node): (usize, &'a Rc<Node>)| Field {
                    place: self.place.below(&format!("[{index}]"), node.line),
                    node,
                };
                items.iter().enumerate().map(item).collect()
            }
            other => {
                let why = format!("it is {}; a list goes here", other.kind());
                report.wrong(&self.place, None, why.into(), example);
                Vec::new()
            }
        }
    }

    pub(super) fn fields(&self, example: &str, report: &mut Report<'_>) -> Option<Fields<'a>> {
        Fields::of(self.node, &self.place, example, report)
    }
}

pub(in crate::config) fn absolute_path(text: &str) -> Result<PathBuf, Reason> {
    if text.trim() != text {
        return Err("it begins or ends with white space".into());
    }
    if text.contains('\0') {
        return Err("it contains a NUL, which no path does".into());
    }
    if text.trim_start().starts_with("eyJ") {
        return Err(Reason::from("it is a token, not the path of a file with a token").hide_value());
    }
    if !text.starts_with('/') {
        let why = "it does not begin with /: in a pod a path must not depend on a working directory";
        return Err(Reason::from(why).hide_value());
    }
    Ok(PathBuf::from(text))
}

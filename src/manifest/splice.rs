//! One operation, carried out on the text.

use std::rc::Rc;

use serde_json::Value;

use crate::manifest::Rewritten;
use crate::manifest::UNREADABLE;
use crate::manifest::emit;
use crate::manifest::tree::Kind;
use crate::manifest::tree::Node;
use crate::patch::Op;

const SHARED: Rewritten = "an anchor, an alias or a merge key stands where something is to be added";

/// The text with the operation in it.
pub(super) fn splice(text: &str, root: &Rc<Node>, op: &Op) -> Result<String, Rewritten> {
    let (path, value, inserts) = match op {
        Op::Add { path, value } => (path, value, true),
        Op::Replace { path, value } => (path, value, false),
    };
    let tokens = path.tokens();
    let (last, above) = tokens.split_last().ok_or(UNREADABLE)?;
    let mut parent = root;
    for token in above {
        refuse_shared(parent)?;
        parent = child(parent, token).ok_or(UNREADABLE)?;
    }
    refuse_shared(parent)?;
    let text = Text { text, dashes: dashes(text, root).unwrap_or(2) };
    match &parent.kind {
        Kind::Map { entries, is_flow } => match parent.get(last) {
            Some((key, node)) => text.replace(key, node, parent, value),
            None => text.insert_entry(parent, entries, *is_flow, last, value),
        },
        Kind::List { items, is_flow } => {
            let index = if last == "-" { items.len() } else { last.parse().map_err(|_| UNREADABLE)? };
            match items.get(index) {
                Some(item) if !inserts => text.replace_scalar(item, value),
                _ => text.insert_item(parent, items, *is_flow, index, value),
            }
        }
        Kind::Scalar { .. } => Err(UNREADABLE),
    }
}

fn refuse_shared(node: &Node) -> Result<(), Rewritten> {
    if node.is_shared || node.is_merged() { Err(SHARED) } else { Ok(()) }
}

fn child<'a>(node: &'a Rc<Node>, token: &str) -> Option<&'a Rc<Node>> {
    match &node.kind {
        Kind::Map { .. } => node.get(token).map(|(_, node)| node),
        Kind::List { items, .. } => items.get(token.parse::<usize>().ok()?),
        Kind::Scalar { .. } => None,
    }
}

/// How far the first list that stands under a key is set in from it.
fn dashes(text: &str, node: &Node) -> Option<usize> {
    match &node.kind {
        Kind::Map { entries, is_flow: false } => entries.iter().find_map(|(_, value)| match &value.kind {
            Kind::List { items, is_flow: false } => {
                let dash = Text { text, dashes: 0 }.dash(items.first()?)?;
                (dash - line_start(text, dash)).checked_sub(node.column)
            }
            _ => dashes(text, value),
        }),
        Kind::List { items, is_flow: false } => items.iter().find_map(|item| dashes(text, item)),
        _ => None,
    }
}

struct Text<'a> {
    text: &'a str,
    dashes: usize,
}

impl Text<'_> {
    fn insert_entry(
        &self,
        map: &Node,
        entries: &[(Rc<Node>, Rc<Node>)],
        is_flow: bool,
        key: &str,
        value: &Value,
    ) -> Result<String, Rewritten> {
        match entries.last() {
            Some((_, last)) if !is_flow => {
                Ok(self.below(last.span.end, &emit::entry(key, value, map.column, self.dashes)))
            }
            last => {
                let entry = format!("{}: {value}", Value::from(key));
                self.add_to_flow(map, last.map(|(key, last)| (key.span.start, last.span.end)), &entry)
            }
        }
    }

    fn insert_item(
        &self,
        list: &Node,
        items: &[Rc<Node>],
        is_flow: bool,
        index: usize,
        value: &Value,
    ) -> Result<String, Rewritten> {
        if is_flow {
            let json = value.to_string();
            return match items.get(index) {
                Some(next) => Ok(self.put(next.span.start, &format!("{json}, "))),
                None => {
                    self.add_to_flow(list, items.last().map(|last| (last.span.start, last.span.end)), &json)
                }
            };
        }
        // The parser's own column is not the dashes' where they stand right below their key.
        let dash = items.first().and_then(|first| self.dash(first)).ok_or(UNREADABLE)?;
        let lines = emit::item(value, dash - line_start(self.text, dash), self.dashes);
        match (items.get(index), items.last()) {
            (Some(next), _) => Ok(self.above(self.dash(next).ok_or(UNREADABLE)?, &lines)),
            (None, Some(last)) => Ok(self.below(last.span.end, &lines)),
            (None, None) => Err(UNREADABLE),
        }
    }

    /// Where a list's item has its dash.
    fn dash(&self, item: &Node) -> Option<usize> {
        let before = self.text[..item.span.start].trim_end();
        before.ends_with('-').then(|| before.len() - 1)
    }

    /// Into a list or a map in brackets, as its last.
    fn add_to_flow(
        &self,
        node: &Node,
        last: Option<(usize, usize)>,
        json: &str,
    ) -> Result<String, Rewritten> {
        let Some((start, end)) = last else {
            let end = node.span.end.checked_sub(1).ok_or(UNREADABLE)?;
            return Ok(self.put(end, json));
        };
        let indent = &self.text[line_start(self.text, start)..start];
        let own_line = !indent.is_empty() && indent.trim().is_empty();
        let separator = if own_line { format!(",{}{indent}", self.newline()) } else { ", ".to_owned() };
        Ok(self.put(end, &format!("{separator}{json}")))
    }

    /// A key's value, which is nothing yet, empty, or a scalar.
    fn replace(&self, key: &Node, node: &Node, map: &Node, value: &Value) -> Result<String, Rewritten> {
        if node.is_shared {
            return Err(SHARED);
        }
        let in_flow = matches!(map.kind, Kind::Map { is_flow: true, .. });
        let is_collection = matches!(value, Value::Array(items) if !items.is_empty())
            || matches!(value, Value::Object(map) if !map.is_empty());
        let nothing = match &node.kind {
            Kind::Scalar { is_plain: true, text, .. } => text.is_empty(),
            Kind::List { items, is_flow: true } => !items.is_empty(),
            Kind::Map { entries, is_flow: true } => !entries.is_empty(),
            Kind::Scalar { .. } => false,
            _ => return Err(UNREADABLE),
        };
        let colon = key.span.end + self.text[key.span.end..].find(':').ok_or(UNREADABLE)? + 1;
        let span = if nothing && matches!(node.kind, Kind::Scalar { .. }) {
            colon..colon
        } else {
            node.span.clone()
        };
        if in_flow || !is_collection {
            let shown = if in_flow { value.to_string() } else { emit::flow(value) };
            let shown = if span.is_empty() { format!(" {shown}") } else { shown };
            return Ok(format!("{}{shown}{}", &self.text[..span.start], &self.text[span.end..]));
        }
        let lines = match value {
            Value::Array(_) => emit::lines(value, map.column + self.dashes, self.dashes),
            _ => emit::lines(value, map.column + 2, self.dashes),
        };
        let start = colon + self.text[colon..span.start].trim_end().len();
        let cleared = format!("{}{}", &self.text[..start], &self.text[span.end..]);
        let text = Text { text: &cleared, dashes: self.dashes };
        Ok(text.below(start, &lines))
    }

    fn replace_scalar(&self, node: &Node, value: &Value) -> Result<String, Rewritten> {
        match node.kind {
            Kind::Scalar { .. } if !node.is_shared => Ok(format!(
                "{}{}{}",
                &self.text[..node.span.start],
                emit::flow(value),
                &self.text[node.span.end..]
            )),
            _ => Err(UNREADABLE),
        }
    }

    fn put(&self, at: usize, what: &str) -> String {
        format!("{}{what}{}", &self.text[..at], &self.text[at..])
    }

    /// New lines after the one in which something ends, its comment included.
    fn below(&self, end: usize, lines: &[String]) -> String {
        let newline = self.newline();
        let block = lines.join(newline);
        // A block scalar's end is the beginning of the next line.
        let end = if self.text[..end].ends_with('\n') { end - 1 } else { end };
        let end = line_end(self.text, end);
        let end = if self.text[..end].ends_with('\r') { end - 1 } else { end };
        self.put(end, &format!("{newline}{block}"))
    }

    /// New lines before the one in which something begins, and before the comments that are right above it.
    fn above(&self, at: usize, lines: &[String]) -> String {
        let mut start = line_start(self.text, at);
        while start > 0 {
            let previous = line_start(self.text, start - 1);
            if !self.text[previous..start].trim_start().starts_with('#') {
                break;
            }
            start = previous;
        }
        let newline = self.newline();
        self.put(start, &format!("{}{newline}", lines.join(newline)))
    }

    fn newline(&self) -> &'static str {
        if self.text.contains("\r\n") { "\r\n" } else { "\n" }
    }
}

pub(super) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

/// Without its newline.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |newline| at + newline)
}

//! YAML as a tree that knows where each value stands in the text. A door to `saphyr-parser`.

use std::collections::HashMap;
use std::collections::HashSet;
use std::ops::Range;
use std::rc::Rc;

use saphyr_parser::Event;
use saphyr_parser::Marker;
use saphyr_parser::Parser;
use saphyr_parser::ScalarStyle;
use saphyr_parser::Span;

use crate::manifest::ManifestError;

/// Nothing in a manifest of Kubernetes is as deep.
const DEEPEST: usize = 100;
/// Values in one file, those that aliases repeat counted each time.
const MOST: usize = 500_000;

/// One value.
#[derive(Debug)]
pub(super) struct Node {
    /// In bytes. Of a block collection, to the end of its last value.
    pub(super) span: Range<usize>,
    /// Of its first character, in characters.
    pub(super) column: usize,
    pub(super) kind: Kind,
    /// It has an anchor or is an alias, so that what is written here may count elsewhere.
    pub(super) is_shared: bool,
    /// How many values it is, aliases followed.
    size: usize,
    height: usize,
}

#[derive(Debug)]
pub(super) enum Kind {
    Scalar { text: String, is_plain: bool, tag: Option<String> },
    List { items: Vec<Rc<Node>>, is_flow: bool },
    Map { entries: Vec<(Rc<Node>, Rc<Node>)>, is_flow: bool },
}

/// One document of a file, and the text that it has to itself, its `---` included.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) root: Rc<Node>,
}

struct Open {
    node: Node,
    anchor: usize,
    key: Option<Rc<Node>>,
}

struct Builder<'a> {
    text: &'a str,
    /// Byte by character; none where both are the same.
    bytes: Option<Vec<usize>>,
    open: Vec<Open>,
    anchors: HashMap<usize, Rc<Node>>,
    root: Option<Rc<Node>>,
    trees: Vec<Tree>,
    size: usize,
}

/// The documents in a text; empty ones are left out.
pub(super) fn parse(text: &str) -> Result<Vec<Tree>, ManifestError> {
    let bytes =
        (!text.is_ascii()).then(|| text.char_indices().map(|(byte, _)| byte).chain([text.len()]).collect());
    let mut builder = Builder {
        text,
        bytes,
        open: Vec::new(),
        anchors: HashMap::new(),
        root: None,
        trees: Vec::new(),
        size: 0,
    };
    for event in Parser::new_from_str(text) {
        let (event, span) =
            event.map_err(|error| at(error.marker(), format!("it is not YAML: {}", error.info())))?;
        builder.take(event, span)?;
    }
    Ok(builder.trees)
}

fn at(marker: &Marker, why: impl Into<String>) -> ManifestError {
    ManifestError { line: marker.line(), column: marker.col() + 1, why: why.into() }
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), ManifestError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_plain = style == ScalarStyle::Plain;
                let tag = tag.map(|tag| format!("{}{}", tag.handle, tag.suffix));
                let kind = Kind::Scalar { text: text.into_owned(), is_plain, tag };
                let mut node = self.node(kind, span, anchor);
                if let ScalarStyle::Literal | ScalarStyle::Folded = style {
                    self.widen_block(&mut node, if style == ScalarStyle::Literal { '|' } else { '>' });
                }
                // The parser's end is that of the line where there is nothing but a comment after it.
                if let Some(length) = quoted_length(&self.text[node.span.start..]) {
                    node.span.end = node.span.start + length;
                }
                self.put(Rc::new(node), anchor, &span.start)
            }
            Event::SequenceStart(anchor, _) => {
                let is_flow = self.text[self.byte(&span.start)..].starts_with('[');
                self.begin(Kind::List { items: Vec::new(), is_flow }, anchor, span)
            }
            Event::MappingStart(anchor, _) => {
                let is_flow = self.text[self.byte(&span.start)..].starts_with('{');
                self.begin(Kind::Map { entries: Vec::new(), is_flow }, anchor, span)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(Open { mut node, anchor, .. }) = self.open.pop() else { return Ok(()) };
                self.refuse_twins(&node)?;
                match node.kind {
                    Kind::List { is_flow: true, .. } | Kind::Map { is_flow: true, .. } => {
                        // The bracket; the parser's end may be the next line's.
                        node.span.end = self.byte(&span.start) + 1;
                    }
                    // A block has no end of its own: it ends with its last value.
                    Kind::List { ref items, .. } => {
                        node.span.end = items.last().map_or(node.span.end, |last| last.span.end);
                    }
                    Kind::Map { ref entries, .. } => {
                        node.span.end = entries.last().map_or(node.span.end, |(_, last)| last.span.end);
                    }
                    Kind::Scalar { .. } => {}
                }
                self.put(Rc::new(node), anchor, &span.start)
            }
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    return Err(at(&span.start, "an alias stands within what it repeats"));
                };
                let copy = Node {
                    span: self.byte(&span.start)..self.byte(&span.end),
                    column: span.start.col(),
                    kind: node.kind.share(),
                    is_shared: true,
                    size: node.size,
                    height: node.height,
                };
                self.put(Rc::new(copy), 0, &span.start)
            }
            Event::DocumentEnd => {
                self.anchors.clear();
                if let Some(root) = self.root.take() {
                    self.trees.push(Tree { root });
                }
                Ok(())
            }
            Event::DocumentStart(_) | Event::Nothing | Event::StreamStart | Event::StreamEnd => Ok(()),
        }
    }

    fn node(&self, kind: Kind, span: Span, anchor: usize) -> Node {
        let range = self.byte(&span.start)..self.byte(&span.end);
        Node { span: range, column: span.start.col(), kind, is_shared: anchor > 0, size: 1, height: 1 }
    }

    /// From its `|` or `>` to the end of its last line: the parser has it begin with its text, and end after the blank
    /// lines that follow, which belong to it only where it says so (`+`).
    fn widen_block(&self, node: &mut Node, sign: char) {
        let Range { start, end } = node.span;
        if !self.text[start..].starts_with(sign) {
            node.span.start = self.text[..start].rfind(sign).unwrap_or(start);
        }
        let header = self.text[node.span.start..].lines().next().unwrap_or_default();
        if !header.split('#').next().unwrap_or_default().contains('+') {
            node.span.end = node.span.start + self.text[node.span.start..end].trim_end().len();
        }
    }

    fn byte(&self, marker: &Marker) -> usize {
        match &self.bytes {
            None => marker.index().min(self.text.len()),
            Some(bytes) => bytes.get(marker.index()).copied().unwrap_or(self.text.len()),
        }
    }

    /// Of two of the same name, programs take one or the other, and the API server neither.
    fn refuse_twins(&self, map: &Node) -> Result<(), ManifestError> {
        let Kind::Map { entries, .. } = &map.kind else { return Ok(()) };
        let mut names = HashSet::new();
        for (key, _) in entries {
            let Kind::Scalar { text, .. } = &key.kind else { continue };
            if !names.insert(text.as_str()) {
                let line = self.text[..key.span.start].matches('\n').count() + 1;
                let why = format!("the key {text:?} is there twice in one mapping; remove one of them");
                return Err(ManifestError { line, column: key.column + 1, why });
            }
        }
        Ok(())
    }

    fn begin(&mut self, kind: Kind, anchor: usize, span: Span) -> Result<(), ManifestError> {
        if self.open.len() == DEEPEST {
            return Err(at(&span.start, "it is nested too deeply"));
        }
        let node = self.node(kind, span, anchor);
        self.open.push(Open { node, anchor, key: None });
        Ok(())
    }

    fn put(&mut self, node: Rc<Node>, anchor: usize, marker: &Marker) -> Result<(), ManifestError> {
        self.size += if node.is_shared { node.size } else { 1 };
        if self.size > MOST {
            return Err(at(marker, "with what its aliases repeat it has more than 500,000 values"));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(Open { node: around, key, .. }) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        around.size = around.size.saturating_add(node.size);
        around.height = around.height.max(node.height + 1);
        if around.height > DEEPEST {
            return Err(at(marker, "it is nested too deeply"));
        }
        match (&mut around.kind, key.take()) {
            (Kind::List { items, .. }, _) => items.push(node),
            (Kind::Map { entries, .. }, Some(name)) => entries.push((name, node)),
            (Kind::Map { .. }, None) => *key = Some(node),
            (Kind::Scalar { .. }, _) => {}
        }
        Ok(())
    }
}

/// How long the scalar in quotes is that a text begins with.
fn quoted_length(text: &str) -> Option<usize> {
    let quote = text.chars().next().filter(|c| ['"', '\''].contains(c))?;
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        let next = characters.peek().map(|(_, next)| *next);
        match character {
            '\\' if quote == '"' => drop(characters.next()),
            '\'' if quote == '\'' && next == Some('\'') => drop(characters.next()),
            character if character == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

impl Kind {
    /// The same, with its children in common.
    fn share(&self) -> Self {
        match self {
            Self::Scalar { text, is_plain, tag } => {
                Self::Scalar { text: text.clone(), is_plain: *is_plain, tag: tag.clone() }
            }
            Self::List { items, is_flow } => Self::List { items: items.clone(), is_flow: *is_flow },
            Self::Map { entries, is_flow } => Self::Map { entries: entries.clone(), is_flow: *is_flow },
        }
    }
}

impl Node {
    /// What stands under this key.
    pub(super) fn get(&self, name: &str) -> Option<&(Rc<Self>, Rc<Self>)> {
        let Kind::Map { entries, .. } = &self.kind else { return None };
        entries.iter().find(|(key, _)| matches!(&key.kind, Kind::Scalar { text, .. } if text == name))
    }

    pub(super) fn is_merged(&self) -> bool {
        self.get("<<").is_some()
    }
}

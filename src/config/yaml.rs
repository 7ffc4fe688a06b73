//! YAML as a tree that knows its lines. The door to `saphyr-parser`.
//!
//! Scalars stay the text that the author wrote: `012345`, `no` and `1.0` are those characters, whatever YAML's schemas make
//! of them. Anchors and aliases are followed; an alias costs no memory, and nothing is repeated by it that was not counted.
//! What would make a file say something else than it shows is refused: tags, merge keys, repeated keys, several documents.

use std::collections::HashMap;
use std::rc::Rc;

use saphyr_parser::Event;
use saphyr_parser::Parser;
use saphyr_parser::ScalarStyle;

/// Nothing of ours is deeper than a policy in a step of a chain.
const DEEPEST: usize = 24;
/// Values in all, those that aliases repeat counted each time: two hundred roles with chains have fewer.
const MOST: usize = 100_000;
/// Keys in one mapping.
const MOST_KEYS: usize = 1000;

/// One value, with the line on which it begins.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) value: Value,
    /// How many values it is, and how deep, aliases followed: whoever walks it must come to an end.
    size: usize,
    height: usize,
}

#[derive(Debug)]
pub(super) enum Value {
    /// Nothing, `~` or `null`.
    Empty,
    Text(String),
    List(Vec<Rc<Node>>),
    Map(Vec<(Key, Rc<Node>)>),
}

#[derive(Debug)]
pub(super) struct Key {
    pub(super) line: usize,
    pub(super) name: String,
}

/// Why a text is no tree.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Malformed {
    pub(super) line: usize,
    pub(super) why: String,
}

/// A list or a map that is not closed yet.
struct Open {
    node: Node,
    anchor: usize,
    key: Option<Key>,
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, Rc<Node>>,
    documents: usize,
    root: Option<Rc<Node>>,
}

/// The one document in `text`.
pub(super) fn parse(text: &str) -> Result<Rc<Node>, Malformed> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let why = format!("it is not YAML, at column {}: {}", error.marker().col() + 1, error.info());
            Malformed { line: error.marker().line(), why }
        })?;
        builder.take(event, span.start.line())?;
    }
    builder.root.ok_or_else(|| malformed(1, "it is empty"))
}

impl Builder {
    fn take(&mut self, event: Event<'_>, line: usize) -> Result<(), Malformed> {
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(malformed(line, "it holds more than one document"));
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                refuse_tag(tag.is_some(), line)?;
                let is_key = self.open.last().is_some_and(Open::awaits_key);
                if is_key {
                    return self.key(&text, line);
                }
                let is_empty = style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null");
                let value = if is_empty { Value::Empty } else { Value::Text(text.into_owned()) };
                self.put(Rc::new(Node { line, value, size: 1, height: 1 }), anchor)?;
            }
            Event::SequenceStart(anchor, tag) => {
                self.begin(Value::List(Vec::new()), anchor, tag.is_some(), line)?;
            }
            Event::MappingStart(anchor, tag) => {
                self.begin(Value::Map(Vec::new()), anchor, tag.is_some(), line)?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(Open { node, anchor, .. }) = self.open.pop() {
                    self.put(Rc::new(node), anchor)?;
                }
            }
            Event::Alias(anchor) => {
                if self.open.last().is_some_and(Open::awaits_key) {
                    return Err(malformed(line, "a key is an alias; write it out"));
                }
                let node = self.anchors.get(&anchor).cloned();
                let node = node.ok_or_else(|| malformed(line, "an alias stands within what it repeats"))?;
                self.put(node, 0)?;
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn begin(&mut self, value: Value, anchor: usize, has_tag: bool, line: usize) -> Result<(), Malformed> {
        refuse_tag(has_tag, line)?;
        if self.open.last().is_some_and(Open::awaits_key) {
            return Err(malformed(line, "a key is a list or a mapping; keys are words"));
        }
        if self.open.len() == DEEPEST {
            return Err(malformed(line, "it is nested too deeply"));
        }
        self.open.push(Open { node: Node { line, value, size: 1, height: 1 }, anchor, key: None });
        Ok(())
    }

    fn key(&mut self, text: &str, line: usize) -> Result<(), Malformed> {
        if text == "<<" {
            return Err(malformed(line, "a merge key (<<) is not followed; write the keys out"));
        }
        let Some(Open { node: Node { value: Value::Map(entries), .. }, key, .. }) = self.open.last_mut()
        else {
            return Err(malformed(line, "a key stands outside a mapping"));
        };
        if entries.len() == MOST_KEYS {
            return Err(malformed(line, "the mapping has more than 1000 keys"));
        }
        if let Some((earlier, _)) = entries.iter().find(|(key, _)| key.name == text) {
            let why = format!("the key {text:?} is there twice, first on line {}", earlier.line);
            return Err(Malformed { line, why });
        }
        *key = Some(Key { line, name: text.to_owned() });
        Ok(())
    }

    fn put(&mut self, node: Rc<Node>, anchor: usize) -> Result<(), Malformed> {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        if let Some(Open { node: around, .. }) = self.open.last_mut() {
            around.size = around.size.saturating_add(node.size);
            around.height = around.height.max(node.height + 1);
            if around.size > MOST {
                return Err(malformed(
                    node.line,
                    "with what its aliases repeat it has more than 100,000 values",
                ));
            }
            if around.height > DEEPEST {
                return Err(malformed(node.line, "it is nested too deeply"));
            }
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open { node: Node { value: Value::List(items), .. }, .. }) => items.push(node),
            Some(Open { node: Node { value: Value::Map(entries), .. }, key, .. }) => match key.take() {
                Some(key) => entries.push((key, node)),
                None => return Err(malformed(node.line, "a value has no key")),
            },
            Some(_) => return Err(malformed(node.line, "a value stands within another")),
        }
        Ok(())
    }
}

impl Open {
    fn awaits_key(&self) -> bool {
        matches!(self.node.value, Value::Map(_)) && self.key.is_none()
    }
}

impl Value {
    /// For messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

fn refuse_tag(has_tag: bool, line: usize) -> Result<(), Malformed> {
    if has_tag { Err(malformed(line, "it has a tag (! or !!), which nothing here needs")) } else { Ok(()) }
}

fn malformed(line: usize, why: &str) -> Malformed {
    Malformed { line, why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tree, in one line.
    fn shown(node: &Node) -> String {
        match &node.value {
            Value::Empty => "-".to_owned(),
            Value::Text(text) => format!("{text:?}@{}", node.line),
            Value::List(items) => {
                format!("[{}]", items.iter().map(|item| shown(item)).collect::<Vec<_>>().join(" "))
            }
            Value::Map(entries) => {
                let entry = |(key, node): &(Key, Rc<Node>)| format!("{}:{}", key.name, shown(node));
                format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(" "))
            }
        }
    }

    #[test]
    fn scalars_stay_what_was_written_and_know_their_line() {
        let tree =
            parse("a: 012\nb:\n  - no\n  - \"~\"\n  - ~\n  -\nc: |\n  x\n  y\nd: &t 1.0\ne: *t\n").unwrap();
        assert_eq!(shown(&tree), r#"{a:"012"@1 b:["no"@3 "~"@4 - -] c:"x\ny\n"@8 d:"1.0"@10 e:"1.0"@10}"#);
    }

    #[test]
    fn what_would_say_something_else_than_it_shows_is_refused_with_its_line() {
        for (text, line, why) in [
            ("", 1, "empty"),
            ("a: 1\na: 2\n", 2, "twice, first on line 1"),
            ("a: 1\n---\nb: 2\n", 2, "more than one document"),
            ("a: 1\nb: !!binary abcd\n", 2, "a tag"),
            ("a: &x {k: v}\nb:\n  <<: *x\n", 3, "merge key"),
            ("? [a]\n: b\n", 1, "a key is a list"),
            ("a: &x [*x]\n", 1, "within what it repeats"),
            ("a: 'b\n", 1, "not YAML"),
            ("a: b: c\n", 1, "not YAML"),
        ] {
            let malformed = parse(text).unwrap_err();
            assert!(malformed.why.contains(why), "{text:?}: {malformed:?}");
            assert_eq!(malformed.line, line, "{text:?}: {malformed:?}");
        }
        let chain = |item: fn(usize) -> String| {
            let lines: String = (1..60).map(|n| format!("a{n}: &a{n} {}\n", item(n - 1))).collect();
            parse(&format!("a0: &a0 [x]\n{lines}")).unwrap_err().why
        };
        assert!(chain(|n| format!("[*a{n}]")).contains("too deeply"));
        assert!(
            chain(|n| format!("[*a{n}, *a{n}, *a{n}, *a{n}, *a{n}, *a{n}]")).contains("more than 100,000")
        );
        let keys: String = (0..1001).map(|n| format!("k{n}: x\n")).collect();
        assert!(parse(&keys).unwrap_err().why.contains("1000 keys"));
        assert!(parse(&format!("{}{}", "[".repeat(40), "]".repeat(40))).is_err());
        assert!(parse(&"[".repeat(100_000)).is_err());
    }
}

//! Session tags: how they are sent, what they may be, and how the transitive ones go down a chain.
//!
//! Keys are told apart without regard to letter case, and kept in the case in which they came.

use std::collections::{BTreeMap, BTreeSet};

use crate::sts::failure::Failure;
use crate::sts::form::{Constraints, Form};

const MOST: usize = 50;
const TAG_PATTERN: &str = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+";
const VALUE_PATTERN: &str = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*";

/// The tags of a session, by key in lower case.
#[derive(Clone, Debug, Default)]
pub(crate) struct SessionTags {
    by_key: BTreeMap<String, SessionTag>,
}

#[derive(Clone, Debug)]
struct SessionTag {
    key: String,
    value: String,
    transitive: bool,
}

/// `Tags` and `TransitiveTagKeys` of one request, as they were sent.
#[derive(Debug)]
pub(super) struct RequestedTags<'a> {
    pairs: Vec<(&'a str, Option<&'a str>)>,
    transitive_keys: Vec<&'a str>,
}

impl<'a> RequestedTags<'a> {
    pub(super) fn read(form: &'a Form) -> Self {
        let keys = form.members("Tags", ".Key").into_iter();
        Self {
            pairs: keys
                .zip(1..)
                .map(|(key, n)| (key, form.value(&format!("Tags.member.{n}.Value"))))
                .collect(),
            transitive_keys: form.members("TransitiveTagKeys", ""),
        }
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.pairs.iter().map(|(key, value)| (*key, value.unwrap_or_default()))
    }

    pub(super) fn transitive_keys(&self) -> &[&'a str] {
        &self.transitive_keys
    }

    /// What can be said of each by itself.
    pub(super) fn constrain(&self, constraints: &mut Constraints) {
        for (&(key, value), n) in self.pairs.iter().zip(1..) {
            constraints
                .on(format!("tags.{n}.member.key"), Some(key))
                .length(1, 128)
                .pattern(TAG_PATTERN, is_tag_text);
            constraints
                .on(format!("tags.{n}.member.value"), value)
                .required()
                .length(0, 256)
                .pattern(VALUE_PATTERN, is_tag_text);
        }
        for (key, n) in self.transitive_keys.iter().zip(1..) {
            constraints
                .on(format!("transitiveTagKeys.{n}.member"), Some(key))
                .length(1, 128)
                .pattern(TAG_PATTERN, is_tag_text);
        }
        if self.pairs.len() > MOST {
            constraints.too_long("tags", MOST);
        }
        if self.transitive_keys.len() > MOST {
            constraints.too_long("transitiveTagKeys", MOST);
        }
    }

    /// The tags of the session that is asked for by one that has `inherited`.
    pub(super) fn on_top_of(&self, inherited: SessionTags) -> Result<SessionTags, Failure> {
        let keys: BTreeSet<String> = self.pairs.iter().map(|(key, _)| key.to_lowercase()).collect();
        if keys.len() < self.pairs.len() {
            return Err(refused("Duplicate tag keys found. Please note that Tag keys are case insensitive."));
        }
        if keys.iter().any(|key| inherited.by_key.contains_key(key)) {
            return Err(refused(
                "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag \
                 key from the calling session.",
            ));
        }
        let transitive: BTreeSet<String> =
            self.transitive_keys.iter().map(|key| key.to_lowercase()).collect();
        if !transitive.is_subset(&keys) {
            return Err(refused("The specified transitive tag key must be included in the requested tags."));
        }
        let mut tags = inherited;
        for (key, value) in self.pairs() {
            tags.put(key, value, transitive.contains(&key.to_lowercase()));
        }
        Ok(tags)
    }
}

impl SessionTags {
    pub(crate) fn put(&mut self, key: &str, value: &str, transitive: bool) {
        let tag = SessionTag { key: key.to_owned(), value: value.to_owned(), transitive };
        self.by_key.insert(key.to_lowercase(), tag);
    }

    /// What the next session in a chain begins with.
    pub(super) fn inherited(&self) -> Self {
        let transitive = self.by_key.iter().filter(|(_, tag)| tag.transitive);
        Self { by_key: transitive.map(|(key, tag)| (key.clone(), tag.clone())).collect() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.by_key.values().map(|tag| (tag.key.as_str(), tag.value.as_str()))
    }

    /// Keys and values together, in characters.
    pub(super) fn size(&self) -> usize {
        self.iter().map(|(key, value)| key.chars().count() + value.chars().count()).sum()
    }
}

fn refused(message: &'static str) -> Failure {
    Failure::new("InvalidParameterValue", message)
}

fn is_tag_text(c: char) -> bool {
    c.is_alphanumeric() || c == ' ' || c == '\u{a0}' || "_.:/=+-@".contains(c)
}

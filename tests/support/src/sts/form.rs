//! The AWS Query protocol's parameters, and the checks that STS makes before anything else.
//!
//! All broken constraints come back in one `ValidationError`, in the words of AWS's own validator.

use std::borrow::Cow;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::sts::failure::Failure;

/// Parameters in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form {
    pairs: Vec<(String, String)>,
}

/// Collects what is wrong, so that it can be said all at once.
#[derive(Debug, Default)]
pub(crate) struct Constraints {
    broken: Vec<String>,
}

/// A parameter under examination.
pub(crate) struct Member<'a> {
    constraints: &'a mut Constraints,
    name: Cow<'static, str>,
    value: Option<&'a str>,
    secret: bool,
}

impl Form {
    /// Reads `application/x-www-form-urlencoded`.
    pub(crate) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        });
        Self { pairs: pairs.collect() }
    }

    /// The other way round, for the client's side.
    pub(crate) fn encode(parameters: &[(&str, &str)]) -> String {
        let pairs: Vec<String> = parameters
            .iter()
            .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
            .collect();
        pairs.join("&")
    }

    pub(crate) fn and(mut self, other: Self) -> Self {
        self.pairs.extend(other.pairs);
        self
    }

    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// A list's entries, `PREFIX.member.1`, `PREFIX.member.2` and so on; `field` follows the number in structures.
    pub(crate) fn members(&self, prefix: &str, field: &str) -> Vec<&str> {
        (1..).map_while(|n| self.value(&format!("{prefix}.member.{n}{field}"))).collect()
    }
}

impl Constraints {
    pub(crate) fn on<'a>(
        &'a mut self,
        name: impl Into<Cow<'static, str>>,
        value: Option<&'a str>,
    ) -> Member<'a> {
        Member { constraints: self, name: name.into(), value, secret: false }
    }

    pub(crate) fn too_long(&mut self, name: &str, most: usize) {
        self.broken.push(format!(
            "Value at '{name}' failed to satisfy constraint: Member must have length less than or equal to {most}"
        ));
    }

    pub(crate) fn check(self) -> Result<(), Failure> {
        match self.broken.len() {
            0 => Ok(()),
            1 => Err(Failure::validation(format!("1 validation error detected: {}", self.broken[0]))),
            n => Err(Failure::validation(format!(
                "{n} validation errors detected: {}",
                self.broken.join("; ")
            ))),
        }
    }
}

impl Member<'_> {
    /// Its value is left out of messages.
    pub(crate) fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    pub(crate) fn required(self) -> Self {
        if self.value.is_none() {
            let text = format!(
                "Value null at '{}' failed to satisfy constraint: Member must not be null",
                self.name
            );
            self.constraints.broken.push(text);
        }
        self
    }

    pub(crate) fn length(mut self, least: usize, most: usize) -> Self {
        let length = self.value.map(|value| value.chars().count());
        self.violated_if(length.is_some_and(|n| n < least), || {
            format!("Member must have length greater than or equal to {least}")
        });
        self.violated_if(length.is_some_and(|n| n > most), || {
            format!("Member must have length less than or equal to {most}")
        });
        self
    }

    /// `pattern` is what the message shows; `allowed` is what it means for one character.
    pub(crate) fn pattern(mut self, pattern: &str, allowed: impl Fn(char) -> bool) -> Self {
        let violated = self.value.is_some_and(|value| !value.chars().all(allowed));
        self.violated_if(violated, || format!("Member must satisfy regular expression pattern: {pattern}"));
        self
    }

    /// A whole number between the two, both included.
    pub(crate) fn number(mut self, least: u64, most: u64) -> Option<u64> {
        let value = self.value?;
        let Ok(number) = value.parse::<i64>() else {
            self.violated_if(true, || "Member must be an integer".to_owned());
            return None;
        };
        self.violated_if(number < least.cast_signed(), || {
            format!("Member must have value greater than or equal to {least}")
        });
        self.violated_if(number > most.cast_signed(), || {
            format!("Member must have value less than or equal to {most}")
        });
        u64::try_from(number).ok()
    }

    fn violated_if(&mut self, violated: bool, constraint: impl FnOnce() -> String) {
        if violated {
            let shown = match self.value {
                Some(value) if !self.secret => format!("Value '{value}'"),
                _ => "Value".to_owned(),
            };
            let text = format!("{shown} at '{}' failed to satisfy constraint: {}", self.name, constraint());
            self.constraints.broken.push(text);
        }
    }
}

fn decode(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

//! One line of a policy's Condition block: operator, key, values.

use std::collections::BTreeMap;

/// What is known of a request, by condition key.
#[derive(Clone, Debug, Default)]
pub struct Context {
    values: BTreeMap<String, Vec<String>>,
}

#[derive(Clone, Debug)]
pub(super) struct Condition {
    quantifier: Quantifier,
    comparison: Comparison,
    negated: bool,
    if_exists: bool,
    key: String,
    values: Vec<String>,
}

/// How many of the request's values must match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantifier {
    /// The key has one value.
    Single,
    AnyValue,
    AllValues,
}

#[derive(Clone, Copy, Debug)]
enum Comparison {
    Equals,
    EqualsIgnoreCase,
    Like,
    /// Part by part; what is no ARN matches none.
    Arn,
    /// `Null`: the key is absent when the value is `true`, present when it is `false`.
    Absent,
}

impl Context {
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.values.entry(key.to_ascii_lowercase()).or_default().push(value.to_owned());
        self
    }
}

impl Condition {
    pub(super) fn read(operator: &str, key: &str, values: Vec<String>) -> Result<Self, String> {
        let (quantifier, rest) = match operator.split_once(':') {
            None => (Quantifier::Single, operator),
            Some(("ForAnyValue", rest)) => (Quantifier::AnyValue, rest),
            Some(("ForAllValues", rest)) => (Quantifier::AllValues, rest),
            Some(_) => return Err(format!("condition operator {operator:?} is not known here")),
        };
        let (name, if_exists) = rest.strip_suffix("IfExists").map_or((rest, false), |name| (name, true));
        let (comparison, negated) = match name {
            "StringEquals" => (Comparison::Equals, false),
            "StringNotEquals" => (Comparison::Equals, true),
            "StringEqualsIgnoreCase" => (Comparison::EqualsIgnoreCase, false),
            "StringNotEqualsIgnoreCase" => (Comparison::EqualsIgnoreCase, true),
            // To IAM, ArnEquals and ArnLike are one and the same.
            "StringLike" => (Comparison::Like, false),
            "StringNotLike" => (Comparison::Like, true),
            "ArnLike" | "ArnEquals" => (Comparison::Arn, false),
            "ArnNotLike" | "ArnNotEquals" => (Comparison::Arn, true),
            "Null" => (Comparison::Absent, false),
            _ => return Err(format!("condition operator {operator:?} is not known here")),
        };
        Ok(Self { quantifier, comparison, negated, if_exists, key: key.to_ascii_lowercase(), values })
    }

    pub(super) fn holds(&self, context: &Context) -> bool {
        let asked = context.values.get(&self.key).map_or(&[][..], Vec::as_slice);
        if matches!(self.comparison, Comparison::Absent) {
            return self.values.iter().any(|value| value.eq_ignore_ascii_case("true") == asked.is_empty());
        }
        if asked.is_empty() {
            // A missing key satisfies what is negated, what is optional, and what is said of all of none.
            return self.if_exists
                || self.negated && self.quantifier == Quantifier::Single
                || self.quantifier == Quantifier::AllValues;
        }
        match self.quantifier {
            Quantifier::Single | Quantifier::AllValues => asked.iter().all(|value| self.fits(value)),
            Quantifier::AnyValue => asked.iter().any(|value| self.fits(value)),
        }
    }

    fn fits(&self, asked: &str) -> bool {
        let matched = self.values.iter().any(|wanted| match self.comparison {
            Comparison::Equals => wanted == asked,
            Comparison::EqualsIgnoreCase => wanted.eq_ignore_ascii_case(asked),
            Comparison::Like => like(wanted, asked),
            Comparison::Arn => like_arn(wanted, asked),
            Comparison::Absent => false,
        });
        matched != self.negated
    }
}

fn like_arn(pattern: &str, arn: &str) -> bool {
    let mut parts = arn.splitn(6, ':');
    let mut patterns = pattern.splitn(6, ':');
    let all = (0..6).all(|_| matches!((patterns.next(), parts.next()), (Some(p), Some(a)) if like(p, a)));
    all && arn.starts_with("arn:")
}

/// IAM's patterns: `*` is any run of characters, `?` exactly one.
pub(super) fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where to go back to: just after the last star, and the text that it has swallowed so far.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if p < pattern.len() && pattern[p] == '*' {
            star = Some((p + 1, t));
            p += 1;
        } else if p < pattern.len() && (pattern[p] == '?' || pattern[p] == text[t]) {
            p += 1;
            t += 1;
        } else if let Some((after, swallowed)) = star {
            star = Some((after, swallowed + 1));
            p = after;
            t = swallowed + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

//! Where two texts part, and how a pattern of IAM's matches.

use serde::Serialize;

/// The first character in which a text differs from the one that was wanted.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Difference {
    pub wanted: String,
    pub got: String,
    /// So many characters of what is there are as wanted.
    #[serde(rename = "alike")]
    pub at: usize,
    /// So many of what is wanted are there: the same number, but for patterns.
    #[serde(rename = "alike_in_wanted")]
    pub in_wanted: usize,
}

/// How what is wanted is meant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reading {
    Exact,
    IgnoringCase,
    Pattern,
}

impl Difference {
    pub(super) fn between(wanted: &str, got: &str, reading: Reading) -> Self {
        let (in_wanted, at) = match reading {
            Reading::Exact => common(wanted, got, |a, b| a == b),
            Reading::IgnoringCase => common(wanted, got, |a, b| a.eq_ignore_ascii_case(&b)),
            Reading::Pattern => reached(wanted, got),
        };
        Self { wanted: wanted.to_owned(), got: got.to_owned(), at, in_wanted }
    }

    /// How near they are: a star, which anything is like, does not count.
    pub(super) fn alike(&self) -> usize {
        self.wanted.chars().take(self.in_wanted).filter(|c| *c != '*').count()
    }
}

fn common(a: &str, b: &str, is_like: impl Fn(char, char) -> bool) -> (usize, usize) {
    let alike = a.chars().zip(b.chars()).take_while(|(a, b)| is_like(*a, *b)).count();
    (alike, alike)
}

/// How far into a pattern a text leads, and where it is then: at the end of what the last sign took, or, where that is a
/// star, at its beginning.
fn reached(pattern: &str, text: &str) -> (usize, usize) {
    let text: Vec<char> = text.chars().collect();
    let mut row = first_row(&text);
    let mut reached = (0, 0);
    for (index, sign) in pattern.chars().enumerate() {
        row = next_row(&row, sign, &text);
        let at = if sign == '*' { row.iter().position(|is| *is) } else { row.iter().rposition(|is| *is) };
        let Some(at) = at else { break };
        reached = (index + 1, at);
    }
    reached
}

/// `*` is any run of characters, `?` is one.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    pattern.chars().fold(first_row(&text), |row, sign| next_row(&row, sign, &text))[text.len()]
}

/// Whether nothing of a pattern matches the first n characters.
fn first_row(text: &[char]) -> Vec<bool> {
    (0..=text.len()).map(|n| n == 0).collect()
}

/// The same with one more sign of the pattern.
fn next_row(row: &[bool], sign: char, text: &[char]) -> Vec<bool> {
    if sign == '*' {
        let first = row.iter().position(|reached| *reached).unwrap_or(row.len());
        return (0..row.len()).map(|n| n >= first).collect();
    }
    let fits = |c: char| sign == '?' || sign == c;
    std::iter::once(false).chain(text.iter().zip(row).map(|(c, reached)| *reached && fits(*c))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_as_iam_does() {
        for (pattern, text) in [
            ("*", ""),
            ("a*", "a"),
            ("a*c*e", "abcde"),
            ("a?c", "abc"),
            ("", ""),
            ("*:*", "a:b"),
            ("é?", "éa"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("", "a"), ("a?", "a"), ("a*b", "a"), ("A", "a"), ("*x", "xy")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    /// What a star or a question mark matches is no difference.
    #[test]
    fn tells_the_first_character_that_differs() {
        use Reading::Exact;
        use Reading::IgnoringCase;
        use Reading::Pattern;
        for (wanted, got, reading, in_wanted, at) in [
            ("shop:app", "shop:api", Exact, 7, 7),
            ("shop:*", "shop:app", Exact, 5, 5),
            ("SHOP:app", "shop:api", IgnoringCase, 7, 7),
            ("shop:app", "shop:api", Pattern, 7, 7),
            ("*:app", "shop:api", Pattern, 4, 7),
            ("sh?p:app", "shop:api", Pattern, 7, 7),
            ("shop:*-x", "shop:api", Pattern, 6, 5),
            ("*x", "xy", Pattern, 2, 1),
            ("prod-*:app", "shop:app", Pattern, 0, 0),
            ("", "x", Pattern, 0, 0),
        ] {
            let difference = Difference::between(wanted, got, reading);
            assert_eq!((difference.in_wanted, difference.at), (in_wanted, at), "{wanted} {got} {reading:?}");
        }
    }
}

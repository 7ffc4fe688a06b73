//! Where two texts part, and how a pattern of IAM's matches.

use serde::Serialize;

/// The first character in which a text differs from the one that was wanted.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Difference {
    pub wanted: String,
    pub got: String,
    /// So many characters are alike.
    #[serde(rename = "alike")]
    pub at: usize,
}

impl Difference {
    /// From that of the wanted texts which it is nearest to; none where there is nothing to compare with.
    pub fn nearest(wanted: &[String], got: &str) -> Option<Self> {
        let of =
            |wanted: &String| Self { at: common(wanted, got), wanted: wanted.clone(), got: got.to_owned() };
        wanted.iter().map(of).max_by_key(|difference| difference.at)
    }
}

fn common(a: &str, b: &str) -> usize {
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count()
}

/// `*` is any run of characters, `?` is one.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    // One row of a table: whether the pattern so far matches the first n characters.
    let mut row = vec![false; text.len() + 1];
    row[0] = true;
    for sign in pattern {
        if sign == '*' {
            let first = row.iter().position(|reached| *reached).unwrap_or(row.len());
            row[first..].fill(true);
            continue;
        }
        let fits = |c: char| sign == '?' || sign == c;
        row = std::iter::once(false)
            .chain(text.iter().zip(&row).map(|(c, reached)| *reached && fits(*c)))
            .collect();
    }
    row[text.len()]
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

    #[test]
    fn tells_the_first_character_that_differs_from_the_nearest() {
        let wanted = ["team:a".to_owned(), "shop:app".to_owned()];
        let difference = Difference::nearest(&wanted, "shop:api").unwrap();
        assert_eq!((difference.wanted.as_str(), difference.at), ("shop:app", 7));
        assert_eq!(Difference::nearest(&[], "x"), None);
    }
}

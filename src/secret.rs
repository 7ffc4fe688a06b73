//! A string that must not be seen.
//!
//! Secrecy belongs to the type, not to the places that use it: a [`Secret`] has no `Debug`, no `Display` and no
//! `Serialize`, so a structure that holds one cannot derive them either, and it is overwritten when dropped.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

#[derive(Clone)]
#[allow(missing_debug_implementations)] // by design
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(value: String) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The one way to the value; every use of it is a place to look at in a review.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Compares without telling by its duration how far the two agree. The length is not hidden.
    pub fn matches(&self, candidate: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(candidate).into()
    }

    /// What may be said of it in a message: its length alone.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// An access key id shortened for people: enough to tell two apart, not enough to look one up.
pub fn shorten(access_key_id: &str) -> String {
    let start: String = access_key_id.chars().take(4).collect();
    let end: String = match access_key_id.char_indices().rev().nth(3) {
        Some((at, _)) if access_key_id.len() > 12 => access_key_id[at..].to_owned(),
        _ => String::new(),
    };
    format!("{start}…{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_only_the_same_bytes() {
        let secret = Secret::new("abc".to_owned());
        assert!(secret.matches(b"abc"));
        assert!(!secret.matches(b"abd"));
        assert!(!secret.matches(b"ab"));
        assert!(!secret.matches(b""));
    }

    #[test]
    fn shortens_an_access_key_id() {
        assert_eq!(shorten("ASIAIOSFODNN7EXAMPLE"), "ASIA…MPLE");
        assert_eq!(shorten("short"), "shor…");
        assert_eq!(shorten(""), "…");
    }
}

//! What people put a token into, or around it, where the token alone should be: a client sends all of it, and STS says no
//! more than that it is no JSON Web Token.

use thiserror::Error;
use zeroize::Zeroizing;

use crate::token::in_clear;

/// What is around a token.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum Wrapping {
    /// `kubectl get secret` prints it so.
    #[error("it holds a token in base64, as a Secret has it")]
    Base64,
    #[error("the word Bearer stands before the token")]
    Bearer,
    #[error("it holds a JSON document ({0}) in place of the token, which is in it")]
    Json(Document),
    #[error("the token in it stands in quotes")]
    Quotes,
}

/// The documents that a token comes in.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum Document {
    #[error("an ExecCredential of a kubeconfig's plugin")]
    ExecCredential,
    #[error("the answer to a TokenRequest")]
    TokenRequest,
    #[error("of another kind")]
    Other,
}

/// Every token's header begins with `{"`, which is this in base64.
const BEGINNING: &str = "eyJ";
const SCHEME: &str = "bearer";
const QUOTES: [char; 8] = ['"', '\'', '`', '“', '”', '„', '‘', '’'];

impl Wrapping {
    /// Of a file's text without the space around it.
    pub(super) fn of(text: &str) -> Option<Self> {
        if text.starts_with('{') {
            return Some(Self::Json(Document::of(text)));
        }
        let bare = text.trim_matches(QUOTES);
        if bare.len() != text.len() && is_token(bare) {
            return Some(Self::Quotes);
        }
        if let Some((scheme, rest)) = text.split_at_checked(SCHEME.len())
            && scheme.eq_ignore_ascii_case(SCHEME)
            && is_token(rest.trim_start_matches([':', ' ', '\t']))
        {
            return Some(Self::Bearer);
        }
        is_in_base64(text).then_some(Self::Base64)
    }

    /// Stable.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Base64 => "TokenInBase64",
            Self::Bearer => "TokenWithBearer",
            Self::Json(_) => "TokenInJson",
            Self::Quotes => "TokenInQuotes",
        }
    }

    pub(super) fn mend(self) -> &'static str {
        match self {
            Self::Base64 => {
                "Mount a projected volume (serviceAccountToken) and name the file in it: a Secret's token has no audience and no expiry, and \
                 STS refuses it. To look at what it is: base64 -d."
            }
            Self::Bearer => "Write the token alone into the file; Bearer belongs into a header of HTTP.",
            Self::Json(_) => {
                "Write what is at .status.token in it alone into the file: jq -r .status.token, or kubectl create token \
                 --audience=sts.amazonaws.com, which prints nothing else."
            }
            Self::Quotes => "Write the token into the file without quotes: jq -r, or printf %s.",
        }
    }
}

impl Document {
    /// By its words alone: parsed, the token would be in memory once more.
    fn of(text: &str) -> Self {
        if text.contains("\"ExecCredential\"") {
            Self::ExecCredential
        } else if text.contains("\"TokenRequest\"") {
            Self::TokenRequest
        } else {
            Self::Other
        }
    }
}

fn is_token(text: &str) -> bool {
    text.starts_with(BEGINNING) && text.matches('.').count() == 2
}

/// In one line or, as base64(1) writes it, in several.
fn is_in_base64(text: &str) -> bool {
    if text.contains('.') {
        return false;
    }
    let mut joined = Zeroizing::new(Vec::with_capacity(text.len()));
    joined.extend(text.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'='));
    in_clear(&joined)
        .is_some_and(|decoded| str::from_utf8(&decoded).is_ok_and(|decoded| is_token(decoded.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "eyJhbGciOiJ0ZXN0In0.eyJzdWIiOiJ4In0.c2ln";
    const IN_BASE64: &str = "ZXlKaGJHY2lPaUowWlhOMEluMC5leUp6ZFdJaU9pSjRJbjAuYzJsbg==";

    #[test]
    fn tells_what_is_around_a_token() {
        let in_lines = format!("{}\n{}", &IN_BASE64[..20], &IN_BASE64[20..]);
        let status =
            |kind: &str| format!("{{\"kind\": \"{kind}\",\n \"status\": {{\"token\": \"{TOKEN}\"}}}}");
        for (text, expected) in [
            (TOKEN.to_owned(), None),
            (format!("\"{TOKEN}\""), Some(Wrapping::Quotes)),
            (format!("'{TOKEN}"), Some(Wrapping::Quotes)),
            (format!("“{TOKEN}”"), Some(Wrapping::Quotes)),
            (format!("Bearer {TOKEN}"), Some(Wrapping::Bearer)),
            (format!("bearer: {TOKEN}"), Some(Wrapping::Bearer)),
            (IN_BASE64.to_owned(), Some(Wrapping::Base64)),
            (in_lines, Some(Wrapping::Base64)),
            (status("TokenRequest"), Some(Wrapping::Json(Document::TokenRequest))),
            (status("ExecCredential"), Some(Wrapping::Json(Document::ExecCredential))),
            (status("Secret"), Some(Wrapping::Json(Document::Other))),
            ("bearer".to_owned(), None),
            ("b€".to_owned(), None),
            ("YW55dGhpbmcgZWxzZQ==".to_owned(), None),
        ] {
            assert_eq!(Wrapping::of(&text), expected, "{text}");
        }
    }
}

//! The web identity token: read with care, decoded for people.
//!
//! Nothing is verified here: STS decides, and the claims are hints that make messages better. A read is bounded (STS
//! takes at most 20,000 characters), follows symbolic links (the kubelet's `token -> ..data/token`), never blocks on
//! something that is not a file, and tells every way in which a file can be wrong apart.

use std::path::Path;
use std::time::Duration;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Map;
use serde_json::Value;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::contract::MAX_TOKEN_BYTES;
use crate::contract::SERVICE_ACCOUNT_SUBJECT;
use crate::file::ReadFileError;
use crate::file::read_bounded;
use crate::secret::Secret;
use crate::token::wrapping::Wrapping;

pub mod doubt;
pub mod watch;
pub mod wrapping;

/// A token that may be sent to STS. Whether it is any good, STS decides.
#[derive(Clone)]
#[allow(missing_debug_implementations)] // holds a secret
pub struct Token {
    secret: Secret,
    claims: Claims,
}

/// What the token says about itself, unverified. Whatever is missing or malformed is left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claims {
    pub header: Map<String, Value>,
    pub payload: Map<String, Value>,
}

/// Why a file gives no token.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum ReadTokenError {
    #[error("it is empty")]
    Empty,
    #[error("there is no such file")]
    Missing,
    #[error("it holds {0:?}, which no token contains")]
    NotAToken(char),
    #[error("it is not a file")]
    NotAFile,
    #[error("it is not UTF-8 text")]
    NotUtf8,
    #[error("it does not have the three parts of a JSON Web Token")]
    NotThreeParts,
    #[error("this user may not read it")]
    PermissionDenied,
    #[error("it is longer than the 20,000 bytes that STS accepts")]
    TooLong,
    #[error("its signature is shorter than its algorithm makes them: it is half-written")]
    Truncated,
    #[error("it could not be read: {0}")]
    Unreadable(String),
    #[error("{0}")]
    Wrapped(Wrapping),
}

impl Token {
    /// Reads the token in `path`.
    pub fn read(path: &Path) -> Result<Self, ReadTokenError> {
        let bytes = read_bounded(path, MAX_TOKEN_BYTES)?;
        Self::parse(&bytes)
    }

    /// Reads what may be a JSON Web Token, or any other text that a header can carry.
    pub fn read_any(path: &Path) -> Result<Self, ReadTokenError> {
        let bytes = read_bounded(path, MAX_TOKEN_BYTES)?;
        match Self::parse(&bytes) {
            Err(ReadTokenError::NotThreeParts | ReadTokenError::Wrapped(_)) => {
                let text = Self::text(&bytes)?;
                Ok(Self { secret: Secret::new(text.to_owned()), claims: Claims::default() })
            }
            parsed => parsed,
        }
    }

    pub fn parse(bytes: &[u8]) -> Result<Self, ReadTokenError> {
        if let Some(wrapping) = Self::any_text(bytes).ok().and_then(Wrapping::of) {
            return Err(ReadTokenError::Wrapped(wrapping));
        }
        let text = Self::text(bytes)?;
        // A file that somebody writes in place is seen half-written; all but the last part being there says so.
        let parts: Vec<&str> = text.split('.').collect();
        if parts.len() != 3 || parts.iter().any(|part| part.is_empty()) {
            return Err(ReadTokenError::NotThreeParts);
        }
        let claims = Claims { header: decode(parts[0]), payload: decode(parts[1]) };
        if !claims.fits_signature(parts[2].trim_end_matches('=').len() * 6 / 8) {
            return Err(ReadTokenError::Truncated);
        }
        Ok(Self { secret: Secret::new(text.to_owned()), claims })
    }

    /// A line break at the end is nothing to speak of: SDKs send it, and STS takes the token all the same.
    fn any_text(bytes: &[u8]) -> Result<&str, ReadTokenError> {
        if bytes.len() > MAX_TOKEN_BYTES {
            return Err(ReadTokenError::TooLong);
        }
        let text = str::from_utf8(bytes).map_err(|_| ReadTokenError::NotUtf8)?.trim();
        if text.is_empty() { Err(ReadTokenError::Empty) } else { Ok(text) }
    }

    fn text(bytes: &[u8]) -> Result<&str, ReadTokenError> {
        let text = Self::any_text(bytes)?;
        if let Some(strange) = text.chars().find(|c| !c.is_ascii_graphic()) {
            return Err(ReadTokenError::NotAToken(strange));
        }
        Ok(text)
    }

    /// The token itself, for STS alone.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    pub fn is_same_as(&self, other: &Self) -> bool {
        self.secret.matches(other.secret.expose().as_bytes())
    }
}

impl Claims {
    pub fn text(&self, claim: &str) -> Option<&str> {
        self.payload.get(claim)?.as_str()
    }

    pub fn issuer(&self) -> Option<&str> {
        self.text("iss")
    }

    pub fn subject(&self) -> Option<&str> {
        self.text("sub")
    }

    /// The namespace and the name in the `sub` of a ServiceAccount's token.
    pub fn service_account(&self) -> Option<(&str, &str)> {
        self.subject()?.strip_prefix(SERVICE_ACCOUNT_SUBJECT)?.split_once(':')
    }

    /// `aud` may be one string or a list.
    pub fn audiences(&self) -> Vec<&str> {
        match self.payload.get("aud") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    pub fn expires_at(&self) -> Option<SystemTime> {
        self.time("exp")
    }

    pub fn issued_at(&self) -> Option<SystemTime> {
        self.time("iat")
    }

    pub fn not_before(&self) -> Option<SystemTime> {
        self.time("nbf")
    }

    /// The namespace, ServiceAccount and pod that a projected token names.
    pub fn kubernetes(&self, path: &[&str]) -> Option<&str> {
        path.iter().try_fold(self.payload.get("kubernetes.io")?, |value, key| value.get(key))?.as_str()
    }

    /// Whether a signature of so many bytes can be a whole one. Only the length tells a file that is being written in
    /// place from a finished one. RSA's are as long as the key, and keys come in steps of 512 bits.
    fn fits_signature(&self, bytes: usize) -> bool {
        match self.header.get("alg").and_then(Value::as_str) {
            Some("ES256") => bytes == 64,
            Some("ES384") => bytes == 96,
            Some("ES512") => bytes == 132,
            Some("RS256" | "RS384" | "RS512") => bytes >= 128 && bytes.is_multiple_of(64),
            _ => true,
        }
    }

    fn time(&self, claim: &str) -> Option<SystemTime> {
        let seconds = self.payload.get(claim)?;
        let seconds =
            seconds.as_u64().or_else(|| seconds.as_f64().filter(|s| *s >= 0.0).map(|s| s as u64))?;
        // Far beyond any real token, so that arithmetic on it cannot overflow.
        (seconds < 1 << 40).then(|| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
    }
}

impl ReadTokenError {
    /// Stable: log field and metric label.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "TokenEmpty",
            Self::Missing => "TokenMissing",
            Self::NotAFile => "TokenNotAFile",
            Self::NotAToken(_) | Self::NotThreeParts => "TokenMalformed",
            Self::NotUtf8 => "TokenNotUtf8",
            Self::PermissionDenied => "TokenPermissionDenied",
            Self::TooLong => "TokenTooLong",
            Self::Truncated => "TokenTruncated",
            Self::Unreadable(_) => "TokenUnreadable",
            Self::Wrapped(wrapping) => wrapping.code(),
        }
    }

    pub fn mend(&self) -> &'static str {
        match self {
            Self::Missing | Self::NotAFile => {
                "Check AWS_WEB_IDENTITY_TOKEN_FILE and that the projected ServiceAccount token volume is mounted there."
            }
            Self::PermissionDenied => {
                "Set the pod's securityContext.fsGroup so that this user may read the projected token (mode 0640)."
            }
            Self::Empty => {
                "Look at whoever writes the file: it has failed, or has not finished. The kubelet puts a projected token in place as a whole."
            }
            Self::Wrapped(wrapping) => wrapping.mend(),
            Self::NotAToken(_)
            | Self::NotThreeParts
            | Self::NotUtf8
            | Self::TooLong
            | Self::Truncated
            | Self::Unreadable(_) => "The file must hold one JSON Web Token and nothing else.",
        }
    }
}

impl From<ReadFileError> for ReadTokenError {
    fn from(error: ReadFileError) -> Self {
        match error {
            ReadFileError::Missing => Self::Missing,
            ReadFileError::NotAFile => Self::NotAFile,
            ReadFileError::PermissionDenied => Self::PermissionDenied,
            ReadFileError::TooLong(_) => Self::TooLong,
            ReadFileError::Unreadable(kind) => Self::Unreadable(kind.to_string()),
        }
    }
}

fn decode(part: &str) -> Map<String, Value> {
    let json = URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).unwrap_or_default();
    serde_json::from_slice(&json).unwrap_or_default()
}

/// What base64 without its padding stands for.
fn in_clear(base64: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    STANDARD_NO_PAD.decode(base64).ok().map(Zeroizing::new)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn jwt(payload: &str) -> String {
        format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(r#"{"alg":"test"}"#), URL_SAFE_NO_PAD.encode(payload))
    }

    #[test]
    fn tells_every_wrong_content_apart() {
        let long = vec![b'a'; MAX_TOKEN_BYTES + 1];
        let cases: [(&[u8], ReadTokenError); 10] = [
            (b"", ReadTokenError::Empty),
            (b" \n\t", ReadTokenError::Empty),
            (b"\xff\xfe", ReadTokenError::NotUtf8),
            (b"a.b.c d.e.f", ReadTokenError::NotAToken(' ')),
            (b"a.b.c\0", ReadTokenError::NotAToken('\0')),
            (b"a.b", ReadTokenError::NotThreeParts),
            (b"a.b.", ReadTokenError::NotThreeParts),
            (b"a.b.c.d", ReadTokenError::NotThreeParts),
            (b"'eyJ.b.c'", ReadTokenError::Wrapped(Wrapping::Quotes)),
            (&long, ReadTokenError::TooLong),
        ];
        for (bytes, expected) in cases {
            assert_eq!(Token::parse(bytes).err(), Some(expected), "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn a_token_cut_off_in_its_signature_is_not_taken_for_a_whole_one() {
        for (alg, whole) in [("RS256", 256), ("RS384", 384), ("RS512", 512), ("ES256", 64), ("ES384", 96)] {
            let head = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{alg}"}}"#));
            for cut in [0, 1, 40] {
                let signature = URL_SAFE_NO_PAD.encode(vec![7; whole - cut]);
                let token = Token::parse(format!("{head}.e30.{signature}").as_bytes());
                assert_eq!(token.err(), (cut > 0).then_some(ReadTokenError::Truncated), "{alg} cut by {cut}");
            }
        }
    }

    #[test]
    fn trims_what_an_editor_leaves_behind() {
        let token = Token::parse(format!("\n {}\r\n", jwt("{}")).as_bytes()).unwrap();
        assert_eq!(token.secret().expose(), jwt("{}"));
    }

    #[test]
    fn reads_the_claims_of_a_projected_token() {
        let payload = r#"{"aud":["sts.amazonaws.com"],"exp":1800000000,"iss":"https://issuer","sub":"system:serviceaccount:shop:app",
            "kubernetes.io":{"namespace":"shop","pod":{"name":"app-0"}}}"#;
        let token = Token::parse(jwt(payload).as_bytes()).unwrap();
        let claims = token.claims();
        assert_eq!(claims.audiences(), ["sts.amazonaws.com"]);
        assert_eq!(claims.issuer(), Some("https://issuer"));
        assert_eq!(claims.kubernetes(&["pod", "name"]), Some("app-0"));
        assert_eq!(claims.kubernetes(&["node", "name"]), None);
        assert_eq!(claims.expires_at(), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)));
    }

    #[test]
    fn claims_that_make_no_sense_are_left_out() {
        for payload in ["[]", "nonsense", r#"{"exp":"soon","aud":7}"#, r#"{"exp":-5}"#, r#"{"exp":1e300}"#] {
            let token = Token::parse(jwt(payload).as_bytes()).unwrap();
            assert_eq!(token.claims().expires_at(), None, "{payload}");
            assert!(token.claims().audiences().is_empty(), "{payload}");
        }
    }

    #[test]
    fn does_not_wait_on_a_directory_or_a_device() {
        assert_eq!(Token::read(Path::new("/")).err(), Some(ReadTokenError::NotAFile));
        assert_eq!(Token::read(Path::new("/dev/zero")).err(), Some(ReadTokenError::NotAFile));
        assert_eq!(Token::read(Path::new("/nowhere/at/all")).err(), Some(ReadTokenError::Missing));
    }
}

//! IMDSv2's session tokens, without a memory of them: an end, and a code over it that only this pod's sidecar can make.
//!
//! The key is the pod's (`session_key`), so that sessions outlive a restart of the sidecar as they outlive everything at EC2.
//! The end is told on the boot clock, which nobody sets and which goes on while the machine sleeps.
//!
//! EC2 documents the header, its bounds of 1 to 21,600 seconds, and 400 for what is missing or outside them.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use bytes::Bytes;
use hmac::Hmac;
use hmac::KeyInit;
use hmac::Mac;
use hyper::HeaderMap;
use hyper::header::HeaderName;
use hyper::header::HeaderValue;
use sha2::Sha256;

use crate::contract::HEADER_METADATA_TOKEN;
use crate::contract::HEADER_METADATA_TOKEN_TTL;
use crate::serve::refusal::Refusal;
use crate::session_key::SessionKey;

const LONGEST: u64 = 21_600;
const END_BYTES: usize = 8;
const CODE_BYTES: usize = 32;
/// 40 bytes: 56 characters, as EC2's own tokens have them.
const TOKEN_BYTES: usize = END_BYTES + CODE_BYTES;
const TOKEN_CHARACTERS: usize = 56;

pub(super) struct Sessions(Hmac<Sha256>);

impl Sessions {
    pub(super) fn new(key: &SessionKey) -> Self {
        Self(Hmac::new_from_slice(key.expose()).expect("HMAC must take a key of any length"))
    }

    pub(super) fn open(&self, ttl: Duration, now: Duration) -> Bytes {
        let end = u64::try_from((now + ttl).as_micros()).unwrap_or(u64::MAX).to_be_bytes();
        let mut token = [0; TOKEN_BYTES];
        token[..END_BYTES].copy_from_slice(&end);
        token[END_BYTES..].copy_from_slice(&self.over(&end).finalize().into_bytes());
        Bytes::from(URL_SAFE.encode(token))
    }

    /// How long the session still lasts; none for a token that is not ours, or at its end.
    pub(super) fn left(&self, token: &[u8], now: Duration) -> Option<Duration> {
        let mut bytes = [0; TOKEN_BYTES + 2];
        let length =
            (token.len() == TOKEN_CHARACTERS).then(|| URL_SAFE.decode_slice(token, &mut bytes).ok())??;
        let (end, code) = bytes.get(..length)?.split_first_chunk::<END_BYTES>()?;
        self.over(end).verify_slice(code).ok()?;
        let left = Duration::from_micros(u64::from_be_bytes(*end)).checked_sub(now)?;
        // What would last longer was not given by us, or before the machine started again.
        (!left.is_zero() && left <= Duration::from_secs(LONGEST)).then_some(left)
    }

    fn over(&self, end: &[u8]) -> Hmac<Sha256> {
        let mut code = self.0.clone();
        code.update(end);
        code
    }
}

/// What a request sends as its session's token. Two of them are none that could be good.
pub(super) fn token(headers: &HeaderMap) -> Option<&[u8]> {
    only(headers, &HEADER_METADATA_TOKEN).map(|value| value.map_or(&[][..], HeaderValue::as_bytes))
}

/// How long a session is asked to last.
pub(super) fn ttl(headers: &HeaderMap) -> Result<Duration, Refusal> {
    let value = only(headers, &HEADER_METADATA_TOKEN_TTL).ok_or(Refusal::SessionTtlMissing)?;
    let text = value.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let seconds = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    match seconds {
        Some(seconds @ 1..=LONGEST) => Ok(Duration::from_secs(seconds)),
        _ => Err(Refusal::SessionTtlInvalid),
    }
}

/// `Some(None)` when there are several.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Option<&'a HeaderValue>> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    Some(values.next().is_none().then_some(first))
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sessions")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1000);
    const TTL: Duration = Duration::from_secs(60);

    #[test]
    fn a_session_lasts_as_long_as_it_was_given() {
        let sessions = Sessions::new(&SessionKey::random());
        let token = sessions.open(TTL, NOW);
        assert_eq!(token.len(), TOKEN_CHARACTERS);
        let millisecond = Duration::from_millis(1);
        assert_eq!(sessions.left(&token, NOW), Some(TTL));
        assert_eq!(sessions.left(&token, NOW + TTL - millisecond), Some(millisecond));
        assert_eq!(sessions.left(&token, NOW + TTL), None);
        assert_eq!(sessions.left(&token, NOW + 2 * TTL), None);
    }

    #[test]
    fn a_token_of_another_process_is_none() {
        let token = Sessions::new(&SessionKey::random()).open(TTL, NOW);
        assert_eq!(Sessions::new(&SessionKey::random()).left(&token, NOW), None);
    }

    #[test]
    fn a_process_with_the_same_key_knows_the_sessions_of_the_one_before() {
        let key = SessionKey::random();
        let token = Sessions::new(&key).open(TTL, NOW);
        assert_eq!(Sessions::new(&key).left(&token, NOW), Some(TTL));
    }

    #[test]
    fn a_session_that_would_last_longer_than_any_is_none() {
        let sessions = Sessions::new(&SessionKey::random());
        let longest = Duration::from_secs(LONGEST);
        assert_eq!(sessions.left(&sessions.open(longest, NOW), NOW), Some(longest));
        let second = Duration::from_secs(1);
        assert_eq!(sessions.left(&sessions.open(longest + second, NOW), NOW), None);
        // The machine has started again since.
        assert_eq!(sessions.left(&sessions.open(longest, NOW), NOW - second), None);
    }

    #[test]
    fn no_byte_of_a_token_can_be_changed() {
        let sessions = Sessions::new(&SessionKey::random());
        let token = sessions.open(TTL, NOW);
        for at in 0..token.len() {
            let mut changed = token.to_vec();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(sessions.left(&changed, NOW), None, "byte {at}");
        }
        let long = [&token[..], b"AAAA"].concat();
        for other in [b"".as_slice(), b"INVALID", &token[..52], &long, &[b'A'; 56], &[b'='; 56], &[0xff; 56]]
        {
            assert_eq!(sessions.left(other, NOW), None, "{other:?}");
        }
    }

    #[test]
    fn a_ttl_is_a_number_of_seconds_within_the_bounds() {
        let asked = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(HEADER_METADATA_TOKEN_TTL, HeaderValue::from_static(value));
            }
            ttl(&headers)
        };
        for (text, seconds) in
            [("1", 1), ("10", 10), ("300", 300), ("600", 600), ("21600", LONGEST), ("060", 60)]
        {
            assert_eq!(asked(&[text]), Ok(Duration::from_secs(seconds)));
        }
        for text in ["", "0", "-1", "+1", "21601", "99999999999999999999", "1h", "1.5", "0x10", "60 60"] {
            assert_eq!(asked(&[text]), Err(Refusal::SessionTtlInvalid), "{text}");
        }
        assert_eq!(asked(&["60", "60"]), Err(Refusal::SessionTtlInvalid));
        assert_eq!(asked(&[]), Err(Refusal::SessionTtlMissing));
    }
}

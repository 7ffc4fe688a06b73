//! What may be taken from whoever gives credentials, and what of their words may be repeated.
//!
//! Values must be what the pickiest parsers of the old SDKs can take, and times must make sense together: whatever answers
//! in STS's place must not be able to make us hold on to it.

use std::time::Duration;
use std::time::SystemTime;

use crate::clock::Reading;
use crate::clock::TOLERATED_SKEW;
use crate::clock::Timeline;
use crate::harmless::harmless;
use crate::secret::Secret;
use crate::sts::ExchangeError;
use crate::sts::Reply;

/// Errors are sentences; a proxy's error page is not.
const LONGEST_MESSAGE: usize = 300;
/// So many characters in common are no chance; of a shorter secret it is all of them.
const RECOGNISABLE: usize = 12;
pub(crate) const NOT_SHOWN: &str = "what was answered repeats a secret and is not shown";
/// An ARN is not longer.
const LONGEST_ARN: usize = 2048;

/// When the session began, as far as that is known, and when it ends.
///
/// A session is not longer than was asked for. If it is by STS's `Date` but not by our clock, the `Date` is wrong; if it
/// is by both, we go by the time that we asked for, so that nobody's mistake keeps us from asking again.
pub(crate) fn session(
    expires_at: SystemTime,
    asked: Duration,
    date: Option<SystemTime>,
    now: Reading,
) -> (SystemTime, SystemTime) {
    let by_date = date.map(|date| Timeline::heard(date, now).now(now));
    let fits = |began: &SystemTime| {
        expires_at.duration_since(*began).is_ok_and(|length| length <= asked + TOLERATED_SKEW)
    };
    let began = by_date.filter(fits).or(Some(now.wall).filter(fits));
    let began = began.unwrap_or_else(|| by_date.unwrap_or(now.wall));
    (began, expires_at.min(began + asked + TOLERATED_SKEW))
}

/// Visible ASCII, and nothing that a hand-made parser takes for structure (s3fs splits at commas).
pub(crate) fn is_plain(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic() && !b",\"\\".contains(&byte))
}

/// An ARN that may be shown and served.
pub(crate) fn is_arn(text: &str) -> bool {
    is_plain(text) && text.len() <= LONGEST_ARN
}

/// The error, but not with any part of a secret of ours that whoever answered repeats to us.
pub(crate) fn without_secret(error: ExchangeError, secret: &Secret) -> ExchangeError {
    let ExchangeError { kind, message, mend, reply } = error;
    let message = if repeats(&message, secret) { NOT_SHOWN.to_owned() } else { message };
    ExchangeError { kind, message, mend, reply: reply_without_secret(reply, secret) }
}

/// The same of what a reply says of itself, whose words whoever answers chooses.
pub(crate) fn reply_without_secret(reply: Reply, secret: &Secret) -> Reply {
    let request_id = reply.request_id.filter(|id| !repeats(id, secret));
    Reply { request_id, ..reply }
}

/// Whether a text has a part of a secret in it that is no chance.
pub(crate) fn repeats(text: &str, secret: &Secret) -> bool {
    let secret = secret.expose().as_bytes();
    let part = RECOGNISABLE.min(secret.len()).max(1);
    let mut parts = text.as_bytes().windows(part);
    parts.any(|said| secret.windows(part).any(|of_secret| of_secret == said))
}

/// On one line, and not too long.
pub(crate) fn shorten(text: &str) -> String {
    let one_line = harmless(text).replace('\n', " ");
    match one_line.char_indices().nth(LONGEST_MESSAGE) {
        Some((at, _)) => format!("{}…", &one_line[..at]),
        None => one_line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::sts::ErrorKind;

    const HOUR: Duration = Duration::from_secs(3600);
    const YEAR: Duration = Duration::from_secs(31_536_000);

    #[tokio::test(start_paused = true)]
    async fn a_session_is_never_longer_than_was_asked_for() {
        let wall = SystemTime::UNIX_EPOCH + 50 * YEAR;
        let (clock, _) = Clock::manual(wall);
        let now = clock.read();
        for (what, expires_at, date, expected) in [
            ("as it should be", wall + HOUR, Some(wall), (wall, wall + HOUR)),
            ("no Date", wall + HOUR, None, (wall, wall + HOUR)),
            ("shorter", wall + HOUR / 2, Some(wall), (wall, wall + HOUR / 2)),
            (
                "a node a year behind",
                wall + YEAR + HOUR,
                Some(wall + YEAR),
                (wall + YEAR, wall + YEAR + HOUR),
            ),
            ("a Date of 1970", wall + HOUR, Some(SystemTime::UNIX_EPOCH), (wall, wall + HOUR)),
            ("a Date years ahead", wall + HOUR, Some(wall + YEAR), (wall, wall + HOUR)),
            ("an Expiration years ahead", wall + 9 * YEAR, Some(wall), (wall, wall + HOUR + TOLERATED_SKEW)),
        ] {
            assert_eq!(session(expires_at, HOUR, date, now), expected, "{what}");
        }
    }

    #[test]
    fn refuses_values_that_would_break_a_parser() {
        for value in ["", "a b", "a,b", "a\"b", "a\\b", "a\nb", "ä", "a\0"] {
            assert!(!is_plain(value), "{value:?}");
        }
        assert!(is_plain("IQoJb3JpZ2luX2VjE/+="));
    }

    #[test]
    fn what_repeats_the_token_is_not_shown() {
        let token = Secret::new("eyJhbGciOiJ0ZXN0In0.e30.c2lnbmF0dXJlLXNpZ25hdHVyZQ".to_owned());
        let said = |words: &str| {
            without_secret(ExchangeError::new(ErrorKind::InvalidIdentityToken, words), &token).message
        };
        assert_eq!(said("Incorrect token audience"), "Incorrect token audience");
        assert!(!said("cannot parse x.c2lnbmF0dXJlLXNpZ2").contains("c2ln"));
        let short = Secret::new("pa55word".to_owned());
        let error = ExchangeError::new(ErrorKind::AccessDenied, "pa55word is wrong");
        assert!(!without_secret(error, &short).message.contains("pa55"));
    }

    #[test]
    fn a_request_id_is_dropped_if_it_repeats_the_token() {
        let token = Secret::new("eyJhbGciOiJ0ZXN0In0.e30.c2lnbmF0dXJlLXNpZ25hdHVyZQ".to_owned());
        for (id, shown) in [("b-1", Some("b-1")), ("eyJhbGciOiJ0ZXN0In0", None)] {
            let reply = Reply { request_id: Some(id.to_owned()), ..Reply::default() };
            let error = ExchangeError { reply, ..ExchangeError::new(ErrorKind::AccessDenied, "no") };
            assert_eq!(without_secret(error, &token).reply.request_id.as_deref(), shown);
        }
    }

    #[test]
    fn a_long_message_is_cut_and_kept_on_one_line() {
        let page = format!("<html>\n{}", "x".repeat(1000));
        let short = shorten(&page);
        assert!(short.chars().count() <= LONGEST_MESSAGE + 1);
        assert!(!short.contains('\n'));
    }
}

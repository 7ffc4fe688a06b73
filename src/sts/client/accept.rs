//! From STS's answer to credentials that may be served.
//!
//! Other STS implementations leave out much of the answer; three strings and a time are all that is needed. What is
//! there must be what the pickiest parsers of the old SDKs can take, and its times must make sense together: whatever
//! answers in STS's place must not be able to make us hold on to it.

use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

use aws_sdk_sts::types::AssumedRoleUser;
use aws_sdk_sts::types::Credentials as Given;

use crate::clock::Reading;
use crate::clock::TOLERATED_SKEW;
use crate::clock::Timeline;
use crate::config::PodNames;
use crate::config::RoleArn;
use crate::credentials::Credentials;
use crate::credentials::rfc3339;
use crate::secret::Secret;
use crate::sts::ErrorKind;
use crate::sts::ExchangeError;
use crate::sts::Exchanged;
use crate::sts::Reply;

/// An ARN is not longer.
const LONGEST_ARN: usize = 2048;

/// What every way of assuming a role answers.
pub(super) struct Answer {
    pub(super) credentials: Option<Given>,
    pub(super) user: Option<AssumedRoleUser>,
}

pub(super) fn accept(
    role_arn: &RoleArn,
    asked: Duration,
    answer: Answer,
    pod: Arc<PodNames>,
    reply: Reply,
    now: Reading,
) -> Result<Exchanged, ExchangeError> {
    let failed = |kind, message| ExchangeError { reply: reply.clone(), ..ExchangeError::new(kind, message) };
    let invalid = |what: &str| failed(ErrorKind::InvalidReply, format!("STS's reply has no usable {what}"));
    let given = answer.credentials.ok_or_else(|| invalid("Credentials"))?;
    for (name, value) in [
        ("AccessKeyId", &given.access_key_id),
        ("SecretAccessKey", &given.secret_access_key),
        ("SessionToken", &given.session_token),
    ] {
        if !is_plain(value) {
            return Err(invalid(name));
        }
    }
    let expires_at = SystemTime::try_from(given.expiration).map_err(|_| invalid("Expiration"))?;
    let (issued_at, expires_at) = session(expires_at, asked, reply.date, now);
    let assumed_role_arn = answer.user.map(|user| user.arn);
    let assumed_role_arn = assumed_role_arn.filter(|arn| is_plain(arn) && arn.len() <= LONGEST_ARN);
    let is_account =
        |account: &&str| account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let account_id = assumed_role_arn
        .as_deref()
        .and_then(|arn| arn.split(':').nth(4))
        .filter(is_account)
        .or_else(|| role_arn.account())
        .map(str::to_owned);
    let credentials = Credentials {
        access_key_id: given.access_key_id,
        secret_access_key: Secret::new(given.secret_access_key),
        session_token: Secret::new(given.session_token),
        expires_at,
        issued_at,
        role_arn: role_arn.as_str().to_owned(),
        account_id,
    };
    if !credentials.lifetime().may_be_served(issued_at) {
        let message = format!(
            "STS gave credentials that expire at {}, and it is {}",
            rfc3339(expires_at),
            rfc3339(issued_at)
        );
        return Err(failed(ErrorKind::AlreadyExpired, message));
    }
    Ok(Exchanged { credentials, assumed_role_arn, pod, reply })
}

/// When the session began, as far as that is known, and when it ends.
///
/// A session is not longer than was asked for. If it is by STS's `Date` but not by our clock, the `Date` is wrong; if it
/// is by both, we go by the time that we asked for, so that nobody's mistake keeps us from asking again.
fn session(
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
fn is_plain(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic() && !b",\"\\".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

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
}

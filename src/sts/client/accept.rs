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
use crate::config::PodNames;
use crate::config::RoleArn;
use crate::credentials::Credentials;
use crate::credentials::rfc3339;
use crate::secret::Secret;
use crate::sts::ErrorKind;
use crate::sts::ExchangeError;
use crate::sts::Exchanged;
use crate::sts::Reply;
use crate::sts::given::is_arn;
use crate::sts::given::is_plain;
use crate::sts::given::repeats;
use crate::sts::given::session;

/// What every way of assuming a role answers.
pub(super) struct Answer {
    pub(super) credentials: Option<Given>,
    pub(super) user: Option<AssumedRoleUser>,
}

pub(super) fn accept(
    role_arn: &RoleArn,
    asked: Duration,
    answer: Answer,
    sent: &Secret,
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
    let assumed_role_arn = assumed_role_arn.filter(|arn| is_arn(arn) && !repeats(arn, sent));
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
        role_arn: Some(role_arn.as_str().to_owned()),
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

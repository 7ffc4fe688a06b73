//! From what a credentials endpoint answers to credentials that may be served, or to why there are none.

use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

use serde::Deserialize;

use crate::clock::Reading;
use crate::config::CredentialsEndpoint;
use crate::config::PodIdentity;
use crate::config::PodNames;
use crate::contract::MAX_SESSION_DURATION;
use crate::credentials::Credentials;
use crate::credentials::parse_rfc3339;
use crate::credentials::rfc3339;
use crate::http_once::Reply;
use crate::pod_identity::http::retry_after;
use crate::secret::Secret;
use crate::sts;
use crate::sts::ErrorKind;
use crate::sts::ExchangeError;
use crate::sts::Exchanged;
use crate::sts::given::is_arn;
use crate::sts::given::is_plain;
use crate::sts::given::session;
use crate::sts::given::shorten;

/// Less than this is left of whole sessions as well as of test servers' short ones: which it is, nobody can tell from what
/// is left, so the floor is that of whole ones.
const SHORT: Duration = Duration::from_secs(900);
const FLOOR: Duration = Duration::from_secs(60);
/// What could be served for less is not taken, but asked for again as after any failure: each success would bring the next
/// call nearer, up to four a second. What is held, the same credentials most likely, is served to its end meanwhile.
const WORTH_TAKING: Duration = Duration::from_secs(30);

/// Unknown keys are nobody's business; none of these is taken for granted.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Body {
    access_key_id: Option<String>,
    secret_access_key: Option<String>,
    token: Option<String>,
    expiration: Option<String>,
    account_id: Option<String>,
    role_arn: Option<String>,
}

/// ECS's form of an error.
#[derive(Deserialize)]
struct ErrorBody {
    #[serde(alias = "Code")]
    code: String,
    #[serde(default, alias = "Message")]
    message: String,
}

/// What an error says of itself.
#[derive(Debug, Default, Eq, PartialEq)]
struct Said {
    code: Option<String>,
    message: String,
    request_id: Option<String>,
}

pub(super) fn accept(
    settings: &PodIdentity,
    reply: &Reply,
    pod: Arc<PodNames>,
    now: Reading,
) -> Result<Exchanged, ExchangeError> {
    let endpoint = &settings.endpoint;
    let invalid = |what: &str| {
        let message = format!("the answer of {endpoint} has no usable {what}");
        ExchangeError { mend: Some(NOT_CREDENTIALS), ..ExchangeError::new(ErrorKind::InvalidReply, message) }
    };
    let body: Body = serde_json::from_slice(&reply.body).map_err(|_| invalid("JSON"))?;
    let value =
        |name, value: Option<String>| value.filter(|value| is_plain(value)).ok_or_else(|| invalid(name));
    let access_key_id = value("AccessKeyId", body.access_key_id)?;
    let secret_access_key = Secret::new(value("SecretAccessKey", body.secret_access_key)?);
    let session_token = Secret::new(value("Token", body.token)?);
    let expires_at = body.expiration.as_deref().and_then(parse_rfc3339);
    let expires_at = expires_at.ok_or_else(|| invalid("Expiration"))?;
    let date = reply.header("date").and_then(sts::client::parse_date);
    let (issued_at, expires_at) = session(expires_at, MAX_SESSION_DURATION, date, now);
    let served_until = with_floor(issued_at, expires_at).ok_or_else(|| {
        let message = format!(
            "{endpoint} gave credentials that expire at {}, and it is {}",
            rfc3339(expires_at),
            rfc3339(issued_at)
        );
        ExchangeError { mend: Some(STALE), ..ExchangeError::new(ErrorKind::AlreadyExpired, message) }
    })?;
    let is_account =
        |account: &String| account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let known = settings.role_arn.as_ref();
    let credentials = Credentials {
        access_key_id,
        secret_access_key,
        session_token,
        expires_at: served_until,
        issued_at,
        role_arn: known.map(|arn| arn.as_str().to_owned()).or(body.role_arn.filter(|arn| is_arn(arn))),
        account_id: body
            .account_id
            .filter(is_account)
            .or_else(|| known.and_then(|arn| arn.account()).map(str::to_owned)),
    };
    let reply = sts::Reply { request_id: None, date, retry_after: None };
    Ok(Exchanged { credentials, assumed_role_arn: None, pod, reply })
}

/// The expiry to go by. Of what is nearly over, the floor of `Credentials` would be a fifteenth; it is told to end so much
/// earlier that a whole minute is kept.
pub(super) fn with_floor(now: SystemTime, expires_at: SystemTime) -> Option<SystemTime> {
    let left = expires_at.duration_since(now).ok()?;
    if left >= SHORT {
        return Some(expires_at);
    }
    let served_for = left.checked_sub(FLOOR).filter(|served_for| *served_for >= WORTH_TAKING)?;
    Some(now + served_for * 15 / 14)
}

pub(super) fn refusal(endpoint: &CredentialsEndpoint, reply: &Reply) -> ExchangeError {
    let said = said(&reply.body);
    let kind = kind(reply.status, &said);
    let code = said.code.map(|code| format!(" {code}")).unwrap_or_default();
    let message = format!("{endpoint} answered {}{code}: {}", reply.status, said.message);
    ExchangeError {
        mend: mend(kind),
        reply: sts::Reply { request_id: said.request_id, date: None, retry_after: retry_after(reply) },
        ..ExchangeError::new(kind, message.trim_end_matches([':', ' ']))
    }
}

/// `[REQUEST ID]: (CODE): MESSAGE, fault: client`, JSON, or any other text.
fn said(body: &[u8]) -> Said {
    if let Ok(ErrorBody { code, message }) = serde_json::from_slice::<ErrorBody>(body) {
        return Said {
            code: Some(code).filter(|code| is_code(code)),
            message: shorten(&message),
            request_id: None,
        };
    }
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    let parts = text.strip_prefix('[').and_then(|rest| {
        let (request_id, rest) = rest.split_once("]: (")?;
        let (code, message) = rest.split_once("): ")?;
        let message = message.rsplit_once(", fault: ").map_or(message, |(message, _)| message);
        is_code(code).then(|| Said {
            code: Some(code.to_owned()),
            message: shorten(message),
            request_id: Some(request_id.to_owned()).filter(|id| is_plain(id) && id.len() <= 64),
        })
    });
    parts.unwrap_or_else(|| Said { message: shorten(text), ..Said::default() })
}

fn is_code(code: &str) -> bool {
    (1..=64).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn kind(status: u16, said: &Said) -> ErrorKind {
    let by_text = by_text(status, &said.message);
    match &said.code {
        Some(code) => by_code(code).unwrap_or(match by_text {
            // Whatever speaks in codes is what we look for.
            ErrorKind::InvalidReply => ErrorKind::Other,
            by_text => by_text,
        }),
        None => by_text,
    }
}

/// EKS Auth's codes, and those that ECS's agent has of STS.
fn by_code(code: &str) -> Option<ErrorKind> {
    Some(match code {
        "AccessDenied" | "AccessDeniedException" => ErrorKind::AccessDenied,
        "ExpiredToken" | "ExpiredTokenException" => ErrorKind::ExpiredToken,
        "InvalidTokenException" => ErrorKind::InvalidIdentityToken,
        "InvalidParameterException" | "InvalidRequestException" | "ValidationException" => {
            ErrorKind::ValidationError
        }
        "ResourceNotFoundException" => ErrorKind::ResourceNotFound,
        "InternalServerException" | "InternalServerError" => ErrorKind::InternalFailure,
        "ServiceUnavailableException" | "CredentialsUninitialized" => ErrorKind::ServiceUnavailable,
        "ThrottlingException" | "Throttling" | "TooManyRequestsException" => ErrorKind::Throttling,
        _ => return None,
    })
}

/// What the agent says by itself, before or without EKS.
fn by_text(status: u16, message: &str) -> ErrorKind {
    match status {
        400 if message.starts_with("Service account token") && message.contains("expired") => {
            ErrorKind::ExpiredToken
        }
        400 if message.starts_with("Service account token") => ErrorKind::InvalidIdentityToken,
        401 | 403 => ErrorKind::AccessDenied,
        429 => ErrorKind::Throttling,
        500 => ErrorKind::InternalFailure,
        501.. => ErrorKind::ServiceUnavailable,
        _ => ErrorKind::InvalidReply,
    }
}

pub(super) const UNREACHABLE: &str = "Check that the agent runs on this node (the add-on eks-pod-identity-agent), and that no network policy keeps \
                           the pod from it.";
const NOT_CREDENTIALS: &str = "What answers there does not serve container credentials: check the endpoint.";
const STALE: &str =
    "The agent could not renew them: see its log on this node; compare the clocks of the node and of AWS.";

/// What to do about it here, where the usual mend speaks of STS.
pub fn mend(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::ConnectionFailed | ErrorKind::TimedOut => Some(UNREACHABLE),
        ErrorKind::AccessDenied => Some(
            "Check that an EKS Pod Identity association exists for this namespace and ServiceAccount, that the role trusts \
             pods.eks.amazonaws.com (sts:AssumeRole and sts:TagSession), and that the endpoint is the agent's own address.",
        ),
        ErrorKind::InvalidIdentityToken => Some(
            "Check that the file holds the pod's token with the audience pods.eks.amazonaws.com, as EKS mounts it.",
        ),
        ErrorKind::ExpiredToken => {
            Some("The kubelet should have rotated the token: check that the volume is a projected one.")
        }
        ErrorKind::ValidationError => {
            Some("See the message; the agent's cluster and the token must be the same cluster's.")
        }
        ErrorKind::Throttling => {
            Some("Too many calls to EKS in this account and region; it is tried again, more slowly.")
        }
        ErrorKind::InternalFailure | ErrorKind::ServiceUnavailable => {
            Some("The agent or EKS itself failed; it is tried again. The agent's log on this node says more.")
        }
        ErrorKind::Other => Some("See the message; it has a code that irsa-sidecar does not know."),
        ErrorKind::InvalidReply => Some(NOT_CREDENTIALS),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn understands_what_the_agent_says() {
        for (status, body, kind, request_id) in [
            (400, "Service account token cannot be empty\n", ErrorKind::InvalidIdentityToken, None),
            (400, "Service account token cannot be parsed: x\n", ErrorKind::InvalidIdentityToken, None),
            (
                400,
                "Service account token failed basic claim validations: token is expired\n",
                ErrorKind::ExpiredToken,
                None,
            ),
            (
                403,
                "Access Denied. Called agent through invalid address, please use …\n",
                ErrorKind::AccessDenied,
                None,
            ),
            (
                403,
                "[b-1]: (AccessDeniedException): no, fault: client\n",
                ErrorKind::AccessDenied,
                Some("b-1"),
            ),
            (
                404,
                "[b-1]: (ResourceNotFoundException): x, fault: client\n",
                ErrorKind::ResourceNotFound,
                Some("b-1"),
            ),
            (
                400,
                "[b-1]: (ExpiredTokenException): x, y, fault: client\n",
                ErrorKind::ExpiredToken,
                Some("b-1"),
            ),
            (
                400,
                "[b-1]: (InvalidTokenException): x, fault: client\n",
                ErrorKind::InvalidIdentityToken,
                Some("b-1"),
            ),
            (
                500,
                "[b-1]: (InternalServerException): x, fault: server\n",
                ErrorKind::InternalFailure,
                Some("b-1"),
            ),
            (
                503,
                "[b-1]: (ServiceUnavailableException): x, fault: server",
                ErrorKind::ServiceUnavailable,
                Some("b-1"),
            ),
            (429, "Too Many Requests\n", ErrorKind::Throttling, None),
            (404, "404 page not found\n", ErrorKind::InvalidReply, None),
            (500, "Unable to serialize credentials\n", ErrorKind::InternalFailure, None),
            (
                503,
                r#"{"code":"CredentialsUninitialized","message":"not yet"}"#,
                ErrorKind::ServiceUnavailable,
                None,
            ),
            (400, "[b-1]: (Something New): x, fault: client\n", ErrorKind::InvalidReply, None),
            (400, "[b-1]: (NewException): x, fault: client\n", ErrorKind::Other, Some("b-1")),
            (503, "[b-1]: (NewException): x, fault: server\n", ErrorKind::ServiceUnavailable, Some("b-1")),
            (429, "[b-1]: (NewException): x, fault: client\n", ErrorKind::Throttling, Some("b-1")),
            (404, r#"{"code":"InvalidIdInRequest","message":"x"}"#, ErrorKind::Other, None),
            (502, "<html>", ErrorKind::ServiceUnavailable, None),
        ] {
            let said = said(body.as_bytes());
            assert_eq!(
                (super::kind(status, &said), said.request_id.as_deref()),
                (kind, request_id),
                "{body}"
            );
        }
    }

    #[test]
    fn keeps_a_minute_of_what_is_nearly_over() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        for (left, served_for) in [(3600, 3540), (900, 840), (600, 540), (120, 60), (90, 30)] {
            let expires_at = with_floor(now, now + Duration::from_secs(left)).unwrap();
            let lifetime = crate::credentials::Lifetime { issued_at: now, expires_at };
            let apart = lifetime.serve_for().abs_diff(Duration::from_secs(served_for));
            assert!(apart < Duration::from_secs(1), "{left}: {:?}", lifetime.serve_for());
            assert!(expires_at <= now + Duration::from_secs(left), "never later than the truth");
        }
        assert_eq!(with_floor(now, now + Duration::from_secs(89)), None);
        assert_eq!(with_floor(now, now - Duration::from_secs(1)), None);
    }
}

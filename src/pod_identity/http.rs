//! What the endpoint is asked, and why it may not answer.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::Request;
use hyper::header::ACCEPT;
use hyper::header::AUTHORIZATION;
use hyper::header::CONNECTION;
use hyper::header::HOST;
use hyper::header::HeaderValue;
use hyper::header::USER_AGENT;

use crate::build_info::VERSION;
use crate::config::CredentialsEndpoint;
use crate::http_once;
use crate::http_once::Reply;
use crate::http_once::SendError;
use crate::pod_identity::CALL_TIMEOUT;
use crate::secret::Secret;
use crate::sts::ErrorKind;
use crate::sts::ExchangeError;
use crate::sts::given::shorten;

const MAX_BODY_BYTES: usize = 64 * 1024;

pub(super) async fn get(
    endpoint: &CredentialsEndpoint,
    authorization: Option<&Secret>,
) -> Result<Reply, ExchangeError> {
    let request = request(endpoint, authorization)?;
    http_once::send(endpoint.address, request, CALL_TIMEOUT, MAX_BODY_BYTES).await.map_err(
        |error| match error {
            SendError::NotConnected(why) | SendError::Broken(why) => {
                let message = format!("{endpoint} could not be reached: {}", shorten(&why));
                ExchangeError::new(ErrorKind::ConnectionFailed, message)
            }
            SendError::TimedOut(within) => ExchangeError::new(
                ErrorKind::TimedOut,
                format!("{endpoint} did not answer within {within} s"),
            ),
            SendError::NotHttp | SendError::TooLong(_) => {
                ExchangeError::new(ErrorKind::InvalidReply, format!("what answered at {endpoint} {error}"))
            }
        },
    )
}

fn request(
    endpoint: &CredentialsEndpoint,
    authorization: Option<&Secret>,
) -> Result<Request<Empty<Bytes>>, ExchangeError> {
    let shown = endpoint.to_string();
    let authority = shown.trim_start_matches("http://").split('/').next().unwrap_or_default();
    let mut request = Request::get(&endpoint.path)
        .header(HOST, authority)
        .header(USER_AGENT, format!("irsa-sidecar/{VERSION}"))
        .header(ACCEPT, "application/json")
        .header(CONNECTION, "close");
    if let Some(secret) = authorization {
        let unusable = |_| {
            let message = "the authorization token holds what no header can carry";
            ExchangeError::new(ErrorKind::AuthorizationTokenUnusable, message)
        };
        let mut value = HeaderValue::try_from(secret.expose()).map_err(unusable)?;
        value.set_sensitive(true);
        request = request.header(AUTHORIZATION, value);
    }
    request.body(Empty::new()).map_err(|error| ExchangeError::new(ErrorKind::Other, error.to_string()))
}

pub(super) fn retry_after(reply: &Reply) -> Option<Duration> {
    Some(Duration::from_secs(reply.header("retry-after")?.trim().parse().ok()?))
}

//! One request on a connection of its own: bounded in time by whoever asks, and in size here.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::Empty;
use http_body_util::LengthLimitError;
use http_body_util::Limited;
use hyper::Request;
use hyper::client::conn::http1;
use hyper::header::ACCEPT;
use hyper::header::AUTHORIZATION;
use hyper::header::CONNECTION;
use hyper::header::DATE;
use hyper::header::HOST;
use hyper::header::HeaderMap;
use hyper::header::HeaderValue;
use hyper::header::RETRY_AFTER;
use hyper::header::USER_AGENT;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::build_info::VERSION;
use crate::config::CredentialsEndpoint;
use crate::secret::Secret;
use crate::sts::ErrorKind;
use crate::sts::ExchangeError;
use crate::sts::given::shorten;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const MAX_HEAD_BYTES: usize = 16 * 1024;
const MAX_BODY_BYTES: usize = 64 * 1024;

/// An answer, whatever its status.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

pub(super) async fn get(
    endpoint: &CredentialsEndpoint,
    authorization: Option<&Secret>,
) -> Result<Reply, ExchangeError> {
    let unreachable = |why: &str| {
        let message = format!("{endpoint} could not be reached: {}", shorten(why));
        ExchangeError::new(ErrorKind::ConnectionFailed, message)
    };
    let invalid =
        |why: &str| ExchangeError::new(ErrorKind::InvalidReply, format!("what answered at {endpoint} {why}"));
    let request = request(endpoint, authorization)?;
    let stream = match timeout(CONNECT_TIMEOUT, TcpStream::connect(endpoint.address)).await {
        Ok(connected) => connected.map_err(|error| unreachable(&error.to_string()))?,
        Err(_) => return Err(unreachable("no connection within 2 s")),
    };
    let builder = http1::Builder::new().max_buf_size(MAX_HEAD_BYTES).handshake(TokioIo::new(stream));
    let (mut sender, connection) = builder.await.map_err(|error| unreachable(&error.to_string()))?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|error| {
            if error.is_parse() { invalid("does not speak HTTP") } else { unreachable(&error.to_string()) }
        })?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MAX_BODY_BYTES).collect().await.map_err(|error| match error
            .is::<LengthLimitError>(
        ) {
            true => invalid("said more than 64 KiB"),
            false => unreachable("the answer ended before its end"),
        })?;
        Ok(Reply { status: head.status.as_u16(), headers: head.headers, body: body.to_bytes() })
    };
    let (mut driving, mut exchange) = (pin!(connection), pin!(exchange));
    tokio::select! {
        biased;
        reply = &mut exchange => reply,
        _ = &mut driving => exchange.await,
    }
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

impl Reply {
    pub(super) fn date(&self) -> Option<&str> {
        self.headers.get(DATE)?.to_str().ok()
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        let seconds = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
        Some(Duration::from_secs(seconds))
    }
}

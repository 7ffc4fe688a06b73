//! The node's metadata service as it is asked: with a session (IMDSv2) of our own.
//!
//! A session is begun with the first request, lasts 6 hours, and is begun anew ahead of its end, or once when it is
//! refused (401). One that still holds is better than none: a failed renewal keeps it. Where the service knows no
//! sessions (403, 404, 405 or 501), or its answer never comes (the node's hop limit is 1, and the pod one hop further), it is
//! asked without one, as the SDKs do, and the session is tried again 5 minutes later.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::Method;
use hyper::Request;
use hyper::header::CONTENT_TYPE;
use hyper::header::HeaderName;
use hyper::header::HeaderValue;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::contract::HEADER_METADATA_TOKEN;
use crate::contract::HEADER_METADATA_TOKEN_TTL;
use crate::secret::Secret;
use crate::upstream::Allowed;
use crate::upstream::PassError;
use crate::upstream::Passed;
use crate::upstream::client::Client;
use crate::upstream::client::Reply;

const PATH_TOKEN: &str = "/latest/api/token";
/// The longest that there is.
const TTL: u64 = 21_600;
/// Leaves a request the time to go on without a session.
const BEGIN: Duration = Duration::from_millis(450);
/// After what went wrong, and where there are no sessions.
const TRY_AGAIN: Duration = Duration::from_secs(300);
const LONGEST_TOKEN: usize = 1024;
const LONGEST_CONTENT_TYPE: usize = 128;

#[allow(missing_debug_implementations)] // holds a secret
pub(super) struct Node {
    client: Client,
    clock: Clock,
    session: Mutex<Session>,
}

struct Session {
    /// None before the first, and where there are none.
    token: Option<Secret>,
    /// By the boot clock: a machine that slept has an old session.
    begin_at: Duration,
    /// Counts, so that of many who are refused together one begins anew.
    serial: u64,
}

/// With what a request is sent.
struct Pass {
    token: Option<Secret>,
    serial: u64,
}

impl Node {
    pub(super) fn new(address: SocketAddr, interface: Option<String>, clock: Clock) -> Self {
        let session = Session { token: None, begin_at: Duration::ZERO, serial: 0 };
        Self { client: Client::new(address, interface), clock, session: Mutex::new(session) }
    }

    pub(super) async fn get(&self, path: &Allowed) -> Result<Passed, PassError> {
        let pass = self.pass(None).await?;
        let mut reply = self.client.ask(get(path, pass.token.as_ref())).await?;
        if reply.status == 401 {
            let pass = self.pass(Some(pass.serial)).await?;
            reply = self.client.ask(get(path, pass.token.as_ref())).await?;
        }
        match reply.status {
            200 | 404 => Ok(passed(reply)),
            // Passed on, it would tell the client that its session with us has ended.
            401 => Err(PassError::SessionRefused),
            status => Err(PassError::Failed(status)),
        }
    }

    /// The session to use, begun anew where it must be; `refused` is the one that was not taken.
    async fn pass(&self, refused: Option<u64>) -> Result<Pass, PassError> {
        let mut session = self.session.lock().await;
        let now = self.clock.read().boot;
        if refused == Some(session.serial) {
            session.token = None;
            session.begin_at = now;
        }
        if now >= session.begin_at {
            match self.begin().await {
                Ok((token, lasts)) => {
                    let (begin_at, serial) = (now + lasts, session.serial + 1);
                    *session = Session { token, begin_at, serial };
                }
                Err(error) if session.token.is_some() => {
                    tracing::debug!(
                        code = error.code(),
                        "the session with the node's metadata service is kept: {error}"
                    );
                    session.begin_at = now + TRY_AGAIN;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Pass { token: session.token.clone(), serial: session.serial })
    }

    /// A new session, or none where there are none, and when to begin the next.
    async fn begin(&self) -> Result<(Option<Secret>, Duration), PassError> {
        let ttl = [(HEADER_METADATA_TOKEN_TTL, HeaderValue::from(TTL))];
        let Ok(reply) = timeout(BEGIN, self.client.ask(request(Method::PUT, PATH_TOKEN, ttl))).await else {
            return Ok((None, TRY_AGAIN));
        };
        let reply = reply?;
        match reply.status {
            200 => token(&reply).map(|(token, lasts)| (Some(token), lasts)),
            403..=405 | 501 => Ok((None, TRY_AGAIN)),
            status => Err(PassError::Failed(status)),
        }
    }
}

fn get(path: &Allowed, token: Option<&Secret>) -> Request<Empty<Bytes>> {
    let token = token.map(|token| {
        let mut value =
            HeaderValue::from_str(token.expose()).expect("a token that was accepted must be a header");
        value.set_sensitive(true);
        (HEADER_METADATA_TOKEN, value)
    });
    request(Method::GET, path.as_str(), token)
}

fn request(
    method: Method,
    path: &str,
    headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
) -> Request<Empty<Bytes>> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.body(Empty::new()).expect("a path of plain characters must make a request")
}

/// The token, and when to begin the next session: after nine tenths of this one.
fn token(reply: &Reply) -> Result<(Secret, Duration), PassError> {
    let text = str::from_utf8(&reply.body).unwrap_or_default();
    if text.is_empty() || text.len() > LONGEST_TOKEN || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(PassError::Unintelligible("what it gives for a session token is none"));
    }
    let told =
        reply.headers.get(HEADER_METADATA_TOKEN_TTL).and_then(|value| value.to_str().ok()?.parse().ok());
    let lasts = Duration::from_secs(told.unwrap_or(TTL).min(TTL));
    Ok((Secret::new(text.to_owned()), lasts * 9 / 10))
}

fn passed(reply: Reply) -> Passed {
    let Reply { status, headers, body } = reply;
    let content_type = headers.get(CONTENT_TYPE).filter(|value| value.len() <= LONGEST_CONTENT_TYPE);
    Passed { status, content_type: content_type.cloned(), body }
}

//! `POST /inject`, and nothing else.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::Full;
use http_body_util::LengthLimitError;
use http_body_util::Limited;
use hyper::Method;
use hyper::Request;
use hyper::Response;
use hyper::StatusCode;
use hyper::body::Body;
use hyper::body::Incoming;
use hyper::header::ALLOW;
use hyper::header::CONTENT_TYPE;
use tokio::sync::SemaphorePermit;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::contract::PATH_INJECT;
use crate::webhook::metrics::Metrics;
use crate::webhook::metrics::Outcome;
use crate::webhook::review;
use crate::webhook::reviewer::Reviewer;
use crate::webhook::room::MAX_BODY;
use crate::webhook::room::MAX_VALUES;
use crate::webhook::room::Room;

/// Less than the API server waits, so that it learns why.
const PATIENCE: Duration = Duration::from_secs(8);
/// For a body to arrive: it holds a place meanwhile.
const READING: Duration = Duration::from_secs(3);

/// What every request needs.
pub(super) struct Desk {
    pub(super) reviewer: Reviewer,
    pub(super) native_sidecars: watch::Receiver<Option<bool>>,
    pub(super) metrics: Metrics,
    pub(super) clock: Clock,
    pub(super) room: Room,
}

/// A status, and one sentence.
type Trouble = (StatusCode, String);

pub(super) type Reply = Response<Full<Bytes>>;

pub(super) async fn serve(desk: Arc<Desk>, request: Request<Incoming>) -> Result<Reply, Infallible> {
    if request.uri().path() != PATH_INJECT {
        return Ok(plain(StatusCode::NOT_FOUND, &format!("reviews are taken at {PATH_INJECT}")));
    }
    if request.method() != Method::POST {
        let mut reply = plain(StatusCode::METHOD_NOT_ALLOWED, "reviews are POSTed");
        reply.headers_mut().insert(ALLOW, "POST".parse().expect("a method must be a header's value"));
        return Ok(reply);
    }
    let began = desk.clock.steady();
    let (reply, outcome, warnings) = match timeout(PATIENCE, answer(&desk, request)).await {
        Ok(Ok((body, outcome, warnings))) => (json(body), outcome, warnings),
        Ok(Err((status, why))) => {
            tracing::warn!(code = "InvalidReview", status = status.as_u16(), "{why}");
            (plain(status, &why), Outcome::Invalid, 0)
        }
        Err(_) => (plain(StatusCode::REQUEST_TIMEOUT, "it took more than 8 s"), Outcome::Failed, 0),
    };
    desk.metrics.reviewed(outcome, warnings, desk.clock.steady() - began);
    Ok(reply)
}

async fn answer(desk: &Desk, request: Request<Incoming>) -> Result<(Vec<u8>, Outcome, usize), Trouble> {
    let (body, place) = body(&desk.room, request).await?;
    let Some(_values) = desk.room.values(&body).await else {
        let why = format!("the body has more than {MAX_VALUES} values, and no pod has");
        return Err((StatusCode::PAYLOAD_TOO_LARGE, why));
    };
    let review = review::read(&body).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))?;
    drop((body, place));
    let native_sidecars = *desk.native_sidecars.borrow();
    let Some(native_sidecars) = native_sidecars else {
        let why = "the API server's version is not known yet; try again".to_owned();
        return Err((StatusCode::SERVICE_UNAVAILABLE, why));
    };
    let (verdict, outcome) = desk.reviewer.review(&review, native_sidecars).await;
    let warnings = match &verdict {
        review::Verdict::Allowed { warnings, .. } => warnings.len(),
        review::Verdict::Refused(_) => 0,
    };
    Ok((review::answer(&review.uid, &verdict), outcome, warnings))
}

/// The body, and the place in memory that it has as long as it is there.
async fn body(room: &Room, request: Request<Incoming>) -> Result<(Bytes, SemaphorePermit<'_>), Trouble> {
    let content_type =
        request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        let why = format!("the content type is \"{}\", not application/json", content_type.escape_debug());
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, why));
    }
    let too_long = || (StatusCode::PAYLOAD_TOO_LARGE, "the body is longer than 8 MiB".to_owned());
    // Whoever says so beforehand need not send it.
    if request.body().size_hint().lower() > MAX_BODY as u64 {
        return Err(too_long());
    }
    let place = room.body(request.body().size_hint().exact()).await;
    match timeout(READING, Limited::new(request.into_body(), MAX_BODY).collect()).await {
        Ok(Ok(body)) => Ok((body.to_bytes(), place)),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_long()),
        Ok(Err(error)) => Err((StatusCode::BAD_REQUEST, format!("the body could not be read: {error}"))),
        Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "the body did not arrive within 3 s".to_owned())),
    }
}

fn json(body: Vec<u8>) -> Reply {
    reply(StatusCode::OK, "application/json", body.into())
}

pub(super) fn plain(status: StatusCode, text: &str) -> Reply {
    reply(status, "text/plain; charset=utf-8", format!("{text}\n").into())
}

pub(super) fn reply(status: StatusCode, content_type: &'static str, body: Bytes) -> Reply {
    let mut reply = Response::new(Full::new(body));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(content_type));
    reply
}

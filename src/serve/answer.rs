//! A response: whole, in memory, in one write, never cached, never compressed, never a redirect.
//!
//! Errors are `{"code":"…","message":"…"}`, in lower case as the SDKs read them.

use bytes::Bytes;
use http_body_util::Full;
use hyper::HeaderMap;
use hyper::Response;
use hyper::StatusCode;
use hyper::header;
use hyper::header::HeaderName;
use hyper::header::HeaderValue;
use serde::Serialize;

use crate::metrics;
use crate::serve::refusal::Refusal;

/// The code of a role whose credentials ran out without a failure that says why.
pub(super) const CREDENTIALS_EXPIRED: &str = "CredentialsExpired";

#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub status: StatusCode,
    kind: Kind,
    body: Bytes,
    /// The connection ends with it.
    closes: bool,
    /// What a 405 names.
    allowed: &'static str,
    /// Headers of the metadata service's.
    more: Vec<(HeaderName, HeaderValue)>,
}

#[derive(Clone, Debug)]
enum Kind {
    Json,
    Text,
    Metrics,
    /// As EC2's metadata service names it.
    Plain,
    Html,
    /// For people.
    Page,
    /// As the node's metadata service names it.
    Passed(HeaderValue),
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    code: &'a str,
    message: &'a str,
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const METRICS: HeaderValue = HeaderValue::from_static(metrics::CONTENT_TYPE);
const PLAIN: HeaderValue = HeaderValue::from_static("text/plain");
const HTML: HeaderValue = HeaderValue::from_static("text/html");
const PAGE: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const CLOSE: HeaderValue = HeaderValue::from_static("close");
const ALLOWED: &str = "GET, HEAD";

impl Answer {
    pub(super) fn json(body: Bytes) -> Self {
        Self::new(StatusCode::OK, Kind::Json, body)
    }

    pub(super) fn text(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self::new(status, Kind::Text, body.into())
    }

    pub(super) fn metrics(body: String) -> Self {
        Self::new(StatusCode::OK, Kind::Metrics, body.into())
    }

    pub(super) fn plain(status: StatusCode, body: Bytes) -> Self {
        Self::new(status, Kind::Plain, body)
    }

    pub(super) fn html(status: StatusCode, body: String) -> Self {
        Self::new(status, Kind::Html, body.into())
    }

    pub(super) fn page(body: Bytes) -> Self {
        Self::new(StatusCode::OK, Kind::Page, body)
    }

    /// What the node's metadata service answered.
    pub(super) fn passed(status: StatusCode, kind: Option<HeaderValue>, body: Bytes) -> Self {
        Self::new(status, kind.map_or(Kind::Plain, Kind::Passed), body)
    }

    pub(super) fn error(status: StatusCode, code: &str, message: &str) -> Self {
        let body = serde_json::to_vec(&ErrorBody { code, message }).expect("two strings must serialize");
        Self::new(status, Kind::Json, body.into())
    }

    fn new(status: StatusCode, kind: Kind, body: Bytes) -> Self {
        Self { status, kind, body, closes: false, allowed: ALLOWED, more: Vec::new() }
    }

    pub(super) fn with(mut self, name: HeaderName, value: impl Into<HeaderValue>) -> Self {
        self.more.push((name, value.into()));
        self
    }

    pub(super) fn allowing(self, allowed: &'static str) -> Self {
        Self { allowed, ..self }
    }

    pub(super) fn closing(self) -> Self {
        Self { closes: true, ..self }
    }

    /// The response. It takes over the request's `headers`: emptied, their memory is just right for ours.
    pub(super) fn into_response(self, mut headers: HeaderMap) -> Response<Full<Bytes>> {
        headers.clear();
        let kind = match self.kind {
            Kind::Json => JSON,
            Kind::Text => TEXT,
            Kind::Metrics => METRICS,
            Kind::Plain => PLAIN,
            Kind::Html => HTML,
            Kind::Page => PAGE,
            Kind::Passed(kind) => kind,
        };
        headers.insert(header::CONTENT_TYPE, kind);
        headers.insert(header::CACHE_CONTROL, NO_STORE);
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(header::ALLOW, HeaderValue::from_static(self.allowed));
        }
        if !self.more.is_empty() {
            headers.extend(self.more);
        }
        if self.closes {
            headers.insert(header::CONNECTION, CLOSE);
        }
        let mut response = Response::new(Full::new(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = headers;
        response
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Self::error(refusal.status(), refusal.code(), &refusal.to_string())
    }
}

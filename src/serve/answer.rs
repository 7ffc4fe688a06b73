//! A response: whole, in memory, in one write, never cached, never compressed, never a redirect.
//!
//! Errors are `{"code":"…","message":"…"}`, in lower case as the SDKs read them.

use bytes::Bytes;
use http_body_util::Full;
use hyper::HeaderMap;
use hyper::Response;
use hyper::StatusCode;
use hyper::header;
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
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Json,
    Text,
    Metrics,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    code: &'a str,
    message: &'a str,
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const METRICS: HeaderValue = HeaderValue::from_static(metrics::CONTENT_TYPE);
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const CLOSE: HeaderValue = HeaderValue::from_static("close");
const ALLOWED: HeaderValue = HeaderValue::from_static("GET, HEAD");

impl Answer {
    pub(super) fn json(body: Bytes) -> Self {
        Self { status: StatusCode::OK, kind: Kind::Json, body, closes: false }
    }

    pub(super) fn text(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self { status, kind: Kind::Text, body: body.into(), closes: false }
    }

    pub(super) fn metrics(body: String) -> Self {
        Self { status: StatusCode::OK, kind: Kind::Metrics, body: body.into(), closes: false }
    }

    pub(super) fn error(status: StatusCode, code: &str, message: &str) -> Self {
        let body = serde_json::to_vec(&ErrorBody { code, message }).expect("two strings must serialize");
        Self { status, kind: Kind::Json, body: body.into(), closes: false }
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
        };
        headers.insert(header::CONTENT_TYPE, kind);
        headers.insert(header::CACHE_CONTROL, NO_STORE);
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(header::ALLOW, ALLOWED);
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

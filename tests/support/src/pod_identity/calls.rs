//! The log of what an endpoint was asked; never a token.

use std::time::SystemTime;

use bytes::Bytes;
use hyper::Request;
use serde::Serialize;

use crate::journal::{Entry, Outcome, rfc3339};
use crate::sts::TokenSeen;

/// One request to the endpoint.
#[derive(Clone, Debug, Serialize)]
pub struct PodCall {
    /// From 1.
    pub number: usize,
    #[serde(serialize_with = "rfc3339")]
    pub at: SystemTime,
    pub method: String,
    /// With its query.
    pub path: String,
    pub host: Option<String>,
    /// The whole value of `Authorization`, by its hash.
    pub authorization: Option<TokenSeen>,
    /// All others. Names in lower case, in the order in which they came.
    pub headers: Vec<(String, String)>,
    pub outcome: Outcome,
    /// The HTTP status, when one was sent.
    pub status: Option<u16>,
}

impl PodCall {
    pub(super) fn of(request: &Request<Bytes>, at: SystemTime) -> Self {
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let headers = request.headers();
        Self {
            number: 0,
            at,
            method: request.method().to_string(),
            path: request.uri().to_string(),
            host: headers.get("host").map(|value| text(value.as_bytes())),
            authorization: headers.get("authorization").map(|value| TokenSeen::of(&text(value.as_bytes()))),
            headers: headers
                .iter()
                .filter(|(name, _)| *name != "authorization")
                .map(|(name, value)| (name.to_string(), text(value.as_bytes())))
                .collect(),
            outcome: Outcome::Pending,
            status: None,
        }
    }

    pub fn succeeded(&self) -> bool {
        self.outcome == Outcome::Ok
    }

    /// The first header of this name, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Whether `Authorization` was this value and nothing besides.
    pub fn carried(&self, value: &str) -> bool {
        self.authorization.as_ref() == Some(&TokenSeen::of(value))
    }
}

impl Entry for PodCall {
    fn number(&mut self, number: usize) {
        self.number = number;
    }

    fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    fn settle(&mut self, outcome: Outcome, status: Option<u16>) {
        self.outcome = outcome;
        self.status = status;
    }
}

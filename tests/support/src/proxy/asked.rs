//! What a proxy was asked for.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::journal::{Entry, Outcome, rfc3339};

/// One request to a proxy.
#[derive(Clone, Debug, Serialize)]
pub struct Proxied {
    /// From 1.
    pub number: usize,
    #[serde(serialize_with = "rfc3339")]
    pub at: SystemTime,
    pub method: String,
    /// `host:port` for a CONNECT, a whole URL for any other request.
    pub target: String,
    /// Names in lower case, in the order in which they came; `proxy-authorization` is among them.
    pub headers: Vec<(String, String)>,
    pub outcome: Outcome,
    /// The proxy's own answer; absent where another's was passed on.
    pub status: Option<u16>,
}

impl Proxied {
    /// Reads a request's head, without the empty line at its end.
    pub(super) fn parse(head: &str, at: SystemTime) -> Option<Self> {
        let mut lines = head.split("\r\n");
        let mut words = lines.next()?.split(' ');
        let (method, target, Some("HTTP/1.1" | "HTTP/1.0"), None) =
            (words.next()?, words.next()?, words.next(), words.next())
        else {
            return None;
        };
        let headers = lines
            .map(|line| {
                line.split_once(':').map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
            })
            .collect::<Option<Vec<_>>>()?;
        Some(Self {
            number: 0,
            at,
            method: method.to_owned(),
            target: target.to_owned(),
            headers,
            outcome: Outcome::Pending,
            status: None,
        })
    }

    pub fn is_tunnel(&self) -> bool {
        self.method == "CONNECT"
    }

    /// The host that was asked for, without its port.
    pub fn host(&self) -> &str {
        let authority = match self.target.split_once("://") {
            Some((_, rest)) => rest.split(['/', '?']).next().unwrap_or_default(),
            None => &self.target,
        };
        match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => authority,
        }
    }

    /// The first header of this name, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn carries(&self, user: &str, password: &str) -> bool {
        let wanted = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        self.header("proxy-authorization") == Some(wanted.as_str())
    }

    /// The head that goes on: with a path in place of the URL, and nothing of what was for the proxy.
    pub(super) fn onward(&self) -> Option<String> {
        let (_, rest) = self.target.split_once("://")?;
        let path = rest.find(['/', '?']).map_or("/", |at| &rest[at..]);
        let slash = if path.starts_with('/') { "" } else { "/" };
        let mut head = format!("{} {slash}{path} HTTP/1.1\r\n", self.method);
        let ours = ["connection", "proxy-connection", "proxy-authorization"];
        for (name, value) in self.headers.iter().filter(|(name, _)| !ours.contains(&name.as_str())) {
            head += &format!("{name}: {value}\r\n");
        }
        Some(head + "connection: close\r\n\r\n")
    }
}

impl Entry for Proxied {
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

//! The metadata service of a node, as EC2's looks from a pod: version 2 alone unless told otherwise, with levers for
//! what goes wrong, and a memory of what it was asked.
//!
//! It holds what a sidecar must never pass on, each with its marker in the body: [`NODE_SECRET`].

use std::collections::BTreeMap;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, LOCATION};
use hyper::{Method, Request, Response, StatusCode};
use tokio::net::TcpListener;

use crate::listen::reply::Paced;
use crate::listen::{Handler, Listener, Reply, plain};
use crate::random;

/// In the body of everything that is the node's alone.
pub const NODE_SECRET: &str = "the-nodes-own";

const PATH_TOKEN: &str = "/latest/api/token";
const HEADER_TOKEN: &str = "x-aws-ec2-metadata-token";
const HEADER_TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";

const METADATA: [(&str, &str); 14] = [
    ("meta-data/ami-id", "ami-0123456789abcdef0"),
    ("meta-data/hostname", "ip-10-0-0-1.eu-central-1.compute.internal"),
    ("meta-data/instance-id", "i-0123456789abcdef0"),
    ("meta-data/instance-type", "m7g.large"),
    ("meta-data/local-ipv4", "10.0.0.1"),
    ("meta-data/mac", "02:00:00:00:00:01"),
    ("meta-data/placement", "availability-zone\nregion"),
    ("meta-data/placement/availability-zone", "eu-north-9b"),
    ("meta-data/placement/region", "eu-north-9"),
    ("meta-data/tags/instance/team", "shop"),
    ("meta-data/iam/security-credentials", "the-nodes-own-role"),
    ("meta-data/iam/security-credentials/the-nodes-own-role", "{\"AccessKeyId\":\"the-nodes-own-key\"}"),
    ("user-data", "the-nodes-own-script"),
    ("dynamic/instance-identity/document", "{\"accountId\":\"444455556666\",\"region\":\"eu-north-9\"}"),
];

/// How it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// `HttpTokens=required`.
    Required,
    /// `HttpTokens=optional`.
    Optional,
    /// One that knows no sessions: this status to the PUT, and answers without.
    NoSessions(u16),
    /// The hop limit is 1: the answer to the PUT never arrives. `HttpTokens=optional`.
    HopLimit,
    /// Takes every question and answers none.
    Silent,
    /// Takes no session.
    RefusesAll,
    /// Begins sessions, and answers everything else with this status.
    Failing(u16),
    /// Everything is elsewhere: at this port of the same address.
    Redirecting(u16),
    /// Bodies of this many bytes.
    Bodies(usize),
    /// Half of a body.
    Cut,
    /// A token that is none.
    StrangeTokens,
}

/// A running service. Dropping it closes the port.
#[derive(Debug)]
pub struct NodeImds {
    listener: Listener,
    state: Arc<State>,
}

/// One request, as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub method: String,
    pub target: String,
    /// Names in lower case, in the order in which they came.
    pub headers: Vec<(String, String)>,
}

#[derive(Debug)]
struct State {
    manner: Mutex<Manner>,
    sessions: Mutex<Vec<String>>,
    asked: Mutex<Vec<Asked>>,
    metadata: BTreeMap<&'static str, &'static str>,
}

impl NodeImds {
    pub async fn start(address: SocketAddr) -> io::Result<Self> {
        Self::on(TcpListener::bind(address).await?)
    }

    /// Behind a socket that was bound elsewhere, as in the network namespace of a node.
    pub fn on(socket: TcpListener) -> io::Result<Self> {
        let state = Arc::new(State {
            manner: Mutex::new(Manner::Required),
            sessions: Mutex::default(),
            asked: Mutex::default(),
            metadata: BTreeMap::from(METADATA),
        });
        let answering = Arc::clone(&state);
        let handler: Handler = Arc::new(move |request| {
            let state = Arc::clone(&answering);
            Box::pin(async move { state.answer(request).await }) as Pin<Box<_>>
        });
        Ok(Self { listener: Listener::on(socket, None, handler)?, state })
    }

    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    pub fn behave(&self, manner: Manner) {
        *lock(&self.state.manner) = manner;
    }

    /// Every session that was begun is refused from now on.
    pub fn expire_sessions(&self) {
        lock(&self.state.sessions).clear();
    }

    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.state.asked).clone()
    }

    /// How many requests came with this method.
    pub fn count(&self, method: &str) -> usize {
        self.asked().iter().filter(|asked| asked.method == method).count()
    }
}

impl State {
    async fn answer(&self, request: Request<Bytes>) -> Reply {
        lock(&self.asked).push(Asked {
            method: request.method().to_string(),
            target: request.uri().to_string(),
            headers: request
                .headers()
                .iter()
                .map(|(name, value)| {
                    (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
                })
                .collect(),
        });
        let manner = *lock(&self.manner);
        let is_put = request.method() == Method::PUT && request.uri().path() == PATH_TOKEN;
        match manner {
            Manner::Silent => pending().await,
            Manner::HopLimit if is_put => pending().await,
            Manner::NoSessions(status) if is_put => text(status, "no sessions here"),
            Manner::StrangeTokens if is_put => text(200, "to\u{e4}ken\r\nX: y"),
            Manner::Redirecting(port) => Reply::Send(redirect(port)),
            _ if is_put => self.begin(&request),
            Manner::Failing(status) => text(status, "failing, as scripted"),
            Manner::Bodies(length) => text(200, &"x".repeat(length)),
            Manner::Cut => {
                let body = Paced::cut(&Bytes::from_static(b"half of this"));
                Reply::Send(plain(StatusCode::OK, "text/plain", body))
            }
            _ if !self.takes(manner, &request) => text(401, "no session"),
            _ => self.metadata(request.uri().path()),
        }
    }

    fn begin(&self, request: &Request<Bytes>) -> Reply {
        let ttl =
            request.headers().get(HEADER_TTL).and_then(|value| value.to_str().ok()?.parse::<u32>().ok());
        let Some(ttl) = ttl.filter(|ttl| (1..=21_600).contains(ttl)) else {
            return text(400, "no time to live");
        };
        let token = random::hex(28);
        lock(&self.sessions).push(token.clone());
        let mut response = plain(StatusCode::OK, "text/plain", Paced::whole(token));
        response.headers_mut().insert(HEADER_TTL, ttl.into());
        Reply::Send(response)
    }

    fn takes(&self, manner: Manner, request: &Request<Bytes>) -> bool {
        match request.headers().get(HEADER_TOKEN) {
            _ if manner == Manner::RefusesAll => false,
            Some(token) => lock(&self.sessions).iter().any(|known| token == known),
            None => matches!(manner, Manner::Optional | Manner::NoSessions(_) | Manner::HopLimit),
        }
    }

    fn metadata(&self, path: &str) -> Reply {
        let below =
            path.strip_prefix('/').and_then(|path| path.split_once('/')).map(|(_version, below)| below);
        let known = below.and_then(|below| self.metadata.get(below.trim_end_matches('/')));
        match known {
            Some(body) => text(200, body),
            None => text(404, "no such thing"),
        }
    }
}

fn text(status: u16, body: &str) -> Reply {
    let status = StatusCode::from_u16(status).expect("a scripted status must be one");
    Reply::Send(plain(status, "text/plain", Paced::whole(body.to_owned())))
}

fn redirect(port: u16) -> Response<Paced> {
    Response::builder()
        .status(StatusCode::MOVED_PERMANENTLY)
        .header(CONTENT_TYPE, "text/plain")
        .header(LOCATION, format!("http://127.0.0.1:{port}/latest/user-data"))
        .body(Paced::whole("elsewhere"))
        .expect("static headers must make a response")
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

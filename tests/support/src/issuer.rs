//! An OIDC issuer on loopback, as the kube-apiserver is one for its cluster.
//!
//! | route | answers |
//! |---|---|
//! | `GET /.well-known/openid-configuration` | the discovery document: `issuer`, `jwks_uri` and what Kubernetes adds |
//! | `GET /openid/v1/jwks` | the public keys, an RS256 and an ES256 one for each generation |
//!
//! [`Issuer::token`] mints projected ServiceAccount tokens, good ones and every sort of bad one.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use hyper::{Method, Request, StatusCode};
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::issuer::keys::SigningKey;
use crate::listen::reply::Paced;
use crate::listen::{Handler, Listener, Reply, plain};

pub use crate::issuer::keys::Algorithm;
pub use crate::issuer::token::{Forgery, TokenBuilder};

mod keys;
mod token;

const DISCOVERY: &str = "/.well-known/openid-configuration";
const JWKS: &str = "/openid/v1/jwks";

/// A running issuer. Dropping it closes its port.
#[derive(Debug)]
pub struct Issuer {
    listener: Listener,
    ring: Arc<Mutex<KeyRing>>,
    clock: Clock,
}

/// All keys that are published; the last generation signs.
#[derive(Debug)]
struct KeyRing {
    generations: Vec<Generation>,
    made: usize,
}

#[derive(Clone, Debug)]
struct Generation {
    rs256: Arc<SigningKey>,
    es256: Arc<SigningKey>,
}

impl Issuer {
    /// Starts on a free loopback port.
    pub async fn start(clock: Clock) -> io::Result<Self> {
        Self::start_on((Ipv4Addr::LOCALHOST, 0).into(), clock).await
    }

    pub async fn start_on(address: SocketAddr, clock: Clock) -> io::Result<Self> {
        let ring = Arc::new(Mutex::new(KeyRing::new()));
        let listener = Listener::bind(address, None, handler(Arc::clone(&ring))).await?;
        Ok(Self { listener, ring, clock })
    }

    /// The `iss` of its tokens.
    pub fn url(&self) -> String {
        url(&self.host())
    }

    /// The URL without its scheme: how IAM names a provider, in its ARN and in condition keys.
    pub fn host(&self) -> String {
        self.address().to_string()
    }

    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// A token for this ServiceAccount's pod, good for an hour unless the builder is told otherwise.
    pub fn token(&self, namespace: &str, service_account: &str) -> TokenBuilder {
        let Generation { rs256, es256 } = self.ring().newest();
        TokenBuilder::new(&self.url(), namespace, service_account, rs256, es256, &self.clock)
    }

    /// New keys sign from now on; the old ones stay published, as in an orderly rotation.
    pub fn rotate_keys(&self) {
        self.ring().rotate();
    }

    /// Only the newest keys stay published.
    pub fn retire_old_keys(&self) {
        let mut ring = self.ring();
        let old = ring.generations.len() - 1;
        ring.generations.drain(..old);
    }

    /// Connections are refused until [`listen_again`](Self::listen_again).
    pub async fn refuse(&self) {
        self.listener.refuse().await;
    }

    pub async fn listen_again(&self) -> io::Result<()> {
        self.listener.listen_again().await
    }

    fn ring(&self) -> std::sync::MutexGuard<'_, KeyRing> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeyRing {
    fn new() -> Self {
        let mut ring = Self { generations: Vec::new(), made: 0 };
        ring.rotate();
        ring
    }

    fn rotate(&mut self) {
        let rs256 = Arc::new(SigningKey::rsa_of_generation(self.made));
        let es256 = Arc::new(SigningKey::fresh_es256());
        self.generations.push(Generation { rs256, es256 });
        self.made += 1;
    }

    fn newest(&self) -> Generation {
        self.generations.last().expect("an issuer must have keys").clone()
    }

    fn jwks(&self) -> Value {
        let keys: Vec<Value> =
            self.generations.iter().flat_map(|g| [g.rs256.public_jwk(), g.es256.public_jwk()]).collect();
        json!({ "keys": keys })
    }
}

fn handler(ring: Arc<Mutex<KeyRing>>) -> Handler {
    Arc::new(move |request| {
        let reply = route(&request, &ring);
        Box::pin(std::future::ready(reply))
    })
}

fn route(request: &Request<Bytes>, ring: &Mutex<KeyRing>) -> Reply {
    let host = request.headers().get(hyper::header::HOST).and_then(|host| host.to_str().ok());
    let (content_type, document) = match (request.method(), request.uri().path(), host) {
        (&Method::GET, DISCOVERY, Some(host)) => ("application/json", discovery(host)),
        (&Method::GET, JWKS, _) => {
            ("application/jwk-set+json", ring.lock().unwrap_or_else(PoisonError::into_inner).jwks())
        }
        _ => {
            return Reply::Send(plain(StatusCode::NOT_FOUND, "text/plain", Paced::whole("not found\n")));
        }
    };
    Reply::Send(plain(StatusCode::OK, content_type, Paced::whole(document.to_string())))
}

fn discovery(host: &str) -> Value {
    json!({
        "issuer": url(host),
        "jwks_uri": format!("{}{JWKS}", url(host)),
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256"],
    })
}

fn url(host: &str) -> String {
    format!("http://{host}")
}

//! The issuers' public keys: discovered over HTTP as STS does, kept for a while, asked for again when a `kid` is new.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::raw;
use crate::sts::failure::Failure;

const KEPT_FOR: Duration = Duration::from_secs(300);
const PATIENCE: Duration = Duration::from_secs(5);

/// What has been learnt of the issuers so far.
#[derive(Debug, Default)]
pub(crate) struct Jwks {
    /// Where the documents of an issuer lie that is not reached under its own name.
    published: Mutex<HashMap<String, String>>,
    known: Mutex<HashMap<String, Known>>,
}

#[derive(Clone, Debug)]
struct Known {
    keys: Vec<Jwk>,
    fetched_at: SystemTime,
}

/// A public key as an issuer publishes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kty")]
pub(crate) enum Jwk {
    #[serde(rename = "RSA")]
    Rsa { kid: Option<String>, n: String, e: String },
    #[serde(rename = "EC")]
    Ec { kid: Option<String>, crv: String, x: String, y: String },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Jwk>,
}

impl Jwks {
    /// The key of this issuer with this `kid`; `None` when the issuer, freshly asked, does not have it.
    pub(crate) async fn key(&self, issuer: &str, kid: &str, clock: &Clock) -> Result<Option<Jwk>, Failure> {
        let now = clock.now();
        let find = |keys: &[Jwk]| keys.iter().find(|key| key.id() == Some(kid)).cloned();
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(issuer).cloned();
        let fresh = known.filter(|k| now.duration_since(k.fetched_at).is_ok_and(|age| age < KEPT_FOR));
        if let Some(key) = fresh.and_then(|known| find(&known.keys)) {
            return Ok(Some(key));
        }
        let at = self.published.lock().unwrap_or_else(PoisonError::into_inner).get(issuer).cloned();
        let Ok(Ok(keys)) = timeout(PATIENCE, discover(issuer, at.as_deref().unwrap_or(issuer))).await else {
            return Err(Failure::named("IDPCommunicationError"));
        };
        let key = find(&keys);
        let known = Known { keys, fetched_at: now };
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(issuer.to_owned(), known);
        Ok(key)
    }

    /// Says where an issuer's documents lie, as a bucket's address would.
    pub(crate) fn publish(&self, issuer: &str, at: &str) {
        self.published
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(issuer.to_owned(), at.to_owned());
    }

    /// Makes the next token a reason to ask its issuer again.
    pub(crate) fn forget(&self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Jwk {
    fn id(&self) -> Option<&str> {
        match self {
            Self::Rsa { kid, .. } | Self::Ec { kid, .. } => kid.as_deref(),
            Self::Other => None,
        }
    }

    /// Whether this key made this signature, under an algorithm that it is meant for.
    pub(crate) fn verifies(&self, algorithm: &str, message: &[u8], signature: &[u8]) -> bool {
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
        match (self, algorithm) {
            (Self::Rsa { n, e, .. }, "RS256") => RsaPublicKeyComponents { n: decode(n), e: decode(e) }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
            (Self::Ec { crv, x, y, .. }, "ES256") if crv == "P-256" => {
                let point = [&[4][..], &decode(x), &decode(y)].concat();
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).is_ok()
            }
            _ => false,
        }
    }
}

async fn discover(issuer: &str, at: &str) -> io::Result<Vec<Jwk>> {
    let document: Discovery = fetch(&format!("{at}/.well-known/openid-configuration")).await?;
    if document.issuer != issuer {
        return Err(io::Error::other(format!("{issuer} calls itself {}", document.issuer)));
    }
    let keys_at = match document.jwks_uri.strip_prefix(issuer) {
        Some(path) => format!("{at}{path}"),
        None => document.jwks_uri,
    };
    let set: KeySet = fetch(&keys_at).await?;
    Ok(set.keys)
}

async fn fetch<T: DeserializeOwned>(url: &str) -> io::Result<T> {
    let (address, path) = split(url).ok_or_else(|| io::Error::other(format!("cannot fetch {url}")))?;
    let response = raw::get(address, &path).await?;
    if response.status != 200 {
        return Err(io::Error::other(format!("{url} answered {}", response.status)));
    }
    Ok(serde_json::from_slice(&response.body)?)
}

/// Only plain HTTP to an address with a port: the issuers that are here are on loopback.
fn split(url: &str) -> Option<(SocketAddr, String)> {
    let rest = url.strip_prefix("http://")?;
    let at = rest.find('/').unwrap_or(rest.len());
    let address = rest[..at].parse().ok()?;
    let path = if at == rest.len() { "/" } else { &rest[at..] };
    Some((address, path.to_owned()))
}

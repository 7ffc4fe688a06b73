//! A projected ServiceAccount token in the making: right by default, wrong wherever it is told to be.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use crate::clock::Clock;
use crate::issuer::keys::{Algorithm, SigningKey};
use crate::random;

/// The audience that the EKS webhook projects tokens for.
const DEFAULT_AUDIENCE: &str = "sts.amazonaws.com";
const DEFAULT_LIFE: Duration = Duration::from_secs(3600);

/// Kubernetes warns in its audit log when a token is used after this, the life of tokens before projection was safe.
const WARN_AFTER: i64 = 3607;

/// Ends in [`mint`](Self::mint); each other method changes one thing about the token.
#[derive(Clone, Debug)]
pub struct TokenBuilder {
    claims: Map<String, Value>,
    rs256: Arc<SigningKey>,
    es256: Arc<SigningKey>,
    algorithm: Algorithm,
    key_id: Option<String>,
    forgery: Option<Forgery>,
}

/// Ways to be signed wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgery {
    /// One bit of the signature is turned.
    BadSignature,
    /// `alg: none` and no signature: the oldest trick.
    Unsigned,
    /// Signed by another key of the same sort, under the `kid` of the published one.
    ForeignKey,
}

impl TokenBuilder {
    pub(super) fn new(
        issuer: &str,
        namespace: &str,
        service_account: &str,
        rs256: Arc<SigningKey>,
        es256: Arc<SigningKey>,
        clock: &Clock,
    ) -> Self {
        let now = clock.unix_seconds();
        let claims = json!({
            "aud": [DEFAULT_AUDIENCE],
            "exp": now + seconds(DEFAULT_LIFE),
            "iat": now,
            "iss": issuer,
            "jti": random::uuid(),
            "kubernetes.io": {
                "namespace": namespace,
                "node": { "name": "node-1.example.internal", "uid": random::uuid() },
                "pod": { "name": format!("{service_account}-7d4b9c6f5-x2x7k"), "uid": random::uuid() },
                "serviceaccount": { "name": service_account, "uid": random::uuid() },
                "warnafter": now + WARN_AFTER,
            },
            "nbf": now,
            "sub": format!("system:serviceaccount:{namespace}:{service_account}"),
        });
        let Value::Object(claims) = claims else { unreachable!("claims are an object") };
        Self { claims, rs256, es256, algorithm: Algorithm::default(), key_id: None, forgery: None }
    }

    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// A `kid` other than that of the key that signs.
    pub fn key_id(mut self, key_id: &str) -> Self {
        self.key_id = Some(key_id.to_owned());
        self
    }

    pub fn forged(mut self, forgery: Forgery) -> Self {
        self.forgery = Some(forgery);
        self
    }

    /// Sets any claim to any value.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    pub fn without(mut self, claim: &str) -> Self {
        self.claims.remove(claim);
        self
    }

    pub fn audience(self, audience: &str) -> Self {
        self.claim("aud", json!([audience]))
    }

    pub fn subject(self, subject: &str) -> Self {
        self.claim("sub", subject)
    }

    pub fn issuer(self, issuer: &str) -> Self {
        self.claim("iss", issuer)
    }

    /// How long it is good for, from its `iat`.
    pub fn living(self, life: Duration) -> Self {
        let issued_at = self.time("iat");
        self.claim("exp", issued_at + seconds(life))
    }

    /// Issued so long ago that it expired this long ago.
    pub fn expired_for(self, ago: Duration) -> Self {
        let back = self.time("exp") - self.time("iat") + seconds(ago);
        self.shifted(-back)
    }

    /// Issued, and valid, only from this far in the future on.
    pub fn starting_in(self, ahead: Duration) -> Self {
        self.shifted(seconds(ahead))
    }

    pub fn mint(self) -> String {
        let key = match self.algorithm {
            Algorithm::Rs256 => &self.rs256,
            Algorithm::Es256 => &self.es256,
        };
        let algorithm = match self.forgery {
            Some(Forgery::Unsigned) => "none",
            _ => self.algorithm.name(),
        };
        let header = json!({ "alg": algorithm, "kid": self.key_id.as_deref().unwrap_or(key.id()) });
        let message = format!("{}.{}", encode(&header), encode(&Value::Object(self.claims)));
        let signature = match self.forgery {
            None => key.sign(message.as_bytes()),
            Some(Forgery::Unsigned) => Vec::new(),
            Some(Forgery::BadSignature) => {
                let mut signature = key.sign(message.as_bytes());
                signature[7] ^= 1;
                signature
            }
            Some(Forgery::ForeignKey) => key.foreign().sign(message.as_bytes()),
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn shifted(mut self, by: i64) -> Self {
        for name in ["iat", "nbf", "exp"] {
            let moved = self.time(name) + by;
            self = self.claim(name, moved);
        }
        self
    }

    fn time(&self, claim: &str) -> i64 {
        self.claims.get(claim).and_then(Value::as_i64).unwrap_or_default()
    }
}

fn encode(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

fn seconds(duration: Duration) -> i64 {
    duration.as_secs().cast_signed()
}

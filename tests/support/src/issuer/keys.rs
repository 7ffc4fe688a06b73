//! The keys that sign: RS256, which every Kubernetes uses, and ES256, which STS accepts as well.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};

/// RSA keys take seconds to make, so two lie ready, public and worthless; rotation goes from one to the other.
const THROW_AWAY_RSA: [&str; 2] =
    [include_str!("../keys/throw-away-rsa-1.pem"), include_str!("../keys/throw-away-rsa-2.pem")];

/// The signature algorithms of the tokens that are minted here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    #[default]
    Rs256,
    Es256,
}

pub(super) struct SigningKey {
    id: String,
    pair: Pair,
}

enum Pair {
    Rs256(Box<RsaKeyPair>),
    Es256(Box<EcdsaKeyPair>),
}

impl Algorithm {
    /// The JWS header's `alg`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        }
    }
}

impl SigningKey {
    /// Odd and even generations have different keys.
    pub(super) fn rsa_of_generation(generation: usize) -> Self {
        let der = pkcs8_of_pem(THROW_AWAY_RSA[generation % THROW_AWAY_RSA.len()]);
        let pair = RsaKeyPair::from_pkcs8(&der).expect("the committed test key must be PKCS#8");
        Self { id: key_id(pair.public().as_ref()), pair: Pair::Rs256(Box::new(pair)) }
    }

    pub(super) fn fresh_es256() -> Self {
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let random = SystemRandom::new();
        let der = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a P-256 key must be makeable");
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, der.as_ref(), &random)
            .expect("a key that was just made must be readable");
        Self { id: key_id(pair.public_key().as_ref()), pair: Pair::Es256(Box::new(pair)) }
    }

    /// Another key of the same sort.
    pub(super) fn foreign(&self) -> Self {
        match &self.pair {
            Pair::Es256(_) => Self::fresh_es256(),
            Pair::Rs256(_) => (0..THROW_AWAY_RSA.len())
                .map(Self::rsa_of_generation)
                .find(|key| key.id != self.id)
                .expect("the committed test keys must differ"),
        }
    }

    /// The JWS header's `kid`.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rs256(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .expect("an RSA key must be able to sign");
                signature
            }
            Pair::Es256(pair) => {
                pair.sign(&random, message).expect("a P-256 key must be able to sign").as_ref().to_vec()
            }
        }
    }

    pub(super) fn public_jwk(&self) -> Value {
        match &self.pair {
            Pair::Rs256(pair) => {
                let PublicKeyComponents { n, e } = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({
                    "use": "sig", "kty": "RSA", "alg": "RS256", "kid": self.id,
                    "n": URL_SAFE_NO_PAD.encode(n), "e": URL_SAFE_NO_PAD.encode(e),
                })
            }
            Pair::Es256(pair) => {
                // An uncompressed point: 0x04, then x and y of 32 bytes each.
                let point = pair.public_key().as_ref();
                json!({
                    "use": "sig", "kty": "EC", "alg": "ES256", "crv": "P-256", "kid": self.id,
                    "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..]),
                })
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id).finish_non_exhaustive()
    }
}

fn key_id(public: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, public))
}

fn pkcs8_of_pem(pem: &str) -> Vec<u8> {
    let body: String = pem
        .lines()
        .skip_while(|line| !line.starts_with("-----BEGIN"))
        .skip(1)
        .take_while(|line| !line.starts_with("-----END"))
        .collect();
    STANDARD.decode(body).expect("the committed test key must be Base64")
}

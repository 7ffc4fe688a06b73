//! Whether a web identity token is what it says it is: form, issuer, key, signature, times, audience, in that order.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde::Deserialize;

use crate::clock::Clock;
use crate::random;
use crate::sts::account::{Account, Provider};
use crate::sts::arn::RoleArn;
use crate::sts::calls::TokenSeen;
use crate::sts::failure::Failure;
use crate::sts::jwks::Jwks;

/// What STS takes; only RS256 and ES256 can be checked here, and the others then fail for want of a key.
const ALGORITHMS: [&str; 6] = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"];

/// How far ahead of ours an issuer's clock may be.
const LEEWAY_SECONDS: i64 = 300;

const NOT_A_JWT: &str =
    "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)";

/// A token that proved true.
#[derive(Debug)]
pub(crate) struct WebIdentity {
    pub(crate) provider: Arc<Provider>,
    pub(crate) subject: String,
    pub(crate) audience: String,
}

/// A compact JWS in its parts, believed in nothing yet.
struct Presented<'a> {
    header: Header,
    claims: Claims,
    message: &'a str,
    signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
}

#[derive(Deserialize)]
struct Claims {
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<Audiences>,
    exp: Option<i64>,
    iat: Option<i64>,
    nbf: Option<i64>,
    jti: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audiences {
    One(String),
    Many(Vec<String>),
}

pub(crate) async fn verify(
    token: &str,
    role: &RoleArn,
    account: &Account,
    jwks: &Jwks,
    clock: &Clock,
) -> Result<WebIdentity, Failure> {
    let presented = Presented::parse(token).ok_or_else(|| Failure::invalid_token(NOT_A_JWT))?;
    let Presented { header, claims, .. } = &presented;
    if !ALGORITHMS.contains(&header.alg.as_str()) {
        return Err(Failure::invalid_token(format!("Unsupported signature algorithm: {}", header.alg)));
    }
    let issuer = required(claims.iss.as_deref(), "iss")?;
    let subject = required(claims.sub.as_deref(), "sub")?;
    let audiences = required(claims.aud.as_ref(), "aud")?;
    let expires_at = required(claims.exp, "exp")?;
    let issued_at = required(claims.iat, "iat")?;

    let provider = account.provider(role.account(), issuer).ok_or_else(|| {
        Failure::invalid_token(format!("No OpenIDConnect provider found in your account for {issuer}"))
    })?;
    let key = jwks.key(issuer, header.kid.as_deref().unwrap_or_default(), clock).await?;
    // The words for a key that the issuer does not have are those for an issuer that gives none.
    let key = key.ok_or_else(|| Failure::named("InvalidIdentityToken"))?;
    if !key.verifies(&header.alg, presented.message.as_bytes(), &presented.signature) {
        return Err(Failure::invalid_token("Token signature is invalid"));
    }
    check_times(clock.unix_seconds(), expires_at, issued_at, claims.nbf)?;
    let audience = audiences
        .iter()
        .find(|audience| provider.client_ids.iter().any(|id| id == *audience))
        .ok_or_else(|| Failure::invalid_token("Incorrect token audience"))?;
    Ok(WebIdentity { subject: subject.to_owned(), audience: audience.to_owned(), provider })
}

/// What may be remembered of a token that was sent, whether it is good or not.
pub(crate) fn seen(token: &str) -> TokenSeen {
    let hash = digest(&SHA256, token.as_bytes());
    let jti = Presented::parse(token).and_then(|presented| presented.claims.jti);
    TokenSeen { jti, sha256: random::encode_hex(hash.as_ref()) }
}

fn check_times(now: i64, expires_at: i64, issued_at: i64, not_before: Option<i64>) -> Result<(), Failure> {
    if now >= expires_at {
        return Err(Failure::new(
            "ExpiredTokenException",
            format!(
                "Token expired: current date/time {now} must be before the expiration date/time {expires_at}"
            ),
        ));
    }
    if issued_at > now + LEEWAY_SECONDS {
        return Err(Failure::invalid_token(format!(
            "Token was issued in the future: current date/time {now} must be after the issue date/time {issued_at}"
        )));
    }
    match not_before {
        Some(not_before) if not_before > now + LEEWAY_SECONDS => Err(Failure::invalid_token(format!(
            "Token is not valid yet: current date/time {now} must not be before {not_before}"
        ))),
        _ => Ok(()),
    }
}

fn required<T>(claim: Option<T>, name: &str) -> Result<T, Failure> {
    claim.ok_or_else(|| Failure::invalid_token(format!("Missing a required claim: {name}")))
}

impl<'a> Presented<'a> {
    fn parse(token: &'a str) -> Option<Self> {
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        Some(Self {
            header: serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?,
            claims: serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?,
            message,
            signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
        })
    }
}

impl Audiences {
    fn iter(&self) -> std::slice::Iter<'_, String> {
        match self {
            Self::One(one) => std::slice::from_ref(one).iter(),
            Self::Many(many) => many.iter(),
        }
    }
}

//! What about a token cannot work, or is about to stop working, by its own claims and a clock. STS decides.
//!
//! The rules are those of IAM's guide to OIDC providers (an https issuer, RS and ES signatures), of Kubernetes' "Bound
//! ServiceAccount tokens" (a legacy token has neither an audience nor an end) and of the kubelet, which replaces a token
//! after four fifths of its life, or a day if that is sooner (ServiceAccountTokenProjection in Kubernetes' API reference).

use std::time::Duration;
use std::time::SystemTime;

use serde_json::Value;

use crate::contract::DEFAULT_AUDIENCE;
use crate::contract::SERVICE_ACCOUNT_SUBJECT;
use crate::token::Claims;

/// One doubt, and what to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Doubt {
    /// Stable.
    pub code: &'static str,
    pub what: String,
    pub mend: &'static str,
    pub weight: Weight,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Weight {
    /// No STS takes it so.
    Fatal,
    Doubtful,
    /// A rule of AWS's, which another STS need not have.
    ForAws,
}

/// The kubelet looks once in a while, and clocks differ.
const SLACK: Duration = Duration::from_secs(300);
/// The part of a token's life after which the kubelet replaces it.
const ROTATED_AFTER: f64 = 0.8;
const ROTATED_AT_LATEST_AFTER: Duration = Duration::from_hours(24);
const ALGORITHMS: [&str; 6] = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"];

const PROJECT_IT: &str = "Mount it as a projected volume (serviceAccountToken), as a directory and not by subPath, and read \
                          that file: the kubelet renews it; a copy, a Secret or a subPath mount stays as it is.";
const CHECK_CLOCK: &str = "Compare this node's clock with the API server's: NTP has stopped on one of them.";

pub fn doubts(claims: &Claims, now: SystemTime) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    let mut doubt = |applies: bool, weight: Weight, code: &'static str, what: &str, mend: &'static str| {
        if applies {
            doubts.push(Doubt { code, what: what.to_owned(), mend, weight });
        }
    };
    let expires_at = claims.expires_at();
    let is_legacy = expires_at.is_none()
        && claims.payload.get("exp").is_none()
        && claims.issuer() == Some("kubernetes/serviceaccount");
    doubt(
        is_legacy,
        Weight::Fatal,
        "TokenLegacy",
        "It is a legacy token from a Secret, without an audience and an end, which STS does not take.",
        "Mount a projected volume (serviceAccountToken) with the audience sts.amazonaws.com.",
    );
    doubt(
        expires_at.is_none() && !is_legacy,
        Weight::Fatal,
        "TokenWithoutExpiry",
        "It has no expiry, which STS asks for.",
        PROJECT_IT,
    );
    doubt(
        expires_at.is_some_and(|expires_at| expires_at <= now),
        Weight::Fatal,
        "TokenExpired",
        "It has expired: is the file a projected volume, which the kubelet renews, or a copy of one?",
        PROJECT_IT,
    );
    doubt(
        expires_at.is_some_and(|at| at > now) && rotated_at(claims).is_some_and(|at| at + SLACK < now),
        Weight::Doubtful,
        "TokenNotRotated",
        "It should have been replaced by now: is the file a projected volume, which the kubelet renews, or a copy?",
        PROJECT_IT,
    );
    doubt(
        [claims.not_before(), claims.issued_at()].into_iter().flatten().any(|at| at > now + SLACK),
        Weight::Doubtful,
        "TokenNotYetValid",
        "It becomes valid in the future by this machine's clock: compare the clock with the API server's.",
        CHECK_CLOCK,
    );
    let algorithm = claims.header.get("alg").and_then(Value::as_str).unwrap_or("none");
    let unsigned = format!("It is signed with {algorithm}; STS takes RS256 to RS512 and ES256 to ES512.");
    doubt(
        !ALGORITHMS.contains(&algorithm),
        Weight::Fatal,
        "TokenAlgorithm",
        &unsigned,
        "Have the cluster's API server sign with an RSA or EC key (--service-account-signing-key-file).",
    );
    doubt(
        claims.issuer().is_none_or(|iss| !iss.starts_with("https://")) && !is_legacy,
        Weight::ForAws,
        "IssuerNotHttps",
        "Its issuer is no https:// URL, as IAM needs it.",
        "Start the API server with --service-account-issuer=https://… at which its keys are published.",
    );
    doubt(
        !claims.audiences().contains(&DEFAULT_AUDIENCE) && !is_legacy,
        Weight::ForAws,
        "AudienceUnusual",
        "Its audience is not sts.amazonaws.com: the identity provider in IAM must list the one it has.",
        "Set the audience of the projected volume, or the annotation eks.amazonaws.com/audience, to sts.amazonaws.com; or add \
         this one to the provider's client ids (aws iam add-client-id-to-open-id-connect-provider).",
    );
    doubt(
        !claims.subject().is_some_and(|sub| sub.starts_with(SERVICE_ACCOUNT_SUBJECT)),
        Weight::Doubtful,
        "NotAServiceAccount",
        "Its subject is not a Kubernetes ServiceAccount.",
        "Check that AWS_WEB_IDENTITY_TOKEN_FILE names the projected ServiceAccount token.",
    );
    doubts
}

/// When the kubelet begins to replace it.
pub fn rotated_at(claims: &Claims) -> Option<SystemTime> {
    let issued_at = claims.issued_at()?;
    let life = claims.expires_at()?.duration_since(issued_at).ok()?;
    Some(issued_at + life.mul_f64(ROTATED_AFTER).min(ROTATED_AT_LATEST_AFTER))
}

#[cfg(test)]
mod tests {
    use serde_json::Map;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_kubelet_replaces_a_token_after_four_fifths_of_its_life_or_a_day() {
        const HOUR: u64 = 3600;
        for (hours, replaced_after) in
            [(1, HOUR * 4 / 5), (24, HOUR * 96 / 5), (30, 24 * HOUR), (8760, 24 * HOUR)]
        {
            let issued = json!({ "iat": 1_800_000_000_u64, "exp": 1_800_000_000 + hours * HOUR });
            let Value::Object(payload) = issued else { panic!("claims are an object") };
            let claims = Claims { header: Map::new(), payload };
            let age = rotated_at(&claims).map(|at| at.duration_since(claims.issued_at().unwrap()).unwrap());
            assert_eq!(age, Some(Duration::from_secs(replaced_after)), "of {hours} h");
        }
    }
}

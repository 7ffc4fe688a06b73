//! The token: who it says it is, how long it lasts, and what about it cannot work.

use std::time::Duration;
use std::time::SystemTime;

use serde_json::Value;

use crate::doctor::facts::Facts;
use crate::doctor::finding::Check;
use crate::doctor::finding::Finding;
use crate::doctor::finding::Severity::Broken;
use crate::doctor::finding::Severity::Warning;
use crate::doctor::text::about;
use crate::doctor::token_file;
use crate::sts::given::shorten;
use crate::token::Claims;
use crate::token::doubt::Doubt;
use crate::token::doubt::Weight;
use crate::token::doubt::doubts;

const LOOKED_AT: &str = "the token's claims, which are not verified here";
/// What the webhook of EKS asks for (--token-expiration), and the kubelet renews within.
const USUAL_LIFE: Duration = Duration::from_hours(24);
const KUBELET_FAILS: &str = "The volume is a projected one, so it is the kubelet that has not renewed it: look at the kubelet's log on this \
                             node, at whether it reaches the API server, and at the pod's events (kubectl describe pod).";

/// By STS's time, where it is known: a node's clock may be wrong.
pub(super) fn check(facts: &Facts<'_>, sts_time: Option<SystemTime>) -> Vec<Finding> {
    let Some(claims) = facts.claims() else {
        return vec![Check::Token.skipped(LOOKED_AT, "There is no token to look at.")];
    };
    if claims.payload.is_empty() {
        let found = "It has the form of a JSON Web Token, and claims that cannot be decoded.";
        let mend = "The file must hold the token that the kubelet wrote, and nothing else.";
        return vec![Check::Token.finding(Broken, "TokenMalformed", LOOKED_AT, found).mend(mend)];
    }
    let now = sts_time.unwrap_or(facts.now);
    let mut findings = vec![Check::Token.fine(LOOKED_AT, who(claims, now))];
    let is_other_sts = facts.has_own_sts();
    let of_this_sts = |doubt: &Doubt| !is_other_sts || doubt.weight != Weight::ForAws;
    let is_projected = facts.token_file().is_some_and(|path| token_file::is_projected(facts, &path));
    findings.extend(doubts(claims, now).into_iter().filter(of_this_sts).map(|doubt| {
        let severity = if doubt.weight == Weight::Fatal { Broken } else { Warning };
        let (mut found, mut mend) = (doubt.what, doubt.mend);
        if doubt.code == "TokenExpired"
            && let Some(ago) = claims.expires_at().and_then(|at| now.duration_since(at).ok())
        {
            found = format!("It expired {} ago.", about(ago));
        }
        if ["TokenExpired", "TokenNotRotated"].contains(&doubt.code) && is_projected {
            mend = KUBELET_FAILS;
        }
        Check::Token.finding(severity, doubt.code, LOOKED_AT, found).mend(mend)
    }));
    findings
}

fn who(claims: &Claims, now: SystemTime) -> String {
    let subject = match claims.service_account() {
        Some((namespace, name)) => format!("ServiceAccount {name} in namespace {namespace}"),
        None => format!("Of {}", claims.subject().unwrap_or("nobody named")),
    };
    let audiences = claims.audiences();
    let audiences = if audiences.is_empty() { "nobody".to_owned() } else { audiences.join(" and ") };
    // IAM's reference to condition keys: where a token has azp, that is what aud is held against.
    let azp = claims.text("azp").map(|azp| format!(" (azp {azp}, which IAM takes in its place)"));
    let issuer = claims.issuer().unwrap_or("nobody named");
    let [subject, audiences, azp, issuer] =
        [&subject, &audiences, azp.as_deref().unwrap_or_default(), issuer].map(shorten);
    format!("{subject}, for {audiences}{azp}, from {issuer}; {}.", made(claims, now))
}

/// How it is signed, its age, and how long it lasts.
fn made(claims: &Claims, now: SystemTime) -> String {
    let algorithm = claims.header.get("alg").and_then(Value::as_str).unwrap_or("no algorithm");
    let mut parts = vec![shorten(algorithm)];
    parts.extend(claims.issued_at().map(|at| match now.duration_since(at) {
        Ok(ago) => format!("issued {} ago", about(ago)),
        Err(ahead) => format!("issued {} from now", about(ahead.duration())),
    }));
    parts.push(match claims.expires_at().map(|at| at.duration_since(now)) {
        Some(Ok(left)) => format!("expires in {}", about(left)),
        Some(Err(ago)) => format!("expired {} ago", about(ago.duration())),
        None => "without an end".to_owned(),
    });
    let life = claims.issued_at().zip(claims.expires_at());
    let life = life.and_then(|(from, to)| to.duration_since(from).ok()).filter(|life| *life > USUAL_LIFE);
    parts.extend(
        life.map(|life| {
            format!("made for {}, where EKS's webhook asks for {}", about(life), about(USUAL_LIFE))
        }),
    );
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn told(payload: &Value) -> String {
        let header = json!({ "alg": "RS256" }).as_object().cloned().unwrap_or_default();
        let claims = Claims { header, payload: payload.as_object().cloned().unwrap_or_default() };
        who(&claims, SystemTime::UNIX_EPOCH + Duration::from_secs(NOW))
    }

    #[test]
    fn tells_who_it_is_and_how_it_was_made() {
        let mut claims = json!({
            "sub": "system:serviceaccount:shop:app", "aud": ["sts.amazonaws.com", "vault"], "iss": "https://issuer",
            "iat": NOW - 720, "exp": NOW - 720 + 43_200,
        });
        assert_eq!(
            told(&claims),
            "ServiceAccount app in namespace shop, for sts.amazonaws.com and vault, from https://issuer; RS256, issued 12m ago, \
             expires in 11h 48m."
        );
        claims["exp"] = json!(NOW - 720 + 30 * 86_400);
        assert!(
            told(&claims).contains("made for 30days, where EKS's webhook asks for 1day"),
            "{}",
            told(&claims)
        );
        claims["exp"] = json!(NOW - 60);
        assert!(told(&claims).contains("issued 12m ago, expired 1m ago."), "{}", told(&claims));
        claims["azp"] = json!("client");
        assert!(told(&claims).contains("(azp client, which"), "{}", told(&claims));
        assert!(told(&json!({})).contains("for nobody, from nobody named; RS256, without an end."));
    }

    /// Whoever made it may have written anything into it.
    #[test]
    fn a_claim_of_any_length_is_shown_in_part_and_on_one_line() {
        let long = format!("https://a\n\u{1b}[2J{}", "x".repeat(10_000));
        let text = told(&json!({ "sub": long, "aud": long, "iss": long }));
        assert!(text.len() < 1200 && !text.contains(char::is_control), "{text:?}");
    }
}

//! The token: who it says it is, how long it lasts, and what about it cannot work.

use std::time::SystemTime;

use crate::doctor::facts::Facts;
use crate::doctor::finding::Check;
use crate::doctor::finding::Finding;
use crate::doctor::finding::Severity::Broken;
use crate::doctor::finding::Severity::Warning;
use crate::doctor::text::about;
use crate::doctor::token_file;
use crate::token::Claims;
use crate::token::doubt::Doubt;
use crate::token::doubt::Weight;
use crate::token::doubt::doubts;

const LOOKED_AT: &str = "the token's claims, which are not verified here";
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
    let is_projected = facts.token_file().is_some_and(|path| token_file::is_projected(&path));
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
        None => claims.subject().unwrap_or("nobody named").to_owned(),
    };
    let audiences = claims.audiences();
    let audiences = if audiences.is_empty() { "nobody".to_owned() } else { audiences.join(", ") };
    let left = claims.expires_at().and_then(|at| at.duration_since(now).ok());
    let left = left.map(|left| format!(", {} left", about(left))).unwrap_or_default();
    let issuer = claims.issuer().unwrap_or("nobody named");
    format!("{subject}, for {audiences}, from {issuer}{left}.")
}

//! Why STS said no, as far as its answer tells; and where it leaves several causes, all of them.
//!
//! AWS answers alike to a role that is not there, a path that is missing, a trust policy that does not match and an
//! organization's policy that forbids it: no one of them is ever told as certain.

use crate::doctor::endpoint::without_query;
use crate::doctor::exchange::causes::besides;
use crate::doctor::exchange::causes::causes;
use crate::doctor::exchange::causes::denied_in_chain;
use crate::doctor::facts::Facts;
use crate::doctor::facts::Outcome;
use crate::doctor::finding::Check;
use crate::doctor::finding::Finding;
use crate::doctor::finding::Severity::Broken;
use crate::doctor::finding::Severity::Note;
use crate::doctor::issuer::Issuer;
use crate::doctor::network::Network;
use crate::doctor::trust::Trust;
use crate::sts::ErrorKind;
use crate::sts::ExchangeError;

mod causes;

const LOOKED_AT: &str = "AssumeRoleWithWebIdentity";

pub(super) fn check(
    facts: &Facts<'_>,
    outcome: &Outcome,
    issuer: &Issuer,
    network: &Network,
    trust: Option<&Trust>,
) -> Vec<Finding> {
    match outcome {
        Outcome::Held(_) => {
            let mut findings = vec![Check::Exchange.fine(looked_at(facts), "It gave credentials.")];
            findings.extend(narrowed(facts));
            findings
        }
        Outcome::NotTried if facts.is_client() => {
            let why = "This container asks the endpoint in its variables, not STS.";
            vec![Check::Exchange.skipped(looked_at(facts), why)]
        }
        Outcome::NotTried => {
            let first = match (&facts.asked.roles, &facts.token, &facts.sts) {
                (Err(_), ..) => "the settings (environment)",
                (_, Some(Err(_)), _) => "the token",
                (.., Err(_)) => "the region, or where STS is,",
                _ => "what is broken above",
            };
            let why = format!("Not tried: {first} must be mended first.");
            vec![Check::Exchange.skipped(looked_at(facts), why)]
        }
        Outcome::Refused { role, error } => vec![refused(facts, role, error, issuer, network, trust)],
    }
}

fn looked_at(facts: &Facts<'_>) -> String {
    let role = facts.role();
    let call = if role.is_some_and(|role| role.from().is_some()) { "AssumeRole" } else { LOOKED_AT };
    match (role.and_then(|role| role.arn()), facts.pod_identity()) {
        (Some(arn), None) => format!("{call} of {arn}"),
        (_, Some(pod_identity)) => without_query(&pod_identity.endpoint.to_string()).to_owned(),
        (None, None) => call.to_owned(),
    }
}

/// A session policy leaves less than the role has, which looks like a role that lacks a right.
fn narrowed(facts: &Facts<'_>) -> Option<Finding> {
    let session = &facts.web_identity()?.session;
    (session.policy.is_some() || !session.policy_arns.is_empty()).then(|| {
        let found = "The roles file has a session policy for this role: the session may do what both it and the role allow.";
        let mend = "If calls are denied that the role allows, add them to policy, or policy_arns, in the roles file.";
        Check::Exchange.finding(Note, "SessionPolicyNarrows", looked_at(facts), found).mend(mend)
    })
}

fn refused(
    facts: &Facts<'_>,
    role: &str,
    error: &ExchangeError,
    issuer: &Issuer,
    network: &Network,
    trust: Option<&Trust>,
) -> Finding {
    let is_origin =
        facts.origin().is_some_and(|origin| origin.name == role) && facts.web_identity().is_some();
    let is_chained = facts.role_named(role).is_some_and(|role| role.from().is_some());
    let request =
        error.reply.request_id.as_deref().map(|id| format!(" (request id {id})")).unwrap_or_default();
    let is_meant = facts.role().is_some_and(|meant| meant.name == role);
    let place = if is_meant { String::new() } else { format!("Role {role}: ") };
    let found = format!("{place}{}{request}.", error.message);
    let finding = |code| Check::Exchange.finding(Broken, code, looked_at(facts), found.clone());
    let is_stand_ins = network.is_stand_in && error.reply.request_id.is_none();
    if (is_unreached(error) || is_stand_ins) && network.is_broken() {
        return finding(error.code()).mend("Mend the way to STS first: see network above.");
    }
    let mut causes = match error.kind {
        _ if is_origin => causes(facts, error, issuer, network, trust),
        ErrorKind::AccessDenied if is_chained => denied_in_chain(),
        _ => Vec::new(),
    };
    match causes.len() {
        0 => finding(error.code()).mend(error.mend()),
        // What the answer itself says.
        1 => {
            let cause = causes.remove(0);
            let mut only = finding(cause.code);
            only.found = format!("{} {}", only.found, cause.what);
            only.mend(cause.mend)
        }
        _ => {
            let besides = besides(&causes, trust).filter(|_| error.kind == ErrorKind::AccessDenied);
            Finding { besides, ..finding(error.code()).causes(causes) }
        }
    }
}

/// Whether nobody at STS's place has answered.
fn is_unreached(error: &ExchangeError) -> bool {
    matches!(
        error.kind,
        ErrorKind::CertificateUntrusted
            | ErrorKind::ConnectionFailed
            | ErrorKind::NameNotResolved
            | ErrorKind::TimedOut
    )
}

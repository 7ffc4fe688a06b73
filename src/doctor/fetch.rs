//! The role's trust policy from IAM itself: `iam:GetRole`, where somebody allows it.
//!
//! With the keys in the environment, an operator's; else with the role's own credentials, which may seldom ask.

use std::time::SystemTime;

use crate::clock::Clock;
use crate::clock::Timeline;
use crate::config::Place;
use crate::config::RoleArn;
use crate::contract::ENV_ACCESS_KEY_ID;
use crate::contract::ENV_SECRET_ACCESS_KEY;
use crate::contract::ENV_SESSION_TOKEN;
use crate::credentials::Credentials;
use crate::doctor::facts::Facts;
use crate::doctor::facts::Outcome;
use crate::doctor::facts::Policy;
use crate::doctor::finding::Check;
use crate::doctor::finding::Finding;
use crate::doctor::finding::Severity::Broken;
use crate::doctor::finding::Severity::Warning;
use crate::secret::Secret;
use crate::sts::client::GetRoleError;
use crate::sts::client::Sts;

const LOOKED_AT: &str = "iam:GetRole";
const ALLOW: &str = "Allow iam:GetRole on the role to whoever asks; or have somebody who may ask run aws iam get-role --role-name NAME, \
                     and give its output to --trust-policy.";
const BY_HAND: &str =
    "Run aws iam get-role --role-name NAME where IAM is reached, and give its output to --trust-policy.";
const IN_CLEAR: &str = "Take keys of the role's own account and look at its name there (aws iam list-roles); or set \
                        AWS_ENDPOINT_URL_STS to an https URL.";

pub(super) async fn policy(
    facts: &Facts<'_>,
    outcome: &Outcome,
    clock: &Clock,
) -> Result<Policy, Box<Finding>> {
    let (Ok(sts), Some(web_identity)) = (&facts.sts, facts.web_identity()) else {
        let why = "There is no role of a web identity token to ask for.";
        return Err(Box::new(Check::TrustPolicy.skipped(LOOKED_AT, why)));
    };
    let role = &web_identity.session.role_arn;
    let reading = clock.read();
    // STS's time, where an answer of its has told it.
    let now = match outcome {
        Outcome::Held(held) => Timeline::since(held.issued_at, reading).now(reading),
        Outcome::Refused { .. } | Outcome::NotTried => reading.wall,
    };
    let who = match (of_environment(facts), outcome) {
        (Some(who), _) => who,
        (None, Outcome::Held(held)) => held.as_ref().clone(),
        (None, _) => {
            let found =
                "There are no credentials to ask IAM with: STS gave none, and the environment has none.";
            return Err(not_fetched(found, ALLOW));
        }
    };
    match sts.iam_role(role, &who, now).await {
        Ok(told) => Policy::of_iam(&told).map_err(|error| not_fetched(&format!("{error}."), BY_HAND)),
        Err(GetRoleError::Unknown) => Err(unknown(sts, role, &who, now, clock).await),
        Err(error @ GetRoleError::Refused(_)) => Err(not_fetched(&format!("{error}."), ALLOW)),
        Err(error @ GetRoleError::Failed(_)) => Err(not_fetched(&format!("{error}."), BY_HAND)),
    }
}

fn not_fetched(found: &str, mend: &str) -> Box<Finding> {
    Box::new(Check::TrustPolicy.finding(Warning, "TrustPolicyNotFetched", LOOKED_AT, found).mend(mend))
}

/// IAM knows the roles of the asker's account alone.
async fn unknown(
    sts: &Sts,
    role: &RoleArn,
    who: &Credentials,
    now: SystemTime,
    clock: &Clock,
) -> Box<Finding> {
    if let Some(place) = Place::of(sts.endpoint()).filter(|place| !place.is_private()) {
        let found = format!(
            "IAM has no such role in the account of the keys. Which that is, STS is not asked: {} is neither https nor on \
             loopback, and keys are not sent in clear.",
            place.shown()
        );
        return not_fetched(&found, IN_CLEAR);
    }
    let asker = match sts.caller_identity(who, Timeline::since(now, clock.read())).await {
        Ok(asker) => asker,
        Err(error) => {
            let found = format!(
                "IAM has no such role in the account of the keys; which that is, STS does not say: {error}."
            );
            return not_fetched(&found, "Take keys of the role's own account.");
        }
    };
    let account = asker.split(':').nth(4).unwrap_or_default();
    if Some(account) != role.account() {
        let found = format!("The keys are those of {asker}, and the role is in another account.");
        return not_fetched(&found, "Take keys of the role's own account.");
    }
    let found = format!("IAM has no role {} in account {account}.", role.name());
    let finding = Check::TrustPolicy.finding(Broken, "RoleMissing", LOOKED_AT, found);
    Box::new(finding.mend(
        "Make the role, or set AWS_ROLE_ARN and the annotation eks.amazonaws.com/role-arn to the Arn of the one that is meant \
         (aws iam list-roles).",
    ))
}

/// An operator's keys. Whether they are right, IAM says.
fn of_environment(facts: &Facts<'_>) -> Option<Credentials> {
    if !facts.has_operators_keys() {
        return None;
    }
    Some(Credentials {
        access_key_id: facts.var(ENV_ACCESS_KEY_ID)?,
        secret_access_key: Secret::new(facts.var(ENV_SECRET_ACCESS_KEY)?),
        session_token: Secret::new(facts.var(ENV_SESSION_TOKEN).unwrap_or_default()),
        expires_at: facts.now,
        issued_at: facts.now,
        role_arn: None,
        account_id: None,
    })
}

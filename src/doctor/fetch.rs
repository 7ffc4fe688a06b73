//! The role's trust policy from IAM itself: `iam:GetRole`, where somebody allows it.
//!
//! With the keys in the environment, an operator's; else with the role's own credentials, which may seldom ask.

use crate::clock::Clock;
use crate::clock::Timeline;
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
use crate::sts::client::NoRole;
use crate::sts::client::Sts;

const MEND: &str = "Allow iam:GetRole on the role to whoever asks; or have somebody who may ask run aws iam get-role --role-name NAME, \
                    and give its output to --trust-policy.";

pub(super) async fn policy(
    facts: &Facts<'_>,
    sts: Option<&Sts>,
    outcome: &Outcome,
    clock: &Clock,
) -> Result<Policy, Finding> {
    let looked_at = "iam:GetRole";
    let not_fetched =
        |found: String| Check::TrustPolicy.finding(Warning, "TrustPolicyNotFetched", looked_at, found);
    let (Some(sts), Some(web_identity)) = (sts, facts.web_identity()) else {
        return Err(
            Check::TrustPolicy.skipped(looked_at, "There is no role of a web identity token to ask for.")
        );
    };
    let role = &web_identity.session.role_arn;
    let now = clock.read();
    let (who, time) = match (of_environment(facts), outcome) {
        (Some(who), _) => (who, now.wall),
        (None, Outcome::Held(held)) => (held.as_ref().clone(), Timeline::since(held.issued_at, now).now(now)),
        (None, _) => {
            let found =
                "There are no credentials to ask IAM with: STS gave none, and the environment has none."
                    .to_owned();
            return Err(not_fetched(found).mend(MEND));
        }
    };
    match sts.iam_role(role, &who, time, facts.strings).await {
        Ok(told) => Policy::of_iam(&told).map_err(|error| not_fetched(format!("{error}.")).mend(MEND)),
        Err(NoRole::Unknown) => {
            // IAM knows the roles of the asker's account alone.
            let asker = sts.caller_identity(&who, Timeline::since(time, now)).await.unwrap_or_default();
            let account = asker.split(':').nth(4).unwrap_or_default();
            if Some(account) != role.account() {
                let found = format!("The keys are those of {asker}, and the role is in another account.");
                return Err(not_fetched(found).mend("Take keys of the role's own account."));
            }
            let found = format!("IAM has no role {} in account {account}.", role.name());
            let finding = Check::TrustPolicy.finding(Broken, "RoleMissing", looked_at, found);
            Err(finding.mend(
                "Make the role, or set AWS_ROLE_ARN and the annotation eks.amazonaws.com/role-arn to the Arn of the one that is \
                 meant (aws iam list-roles).",
            ))
        }
        Err(error) => Err(not_fetched(format!("{error}.")).mend(MEND)),
    }
}

/// An operator's keys. Whether they are right, IAM says.
fn of_environment(facts: &Facts<'_>) -> Option<Credentials> {
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

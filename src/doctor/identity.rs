//! Who the credentials are: `GetCallerIdentity`, with the very credentials that came back.

use crate::clock::Clock;
use crate::clock::Timeline;
use crate::config::RoleArn;
use crate::credentials::Credentials;
use crate::credentials::rfc3339;
use crate::doctor::facts::Facts;
use crate::doctor::facts::Outcome;
use crate::doctor::finding::Check;
use crate::doctor::finding::Finding;
use crate::doctor::finding::Severity::Broken;
use crate::doctor::finding::Severity::Warning;

const LOOKED_AT: &str = "GetCallerIdentity";

pub(super) async fn check(facts: &Facts<'_>, outcome: &Outcome, clock: &Clock) -> Vec<Finding> {
    let Outcome::Held(credentials) = outcome else {
        let why = match facts.is_client() {
            true => "Not asked: the endpoint's credentials are left to the application.",
            false => "There are no credentials to ask with.",
        };
        return vec![Check::Identity.skipped(LOOKED_AT, why)];
    };
    let Ok(sts) = &facts.sts else {
        return vec![Check::Identity.skipped(LOOKED_AT, "Nothing says where STS is: AWS_REGION is not set.")];
    };
    let timeline = Timeline::since(credentials.issued_at, clock.read());
    match sts.caller_identity(credentials, timeline).await {
        Ok(arn) => vec![known(facts, credentials, &arn)],
        Err(error) => {
            // A credentials endpoint may be asked where no STS is to be had; the credentials are as good.
            let finding =
                Check::Identity.finding(Warning, "IdentityUnknown", LOOKED_AT, format!("{}.", error.message));
            vec![finding.mend(error.mend())]
        }
    }
}

fn known(facts: &Facts<'_>, credentials: &Credentials, arn: &str) -> Finding {
    let until = rfc3339(credentials.expires_at);
    let wanted = facts.role().and_then(|role| role.arn());
    match wanted.filter(|wanted| !is_session_of(arn, wanted)) {
        None => Check::Identity.fine(LOOKED_AT, format!("They are those of {arn}, until {until}.")),
        Some(wanted) => {
            let found = format!(
                "The credentials are those of {arn}, which is no session of {wanted}: {}.",
                difference(arn, wanted)
            );
            let mend =
                "Find out who answers at the STS endpoint: AWS_ENDPOINT_URL_STS, a proxy, or a test server.";
            Check::Identity.finding(Broken, "IdentityDiffers", LOOKED_AT, found).mend(mend)
        }
    }
}

/// `arn:aws:sts::111122223333:assumed-role/NAME/SESSION`; its path is not in it.
fn is_session_of(arn: &str, role: &RoleArn) -> bool {
    let account = role.account().unwrap_or_default();
    let beginning = format!("arn:{}:sts::{account}:assumed-role/{}/", role.partition(), role.name());
    role.account().is_none() || arn.starts_with(&beginning)
}

/// What is not the same, the farthest apart first.
fn difference(arn: &str, role: &RoleArn) -> String {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [_, partition, _, _, account, whose] = parts[..] else { return "it is no ARN".to_owned() };
    let name = whose.strip_prefix("assumed-role/").and_then(|rest| rest.split('/').next());
    match name {
        _ if partition != role.partition() => format!("another partition, {partition}"),
        _ if role.account() != Some(account) => format!("another account, {account}"),
        Some(name) if name != role.name() => format!("another role, {name}"),
        Some(_) => "no session's name".to_owned(),
        None => "no role".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_a_session_of_a_role() {
        let role: RoleArn = "arn:aws:iam::111122223333:role/teams/app".parse().unwrap();
        assert!(is_session_of("arn:aws:sts::111122223333:assumed-role/app/shop", &role));
        for (other, difference_is) in [
            ("arn:aws:sts::111122223333:assumed-role/app2/shop", "another role, app2"),
            ("arn:aws:sts::444455556666:assumed-role/app/shop", "another account, 444455556666"),
            ("arn:aws-cn:sts::111122223333:assumed-role/app/shop", "another partition, aws-cn"),
            ("arn:aws:iam::111122223333:user/app", "no role"),
            ("arn:aws:sts::111122223333:assumed-role/app", "no session's name"),
            ("nonsense", "it is no ARN"),
        ] {
            assert!(!is_session_of(other, &role), "{other}");
            assert_eq!(difference(other, &role), difference_is, "{other}");
        }
    }
}

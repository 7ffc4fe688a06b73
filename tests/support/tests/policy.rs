//! Trust policies, each with the subjects that it lets in and those that it keeps out.
#![allow(clippy::unwrap_used)]

use serde::Deserialize;
use serde_json::{Value, json};
use support::sts::{Context, Principal, TrustPolicy};

const HOST: &str = "127.0.0.1:8443";
const PROVIDER: &str = "arn:aws:iam::111122223333:oidc-provider/127.0.0.1:8443";

#[derive(Deserialize)]
struct Case {
    name: String,
    statement: Value,
    allows: Vec<String>,
    refuses: Vec<String>,
}

fn policy(statement: &Value) -> String {
    let document = json!({ "Version": "2012-10-17", "Statement": statement });
    document.to_string().replace("PROVIDER", PROVIDER).replace("HOST", HOST)
}

#[test]
fn every_case_lets_in_and_keeps_out_whom_it_says() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../data/trust-policies.json")).unwrap();
    for case in cases {
        let policy = TrustPolicy::parse(&policy(&case.statement)).unwrap();
        let allows = |subject: &str| {
            let context = Context::default()
                .with(&format!("{HOST}:sub"), subject)
                .with(&format!("{HOST}:aud"), "sts.amazonaws.com");
            policy.allows(&Principal::federated(PROVIDER), "sts:AssumeRoleWithWebIdentity", &context)
        };
        for subject in &case.allows {
            assert!(allows(subject), "{}: {subject:?} must be let in", case.name);
        }
        for subject in &case.refuses {
            assert!(!allows(subject), "{}: {subject:?} must be kept out", case.name);
        }
    }
}

#[test]
fn refuses_to_read_what_it_could_not_evaluate() {
    let principal = json!({ "Federated": PROVIDER });
    for statement in [
        json!({ "Effect": "Allow", "Principal": principal, "Action": "*", "Condition": { "DateLessThan": { "a": "b" } } }),
        json!({ "Effect": "Allow", "Principal": principal, "Action": "*", "Condition": { "ForSome:StringLike": { "a": "b" } } }),
        json!({ "Effect": "Allow", "NotPrincipal": principal, "Action": "*" }),
        json!({ "Effect": "Allow", "Principal": principal, "NotAction": "*" }),
        json!({ "Effect": "Allow", "Principal": principal, "Action": "*", "Resource": "*" }),
        json!({ "Effect": "Perhaps", "Principal": principal, "Action": "*" }),
        json!({ "Effect": "Allow", "Principal": "someone", "Action": "*" }),
        json!({ "Effect": "Allow", "Principal": { "CanonicalUser": "x" }, "Action": "*" }),
    ] {
        assert!(TrustPolicy::parse(&policy(&statement)).is_err(), "{statement}");
    }
    assert!(TrustPolicy::parse("{").is_err());
    assert!(TrustPolicy::parse(r#"{"Version":"2020-01-01","Statement":[]}"#).is_err());
}

#[test]
fn a_caller_with_credentials_is_known_by_session_role_and_account() {
    let names = ["arn:aws:sts::1:assumed-role/app/s", "arn:aws:iam::1:role/app", "arn:aws:iam::1:root", "1"];
    let caller = Principal::aws(names.map(String::from).to_vec());
    for name in names {
        let statement =
            json!({ "Effect": "Allow", "Principal": { "AWS": name }, "Action": "sts:AssumeRole" });
        let policy = TrustPolicy::parse(&policy(&statement)).unwrap();
        assert!(policy.allows(&caller, "sts:AssumeRole", &Context::default()), "{name}");
        assert!(!policy.allows(&Principal::federated(name), "sts:AssumeRole", &Context::default()), "{name}");
    }
}

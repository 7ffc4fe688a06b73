//! What the program says of a trust policy, held against an STS that evaluates policies by itself.

use std::fs;
use std::process::Command;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use irsa_sidecar::trust_policy::Answer;
use irsa_sidecar::trust_policy::Caller;
use irsa_sidecar::trust_policy::Document;
use irsa_sidecar::trust_policy::verdict;
use serde_json::Value;
use serde_json::json;
use support::sts::Context;
use support::sts::Principal;
use support::sts::TrustPolicy;
use support::world::World;

use crate::sidecar::BINARY;
use crate::sidecar::run;

const ISSUER: &str = "oidc.eks.eu-central-1.amazonaws.com/id/AB12";
const PROVIDER: &str = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/AB12";
const CALL: &str = "sts:AssumeRoleWithWebIdentity";

fn caller(subject: &str, audience: &str) -> Caller {
    Caller {
        provider: PROVIDER.to_owned(),
        issuer: ISSUER.to_owned(),
        subject: subject.to_owned(),
        audience: audience.to_owned(),
        session_name: "shop-app".to_owned(),
    }
}

/// Every operator with every quantifier and suffix, on keys that are there and that are not, allowed and denied.
fn policies() -> Vec<Value> {
    let operators = [
        "StringEquals",
        "StringNotEquals",
        "StringEqualsIgnoreCase",
        "StringNotEqualsIgnoreCase",
        "StringLike",
        "StringNotLike",
        "ArnLike",
        "ArnNotLike",
        "ArnEquals",
        "ArnNotEquals",
    ];
    let forms: Vec<String> = operators
        .iter()
        .flat_map(|operator| {
            ["", "ForAnyValue:", "ForAllValues:"].into_iter().flat_map(move |quantifier| {
                ["", "IfExists"].map(|suffix| format!("{quantifier}{operator}{suffix}"))
            })
        })
        .chain(["Null".to_owned()])
        .collect();
    let keys = ["sub", "aud", "amr"].map(|claim| format!("{ISSUER}:{claim}"));
    let keys = keys.into_iter().chain(["sts:RoleSessionName", "other.example:sub"].map(str::to_owned));
    let values = [
        json!("system:serviceaccount:shop:app"),
        json!("system:serviceaccount:*:app"),
        json!("SYSTEM:SERVICEACCOUNT:SHOP:APP"),
        json!(["sts.amazonaws.com", "shop-app"]),
        json!("true"),
        json!("*"),
    ];
    let mut policies = Vec::new();
    for key in keys {
        for form in &forms {
            for value in &values {
                for effect in ["Allow", "Deny"] {
                    let mut statements = vec![json!({
                        "Effect": effect, "Principal": { "Federated": PROVIDER }, "Action": CALL,
                        "Condition": { form.clone(): { key.clone(): value } },
                    })];
                    if effect == "Deny" {
                        statements.push(json!({ "Effect": "Allow", "Principal": "*", "Action": "sts:*" }));
                    }
                    policies.push(json!({ "Version": "2012-10-17", "Statement": statements }));
                }
            }
        }
    }
    for (principal, action) in [
        (json!({ "Federated": "arn:aws:iam::111122223333:oidc-provider/other" }), json!(CALL)),
        (json!({ "Federated": [PROVIDER, "x"] }), json!(["sts:TagSession", "sts:assumerolewithwebidentity"])),
        (json!({ "AWS": PROVIDER }), json!(CALL)),
        (json!({ "AWS": "*" }), json!(CALL)),
        (json!({ "Federated": "*" }), json!(CALL)),
        (json!("*"), json!("sts:Assume*")),
        (json!({ "Federated": PROVIDER }), json!("sts:AssumeRole")),
    ] {
        policies
            .push(json!({ "Statement": { "Effect": "Allow", "Principal": principal, "Action": action } }));
    }
    policies
}

#[test]
fn policies_are_evaluated_as_the_emulator_evaluates_them() {
    let policies = policies();
    assert!(policies.len() > 2000, "{}", policies.len());
    for policy in policies {
        let text = policy.to_string();
        let theirs = TrustPolicy::parse(&text).unwrap();
        let ours = Document::parse(&text).unwrap();
        for (subject, audience) in [
            ("system:serviceaccount:shop:app", "sts.amazonaws.com"),
            ("system:serviceaccount:shop-prod:app", "sts.example.com"),
        ] {
            let context = Context::default()
                .with(&format!("{ISSUER}:sub"), subject)
                .with(&format!("{ISSUER}:aud"), audience)
                .with("sts:RoleSessionName", "shop-app");
            let allowed = theirs.allows(&Principal::federated(PROVIDER), CALL, &context);
            let answer = verdict(&ours, &caller(subject, audience)).answer;
            let wanted = if allowed { Answer::Yes } else { Answer::No };
            assert_eq!(answer, wanted, "{subject} {audience} {text}");
        }
    }
}

#[test]
fn what_only_aws_knows_is_neither_yes_nor_no() {
    for condition in [
        json!({ "IpAddress": { "aws:SourceIp": "203.0.113.0/24" } }),
        json!({ "StringEquals": { "aws:SourceVpce": "vpce-1" } }),
        json!({ "StringEquals": { (format!("{ISSUER}:sub")): "system:serviceaccount:${aws:PrincipalTag/team}:app" } }),
        json!({ "Bool": { "aws:SecureTransport": "true" } }),
    ] {
        let statement = json!({ "Effect": "Allow", "Principal": { "Federated": PROVIDER }, "Action": CALL, "Condition": condition });
        let policy = json!({ "Version": "2012-10-17", "Statement": [statement] });
        let document = Document::parse(&policy.to_string()).unwrap();
        let verdict = verdict(&document, &caller("system:serviceaccount:shop:app", "sts.amazonaws.com"));
        assert_eq!(verdict.answer, Answer::Unknown, "{condition}");
    }
}

/// Each slip has a name of its own.
#[test]
fn the_likeliest_slip_is_named() {
    let statement = |provider: &str, key: &str, operator: &str, value: &str| {
        json!({ "Statement": [{
            "Effect": "Allow", "Principal": { "Federated": provider }, "Action": CALL,
            "Condition": { operator: { key: value } },
        }]})
    };
    let sub = format!("{ISSUER}:sub");
    let provider = |issuer: &str| format!("arn:aws:iam::111122223333:oidc-provider/{issuer}");
    let other_id = "oidc.eks.eu-central-1.amazonaws.com/id/CD34";
    let cases = [
        (
            PROVIDER.to_owned(),
            sub.clone(),
            "StringEquals",
            "system:serviceaccount:prod:app",
            "NamespaceDiffers",
        ),
        (
            PROVIDER.to_owned(),
            sub.clone(),
            "StringEquals",
            "system:serviceaccount:shop:api",
            "ServiceAccountDiffers",
        ),
        (
            PROVIDER.to_owned(),
            sub.clone(),
            "StringEquals",
            "system:serviceaccount:shop:*",
            "WildcardInStringEquals",
        ),
        (PROVIDER.to_owned(), sub.clone(), "StringEquals", "system:serviceaccount:Shop:app", "CaseDiffers"),
        (PROVIDER.to_owned(), sub.clone(), "StringEquals", "shop/app", "SubjectForm"),
        (PROVIDER.to_owned(), format!("{ISSUER}:aud"), "StringEquals", "sts.example.com", "AudienceDiffers"),
        (PROVIDER.to_owned(), format!("https://{ISSUER}:sub"), "StringEquals", "x", "SchemeInConditionKey"),
        (PROVIDER.to_owned(), format!("{other_id}:sub"), "StringEquals", "x", "ConditionOfAnotherCluster"),
        (
            PROVIDER.to_owned(),
            sub.clone(),
            "StringNotEquals",
            "system:serviceaccount:shop:app",
            "ConditionExcludes",
        ),
        (provider(other_id), sub.clone(), "StringLike", "*", "ProviderOfAnotherCluster"),
        (provider(&format!("https://{ISSUER}")), sub.clone(), "StringLike", "*", "SchemeInProvider"),
        (provider(&format!("{ISSUER}/")), sub.clone(), "StringLike", "*", "TrailingSlash"),
        (
            PROVIDER.replace("111122223333", "444455556666"),
            sub.clone(),
            "StringLike",
            "*",
            "ProviderOfAnotherAccount",
        ),
        ("arn:aws:iam::111122223333:root".to_owned(), sub, "StringLike", "*", "NotAnOidcProvider"),
    ];
    for (provider, key, operator, value, code) in cases {
        let policy = statement(&provider, &key, operator, value).to_string();
        let verdict = verdict(
            &Document::parse(&policy).unwrap(),
            &caller("system:serviceaccount:shop:app", "sts.amazonaws.com"),
        );
        let lines = verdict.statements.iter().flat_map(|judged| &judged.lines);
        let codes: Vec<&str> = lines.filter_map(|line| Some(line.remark.as_ref()?.code)).collect();
        assert_eq!(codes, [code], "{policy}");
        assert_eq!(verdict.answer, Answer::No);
    }
}

/// One statement, and the code and the value that its line speaks of.
#[test]
fn of_several_values_the_likeliest_slip_is_the_one_that_is_shown() {
    let sub = format!("{ISSUER}:sub");
    for (operator, key, values, code, shown) in [
        (
            "StringEquals",
            sub.as_str(),
            json!(["system:serviceaccount:shop:api", "system:serviceaccount:shop:*"]),
            "WildcardInStringEquals",
            "system:serviceaccount:shop:*",
        ),
        (
            "StringEquals",
            &sub,
            json!(["system:serviceaccount:prod:ap", "system:serviceaccount:prod:app"]),
            "NamespaceDiffers",
            "system:serviceaccount:prod:app",
        ),
        (
            "StringLike",
            &sub,
            json!(["system:serviceaccount:prod-*:*", "system:serviceaccount:*:api"]),
            "ServiceAccountDiffers",
            "system:serviceaccount:*:api",
        ),
        (
            "StringLike",
            &sub,
            json!("System:ServiceAccount:*:app"),
            "CaseDiffers",
            "System:ServiceAccount:*:app",
        ),
        (
            "StringEquals",
            &sub,
            json!("system:serviceaccount:${NAMESPACE}:app"),
            "PlaceholderNotFilled",
            "system:serviceaccount:${NAMESPACE}:app",
        ),
        (
            "StringEquals",
            &sub,
            json!("system:serviceaccount:${aws:PrincipalTag/team}:app"),
            "VariableInOldVersion",
            "system:serviceaccount:${aws:PrincipalTag/team}:app",
        ),
        ("StringLike", "sts:RoleSessionName", json!(["a", "shop-*-b"]), "SessionNameDiffers", "shop-*-b"),
        ("StringEquals", "${OIDC}:sub", json!("x"), "PlaceholderNotFilled", ""),
        ("Null", &sub, json!("true"), "ConditionExcludes", ""),
        ("Null", "other.example:sub", json!("false"), "ConditionKeyAbsent", ""),
    ] {
        let policy = json!({ "Statement": {
            "Effect": "Allow", "Principal": { "Federated": PROVIDER }, "Action": CALL,
            "Condition": { operator: { key: values } },
        }});
        let document = Document::parse(&policy.to_string()).unwrap();
        let verdict = verdict(&document, &caller("system:serviceaccount:shop:app", "sts.amazonaws.com"));
        let line = &verdict.statements[0].lines[2];
        assert_eq!(line.remark.as_ref().map(|remark| remark.code), Some(code), "{policy}");
        let difference = line.difference.as_ref().map(|difference| difference.wanted.as_str());
        assert_eq!(difference.unwrap_or_default(), shown, "{policy}");
    }
}

/// Of several providers too; and what is written in another case is told as that.
#[test]
fn of_several_providers_the_likeliest_slip_is_the_one_that_is_shown() {
    let provider = |issuer: &str| format!("arn:aws:iam::111122223333:oidc-provider/{issuer}");
    let other = provider("oidc.eks.eu-central-1.amazonaws.com/id/AB13");
    for (arn, code) in [
        (provider(&ISSUER.to_ascii_lowercase()), "CaseDiffers"),
        (provider(&format!("https://{ISSUER}")), "SchemeInProvider"),
        (PROVIDER.replace("111122223333", "${ACCOUNT}"), "PlaceholderNotFilled"),
        (provider("$OIDC_PROVIDER"), "PlaceholderNotFilled"),
    ] {
        let policy = json!({ "Statement": {
            "Effect": "Allow", "Principal": { "Federated": [other, arn] }, "Action": CALL,
        }});
        let document = Document::parse(&policy.to_string()).unwrap();
        let verdict = verdict(&document, &caller("system:serviceaccount:shop:app", "sts.amazonaws.com"));
        let line = &verdict.statements[0].lines[0];
        assert_eq!(line.remark.as_ref().map(|remark| remark.code), Some(code), "{policy}");
        assert_eq!(line.difference.as_ref().map(|difference| &difference.wanted), Some(&arn), "{policy}");
    }
}

#[test]
fn a_deny_that_does_not_mean_the_token_is_no_slip() {
    let deny = |value: &str| {
        json!({ "Effect": "Deny", "Principal": "*", "Action": CALL,
            "Condition": { "StringLike": { (format!("{ISSUER}:sub")): value } } })
    };
    let allow = json!({ "Effect": "Allow", "Principal": { "Federated": PROVIDER }, "Action": CALL });
    for (value, answer, is_denied) in
        [("system:serviceaccount:sh?p:api*", Answer::Yes, false), ("system:*:sh?p:*", Answer::No, true)]
    {
        let document = Document::parse(&json!({ "Statement": [deny(value), allow] }).to_string()).unwrap();
        let verdict = verdict(&document, &caller("system:serviceaccount:shop:app", "sts.amazonaws.com"));
        assert_eq!((verdict.answer, verdict.denied_by().is_some()), (answer, is_denied), "{value}");
        let lines = || verdict.statements.iter().flat_map(|judged| &judged.lines);
        assert!(lines().all(|line| line.remark.is_none() && line.difference.is_none()), "{value}");
    }
}

#[test]
fn what_lets_nobody_in_is_not_too_wide() {
    let loosenings = |action: &str, condition: Value| {
        let policy = json!({ "Statement": {
            "Effect": "Allow", "Principal": { "Federated": PROVIDER }, "Action": action, "Condition": condition,
        }});
        let document = Document::parse(&policy.to_string()).unwrap();
        let verdict = verdict(&document, &caller("system:serviceaccount:shop:app", "sts.amazonaws.com"));
        verdict.loosenings.iter().map(|remark| remark.code).collect::<Vec<_>>()
    };
    let all = ["AnyServiceAccount", "AudienceNotChecked"];
    assert_eq!(loosenings(CALL, json!({})), all);
    assert_eq!(loosenings(CALL, json!({ "StringNotEquals": { "other.example:sub": "x" } })), all);
    assert_eq!(loosenings(CALL, json!({ "StringEquals": { "other.example:sub": "x" } })), [""; 0]);
    assert_eq!(loosenings(CALL, json!({ "StringEquals": { "${OIDC}:sub": "x" } })), [""; 0]);
    assert_eq!(loosenings(CALL, json!({ "StringEqual": { (format!("{ISSUER}:sub")): "x" } })), [""; 0]);
    assert_eq!(loosenings("sts:AssumeRole", json!({})), [""; 0]);
}

/// What is to be said besides goes where it is not taken for the policy.
#[tokio::test]
async fn the_tokens_word_is_told_as_that_beside_what_is_printed() {
    let world = World::start().await.unwrap();
    let told = |arguments: &[&str], role_arn: &str| {
        let mut command = Command::new(BINARY);
        command.arg("trust-policy").args(arguments).env_clear().envs(world.env());
        let output = command.env("AWS_ROLE_ARN", role_arn).output().unwrap();
        [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap())
    };
    let token = "kubectl-made.token";
    let path = world.directory().join(token);
    let claims = r#"{"iss":"https://oidc.example","sub":"system:serviceaccount:shop:app"}"#;
    let part = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    fs::write(&path, [part(r#"{"alg":"RS256"}"#), part(claims), part(&"s".repeat(256))].join(".")).unwrap();
    let file = ["--token-file", path.to_str().unwrap()];
    let [out, err] = told(&file, "arn:aws:iam::111122223333:role/app");
    assert!(serde_json::from_str::<Value>(&out).is_ok(), "{out}");
    assert_eq!(err.lines().count(), 1, "{err}");
    assert!(err.contains("not verified") && err.contains("aws eks describe-cluster"), "{err}");
    let [_, err] = told(
        &[&file[..], &["--issuer", "https://other.example"]].concat(),
        "arn:aws:iam::111122223333:role/app",
    );
    assert_eq!(err, "");
    let [_, err] =
        told(&[&file[..], &["--format", "aws-cli"]].concat(), "arn:aws:iam::111122223333:role/app");
    assert!(err.contains("replaces the role's whole trust policy"), "{err}");
    let [out, err] = told(&file, "");
    assert!(out.is_empty() && err.contains("--role-arn is missing"), "{err}");
}

/// What the command prints, set as the role's policy, lets the token in, and nobody else.
#[tokio::test]
async fn the_policy_that_is_printed_lets_the_token_in() {
    let world = World::start().await.unwrap();
    // The command knows issuers of clusters, which have https; what it prints is the same but for the name.
    let (_, printed) =
        run(&["trust-policy", "--issuer", "https://issuer.example", "--format", "json"], world.env()).await;
    let policy = printed.replace("issuer.example", "${ISSUER_HOST}");
    let trusting = World::builder().trust_policy(policy.clone()).start().await.unwrap();
    let (status, output) = run(&["credentials"], trusting.env()).await;
    assert_eq!(status, 0, "{output}");
    let other =
        World::builder().trust_policy(policy).service_account("shop", "another").start().await.unwrap();
    let (status, output) = run(&["credentials"], other.env()).await;
    assert_eq!(status, 69, "{output}");
    assert!(output.contains("AccessDenied"), "{output}");
    let role = trusting.directory().join("role.json");
    fs::write(&role, printed.replace("issuer.example", &trusting.issuer.host())).unwrap();
    let arguments = ["doctor", "--offline", "--trust-policy", role.to_str().unwrap()];
    let (status, output) = run(&arguments, trusting.env()).await;
    assert_eq!(status, 0, "{output}");
}

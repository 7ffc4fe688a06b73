//! `AssumeRole` with credentials from a web identity: signed, trusted, and an hour at most.
#![allow(clippy::unwrap_used)]

use support::sts::{Credentials, Role, TrustPolicy};
use support::world::{ROLE_ARN, World};

const PARTNER: &str = "arn:aws:iam::444455556666:role/partner/ingest";

const TRUST: &str = r#"{
  "Version": "2012-10-17",
  "Statement": {
    "Effect": "Allow",
    "Principal": { "AWS": "arn:aws:iam::111122223333:role/legacy-app" },
    "Action": "sts:AssumeRole",
    "Condition": { "StringEquals": { "sts:ExternalId": "b+c/d" } }
  }
}"#;

const ASSUME: [(&str, &str); 4] = [
    ("Action", "AssumeRole"),
    ("Version", "2011-06-15"),
    ("RoleSessionName", "chained"),
    ("RoleArn", PARTNER),
];
const EXTERNAL_ID: (&str, &str) = ("ExternalId", "b+c/d");

async fn world_with_partner() -> (World, Credentials) {
    let world = World::start().await.unwrap();
    world.sts.put_role(Role::new(PARTNER, TrustPolicy::parse(TRUST).unwrap()).unwrap());
    let token = world.token().mint();
    let exchange = [
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", "2011-06-15"),
        ("RoleSessionName", "first"),
        ("RoleArn", ROLE_ARN),
        ("WebIdentityToken", &token),
    ];
    assert_eq!(world.sts.call(&exchange).await.unwrap().status, 200);
    let credentials = world.sts.issued().pop().unwrap();
    (world, credentials)
}

#[tokio::test]
async fn a_trusted_caller_gets_the_partner_s_role_and_its_credentials_work() {
    let (world, credentials) = world_with_partner().await;
    let request = [&ASSUME[..], &[EXTERNAL_ID]].concat();
    let answer = world.sts.call_signed(&credentials, &request).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let arn = "<Arn>arn:aws:sts::444455556666:assumed-role/ingest/chained</Arn>";
    assert!(answer.text().contains(arn), "{}", answer.text());
    let chained = world.sts.issued().into_iter().find(|c| *c != credentials).unwrap();
    let who = world.sts.who_is(&chained).await.unwrap();
    assert!(who.text().contains(arn), "{}", who.text());
}

#[tokio::test]
async fn what_the_partner_does_not_trust_is_denied_in_aws_s_words() {
    let (world, credentials) = world_with_partner().await;
    let denied = |action: &str| {
        format!(
            "User: arn:aws:sts::111122223333:assumed-role/legacy-app/first is not authorized to perform: {action} \
             on resource: {PARTNER}"
        )
    };
    let tags = [EXTERNAL_ID, ("Tags.member.1.Key", "team"), ("Tags.member.1.Value", "data")];
    for (more, action) in [
        (&[][..], "sts:AssumeRole"),
        (&[("ExternalId", "other")], "sts:AssumeRole"),
        (&tags, "sts:TagSession"),
        (&[EXTERNAL_ID, ("SourceIdentity", "payments")], "sts:SetSourceIdentity"),
    ] {
        let answer = world.sts.call_signed(&credentials, &[&ASSUME[..], more].concat()).await.unwrap();
        assert_eq!(answer.status, 403, "{more:?}");
        assert!(answer.text().contains(&denied(action)), "{more:?}: {}", answer.text());
    }
    world.sts.remove_role(PARTNER);
    let gone = world.sts.call_signed(&credentials, &[&ASSUME[..], &[EXTERNAL_ID]].concat()).await.unwrap();
    assert!(gone.text().contains(&denied("sts:AssumeRole")));
}

#[tokio::test]
async fn a_chain_is_an_hour_at_most() {
    let (world, credentials) = world_with_partner().await;
    let request = [&ASSUME[..], &[EXTERNAL_ID, ("DurationSeconds", "3601")]].concat();
    let answer = world.sts.call_signed(&credentials, &request).await.unwrap();
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("exceeds the 1 hour session limit for roles assumed by role chaining"));
}

#[tokio::test]
async fn an_unsigned_request_is_told_so() {
    let (world, _) = world_with_partner().await;
    let answer = world.sts.call(&ASSUME).await.unwrap();
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("<Code>MissingAuthenticationToken</Code>"));
}

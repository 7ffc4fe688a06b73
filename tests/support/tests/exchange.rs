//! `AssumeRoleWithWebIdentity` and what its credentials are good for, over the wire.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use support::issuer::{Algorithm, Forgery, TokenBuilder};
use support::raw::{self, RawResponse};
use support::sts::{Credentials, Fault, Outcome};
use support::world::{ROLE_ARN, World};

const DAY: Duration = Duration::from_secs(86_400);
const MINUTE: Duration = Duration::from_secs(60);

async fn send(world: &World, form: &BTreeMap<&str, String>) -> RawResponse {
    let parameters: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    world.sts.call(&parameters).await.unwrap()
}

fn exchange_of(token: String) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("Action", "AssumeRoleWithWebIdentity".to_owned()),
        ("Version", "2011-06-15".to_owned()),
        ("RoleArn", ROLE_ARN.to_owned()),
        ("RoleSessionName", "shop-legacy-app".to_owned()),
        ("DurationSeconds", "3600".to_owned()),
        ("WebIdentityToken", token),
    ])
}

async fn exchange(world: &World, token: TokenBuilder) -> RawResponse {
    send(world, &exchange_of(token.mint())).await
}

fn element<'a>(xml: &'a str, name: &str) -> &'a str {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let (_, rest) = xml.split_once(&open).unwrap_or_else(|| panic!("no {name} in {xml}"));
    rest.split_once(&close).unwrap().0
}

#[track_caller]
fn assert_refused(answer: &RawResponse, status: u16, code: &str, message: &str) {
    let xml = answer.text();
    assert_eq!((answer.status, element(&xml, "Code"), element(&xml, "Message")), (status, code, message));
    assert_eq!(element(&xml, "RequestId"), answer.header("x-amzn-requestid").unwrap());
    assert_eq!(answer.header("content-type"), Some("text/xml"));
}

#[tokio::test]
async fn a_good_token_of_either_algorithm_becomes_credentials_in_aws_s_own_shape() {
    let world = World::start().await.unwrap();
    for algorithm in [Algorithm::Rs256, Algorithm::Es256] {
        let answer = exchange(&world, world.token().algorithm(algorithm)).await;
        let xml = answer.text();
        assert_eq!(answer.status, 200, "{xml}");
        assert!(xml.starts_with(
            "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"
        ));
        assert_eq!(element(&xml, "Audience"), "sts.amazonaws.com");
        assert_eq!(element(&xml, "SubjectFromWebIdentityToken"), "system:serviceaccount:shop:legacy-app");
        let arn = "arn:aws:sts::111122223333:assumed-role/legacy-app/shop-legacy-app";
        assert_eq!(element(&xml, "Arn"), arn);
        let key = element(&xml, "AccessKeyId");
        assert!(key.len() == 20 && key.starts_with("ASIA"), "{key}");
        assert_eq!(element(&xml, "SecretAccessKey").len(), 40);
        let token = element(&xml, "SessionToken");
        assert!(
            token.len() == 960 && token.starts_with("IQoJb3JpZ2luX2Vj") && token.ends_with("=="),
            "{token}"
        );
        assert!(element(&xml, "Expiration").ends_with('Z'));
    }
}

#[tokio::test]
async fn the_credentials_sign_and_say_who_they_are_until_they_expire() {
    let world = World::start().await.unwrap();
    exchange(&world, world.token()).await;
    let credentials = world.sts.issued().pop().unwrap();
    let answer = world.sts.who_is(&credentials).await.unwrap();
    let xml = answer.text();
    assert_eq!(answer.status, 200, "{xml}");
    assert_eq!(element(&xml, "Account"), "111122223333");
    assert!(element(&xml, "UserId").ends_with(":shop-legacy-app"));

    world.clock.advance(Duration::from_secs(3601));
    let late = world.sts.who_is(&credentials).await.unwrap();
    assert_refused(&late, 403, "ExpiredToken", "The security token included in the request is expired");
}

#[tokio::test]
async fn one_wrong_byte_anywhere_in_the_credentials_is_noticed() {
    let world = World::start().await.unwrap();
    exchange(&world, world.token()).await;
    let good = world.sts.issued().pop().unwrap();
    let key = Credentials { access_key_id: "ASIAAAAAAAAAAAAAAAAA".to_owned(), ..good.clone() };
    let token = Credentials { session_token: good.session_token.replace("==", ""), ..good.clone() };
    for wrong in [key, token] {
        let message = "The security token included in the request is invalid.";
        let answer = world.sts.who_is(&wrong).await.unwrap();
        assert_refused(&answer, 403, "InvalidClientTokenId", message);
    }
    let secret = Credentials { secret_access_key: good.secret_access_key[1..].to_owned(), ..good };
    let answer = world.sts.who_is(&secret).await.unwrap();
    assert_eq!((answer.status, element(&answer.text(), "Code")), (403, "SignatureDoesNotMatch"));
}

#[tokio::test]
async fn every_forged_token_is_refused() {
    let world = World::start().await.unwrap();
    let verification_key = "Couldn't retrieve verification key from your identity provider,  please reference \
                            AssumeRoleWithWebIdentity documentation for requirements";
    for algorithm in [Algorithm::Rs256, Algorithm::Es256] {
        let token = || world.token().algorithm(algorithm);
        for forgery in [Forgery::BadSignature, Forgery::ForeignKey] {
            let answer = exchange(&world, token().forged(forgery)).await;
            assert_refused(&answer, 400, "InvalidIdentityToken", "Token signature is invalid");
        }
        let unsigned = exchange(&world, token().forged(Forgery::Unsigned)).await;
        assert_refused(&unsigned, 400, "InvalidIdentityToken", "Unsupported signature algorithm: none");
        let unknown = exchange(&world, token().key_id("nobody's")).await;
        assert_refused(&unknown, 400, "InvalidIdentityToken", verification_key);
    }
    assert!(world.sts.issued().is_empty());
}

#[tokio::test]
async fn every_wrong_claim_is_refused() {
    let world = World::start().await.unwrap();
    let token = || world.token();
    let expired = exchange(&world, token().expired_for(MINUTE)).await;
    let xml = expired.text();
    assert_eq!((expired.status, element(&xml, "Code")), (400, "ExpiredTokenException"));
    assert!(element(&xml, "Message").starts_with("Token expired: current date/time "), "{xml}");

    let foreign = exchange(&world, token().issuer("https://oidc.example.com/id/A")).await;
    let message = "No OpenIDConnect provider found in your account for https://oidc.example.com/id/A";
    assert_refused(&foreign, 400, "InvalidIdentityToken", message);
    let audience = exchange(&world, token().audience("vault")).await;
    assert_refused(&audience, 400, "InvalidIdentityToken", "Incorrect token audience");
    let subject = exchange(&world, token().subject("system:serviceaccount:shop:other")).await;
    let denied = "Not authorized to perform sts:AssumeRoleWithWebIdentity";
    assert_refused(&subject, 403, "AccessDenied", denied);
    for claim in ["iss", "sub", "aud", "exp", "iat"] {
        let answer = exchange(&world, token().without(claim)).await;
        let message = format!("Missing a required claim: {claim}");
        assert_refused(&answer, 400, "InvalidIdentityToken", &message);
    }
    for early in [token().starting_in(DAY), token().claim("nbf", world.clock.unix_seconds() + 86_400)] {
        let answer = exchange(&world, early).await;
        assert_eq!((answer.status, element(&answer.text(), "Code")), (400, "InvalidIdentityToken"));
    }
}

#[tokio::test]
async fn every_wrong_parameter_is_refused_in_sts_s_words() {
    #[derive(Deserialize)]
    struct Case {
        name: String,
        set: BTreeMap<String, Option<String>>,
        #[serde(default = "bad_request")]
        status: u16,
        code: String,
        message: String,
    }
    fn bad_request() -> u16 {
        400
    }
    let world = World::start().await.unwrap();
    let cases: Vec<Case> = serde_json::from_str(include_str!("../data/parameters.json")).unwrap();
    for case in &cases {
        let mut form = exchange_of(world.token().mint());
        for (name, value) in &case.set {
            match value {
                Some(value) => form.insert(name, value.clone()),
                None => form.remove(name.as_str()),
            };
        }
        println!("{}", case.name);
        let message = case.message.replace("ISSUER", &world.issuer.url());
        assert_refused(&send(&world, &form).await, case.status, &case.code, &message);
    }
}

#[tokio::test]
async fn a_token_of_20_000_characters_passes_the_length_check_and_one_more_does_not() {
    let world = World::start().await.unwrap();
    let most = send(&world, &exchange_of("A".repeat(20_000))).await;
    assert_eq!(element(&most.text(), "Code"), "InvalidIdentityToken");
    let more = send(&world, &exchange_of("A".repeat(20_001))).await;
    let message = "1 validation error detected: Value at 'webIdentityToken' failed to satisfy constraint: \
                   Member must have length less than or equal to 20000";
    assert_refused(&more, 400, "ValidationError", message);
}

#[tokio::test]
async fn session_policies_are_measured_together() {
    let world = World::start().await.unwrap();
    let mut form = exchange_of(world.token().mint());
    form.insert("Policy", r#"{"Version":"2012-10-17","Statement":[]}"#.to_owned());
    form.insert("PolicyArns.member.1.arn", "arn:aws:iam::aws:policy/ReadOnlyAccess".to_owned());
    let small = send(&world, &form).await;
    assert_eq!((small.status, element(&small.text(), "PackedPolicySize")), (200, "4"));
    form.insert("Policy", format!(r#"{{"Statement":"{}"}}"#, "x".repeat(2030)));
    let large = send(&world, &form).await;
    let message = "Packed policy consumes 102% of allotted space, please use smaller policy.";
    assert_refused(&large, 400, "PackedPolicyTooLarge", message);
}

#[tokio::test]
async fn short_sessions_are_given_although_the_duration_is_still_checked() {
    let world = World::builder().session_life(Duration::from_secs(6)).start().await.unwrap();
    exchange(&world, world.token()).await;
    let credentials = world.sts.issued().pop().unwrap();
    let left = credentials.expires_at.duration_since(world.clock.now()).unwrap();
    assert!(left <= Duration::from_secs(6), "{left:?}");
    let mut form = exchange_of(world.token().mint());
    form.insert("DurationSeconds", "6".to_owned());
    assert_eq!(send(&world, &form).await.status, 400);
}

#[tokio::test]
async fn assumed_role_user_can_be_left_out() {
    let world = World::builder().without_assumed_role_user().start().await.unwrap();
    let answer = exchange(&world, world.token()).await;
    assert_eq!(answer.status, 200);
    assert!(!answer.text().contains("AssumedRole"), "{}", answer.text());
}

#[tokio::test]
async fn an_issuer_that_cannot_be_reached_is_a_communication_error_until_it_can() {
    let world = World::start().await.unwrap();
    world.issuer.refuse().await;
    let answer = exchange(&world, world.token()).await;
    assert_eq!((answer.status, element(&answer.text(), "Code")), (400, "IDPCommunicationError"));
    world.issuer.listen_again().await.unwrap();
    assert_eq!(exchange(&world, world.token()).await.status, 200);
    // Keys that are known need not be fetched.
    world.issuer.refuse().await;
    assert_eq!(exchange(&world, world.token()).await.status, 200);
}

#[tokio::test]
async fn rotated_keys_are_found_and_retired_ones_are_refused() {
    let world = World::start().await.unwrap();
    let old = world.token();
    world.issuer.rotate_keys();
    assert_eq!(exchange(&world, world.token()).await.status, 200);
    assert_eq!(exchange(&world, old.clone()).await.status, 200);
    world.issuer.retire_old_keys();
    world.sts.forget_issuer_keys();
    assert_eq!(exchange(&world, old).await.status, 400);
    assert_eq!(exchange(&world, world.token()).await.status, 200);
}

#[tokio::test]
async fn a_query_works_as_a_form_does() {
    let world = World::start().await.unwrap();
    let form = exchange_of(world.token().mint());
    let query: Vec<String> = form
        .iter()
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
        .collect();
    let answer = raw::get(world.sts.address(), &format!("/?{}", query.join("&"))).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test]
async fn the_log_tells_tokens_apart_without_keeping_them() {
    let world = World::start().await.unwrap();
    let token = world.token().mint();
    send(&world, &exchange_of(token.clone())).await;
    exchange(&world, world.token().subject("nobody")).await;
    let calls = world.sts.wait_for_calls(2).await.unwrap();
    assert!(calls[0].is("AssumeRoleWithWebIdentity") && calls[0].succeeded() && !calls[0].signed);
    assert_eq!(calls[0].duration_seconds.as_deref(), Some("3600"));
    assert_eq!(calls[1].outcome, Outcome::Refused("AccessDenied".to_owned()));
    let (first, second) = (calls[0].token.as_ref().unwrap(), calls[1].token.as_ref().unwrap());
    assert!(first.jti.is_some() && first.jti != second.jti && first.sha256 != second.sha256);
    let text = serde_json::to_string(&calls).unwrap() + &format!("{calls:?}{world:?}");
    let credentials = world.sts.issued().pop().unwrap();
    for secret in [&token, &credentials.secret_access_key, &credentials.session_token] {
        assert!(!text.contains(secret.as_str()));
    }
}

#[tokio::test]
async fn the_world_s_clock_moves_the_date_and_a_fault_moves_the_date_alone() {
    let world = World::start().await.unwrap();
    let date = async || {
        let answer = exchange(&world, world.token()).await;
        assert_eq!(answer.status, 200);
        httpdate::parse_http_date(answer.header("date").unwrap()).unwrap()
    };
    let before = date().await;
    world.clock.advance(DAY);
    assert!(date().await >= before + DAY);
    world.clock.rewind(DAY);
    world.sts.inject(Fault::from_json(br#"{"kind":"skew_date","seconds":-86400,"times":1}"#).unwrap());
    assert!(date().await <= before - DAY + MINUTE);
    assert!(date().await >= before);
}

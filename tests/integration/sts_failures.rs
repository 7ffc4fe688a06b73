//! Every way in which STS fails: named, explained, retried as it deserves, and never spread over the log.

use std::collections::BTreeMap;

use support::blackhole::BlackHole;
use support::sts::Fault;
use support::sts::FaultKind;
use support::world::World;

use crate::sidecar::Sidecar;
use crate::sidecar::run;

/// Code sent by STS → code that we show.
const CODES: &[(&str, &str)] = &[
    ("AccessDenied", "AccessDenied"),
    ("ExpiredTokenException", "ExpiredTokenException"),
    ("IDPCommunicationError", "IDPCommunicationError"),
    ("IDPRejectedClaim", "IDPRejectedClaim"),
    ("InternalFailure", "InternalFailure"),
    ("InvalidIdentityToken", "InvalidIdentityToken"),
    ("MalformedPolicyDocument", "MalformedPolicyDocument"),
    ("PackedPolicyTooLarge", "PackedPolicyTooLarge"),
    ("RegionDisabledException", "RegionDisabledException"),
    ("ServiceUnavailable", "ServiceUnavailable"),
    ("Throttling", "Throttling"),
    ("ValidationError", "ValidationError"),
];

#[tokio::test]
async fn every_error_of_sts_is_shown_by_its_code_with_a_mend() {
    for (sent, shown) in CODES {
        let world = World::start().await.unwrap();
        world.sts.inject(Fault::error(sent));
        let sidecar = Sidecar::start(&world).await;
        let line = sidecar.process.line_with("exchange failed").await.unwrap();
        assert!(line.contains(&format!(r#""code":"{shown}""#)), "{sent}: {line}");
        assert!(line.contains(r#""request_id":""#), "{sent}: {line}");
        let body = sidecar.credentials().await;
        assert_eq!(body.status, 503);
        assert_eq!(body.json().unwrap()["code"], *shown);
        let status = sidecar.status().await;
        let problem = &status["roles"][0]["problem"];
        assert_eq!(problem["code"], *shown);
        assert!(problem["mend"].as_str().unwrap().ends_with('.'), "{problem}");
        let metric =
            format!(r#"irsa_sidecar_exchange_total{{role="default",result="failure",code="{shown}"}}"#);
        assert!(sidecar.metrics().await.contains(&metric), "{}", sidecar.metrics().await);
    }
}

#[tokio::test]
async fn a_trust_policy_that_names_another_service_account_is_denied_in_earnest() {
    let world = World::builder().start().await.unwrap();
    world.volume.rotate(world.issuer.token("shop", "somebody-else").mint()).unwrap();
    let (status, output) = credentials(&world, &[]).await;
    assert_eq!(status, 69);
    assert!(output.contains("AccessDenied") && output.contains("trust policy"), "{output}");
}

#[tokio::test]
async fn an_answer_that_is_not_from_sts_says_so() {
    let page = Some("<html>proxy login</html>".to_owned());
    for (fault, code) in [
        (FaultKind::Garbage, "InvalidReply"),
        (FaultKind::Truncate, "InvalidReply"),
        (FaultKind::Http { status: 403, body: page.clone(), retry_after: None }, "InvalidReply"),
        (FaultKind::Http { status: 502, body: page, retry_after: None }, "ServiceUnavailable"),
        (FaultKind::Http { status: 500, body: None, retry_after: None }, "InternalFailure"),
        (FaultKind::Http { status: 200, body: Some("x".repeat(4 << 20)), retry_after: None }, "InvalidReply"),
        (FaultKind::Reset, "ConnectionFailed"),
    ] {
        let world = World::start().await.unwrap();
        world.sts.inject(Fault::always(fault.clone()));
        let (status, output) = credentials(&world, &[]).await;
        assert_eq!(status, 69, "{fault:?}");
        assert!(output.contains(code), "{fault:?}: {output}");
    }
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_reached_says_why() {
    let world = World::start().await.unwrap();
    let blackhole = BlackHole::open().await.unwrap();
    let silent = format!("http://{}", blackhole.address());
    // A label of 64 characters is refused by the resolver itself: no query leaves the machine.
    let unresolvable = format!("http://{}.example", "a".repeat(64));
    let closed = closed_port().await;
    for (url, code, word) in [
        (closed.as_str(), "ConnectionFailed", "network policy"),
        (&unresolvable, "NameNotResolved", "DNS"),
        (&silent, "TimedOut", "VPC endpoint"),
    ] {
        let (status, output) = credentials(&world, &[("AWS_ENDPOINT_URL_STS", url)]).await;
        assert_eq!(status, 69, "{url}: {output}");
        assert!(output.contains(code) && output.contains(word), "{url}: {output}");
    }
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_names_aws_ca_bundle() {
    let world = World::builder().tls().start().await.unwrap();
    let mut env = world.env();
    env.remove("AWS_CA_BUNDLE");
    let (status, output) = run(&["credentials"], env).await;
    assert_eq!(status, 69);
    assert!(output.contains("CertificateUntrusted") && output.contains("AWS_CA_BUNDLE"), "{output}");
}

#[tokio::test]
async fn no_region_and_no_endpoint_is_a_mistake_that_names_aws_region() {
    let world = World::start().await.unwrap();
    let mut env = world.env();
    env.remove("AWS_REGION");
    env.remove("AWS_ENDPOINT_URL_STS");
    let (status, output) = run(&["serve", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"], env).await;
    assert_eq!(status, 64);
    assert!(output.contains("AWS_REGION"), "{output}");
}

#[tokio::test]
async fn a_missing_region_is_told_together_with_what_else_is_wrong() {
    let world = World::start().await.unwrap();
    let env = [("AWS_ROLE_ARN".to_owned(), "app".to_owned()), ("HOME".to_owned(), "/nowhere".to_owned())];
    let (status, output) = run(&["serve"], env).await;
    assert_eq!(status, 64);
    assert!(output.contains("AWS_REGION") && output.contains("AWS_ROLE_ARN"), "{output}");
    assert!(world.sts.calls().is_empty());
}

#[tokio::test]
async fn an_endpoint_without_a_region_is_enough() {
    let world = World::start().await.unwrap();
    let mut env = world.env();
    env.remove("AWS_REGION");
    let (status, output) = run(&["credentials"], env).await;
    assert_eq!(status, 0, "{output}");
}

async fn credentials(world: &World, variables: &[(&str, &str)]) -> (i32, String) {
    let mut env: BTreeMap<String, String> = world.env();
    env.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    run(&["credentials"], env).await
}

/// A port that was ours a moment ago and that nobody listens on.
async fn closed_port() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

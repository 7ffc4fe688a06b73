//! Credentials through their whole life: obtained, refreshed, kept while STS is away, refused when they are over.

use std::time::Duration;

use support::process::Signal;
use support::sts::Fault;
use support::sts::FaultKind;
use support::world::World;

use crate::sidecar::Sidecar;
use crate::sidecar::credentials;

/// Long enough that a slow machine sees each stage of it, short enough to be waited for.
const SHORT: Duration = Duration::from_secs(12);

#[tokio::test]
async fn what_is_served_is_what_sts_issued_to_the_last_byte() {
    let world = World::start().await.unwrap();
    let mut sidecar = Sidecar::start(&world).await;
    sidecar.wait_until_ready().await;
    let served = sidecar.credentials().await;
    assert_eq!(served.status, 200);
    assert_eq!(served.header("content-type"), Some("application/json"));
    let body = served.json().unwrap();
    // The emulator verifies a signature made with exactly these.
    let who = world.sts.who_is(&credentials(&body, "Token")).await.unwrap();
    assert_eq!(who.status, 200, "{}", who.text());
    assert!(who.text().contains("assumed-role/legacy-app/"), "{}", who.text());
    assert_eq!(body["RoleArn"], world.role_arn());
    assert_eq!(body["AccountId"], "111122223333");
    let call = &world.sts.calls()[0];
    assert_eq!(call.duration_seconds.as_deref(), Some("3600"));
    assert!(!call.signed);
    assert!(call.user_agent.as_deref().unwrap().starts_with("irsa-sidecar/"), "{call:?}");
}

#[tokio::test]
async fn serves_the_same_credentials_until_they_are_refreshed() {
    let world = World::builder().session_life(SHORT).start().await.unwrap();
    let mut sidecar = Sidecar::start(&world).await;
    sidecar.wait_until_ready().await;
    let first = sidecar.credentials().await.text();
    assert_eq!(first, sidecar.credentials().await.text());
    world.sts.wait_for_calls(2).await.unwrap();
    sidecar.process.lines_with("credentials exchanged", 2).await.unwrap();
    assert_ne!(first, sidecar.credentials().await.text());
}

#[tokio::test]
async fn keeps_serving_while_sts_is_down_then_answers_503_then_recovers() {
    let world = World::builder().session_life(SHORT).start().await.unwrap();
    let mut sidecar = Sidecar::start(&world).await;
    sidecar.wait_until_ready().await;
    world.sts.refuse().await;
    sidecar.process.line_with("exchange failed").await.unwrap();
    let during = sidecar.credentials().await;
    assert_eq!(during.status, 200, "better ones are held");

    let ready = sidecar.wait_until_not_ready().await;
    assert!(ready.contains("default") && ready.contains("ConnectionFailed"), "{ready}");
    let after = sidecar.credentials().await;
    assert_eq!(after.status, 503);
    let body = after.json().unwrap();
    assert_eq!(body["code"], "ConnectionFailed");
    assert!(!body["message"].as_str().unwrap().is_empty());
    assert_eq!(sidecar.log_lines_with("exchange failed"), 1, "{}", sidecar.process.output());

    world.sts.listen_again().await.unwrap();
    sidecar.wait_until_ready().await;
    assert_eq!(sidecar.credentials().await.status, 200);
}

#[tokio::test]
async fn goes_by_the_date_of_sts_when_this_machine_is_an_hour_off() {
    let world = World::start().await.unwrap();
    // The node is ahead: by its own clock, what STS gives has expired before it arrives.
    world.clock.rewind(Duration::from_secs(3 * 3600));
    world.rotate_token().unwrap();
    let mut sidecar = Sidecar::start(&world).await;
    sidecar.wait_until_ready().await;
    // What was said before it has been read by then.
    sidecar.process.line_with("credentials exchanged").await.unwrap();
    assert_eq!(sidecar.log_lines_with("clock and STS's are"), 1, "{}", sidecar.process.output());
    assert_eq!(sidecar.credentials().await.status, 200);
}

#[tokio::test]
async fn throttling_with_retry_after_is_waited_out() {
    let world = World::start().await.unwrap();
    world.sts.inject(Fault::times(FaultKind::Throttle { retry_after: Some(1) }, 1));
    let mut sidecar = Sidecar::start(&world).await;
    sidecar.wait_until_ready().await;
    let calls = world.sts.calls();
    assert_eq!(calls.len(), 2);
    assert!(calls[1].at.duration_since(calls[0].at).unwrap() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_reply_without_an_assumed_role_user_is_accepted() {
    let world = World::builder().without_assumed_role_user().start().await.unwrap();
    let mut sidecar = Sidecar::start(&world).await;
    sidecar.wait_until_ready().await;
    assert_eq!(sidecar.credentials().await.json().unwrap()["AccountId"], "111122223333");
}

#[tokio::test]
async fn speaks_tls_to_an_authority_named_in_aws_ca_bundle() {
    let world = World::builder().tls().start().await.unwrap();
    let mut sidecar = Sidecar::start(&world).await;
    sidecar.wait_until_ready().await;
    assert_eq!(sidecar.credentials().await.status, 200);
}

#[tokio::test]
async fn a_bundle_that_breaks_while_serving_takes_nothing_away() {
    let world = World::builder().tls().start().await.unwrap();
    let mut sidecar = Sidecar::start(&world).await;
    sidecar.wait_until_ready().await;
    let bundle = world.ca_file().unwrap();
    let good = std::fs::read(&bundle).unwrap();
    let broken = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    std::fs::write(&bundle, broken).unwrap();
    sidecar.process.signal(Signal::HUP).unwrap();
    let line = sidecar.process.line_with("CertificateUntrusted").await.unwrap();
    assert!(line.contains("AWS_CA_BUNDLE") && line.contains("certificate number 1"), "{line}");
    assert_eq!(sidecar.credentials().await.status, 200);
    std::fs::write(&bundle, good).unwrap();
    sidecar.process.lines_with("credentials exchanged", 2).await.unwrap();
}

/// A gateway with a clock two hours behind answers in STS's place.
#[tokio::test]
async fn the_date_of_whoever_is_not_sts_is_not_believed() {
    let world = World::builder().session_life(SHORT).start().await.unwrap();
    let mut sidecar = Sidecar::start(&world).await;
    sidecar.wait_until_ready().await;
    world.sts.inject(Fault::always(FaultKind::SkewDate { seconds: -7200 }));
    world.sts.inject(Fault::always(FaultKind::Http { status: 502, body: None, retry_after: None }));
    sidecar.process.line_with("exchange failed").await.unwrap();
    sidecar.wait_until_not_ready().await;
    assert_eq!(sidecar.log_lines_with("clock and STS's are"), 0, "{}", sidecar.process.output());
}

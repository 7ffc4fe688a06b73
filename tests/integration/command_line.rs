//! What a person at a shell meets: mistakes, help, the small commands.

use std::collections::BTreeMap;

use serde_json::Value;
use support::world::World;

use crate::sidecar::Sidecar;
use crate::sidecar::credentials;
use crate::sidecar::run;

#[tokio::test]
async fn every_mistake_is_reported_at_once_with_status_64() {
    let env = BTreeMap::from(
        [
            ("AWS_ROLE_ARN", "arn:aws:iam::1111:role/app"),
            ("AWS_REGION", "eu-central-1a"),
            ("IRSA_SIDECAR_SESSION_DURATION", "3600"),
            ("IRSA_SIDECAR_LISTEN", "0.0.0.0:9911"),
            ("IRSA_SIDECAR_LISTN", "127.0.0.1:1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    let (status, output) = run(&["serve", "--drain=soon"], env).await;
    assert_eq!(status, 64, "{output}");
    for setting in [
        "AWS_ROLE_ARN",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_REGION",
        "IRSA_SIDECAR_SESSION_DURATION",
        "IRSA_SIDECAR_LISTEN",
        "IRSA_SIDECAR_LISTN",
        "--drain",
    ] {
        assert!(output.contains(setting), "{setting} is not in\n{output}");
    }
}

#[tokio::test]
async fn a_bundle_that_cannot_be_parsed_is_a_mistake_and_no_fault_of_ours() {
    let world = World::start().await.unwrap();
    let bundle = world.directory().join("broken.pem");
    std::fs::write(&bundle, "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n").unwrap();
    let mut env = world.env();
    env.insert("AWS_CA_BUNDLE".to_owned(), bundle.to_str().unwrap().to_owned());
    let (status, output) = run(&["serve"], env).await;
    assert_eq!(status, 64, "{output}");
    assert!(output.contains("AWS_CA_BUNDLE") && output.contains("X.509"), "{output}");
}

#[tokio::test]
async fn an_unknown_flag_is_status_64_with_a_suggestion() {
    let (status, output) = run(&["serve", "--sesion-duration=1h"], []).await;
    assert_eq!(status, 64);
    assert!(output.contains("--session-duration"), "{output}");
}

#[tokio::test]
async fn help_and_version_are_status_0() {
    for arguments in [
        &["--help"][..],
        &["serve", "--help"],
        &["credentials", "--help"],
        &["token", "--help"],
        &["healthcheck", "--help"],
        &["net-init", "--help"],
        &["--version"],
    ] {
        let (status, output) = run(arguments, []).await;
        assert_eq!(status, 0, "{arguments:?}: {output}");
        assert!(!output.is_empty());
    }
}

#[tokio::test]
async fn credentials_prints_what_credential_process_wants() {
    let world = World::start().await.unwrap();
    let (status, output) = run(&["credentials", "--format", "process", "--log", "off"], world.env()).await;
    assert_eq!(status, 0, "{output}");
    let printed: Value = serde_json::from_str(&output).unwrap();
    assert_eq!(printed["Version"], 1);
    let who = world.sts.who_is(&credentials(&printed, "SessionToken")).await.unwrap();
    assert_eq!(who.status, 200, "{}", who.text());
}

#[tokio::test]
async fn credentials_prints_lines_for_a_shell() {
    let world = World::start().await.unwrap();
    let (status, output) = run(&["credentials", "--format", "env", "--log", "off"], world.env()).await;
    assert_eq!(status, 0, "{output}");
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
        assert!(output.contains(&format!("export {name}=")), "{output}");
    }
}

#[tokio::test]
async fn token_shows_who_it_is_and_never_the_signature() {
    let world = World::start().await.unwrap();
    let token = world.rotate_token().unwrap();
    for arguments in [&["token"][..], &["token", "--json"]] {
        let (status, output) = run(arguments, world.env()).await;
        assert_eq!(status, 0, "{output}");
        assert!(output.contains("system:serviceaccount:shop:legacy-app"), "{output}");
        assert!(!output.contains(token.rsplit('.').next().unwrap()), "{output}");
    }
}

#[tokio::test]
async fn healthcheck_is_0_when_ready_and_69_when_not() {
    let world = World::builder().without_token().start().await.unwrap();
    let mut sidecar = Sidecar::start(&world).await;
    let admin = format!("127.0.0.1:{}", sidecar.admin.port());
    let env = || [("IRSA_SIDECAR_ADMIN_LISTEN".to_owned(), admin.clone())];
    sidecar.process.line_with("TokenMissing").await.unwrap();
    let (status, output) = run(&["healthcheck"], env()).await;
    assert_eq!(status, 69);
    assert!(output.contains("default"), "{output}");
    world.rotate_token().unwrap();
    sidecar.wait_until_ready().await;
    assert_eq!(run(&["healthcheck"], env()).await.0, 0);
    drop(sidecar);
    assert_eq!(run(&["healthcheck"], env()).await.0, 69);
}

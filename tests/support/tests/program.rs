//! The program `sts-emulator`, driven as a shell would, by the same hand that starts the product in its own tests.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::net::SocketAddr;

use serde_json::{Value, json};
use support::process::{Process, Signal, Stream};
use support::raw::{self, RawResponse};
use support::scratch::Scratch;
use support::wait;

const PROGRAM: &str = env!("CARGO_BIN_EXE_sts-emulator");

struct Emulator {
    process: Process,
    ready: Value,
    /// Where it keeps its files: it is killed, and cannot tidy up itself.
    _temporary: Scratch,
}

impl Emulator {
    async fn start(arguments: &[&str]) -> Self {
        let temporary = Scratch::new("sts-emulator").unwrap();
        let process = Process::start(PROGRAM, arguments, [("TMPDIR", temporary.path())]).unwrap();
        let line = process.line_with("\"ready\":true").await.unwrap();
        Self { process, ready: serde_json::from_str(&line).unwrap(), _temporary: temporary }
    }

    fn text(&self, name: &str) -> &str {
        self.ready[name].as_str().unwrap()
    }

    fn env(&self, name: &str) -> &str {
        self.ready["env"][name].as_str().unwrap_or_else(|| panic!("{name} in {}", self.ready))
    }

    fn address(&self, name: &str) -> SocketAddr {
        let rest = self.text(name).split_once("://").unwrap().1;
        rest.split('/').next().unwrap().parse().unwrap()
    }

    async fn pull(&self, lever: &str, body: &str) -> RawResponse {
        let path = format!("/_emulator/{lever}");
        raw::post(self.address("control"), &path, "application/json", body.as_bytes()).await.unwrap()
    }

    async fn look(&self, path: &str) -> Value {
        raw::get(self.address("control"), &format!("/_emulator/{path}")).await.unwrap().json().unwrap()
    }

    async fn exchange(&self) -> RawResponse {
        let token = fs::read_to_string(self.env("AWS_WEB_IDENTITY_TOKEN_FILE")).unwrap();
        let form = format!(
            "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleSessionName=shell&RoleArn={}&WebIdentityToken={token}",
            self.env("AWS_ROLE_ARN")
        );
        let form_type = "application/x-www-form-urlencoded";
        raw::post(self.address("sts"), "/", form_type, form.as_bytes()).await.unwrap()
    }
}

#[tokio::test]
async fn announces_itself_and_exchanges_the_token_that_it_wrote() {
    let mut emulator = Emulator::start(&[]).await;
    let address = emulator.address("sts");
    emulator.process.status(address, "/?Action=Nothing", 400).await.unwrap();
    assert_eq!(emulator.env("AWS_ENDPOINT_URL_STS"), emulator.text("sts"));
    assert_eq!(emulator.env("AWS_EC2_METADATA_DISABLED"), "true");
    assert_eq!(emulator.exchange().await.status, 200);
    let calls = emulator.look("wait?calls=2").await;
    assert_eq!(calls[0]["outcome"], json!("InvalidAction"));
    assert_eq!(calls[1]["outcome"], json!("ok"));
    assert_eq!(calls[1]["role_session_name"], json!("shell"));
}

#[tokio::test]
async fn prints_lines_that_a_shell_takes() {
    let temporary = Scratch::new("it's a directory").unwrap();
    let directory = temporary.path().to_str().unwrap();
    let emulator = Emulator::start(&["--tls", "--token-dir", directory]).await;
    let lines = emulator.process.printed(Stream::Stderr);
    let shell =
        std::process::Command::new("sh").args(["-c", &format!("{lines}\nenv")]).env_clear().output().unwrap();
    let shell = String::from_utf8(shell.stdout).unwrap();
    for (name, value) in emulator.ready["env"].as_object().unwrap() {
        let line = format!("{name}={}", value.as_str().unwrap());
        assert!(shell.lines().any(|known| known == line), "{line} is not in {shell}");
    }
    assert!(emulator.env("AWS_WEB_IDENTITY_TOKEN_FILE").contains("it's"), "so that something is quoted");
}

#[tokio::test]
async fn every_lever_moves_what_it_says() {
    let scratch = Scratch::new("sts-emulator").unwrap();
    let directory = scratch.path().to_str().unwrap();
    let emulator =
        Emulator::start(&["--token-dir", directory, "--mode", "0640", "--algorithm", "es256"]).await;
    let token = || fs::read(scratch.path().join("token"));

    assert_eq!(emulator.pull("fault", r#"{"kind":"throttle","times":1}"#).await.status, 204);
    assert!(emulator.exchange().await.text().contains("Rate exceeded"));
    let role = emulator.env("AWS_ROLE_ARN");
    emulator.pull("fault", &format!(r#"{{"kind":"error","code":"AccessDenied","role":"{role}"}}"#)).await;
    assert_eq!(emulator.exchange().await.status, 403);
    assert_eq!(emulator.pull(&format!("mend?role={role}"), "").await.status, 204);
    assert_eq!(emulator.exchange().await.status, 200);
    assert_eq!(emulator.look("in-progress").await, json!({ "now": 0, "most": 1 }));
    assert_eq!(emulator.pull("fault", r#"{"kind":"error","code":"AccessDenied"}"#).await.status, 204);
    assert_eq!(emulator.pull("clear", "").await.status, 204);
    assert_eq!(emulator.exchange().await.status, 200);

    let before = token().unwrap();
    emulator.pull("token/rotate", "").await;
    assert_ne!(token().unwrap(), before);
    emulator.pull("token/empty", "").await;
    assert!(token().unwrap().is_empty());
    emulator.pull("token/remove", "").await;
    assert!(token().is_err());
    emulator.pull("token/expired", "").await;
    assert!(emulator.exchange().await.text().contains("ExpiredTokenException"));

    emulator.pull("token/rotate", "").await;
    emulator.pull("clock?advance=90000", "").await;
    assert!(emulator.exchange().await.text().contains("ExpiredTokenException"));
    emulator.pull("clock?advance=-90000", "").await;
    emulator.pull("session?seconds=6", "").await;
    assert_eq!(emulator.exchange().await.status, 200);

    emulator.pull("issuer/rotate-keys", "").await;
    emulator.pull("issuer/retire-keys", "").await;
    assert!(emulator.exchange().await.text().contains("InvalidIdentityToken"));
    emulator.pull("issuer/refuse", "").await;
    assert!(emulator.exchange().await.text().contains("IDPCommunicationError"));
    emulator.pull("issuer/listen", "").await;

    emulator.pull("refuse", "").await;
    assert!(raw::get(emulator.address("sts"), "/").await.is_err());
    emulator.pull("listen", "").await;
    assert_eq!(raw::get(emulator.address("sts"), "/").await.unwrap().status, 400);
}

#[tokio::test]
async fn a_wrong_lever_says_so() {
    let emulator = Emulator::start(&[]).await;
    for (lever, body, status, reason) in [
        ("nothing", "", 404, "no such lever"),
        ("token/nothing", "", 404, "no such lever"),
        ("fault", r#"{"kind":"throttle","tiems":3}"#, 400, "unknown field"),
        ("clock", "", 400, "?advance=N"),
        ("mend", "", 400, "?role=ARN"),
        ("session?seconds=soon", "", 400, "?seconds=N"),
    ] {
        let answer = emulator.pull(lever, body).await;
        assert_eq!(answer.status, status, "{lever}");
        assert!(answer.text().contains(reason), "{lever}: {}", answer.text());
    }
}

#[tokio::test]
async fn rotates_by_itself_and_speaks_tls_when_asked_to() {
    let scratch = Scratch::new("sts-emulator").unwrap();
    let ca = scratch.path().join("ca.pem");
    let emulator = Emulator::start(&["--rotate-every", "1", "--tls-ca-out", ca.to_str().unwrap()]).await;
    assert!(emulator.text("sts").starts_with("https://127.0.0.1:"));
    let pem = fs::read_to_string(ca).unwrap();
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----"));
    assert_eq!(pem, fs::read_to_string(emulator.env("AWS_CA_BUNDLE")).unwrap());
    let file = emulator.env("AWS_WEB_IDENTITY_TOKEN_FILE");
    let first = fs::read(file).unwrap();
    wait::until("the token is another one", async || !fs::read(file).is_ok_and(|token| token == first)).await;
}

#[tokio::test]
async fn a_trust_policy_of_one_s_own_is_filled_in_and_obeyed() {
    let scratch = Scratch::new("sts-emulator").unwrap();
    let policy = scratch.path().join("trust.json");
    let document = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow",
        "Principal":{"Federated":"${PROVIDER_ARN}"},"Action":"sts:AssumeRoleWithWebIdentity",
        "Condition":{"StringLike":{"${ISSUER_HOST}:sub":"system:serviceaccount:team-*:*"}}}}"#;
    fs::write(&policy, document).unwrap();
    let policy = ["--trust-policy", policy.to_str().unwrap()];
    let trusted = Emulator::start(&[&policy[..], &["--service-account", "team-a/app"]].concat()).await;
    assert_eq!(trusted.exchange().await.status, 200);
    let stranger = Emulator::start(&policy).await;
    assert_eq!(stranger.exchange().await.status, 403);
}

#[tokio::test]
async fn ends_well_when_told_to() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut emulator = Emulator::start(&[]).await;
        emulator.process.signal(signal).unwrap();
        assert!(emulator.process.exit().await.unwrap().success());
        assert!(!emulator.process.is_running());
    }
}

#[tokio::test]
async fn mistakes_are_said_on_stderr_and_waiting_for_what_cannot_come_ends_with_them() {
    let mut process = Process::start(PROGRAM, &["--role", "legacy-app"], [("A", "b")]).unwrap();
    process.lines_with("sts-emulator:", 1).await.unwrap();
    let error = process.line_with("\"ready\"").await.unwrap_err().to_string();
    assert!(error.contains("such as arn:aws:iam::111122223333:role/app"), "{error}");
    assert_eq!(process.exit().await.unwrap().code(), Some(69));
    assert_eq!(process.printed(Stream::Stdout), "");
    let nobody = SocketAddr::from(([127, 0, 0, 1], 9));
    let error = process.status(nobody, "/", 200).await.unwrap_err().to_string();
    assert!(error.contains("it ended without it; its output was:\nsts-emulator: "), "{error}");
}

#[tokio::test]
async fn help_says_what_is_verified() {
    let mut process = Process::start(PROGRAM, &["--help"], [("A", "b")]).unwrap();
    assert!(process.exit().await.unwrap().success());
    for text in ["What is verified", "Signature Version 4", "trust policy", "RS256 or ES256"] {
        assert!(process.output().contains(text), "{text}");
    }
}

//! The EKS Pod Identity Agent as the source: asked as the SDKs ask it, its answers served to those that refuse its address.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use serde_json::json;
use support::pod_identity::AUDIENCE;
use support::pod_identity::PodFault;
use support::pod_identity::PodFaultKind;
use support::pod_identity::PodIdentity;
use support::process::Process;
use support::sts::Link;
use support::world::ROLE_ARN;
use support::world::World;

use crate::sidecar::BINARY;
use crate::sidecar::Sidecar;
use crate::sidecar::credentials;

const SHORT: Duration = Duration::from_secs(100);

struct Pod {
    world: World,
    agent: PodIdentity,
}

impl Pod {
    /// The agent gives sessions of the world's role, which the world's STS knows.
    async fn new() -> Self {
        let world = World::start().await.unwrap();
        let agent = PodIdentity::builder().vendor(world.sts.vendor(ROLE_ARN)).start().await.unwrap();
        let pod = Self { world, agent };
        pod.rotate();
        pod
    }

    fn rotate(&self) -> String {
        let token = self.world.token().audience(AUDIENCE).mint();
        self.world.volume.rotate(&token).unwrap();
        token
    }

    /// As EKS Pod Identity prepares a container: no role, no web identity.
    fn env(&self) -> BTreeMap<String, String> {
        let mut env = self.agent.env(&self.world.volume.token_file());
        env.insert("AWS_REGION".to_owned(), "eu-central-1".to_owned());
        env.insert("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned());
        env
    }

    async fn start(&self) -> Sidecar {
        Sidecar::start_in(self.env(), &[]).await
    }
}

#[tokio::test]
async fn a_pod_that_eks_pod_identity_prepared_needs_no_setting_of_ours() {
    let pod = Pod::new().await;
    let mut sidecar = pod.start().await;
    sidecar.wait_until_ready().await;
    let served = sidecar.credentials().await;
    let body = served.json().unwrap();
    assert_eq!((served.status, &body["AccountId"]), (200, &json!("111122223333")));
    let expiration = body["Expiration"].as_str().unwrap();
    assert_eq!((expiration.len(), expiration.contains('.')), (20, false), "whole seconds: {expiration}");
    assert!(body.get("RoleArn").is_none(), "nobody told it, and it is not invented: {body}");
    let who = pod.world.sts.who_is(&credentials(&body, "Token")).await.unwrap();
    assert!(who.text().contains("assumed-role/legacy-app/"), "{}", who.text());
    let status = sidecar.status().await;
    assert_eq!(status["roles"][0]["source"], "pod_identity");
    assert_eq!(status["roles"][0]["role_arn"], json!(null));
    let call = &pod.agent.calls()[0];
    assert!(call.header("user-agent").unwrap().starts_with("irsa-sidecar/"), "{call:?}");
}

#[tokio::test]
async fn the_token_is_read_anew_each_time() {
    let pod = Pod::new().await;
    pod.agent.set_session_life(SHORT);
    pod.agent.set_caching(false);
    let mut sidecar = pod.start().await;
    sidecar.wait_until_ready().await;
    let token = pod.rotate();
    sidecar.process.signal(support::process::Signal::HUP).unwrap();
    let calls = pod.agent.wait_for_calls(2).await.unwrap();
    assert!(calls[1].carried(&token) && !calls[0].carried(&token), "{calls:?}");
    let output = sidecar.process.output();
    assert!(!output.contains(token.split('.').nth(2).unwrap()), "{output}");
}

/// What the agent says, the code under which it is told, and words of the mend.
#[tokio::test]
async fn what_the_agent_says_is_understood_and_what_is_held_stays() {
    use PodFaultKind::*;
    let upstream =
        |status, code: &str| Upstream { status, code: code.to_owned(), message: "as scripted".to_owned() };
    let text = |status, body: &str| Text { status, body: body.to_owned() };
    let without = |field: &str| Without(field.to_owned());
    for (fault, code, mend) in [
        (upstream(400, "AccessDeniedException"), "AccessDenied", "pods.eks.amazonaws.com"),
        (upstream(404, "ResourceNotFoundException"), "ResourceNotFoundException", "association"),
        (upstream(400, "ExpiredTokenException"), "ExpiredTokenException", "projected"),
        (upstream(400, "InvalidTokenException"), "InvalidIdentityToken", "audience pods.eks"),
        (upstream(429, "ThrottlingException"), "Throttling", "tried again"),
        (UpstreamUnreachable, "InternalFailure", "agent's log"),
        (TooManyRequests, "Throttling", "tried again"),
        (text(400, "Service account token cannot be empty\n"), "InvalidIdentityToken", "audience pods.eks"),
        (
            text(403, "Access Denied. Called agent through invalid address, please use …\n"),
            "AccessDenied",
            "own address",
        ),
        (text(404, "404 page not found\n"), "InvalidReply", "check the endpoint"),
        (
            Json { status: 503, body: json!({"code": "CredentialsUninitialized", "message": "x"}) },
            "ServiceUnavailable",
            "agent's log",
        ),
        (Reset, "ConnectionFailed", "network policy"),
        (Garbage, "InvalidReply", "check the endpoint"),
        (Huge(100_000), "InvalidReply", "64 KiB"),
        (Cut, "ConnectionFailed", "network policy"),
        (without("Expiration"), "InvalidReply", "Expiration"),
        (without("Token"), "InvalidReply", "Token"),
        (With("SecretAccessKey".to_owned(), json!("")), "InvalidReply", "SecretAccessKey"),
        (ExpiredFor(Duration::from_secs(10)), "AlreadyExpired", "clocks"),
        (Redirect("http://127.0.0.1:1/".to_owned()), "InvalidReply", "check the endpoint"),
    ] {
        let pod = Pod::new().await;
        let shown = format!("{fault:?}");
        pod.agent.inject(PodFault::always(fault));
        let mut sidecar = pod.start().await;
        let line = sidecar.process.line_with("exchange failed").await.unwrap();
        assert!(line.contains(&format!(r#""code":"{code}""#)) && line.contains(mend), "{shown}: {line}");
        let served = sidecar.credentials().await;
        assert_eq!((served.status, &served.json().unwrap()["code"]), (503, &json!(code)), "{shown}");
        // Another token is an occasion to ask at once.
        pod.agent.clear().await.unwrap();
        pod.rotate();
        sidecar.wait_until_ready().await;
    }
}

#[tokio::test]
async fn without_its_token_it_waits_and_says_so() {
    let pod = Pod::new().await;
    pod.world.volume.remove().unwrap();
    let mut sidecar = pod.start().await;
    sidecar.process.line_with("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE").await.unwrap();
    let ready = sidecar.wait_until_not_ready().await;
    assert!(ready.contains("TokenMissing"), "{ready}");
    assert!(pod.agent.calls().is_empty());
    pod.rotate();
    sidecar.wait_until_ready().await;
}

/// A chain that starts from what the agent gives, and a plain container endpoint that wants no token.
#[tokio::test]
async fn in_a_roles_file_it_is_a_source_like_the_other() {
    const PARTNER: &str = "arn:aws:iam::444455556666:role/partner";
    let pod = Pod::new().await;
    pod.world.sts.put_role(Link::new(PARTNER, ROLE_ARN).role().unwrap());
    let plain = PodIdentity::builder().container().path("/get").role_arn(PARTNER).start().await.unwrap();
    let path = pod.world.directory().join("roles.yaml");
    let roles = format!(
        "roles:\n  - name: default\n    source: pod_identity\n    role_arn: {ROLE_ARN}\n  - name: plain\n    source: {{ \
         pod_identity: {{ endpoint: \"{}?id=1\" }} }}\n  - name: partner\n    chain: {{ from: default, steps: [{{ role_arn: \
         \"{PARTNER}\" }}] }}\n",
        plain.url()
    );
    fs::write(&path, roles).unwrap();
    let mut env = pod.env();
    env.insert("AWS_ENDPOINT_URL_STS".to_owned(), pod.world.sts.url());
    let mut sidecar = Sidecar::start_in(env, &["--roles-file", path.to_str().unwrap()]).await;
    sidecar.wait_until_ready().await;
    let role = async |name: &str| {
        let path = format!("/v1/credentials/{name}");
        support::raw::get(sidecar.container, &path).await.unwrap().json().unwrap()
    };
    assert_eq!(role("default").await["RoleArn"], ROLE_ARN, "as somebody wrote it down");
    assert_eq!(role("plain").await["RoleArn"], PARTNER, "as the endpoint says it");
    let who = pod.world.sts.who_is(&credentials(&role("partner").await, "Token")).await.unwrap();
    assert!(who.text().contains("assumed-role/partner/"), "{}", who.text());
    let asked = &plain.calls()[0];
    assert!(asked.authorization.is_none() && asked.path == "/get?id=1", "{asked:?}");
}

#[tokio::test]
async fn the_address_of_the_sidecar_itself_is_no_source() {
    let pod = Pod::new().await;
    let mut env = pod.env();
    let own = "http://127.0.0.1:9911/v1/credentials".to_owned();
    env.insert("AWS_CONTAINER_CREDENTIALS_FULL_URI".to_owned(), own);
    let mut process = Process::start(BINARY, &["serve"], env).unwrap();
    assert_eq!(process.exit().await.unwrap().code(), Some(64));
    assert!(process.output().contains("a listener of irsa-sidecar itself"), "{}", process.output());
}

/// The agent does not say whose credentials it gives, so another endpoint's may be anybody's: what the one before gave is
/// not served under the name for a moment longer.
#[tokio::test]
async fn what_one_endpoint_gave_is_not_served_once_another_is_asked() {
    let pod = Pod::new().await;
    let path = pod.world.directory().join("roles.yaml");
    let write = |endpoint: &str| {
        let role = format!(
            "roles:\n  - name: default\n    source: {{ pod_identity: {{ endpoint: \"{endpoint}\" }} }}\n"
        );
        fs::write(&path, role).unwrap();
    };
    let (one, other) =
        (PodIdentity::builder().container().start().await.unwrap(), PodIdentity::start().await.unwrap());
    other.inject(PodFault::untrusted_role());
    write(&one.url());
    let mut sidecar = Sidecar::start_in(pod.env(), &["--roles-file", path.to_str().unwrap()]).await;
    sidecar.wait_until_ready().await;
    write(&other.url());
    sidecar.process.line_with("the roles file changed").await.unwrap();
    assert_eq!(sidecar.credentials().await.status, 503);
}

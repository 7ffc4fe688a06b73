//! EKS's agent and other container-credentials endpoints, as a client meets them on the wire.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::ErrorKind;
use std::time::{Duration, SystemTime};

use serde_json::json;
use support::pod_identity::{HOSTS, PATH, PodFault, PodFaultKind, PodIdentity};
use support::raw::{RawClient, RawResponse};
use support::sts::{Credentials, Link, Outcome};
use support::tls::Tls;
use support::world::{ROLE_ARN, World};

const CHAINED: &str = "arn:aws:iam::444455556666:role/chained";
const MINUTE: Duration = Duration::from_secs(60);

async fn ask(agent: &PodIdentity, headers: &[(&str, &str)]) -> std::io::Result<RawResponse> {
    RawClient::connect(agent.address()).await?.request("GET", PATH, headers).await
}

async fn ask_with(agent: &PodIdentity, token: &str) -> RawResponse {
    ask(agent, &[("Authorization", token)]).await.unwrap()
}

#[track_caller]
fn assert_text(answer: &RawResponse, status: u16, text: &str) {
    assert_eq!((answer.status, answer.text()), (status, format!("{text}\n")));
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
}

#[tokio::test]
async fn a_token_for_the_agent_becomes_credentials_that_sts_knows() {
    let world = World::start().await.unwrap();
    let agent = world.pod_identity().start().await.unwrap();
    let volume = world.pod_identity_volume().unwrap();
    let env = agent.env(&volume.token_file());
    assert!(env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"].ends_with("/eks-pod-identity-token"));
    assert_eq!(env["AWS_CONTAINER_CREDENTIALS_FULL_URI"], format!("http://{}{PATH}", agent.address()));
    let token = fs::read_to_string(volume.token_file()).unwrap();

    let answer = ask_with(&agent, &token).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert!(!answer.text().contains(char::is_whitespace));
    let body = answer.json().unwrap();
    let fields: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["AccessKeyId", "AccountId", "Expiration", "SecretAccessKey", "Token"]);
    assert_eq!(body["AccountId"], "111122223333");
    let expiration = body["Expiration"].as_str().unwrap();
    let expires_at = instant(expiration);
    let left = expires_at.duration_since(world.clock.now()).unwrap();
    assert!(left > Duration::from_secs(6 * 3600 - 60) && left <= Duration::from_secs(6 * 3600), "{left:?}");

    let text = |name: &str| body[name].as_str().unwrap();
    let credentials = Credentials::new(text("AccessKeyId"), text("SecretAccessKey"), text("Token"));
    let who = world.sts.who_is(&credentials).await.unwrap();
    assert!(who.text().contains(":assumed-role/legacy-app/eks-cluster-"), "{}", who.text());

    let calls = agent.wait_for_calls(1).await.unwrap();
    assert!(calls[0].succeeded() && calls[0].carried(&token) && !calls[0].carried("other"));
    assert_eq!((calls[0].path.as_str(), calls[0].status), (PATH, Some(200)));
    assert_eq!(calls[0].host, Some(agent.address().to_string()));
    assert_eq!(calls[0].header("host"), calls[0].host.as_deref());
    assert!(calls[0].authorization.as_ref().unwrap().jti.is_some());
    assert!(!format!("{calls:?}").contains(&token));
}

/// What an agent's `Expiration` says, which has a fraction.
fn instant(text: &str) -> SystemTime {
    assert!(text.len() > 20, "{text} must have a fraction");
    humantime::parse_rfc3339(text).unwrap()
}

#[tokio::test]
async fn a_chain_that_starts_from_pod_identity_inherits_eks_s_tags() {
    let link = Link::new(CHAINED, ROLE_ARN).tag_session().condition(
        "StringEquals",
        "aws:PrincipalTag/kubernetes-namespace",
        "shop",
    );
    let world = World::builder().link(link).start().await.unwrap();
    let agent = world.pod_identity().start().await.unwrap();
    ask_with(&agent, &world.pod_identity_token().mint()).await;
    let credentials = agent.issued().pop().unwrap();
    let assume = [
        ("Action", "AssumeRole"),
        ("Version", "2011-06-15"),
        ("RoleSessionName", "link"),
        ("RoleArn", CHAINED),
    ];
    let answer = world.sts.call_signed(&credentials, &assume).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let tag = [("Tags.member.1.Key", "Kubernetes-Namespace"), ("Tags.member.1.Value", "bank")];
    let answer = world.sts.call_signed(&credentials, &[&assume[..], &tag].concat()).await.unwrap();
    assert!(answer.text().contains("conflicts with a transitive tag key"), "{}", answer.text());
}

#[tokio::test]
async fn what_is_no_good_token_is_refused_in_the_agent_s_words() {
    let world = World::start().await.unwrap();
    let agent = world.pod_identity().start().await.unwrap();
    let token = || world.pod_identity_token();
    assert_text(&ask(&agent, &[]).await.unwrap(), 400, "Service account token cannot be empty");
    let malformed = "Service account token cannot be parsed: token is malformed: ";
    for (value, why) in [
        ("opaque", "token contains an invalid number of segments"),
        ("a b.e30.x", "could not base64 decode header"),
        ("e30.AAAA.x", "could not JSON decode claim"),
    ] {
        assert_text(&ask_with(&agent, value).await, 400, &format!("{malformed}{why}"));
    }
    let bearer = format!("Bearer {}", token().mint());
    assert!(ask_with(&agent, &bearer).await.text().starts_with(malformed));
    let claims = "Service account token failed basic claim validations: ";
    let expired = ask_with(&agent, &token().expired_for(MINUTE).mint()).await;
    assert_text(&expired, 400, &format!("{claims}token is expired"));
    let early = ask_with(&agent, &token().starting_in(MINUTE).mint()).await;
    assert_text(&early, 400, &format!("{claims}token is not valid yet"));
    let irsa = ask_with(&agent, &world.token().mint()).await;
    assert_eq!(irsa.status, 400);
    let text = irsa.text();
    assert!(text.starts_with('[') && text.ends_with(", fault: client\n"), "{text}");
    assert!(text.contains("]: (InvalidTokenException): "), "{text}");

    agent.accept_only(["first"]);
    assert_eq!(ask_with(&agent, "first").await.status, 200);
    assert_eq!(ask_with(&agent, &token().mint()).await.status, 400);
    agent.accept_any_token();
    assert_eq!(ask_with(&agent, &token().mint()).await.status, 200);
}

#[tokio::test]
async fn the_host_is_looked_at_where_it_is_asked_to_and_the_path_always() {
    let world = World::start().await.unwrap();
    let agent = world.pod_identity().hosts(&HOSTS).start().await.unwrap();
    let token = world.pod_identity_token().mint();
    let authorization = ("Authorization", token.as_str());
    for host in
        ["169.254.170.23", "169.254.170.23:8080", "[fd00:ec2::23]", "[fd00:ec2::23]:80", "fd00:ec2::23"]
    {
        assert_eq!(ask(&agent, &[("Host", host), authorization]).await.unwrap().status, 200, "{host}");
    }
    let refused = ask(&agent, &[("Host", "127.0.0.1:9"), authorization]).await.unwrap();
    let text = "Access Denied. Called agent through invalid address, please use either \
                [169.254.170.23 fd00:ec2::23] address not 127.0.0.1";
    assert_text(&refused, 403, text);
    let mut client = RawClient::connect(agent.address()).await.unwrap();
    let elsewhere = client.request("GET", "/v1/credentials/", &[authorization]).await.unwrap();
    assert_text(&elsewhere, 404, "404 page not found");
}

#[tokio::test]
async fn every_fault_is_what_it_says() {
    let world = World::start().await.unwrap();
    let agent = world.pod_identity().start().await.unwrap();
    let token = world.pod_identity_token().mint();
    let with = async |kind: PodFaultKind| {
        agent.inject(PodFault::times(kind, 1));
        ask_with(&agent, &token).await
    };
    assert_text(&with(PodFaultKind::TooManyRequests).await, 429, "Too Many Requests");
    assert_text(&with(PodFaultKind::UpstreamUnreachable).await, 500, "[]");
    let moved = with(PodFaultKind::Redirect("http://127.0.0.1:9/".to_owned())).await;
    assert_eq!((moved.status, moved.header("location")), (302, Some("http://127.0.0.1:9/")));
    let text = with(PodFaultKind::Text { status: 503, body: "busy".to_owned() }).await;
    assert_eq!((text.status, text.text()), (503, "busy".to_owned()));
    let body = json!({ "code": "X", "message": "no" });
    let refused = with(PodFaultKind::Json { status: 400, body: body.clone() }).await;
    assert_eq!((refused.status, refused.json().unwrap()), (400, body));
    assert!(with(PodFaultKind::Garbage).await.json().is_err());
    assert_eq!(with(PodFaultKind::Huge(1 << 20)).await.body.len(), 1 << 20);
    let page = with(PodFaultKind::ContentType("text/html".to_owned())).await;
    assert_eq!(page.header("content-type"), Some("text/html"));
    assert!(
        with(PodFaultKind::Without("Expiration".to_owned())).await.json().unwrap()["Expiration"].is_null()
    );
    let odd = with(PodFaultKind::With("Expiration".to_owned(), json!("soon"))).await;
    assert_eq!(odd.json().unwrap()["Expiration"], "soon");
    let expired = with(PodFaultKind::ExpiredFor(MINUTE)).await.json().unwrap();
    assert!(instant(expired["Expiration"].as_str().unwrap()) < world.clock.now());

    agent.inject(PodFault::untrusted_role());
    let text = ask_with(&agent, &token).await.text();
    assert!(text.contains("]: (AccessDeniedException): Unauthorized Exception! "), "{text}");
    agent.clear().await.unwrap();
    agent.inject(PodFault::upstream(503, "ServiceUnavailableException", "Busy"));
    let busy = ask_with(&agent, &token).await;
    assert_eq!(busy.status, 503);
    assert!(
        busy.text().ends_with("]: (ServiceUnavailableException): Busy, fault: server\n"),
        "{}",
        busy.text()
    );
    agent.clear().await.unwrap();
    assert_eq!(ask_with(&agent, &token).await.status, 200);
}

#[tokio::test]
async fn connections_break_and_hang_and_are_refused_as_scripted() {
    let world = World::start().await.unwrap();
    let agent = world.pod_identity().start().await.unwrap();
    let token = world.pod_identity_token().mint();
    let headers = [("Authorization", token.as_str())];
    agent.inject(PodFault::times(PodFaultKind::Reset, 1));
    assert_eq!(ask(&agent, &headers).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    agent.inject(PodFault::times(PodFaultKind::Cut, 1));
    assert!(ask(&agent, &headers).await.is_err());
    agent.inject(PodFault::times(PodFaultKind::Hang, 1));
    let mut client = RawClient::connect(agent.address()).await.unwrap();
    client.send(format!("GET {PATH} HTTP/1.1\r\nHost: agent\r\n\r\n")).await.unwrap();
    let calls = agent.wait_until(|calls| calls.len() == 3).await.unwrap();
    assert_eq!(calls[2].outcome, Outcome::Scripted("hang".to_owned()));
    agent.refuse().await;
    assert_eq!(ask(&agent, &headers).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    agent.clear().await.unwrap();
    agent.inject(PodFault::times(PodFaultKind::Latency(Duration::from_millis(50)), 1));
    let began = world.clock.now();
    assert_eq!(ask(&agent, &headers).await.unwrap().status, 200);
    assert!(world.clock.now().duration_since(began).unwrap() >= Duration::from_millis(50));
    assert_eq!(agent.most_in_progress(), 1);
}

#[tokio::test]
async fn another_endpoint_asks_for_nothing_and_answers_as_ecs_does() {
    let endpoint = PodIdentity::builder().container().path("/get").start().await.unwrap();
    assert!(endpoint.url().ends_with("/get"));
    let ask = async |path: &str| {
        RawClient::connect(endpoint.address()).await.unwrap().request("GET", path, &[]).await.unwrap()
    };
    let body = ask("/get").await.json().unwrap();
    assert_eq!(body["RoleArn"], ROLE_ARN);
    assert!(body.get("AccountId").is_none());
    assert_eq!(body["Expiration"].as_str().unwrap().len(), "2024-01-01T00:00:00Z".len());
    let missing = ask("/other").await;
    assert_eq!((missing.status, missing.json().unwrap()["code"].as_str()), (404, Some("InvalidIdInRequest")));
    assert!(endpoint.calls()[0].authorization.is_none());

    let guarded = PodIdentity::builder().container().authorization("Basic c2VjcmV0").account_id(Some("1"));
    let guarded = guarded.session_life(MINUTE).tls(Tls::generate().unwrap()).start().await.unwrap();
    assert!(guarded.url().starts_with("https://127.0.0.1:"));
}

#[tokio::test]
async fn its_cache_gives_the_same_credentials_until_half_of_their_life_is_over() {
    let world = World::start().await.unwrap();
    let agent = world.pod_identity().session_life(MINUTE).start().await.unwrap();
    let token = world.pod_identity_token().mint();
    let key = async || ask_with(&agent, &token).await.json().unwrap()["AccessKeyId"].clone();
    assert_ne!(key().await, key().await);
    agent.set_caching(true);
    let first = key().await;
    assert_eq!(key().await, first);
    world.clock.advance(MINUTE / 2);
    assert_ne!(key().await, first);
}

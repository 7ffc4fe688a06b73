//! The client against an agent on a real socket. Nothing waits for real: where time must pass, tokio's clock is stopped once
//! the agent has the request.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use support::pod_identity::PodFault;
use support::pod_identity::PodFaultKind;
use support::pod_identity::PodIdentity as Agent;
use support::world::World;

use super::*;
use crate::config::CredentialsEndpoint;
use crate::credentials::Lifetime;
use crate::refresh::Action;
use crate::refresh::Event;
use crate::refresh::State;
use crate::refresh::step;

const MARKER: &str = "AUTHORIZATION-MARKER-77ad";

/// An agent that wants what stands in a file, and the client that is pointed at both.
struct Scene {
    agent: Agent,
    world: World,
    client: PodIdentityClient,
}

impl Scene {
    async fn new() -> Self {
        Self::with(Agent::builder().authorization(MARKER).start().await.unwrap()).await
    }

    async fn with(agent: Agent) -> Self {
        let world = World::start().await.unwrap();
        let path = world.directory().join("authorization");
        fs::write(&path, MARKER).unwrap();
        let endpoint = CredentialsEndpoint { address: agent.address(), path: "/v1/credentials".to_owned() };
        let settings = PodIdentity { endpoint, authorization_token_file: Some(path), role_arn: None };
        let client = PodIdentityClient::new(settings, PodNames::default(), Clock::system());
        Self { agent, world, client }
    }

    fn file(&self) -> PathBuf {
        self.world.directory().join("authorization")
    }

    async fn ask(&self) -> Result<Exchanged, ExchangeError> {
        self.client.exchange(&Basis::Nothing).await
    }

    async fn fails(&self, fault: PodFaultKind) -> ExchangeError {
        self.agent.inject(PodFault::always(fault));
        let error = self.ask().await.err().unwrap();
        self.agent.clear().await.unwrap();
        error
    }
}

#[tokio::test]
async fn what_the_agent_gives_is_taken_to_the_nanosecond() {
    let scene = Scene::new().await;
    let exchanged = scene.ask().await.unwrap();
    let (given, issued) = (exchanged.credentials, &scene.agent.issued()[0]);
    assert_eq!(given.access_key_id, issued.access_key_id);
    assert_eq!(given.expires_at, issued.expires_at);
    assert_eq!(given.role_arn, None);
}

#[tokio::test]
async fn the_host_is_the_address_that_the_agent_insists_on() {
    for (host, is_right) in [("127.0.0.1", true), ("169.254.170.23", false)] {
        let agent = Agent::builder().authorization(MARKER).hosts(&[host]).start().await.unwrap();
        let result = Scene::with(agent).await.ask().await;
        let kind = result.err().map(|error| error.kind);
        assert_eq!(kind, (!is_right).then_some(ErrorKind::AccessDenied), "{host}");
    }
}

#[tokio::test]
async fn an_agent_that_never_answers_is_left_after_ten_seconds() {
    let scene = Scene::new().await;
    scene.agent.inject(PodFault::always(PodFaultKind::Hang));
    let hung = async {
        scene.agent.wait_for_calls(1).await.unwrap();
        tokio::time::pause();
        tokio::time::sleep(CALL_TIMEOUT * 2).await;
    };
    let error = tokio::select! {
        result = scene.ask() => result.err().unwrap(),
        () = hung => panic!("it still waits"),
    };
    assert_eq!((error.kind, error.mend()), (ErrorKind::TimedOut, answer::UNREACHABLE));
}

#[tokio::test]
async fn nobody_listening_is_a_matter_of_the_agent() {
    let scene = Scene::new().await;
    scene.agent.refuse().await;
    let error = scene.ask().await.err().unwrap();
    assert_eq!((error.kind, error.mend()), (ErrorKind::ConnectionFailed, answer::UNREACHABLE));
}

/// What answered was reached: its network is not what to look at.
#[tokio::test]
async fn an_answer_of_something_else_is_not_taken_for_an_absent_agent() {
    let scene = Scene::new().await;
    for fault in [PodFaultKind::Huge(100_000), PodFaultKind::Garbage] {
        let error = scene.fails(fault).await;
        assert_eq!(error.kind, ErrorKind::InvalidReply, "{error}");
        assert!(error.mend().contains("check the endpoint"), "{error}: {}", error.mend());
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let scene = Scene::new().await;
    let elsewhere = Agent::start().await.unwrap();
    let error = scene.fails(PodFaultKind::Redirect(elsewhere.url())).await;
    assert_eq!(error.kind, ErrorKind::InvalidReply);
    assert!(elsewhere.calls().is_empty());
}

#[tokio::test]
async fn without_the_file_the_agent_is_not_asked_and_the_next_call_reads_it_again() {
    let scene = Scene::new().await;
    fs::remove_file(scene.file()).unwrap();
    let error = scene.ask().await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::AuthorizationTokenUnusable);
    assert!(error.message.contains(scene.file().to_str().unwrap()), "{error}");
    assert!(scene.agent.calls().is_empty());
    scene.agent.accept_only(["ANOTHER-MARKER"]);
    fs::write(scene.file(), "ANOTHER-MARKER\n").unwrap();
    scene.ask().await.unwrap();
    assert!(scene.agent.calls()[0].carried("ANOTHER-MARKER"));
}

#[tokio::test]
async fn nothing_that_is_told_repeats_the_authorization() {
    let scene = Scene::new().await;
    let text = |body: String| PodFaultKind::Text { status: 400, body };
    for fault in [
        text(format!("Service account token cannot be parsed: {MARKER}\n")),
        text(format!("[{MARKER}]: (AccessDeniedException): no, fault: client\n")),
        text(format!("[b-1]: (AccessDeniedException): {MARKER}, fault: client\n")),
        PodFaultKind::Json { status: 400, body: serde_json::json!({ "code": "x", "message": MARKER }) },
    ] {
        let shown = format!("{fault:?}");
        let error = scene.fails(fault).await;
        assert!(!format!("{error:?}").contains(&MARKER[..12]), "{shown}: {error:?}");
        assert!(!error.message.contains("STS"), "{shown}: {error}");
    }
}

/// When the agent was asked, in time since the start, as long as it gives the same credentials, which end after six hours.
fn asked_at(jitter: f64) -> Vec<Duration> {
    let began = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let expires_at = began + Duration::from_secs(21_600);
    let (mut state, mut now) = (State::new(Duration::ZERO), Duration::ZERO);
    let mut asked = Vec::new();
    let mut event = Event::BasisChanged;
    loop {
        let (next, action) = step(state, event, now, jitter);
        state = next;
        event = match action {
            Action::Exchange => {
                asked.push(now);
                let issued_at = began + now;
                match answer::with_floor(issued_at, expires_at) {
                    Some(expires_at) => Event::ExchangeSucceeded(Lifetime { issued_at, expires_at }),
                    None => return asked,
                }
            }
            Action::WaitUntil(at) => {
                now = at;
                Event::Tick
            }
            other => panic!("{other:?}"),
        };
    }
}

#[test]
fn an_agent_that_renews_nothing_is_not_asked_again_and_again() {
    for jitter in [0.0, 0.5, 1.0] {
        let asked = asked_at(jitter);
        let apart = asked.windows(2).map(|two| two[1] - two[0]).min().unwrap();
        assert!(asked.len() <= 14 && apart > Duration::from_secs(12), "{jitter}: {asked:?}");
        // What came last is served to its minute, and asked for again before that.
        let last = *asked.last().unwrap();
        assert!(last < Duration::from_secs(21_540), "{jitter}: {asked:?}");
    }
}

/// What is made of a whole answer, in which `changes` replace fields (and null removes them).
fn accepted(changes: &serde_json::Value) -> Result<Exchanged, ExchangeError> {
    let mut body = serde_json::json!({
        "AccessKeyId": "ASIAIOSFODNN7EXAMPLE",
        "SecretAccessKey": "wJalrXUtnFEMI/K7MDENG",
        "Token": "IQoJ//b3Jp+Z2lu=",
        "AccountId": "111122223333",
        "Expiration": "2027-01-15T09:00:00.123456789Z",
    });
    for (name, value) in changes.as_object().unwrap() {
        body[name] = value.clone();
    }
    let endpoint = CredentialsEndpoint { address: ([127, 0, 0, 1], 80).into(), path: "/x".to_owned() };
    let settings = PodIdentity { endpoint, authorization_token_file: None, role_arn: None };
    let body = body.to_string().into();
    let reply = crate::http_once::Reply { status: 200, headers: hyper::HeaderMap::new(), body };
    let (clock, _) = Clock::manual(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
    answer::accept(&settings, &reply, Arc::default(), clock.read())
}

#[tokio::test(start_paused = true)]
async fn an_expiry_with_nanoseconds_is_served_in_whole_seconds() {
    let credentials = accepted(&serde_json::json!({})).unwrap().credentials;
    let nanos = Duration::new(1_800_003_600, 123_456_789);
    assert_eq!(credentials.expires_at, SystemTime::UNIX_EPOCH + nanos);
    let body: serde_json::Value = serde_json::from_slice(&credentials.container_body()).unwrap();
    assert_eq!(body["Expiration"], "2027-01-15T09:00:00Z");
    assert_eq!(body["AccountId"], "111122223333");
    assert!(body.get("RoleArn").is_none(), "{body}");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_served_is_refused_by_its_name() {
    use serde_json::json;
    for field in ["AccessKeyId", "SecretAccessKey", "Token", "Expiration"] {
        for value in [json!(null), json!(""), json!("a b"), json!("a,b"), json!("a\"b\nc")] {
            let error = accepted(&json!({ field: value })).err().unwrap();
            assert_eq!(error.kind, ErrorKind::InvalidReply, "{field}: {value}");
            assert!(error.message.ends_with(field), "{field}: {value}: {error}");
        }
    }
    for expiration in ["2027-01-15", "1800003600", "2027-01-15T09:00:00"] {
        let error = accepted(&json!({ "Expiration": expiration })).err().unwrap();
        assert_eq!(error.kind, ErrorKind::InvalidReply, "{expiration}");
    }
    for expiration in ["1996-03-27T07:45:23.123456789Z", "2027-01-15T08:01:00Z"] {
        let error = accepted(&json!({ "Expiration": expiration })).err().unwrap();
        assert_eq!(error.kind, ErrorKind::AlreadyExpired, "{expiration}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_need_not_be_there_is_taken_if_it_makes_sense() {
    use serde_json::json;
    const ROLE: &str = "arn:aws:iam::111122223333:role/app";
    for (changes, role_arn, account_id) in [
        (json!({ "RoleArn": ROLE, "Unknown": { "x": [1] } }), Some(ROLE), Some("111122223333")),
        (json!({ "RoleArn": "a,b", "AccountId": "12" }), None, None),
        (json!({ "AccountId": null }), None, None),
    ] {
        let credentials = accepted(&changes).unwrap().credentials;
        assert_eq!(
            (credentials.role_arn.as_deref(), credentials.account_id.as_deref()),
            (role_arn, account_id)
        );
    }
}

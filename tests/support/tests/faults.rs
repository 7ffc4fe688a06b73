//! Each scripted fault, as a client meets it on the wire.
#![allow(clippy::unwrap_used)]

use std::io::ErrorKind;
use std::time::Duration;

use support::blackhole::BlackHole;
use support::raw::{self, RawClient, RawResponse};
use support::sts::{Fault, FaultKind, Outcome};
use support::wait;
use support::world::{CHAIN, World};

const FORM: &[u8] = b"Action=AssumeRoleWithWebIdentity&Version=2011-06-15";
const FORM_TYPE: &str = "application/x-www-form-urlencoded";

fn fault(json: &str) -> Fault {
    Fault::from_json(json.as_bytes()).unwrap()
}

async fn call(world: &World) -> std::io::Result<RawResponse> {
    raw::post(world.sts.address(), "/", FORM_TYPE, FORM).await
}

/// Without a fault the bare form is refused for what it lacks: proof that a fault is over.
async fn assert_back_to_normal(world: &World) {
    assert!(call(world).await.unwrap().text().contains("<Code>ValidationError</Code>"));
}

#[tokio::test]
async fn throttling_lasts_as_often_as_it_was_asked_to_and_can_say_when_to_come_back() {
    let world = World::start().await.unwrap();
    world.sts.inject(fault(r#"{"kind":"throttle","times":2,"retry_after":7}"#));
    for _ in 0..2 {
        let answer = call(&world).await.unwrap();
        assert_eq!((answer.status, answer.header("retry-after")), (400, Some("7")));
        assert!(answer.text().contains("<Code>Throttling</Code>\n    <Message>Rate exceeded</Message>"));
    }
    assert_back_to_normal(&world).await;
}

#[tokio::test]
async fn errors_by_name_have_aws_s_status_and_message_unless_told_otherwise() {
    let world = World::start().await.unwrap();
    for (code, status) in [
        ("AccessDenied", 403),
        ("ExpiredTokenException", 400),
        ("IDPCommunicationError", 400),
        ("IDPRejectedClaim", 403),
        ("InternalFailure", 500),
        ("InvalidIdentityToken", 400),
        ("RegionDisabledException", 403),
        ("ServiceUnavailable", 503),
        ("Throttling", 400),
        ("NeverHeardOf", 400),
    ] {
        world.sts.inject(Fault::error(code));
        let answer = call(&world).await.unwrap();
        assert_eq!(answer.status, status, "{code}");
        assert!(answer.text().contains(&format!("<Code>{code}</Code>")), "{}", answer.text());
        world.sts.clear().await.unwrap();
    }
    world.sts.inject(fault(
        r#"{"kind":"error","code":"AccessDenied","status":401,"message":"No & no","times":1}"#,
    ));
    let answer = call(&world).await.unwrap();
    assert_eq!(answer.status, 401);
    assert!(answer.text().contains("<Message>No &amp; no</Message>"));
    assert_back_to_normal(&world).await;
}

#[tokio::test]
async fn a_fault_for_one_action_leaves_the_others_alone() {
    let world = World::start().await.unwrap();
    world.sts.inject(Fault::error("InternalFailure").only_for("GetCallerIdentity"));
    assert_back_to_normal(&world).await;
    let other = b"Action=GetCallerIdentity&Version=2011-06-15";
    assert_eq!(raw::post(world.sts.address(), "/", FORM_TYPE, other).await.unwrap().status, 500);
}

#[tokio::test]
async fn one_fault_follows_the_other() {
    let world = World::start().await.unwrap();
    world.sts.inject(Fault::throttle(1));
    world.sts.inject(Fault::times(FaultKind::Http { status: 503, body: None, retry_after: Some(1) }, 1));
    assert_eq!(call(&world).await.unwrap().status, 400);
    let unavailable = call(&world).await.unwrap();
    assert_eq!((unavailable.status, unavailable.header("content-type")), (503, Some("text/html")));
    assert_back_to_normal(&world).await;
}

#[tokio::test]
async fn a_reset_is_a_reset_and_not_an_orderly_close() {
    let world = World::start().await.unwrap();
    world.sts.inject(Fault::times(FaultKind::Reset, 1));
    assert_eq!(call(&world).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_back_to_normal(&world).await;
}

#[tokio::test]
async fn garbage_is_a_success_that_is_no_xml() {
    let world = World::start().await.unwrap();
    world.sts.inject(Fault::times(FaultKind::Garbage, 1));
    let answer = call(&world).await.unwrap();
    assert_eq!(answer.status, 200);
    assert!(!answer.text().starts_with('<'));
}

#[tokio::test]
async fn a_truncated_body_ends_before_its_length() {
    let world = World::start().await.unwrap();
    world.sts.inject(Fault::times(FaultKind::Truncate, 1));
    let mut client = RawClient::connect(world.sts.address()).await.unwrap();
    client.send("GET / HTTP/1.1\r\nHost: sts\r\n\r\n").await.unwrap();
    let bytes = client.rest().await.unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    assert_eq!(body.len(), length.parse::<usize>().unwrap() / 2, "{text}");
}

#[tokio::test]
async fn latency_and_drip_take_their_time_and_change_nothing_else() {
    let world = World::start().await.unwrap();
    for json in [r#"{"kind":"latency","millis":150,"times":1}"#, r#"{"kind":"drip","millis":150,"times":1}"#]
    {
        world.sts.inject(fault(json));
        let began = world.clock.now();
        assert_back_to_normal(&world).await;
        let took = world.clock.now().duration_since(began).unwrap();
        assert!(took >= Duration::from_millis(140), "{json}: {took:?}");
    }
}

#[tokio::test]
async fn a_hanging_call_is_in_the_log_at_once_and_ends_with_the_client() {
    let world = World::start().await.unwrap();
    world.sts.inject(Fault::times(FaultKind::Hang, 1));
    let mut client = RawClient::connect(world.sts.address()).await.unwrap();
    client.send("GET /?Action=GetCallerIdentity HTTP/1.1\r\nHost: sts\r\n\r\n").await.unwrap();
    let calls = world.sts.wait_for_calls(1).await.unwrap();
    assert_eq!(calls[0].outcome, Outcome::Scripted("hang".to_owned()));
    drop(client);
    assert_back_to_normal(&world).await;
}

#[tokio::test]
async fn a_client_that_gives_up_first_is_logged_as_gone() {
    let world = World::start().await.unwrap();
    world.sts.inject(fault(r#"{"kind":"latency","millis":3600000}"#));
    let mut client = RawClient::connect(world.sts.address()).await.unwrap();
    client.send("GET /?Action=GetCallerIdentity HTTP/1.1\r\nHost: sts\r\n\r\n").await.unwrap();
    world.sts.wait_until(|calls| calls.len() == 1).await.unwrap();
    drop(client);
    assert_eq!(world.sts.wait_for_calls(1).await.unwrap()[0].outcome, Outcome::Abandoned);
}

#[tokio::test]
async fn refusing_closes_open_connections_too_and_listening_again_is_on_the_same_port() {
    let world = World::start().await.unwrap();
    let mut kept = RawClient::connect(world.sts.address()).await.unwrap();
    kept.request("GET", "/", &[]).await.unwrap();
    world.sts.refuse().await;
    assert_eq!(call(&world).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert!(kept.request("GET", "/", &[]).await.is_err());
    world.sts.clear().await.unwrap();
    assert_back_to_normal(&world).await;
}

#[test]
fn a_mistyped_fault_is_refused_and_not_played_for_ever() {
    for (json, reason) in [
        (r#"{"kind":"throttle","tiems":3}"#, "unknown field \"tiems\""),
        (r#"{"kind":"thortle"}"#, "unknown variant `thortle`"),
        (r#"{"kind":"latency"}"#, "missing field `millis`"),
        ("throttle", "expected"),
    ] {
        let error = Fault::from_json(json.as_bytes()).unwrap_err();
        assert!(error.contains(reason), "{json}: {error}");
    }
}

#[tokio::test]
async fn a_black_hole_accepts_and_says_nothing() {
    let hole = BlackHole::open().await.unwrap();
    let mut client = RawClient::connect(hole.address()).await.unwrap();
    client.send("GET / HTTP/1.1\r\n\r\n").await.unwrap();
    tokio::select! {
        biased;
        answer = client.response() => panic!("it spoke: {answer:?}"),
        () = wait::until("it is swallowed", async || hole.swallowed() > 0) => {}
    }
}

#[tokio::test]
async fn one_link_can_be_broken_and_mended_while_the_others_hold() {
    let world = World::start().await.unwrap();
    let form = |role: &str| format!("Action=AssumeRole&Version=2011-06-15&RoleArn={role}");
    let ask = async |role: &str| {
        raw::post(world.sts.address(), "/", FORM_TYPE, form(role).as_bytes()).await.unwrap().text()
    };
    let unsigned = "<Code>MissingAuthenticationToken</Code>";
    let [hub, partner, _] = CHAIN;
    world.sts.inject(Fault::error("AccessDenied").only_for("AssumeRole").for_role(hub));
    world.sts.inject(Fault::error("InternalFailure").for_role(partner));
    assert!(ask(hub).await.contains("<Code>AccessDenied</Code>"));
    assert!(ask(partner).await.contains("<Code>InternalFailure</Code>"));
    assert_back_to_normal(&world).await;
    world.sts.mend(hub);
    assert!(ask(hub).await.contains(unsigned));
    assert!(ask(partner).await.contains("<Code>InternalFailure</Code>"));
    world.sts.clear().await.unwrap();
    world.sts.inject(fault(&format!(r#"{{"kind":"throttle","times":1,"role":"{partner}"}}"#)));
    assert!(ask(hub).await.contains(unsigned));
    assert!(ask(partner).await.contains("<Code>Throttling</Code>"));
    assert!(ask(partner).await.contains(unsigned));
}

#[tokio::test]
async fn held_calls_are_in_progress_together_until_they_are_let_go() {
    let world = World::start().await.unwrap();
    world.sts.inject(Fault::times(FaultKind::Hold, 3));
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = RawClient::connect(world.sts.address()).await.unwrap();
        client.send("GET /?Action=GetCallerIdentity HTTP/1.1\r\nHost: sts\r\n\r\n").await.unwrap();
        clients.push(client);
    }
    world.sts.wait_until(|calls| calls.len() == 3).await.unwrap();
    assert_eq!((world.sts.in_progress(), world.sts.most_in_progress()), (3, 3));
    assert_back_to_normal(&world).await;
    assert_eq!(world.sts.most_in_progress(), 4);
    world.sts.clear().await.unwrap();
    for client in &mut clients {
        assert_eq!(client.response().await.unwrap().status, 400);
    }
    assert_eq!(world.sts.in_progress(), 0);
    world.sts.forget_most_in_progress();
    assert_back_to_normal(&world).await;
    assert_eq!(world.sts.most_in_progress(), 1);
}

//! Health, metrics and status at a real socket.

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::time::Duration;
use std::time::SystemTime;

use irsa_sidecar::cache::Problem;
use irsa_sidecar::cache::history::History;
use irsa_sidecar::cache::history::Holder;
use irsa_sidecar::cache::history::LONGEST;
use irsa_sidecar::cache::history::Token;
use serde_json::Value;
use serde_json::json;
use support::process::Signal;
use support::sts::Fault;
use support::world::World;

use crate::serve_server::*;
use crate::sidecar::Sidecar;

/// The admin listener is bound to `[::]`; clients come over IPv4 as well.
fn admin(server: &Server) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, server.admin.port()).into()
}

#[tokio::test]
async fn live_at_once_and_ready_when_every_role_holds_credentials() {
    let server = start_with(&["default", "reports"], None, false);
    let admin = admin(&server);
    let live = get(admin, "/live").await;
    assert_eq!((status(&live), body(&live)), (200, "ok\n"));

    let ready = get(admin, "/ready").await;
    assert_eq!(status(&ready), 503);
    assert_eq!(body(&ready), "default: CredentialsUninitialized\nreports: CredentialsUninitialized\n");
    server.publish(0);
    assert_eq!(body(&get(admin, "/ready").await), "reports: CredentialsUninitialized\n");
    server.publish(1);
    let ready = get(admin, "/ready").await;
    assert_eq!((status(&ready), body(&ready)), (200, "ok\n"));
}

#[tokio::test]
async fn probes_and_scrapers_come_from_anywhere_under_any_name() {
    let server = start();
    for path in ["/live", "/metrics"] {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: 10.0.0.7:9912\r\nX-Forwarded-For: 10.0.0.8\r\n\r\n");
        assert_eq!(status(&exchange(admin(&server), request).await), 200, "{path}");
    }
}

#[tokio::test]
async fn metrics_are_open_metrics_and_count_what_was_asked() {
    let server = start();
    server.publish(0);
    let request =
        "GET /v1/credentials HTTP/1.1\r\nHost: localhost\r\nUser-Agent: aws-sdk-go/1.15.11 (go1.9)\r\n\r\n";
    exchange(server.addresses[0], request).await;
    exchange(server.addresses[0], request).await;
    get(server.addresses[0], "/nowhere").await;
    let metrics = get(admin(&server), "/metrics").await;
    let kind = header(&metrics, "content-type").unwrap();
    assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    for line in [
        r#"irsa_sidecar_requests_total{endpoint="container",status="200",sdk="aws-sdk-go-v1"} 2"#,
        r#"irsa_sidecar_requests_total{endpoint="container",status="404",sdk="none"} 1"#,
        r#"irsa_sidecar_connections{endpoint="container"} 0"#,
        r#"irsa_sidecar_connections{endpoint="admin"} 1"#,
    ] {
        assert!(body(&metrics).lines().any(|found| found == line), "{line} is not in {metrics}");
    }
    assert!(body(&metrics).ends_with("# EOF\n"));
}

#[tokio::test]
async fn status_tells_everything_but_secrets() {
    let server = start();
    let before: Value = serde_json::from_str(body(&get(admin(&server), "/status").await)).unwrap();
    assert_eq!(before["schema"], 1);
    assert_eq!(before["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(
        before["sts"],
        json!({ "endpoint": "https://sts.eu-west-1.amazonaws.com", "region": "eu-west-1" })
    );
    assert_eq!(before["roles"][0]["is_ready"], false);
    assert_eq!(before["roles"][0]["credentials"], Value::Null);
    assert_eq!(before["roles"][0]["problem"]["code"], "CredentialsUninitialized");
    assert_eq!(before["roles"][0]["problem"]["mend"], "Wait.");

    server.publish(0);
    let page = get(admin(&server), "/status").await;
    let after: Value = serde_json::from_str(body(&page)).unwrap();
    let role = &after["roles"][0];
    assert_eq!((&role["name"], &role["role_arn"]), (&Value::from("default"), &Value::from(ROLE_ARN)));
    assert_eq!((&role["is_ready"], &role["problem"]), (&Value::from(true), &Value::Null));
    assert_eq!(role["credentials"]["access_key_id"], "ASIA…MPLE");
    assert_eq!(role["credentials"]["assumed_role_arn"], "arn:aws:sts::111122223333:assumed-role/app/pod");
    for time in
        [&role["next_exchange_at"], &role["credentials"]["issued_at"], &role["credentials"]["expires_at"]]
    {
        assert!(time.as_str().unwrap().ends_with('Z'), "{time}");
    }
    assert!((3500..=3600).contains(&role["credentials"]["seconds_left"].as_u64().unwrap()));
    for planted in [SECRET_ACCESS_KEY, SESSION_TOKEN, "ASIAIOSFODNN7EXAMPLE"] {
        assert!(!page.contains(planted));
    }
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
}

async fn status_of(server: &Server) -> (Value, usize) {
    let page = get(admin(server), "/status").await;
    (serde_json::from_str(body(&page)).unwrap(), body(&page).len())
}

#[tokio::test]
async fn status_tells_what_happened_and_how_often() {
    let server = start();
    let token = Token {
        changed_at: at(1).into(),
        issued_at: Some(at(0).into()),
        expires_at: Some(at(86_400).into()),
    };
    let problem = Problem {
        code: "TimedOut",
        message: "no answer within 10 s".to_owned(),
        mend: "Look at the network policy.".to_owned(),
        since: at(1800),
    };
    let holder = Holder {
        namespace: Some("shop".to_owned()),
        service_account: Some("legacy-app".to_owned()),
        pod: None,
    };
    let mut history =
        History::default().token_found(token, holder).succeeded(at(2), at(3602)).troubled(&problem);
    for minute in 30..40 {
        history =
            history.failed("TimedOut", at(minute * 60)).failed("ConnectionFailed", at(minute * 60 + 30));
    }
    server.publish_after(0, history.succeeded(at(2400), at(6000)));
    let (status, _) = status_of(&server).await;
    let role = &status["roles"][0];
    let expected = json!([
        { "event": "token", "at": "2027-01-15T08:00:01Z", "issued_at": "2027-01-15T08:00:00Z",
          "expires_at": "2027-01-16T08:00:00Z" },
        { "event": "success", "at": "2027-01-15T08:00:02Z", "expires_at": "2027-01-15T09:00:02Z" },
        { "event": "failure", "at": "2027-01-15T08:39:00Z", "code": "TimedOut", "count": 10,
          "first_at": "2027-01-15T08:30:00Z" },
        { "event": "failure", "at": "2027-01-15T08:39:30Z", "code": "ConnectionFailed", "count": 10,
          "first_at": "2027-01-15T08:30:30Z" },
        { "event": "success", "at": "2027-01-15T08:40:00Z", "expires_at": "2027-01-15T09:40:00Z" },
    ]);
    assert_eq!(role["history"], expected);
    let token = json!({ "namespace": "shop", "service_account": "legacy-app", "pod": null,
                        "changed_at": "2027-01-15T08:00:01Z", "issued_at": "2027-01-15T08:00:00Z",
                        "expires_at": "2027-01-16T08:00:00Z" });
    assert_eq!(role["token"], token);
    assert_eq!(role["problem"], Value::Null);
    let last = json!({ "code": "TimedOut", "message": "no answer within 10 s", "mend": "Look at the network policy.",
                       "since": "2027-01-15T08:30:00Z", "ended_at": "2027-01-15T08:40:00Z" });
    assert_eq!(role["last_problem"], last);
    for now in [&status["now"], &role["now"]] {
        assert!(now.as_str().unwrap().ends_with('Z'), "{now}");
    }
}

#[tokio::test]
async fn status_stays_small_however_long_it_goes_on_and_however_many_roles_there_are() {
    let mut history = History::default();
    for hour in 0..1000 {
        history = history.failed("IDPCommunicationError", at(hour * 3600));
        history = history.succeeded(at(hour * 3600 + 60), at(hour * 3600 + 3660));
    }
    let server = start();
    server.publish_after(0, history.clone());
    let (status, size) = status_of(&server).await;
    assert_eq!(status["roles"][0]["history"].as_array().unwrap().len(), LONGEST);
    assert!(size < 8 * 1024, "{size} bytes");

    let names: Vec<String> = (0..200).map(|number| format!("role-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let server = start_with(&names, None, false);
    (0..names.len()).for_each(|role| server.publish_after(role, history.clone()));
    let (status, size) = status_of(&server).await;
    assert_eq!(status["roles"][199]["history"].as_array().unwrap().len(), 10);
    assert_eq!(status["roles"][199]["history"][9]["event"], "success", "the last ones");
    assert!(size < 400 * 1024, "{size} bytes");
}

#[tokio::test]
async fn status_tells_who_asked() {
    let server = start();
    server.publish(0);
    assert_eq!(status_of(&server).await.0["requests"], json!([]), "the admin listener's own are left out");
    for (path, agent, times) in [
        ("/v1/credentials", "aws-sdk-go/1.15.11 (go1.9)", 3),
        ("/nowhere", "aws-sdk-go/1.15.11 (go1.9)", 2),
        ("/v1/credentials", "ATTACKER-MARKER", 1),
    ] {
        for _ in 0..times {
            let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: {agent}\r\n\r\n");
            exchange(server.addresses[0], request).await;
        }
    }
    let expected = json!([
        { "endpoint": "container", "sdk": "other", "ok": 1, "client_errors": 0, "server_errors": 0 },
        { "endpoint": "container", "sdk": "aws-sdk-go-v1", "ok": 3, "client_errors": 2, "server_errors": 0 },
    ]);
    assert_eq!(status_of(&server).await.0["requests"], expected);
}

#[tokio::test]
async fn status_tells_of_a_failure_and_the_recovery_after_it() {
    let world = World::start().await.unwrap();
    let mut sidecar = Sidecar::start(&world).await;
    sidecar.wait_until_ready().await;
    let before = sidecar.status().await;
    let claim = |name: &str| before["roles"][0]["token"][name].as_str().unwrap().to_owned();
    assert!(claim("issued_at") < claim("expires_at"), "{before}");
    assert_eq!((claim("namespace"), claim("service_account")), ("shop".to_owned(), "legacy-app".to_owned()));
    assert_eq!(before["sts"]["endpoint"].as_str(), Some(&*world.sts.url()), "{before}");
    world.sts.inject(Fault::error("AccessDenied"));
    sidecar.process.signal(Signal::HUP).unwrap();
    sidecar.process.line_with("exchange failed").await.unwrap();
    world.sts.clear().await.unwrap();
    world.rotate_token().unwrap();
    sidecar.process.lines_with("credentials exchanged", 2).await.unwrap();
    let after = sidecar.status().await;
    let role = &after["roles"][0];
    let kinds: Vec<_> = role["history"].as_array().unwrap().iter().map(|event| &event["event"]).collect();
    assert_eq!(kinds, ["token", "success", "failure", "token", "success"], "{role}");
    assert_eq!(role["history"][2]["code"], "AccessDenied");
    assert_eq!((&role["problem"], &role["last_problem"]["code"]), (&Value::Null, &json!("AccessDenied")));
    assert_eq!(role["last_problem"]["ended_at"], role["credentials"]["issued_at"]);
    assert!(role["last_problem"]["mend"].as_str().unwrap().contains("trust policy"));
}

#[tokio::test]
async fn the_page_is_whole_and_may_do_nothing_but_ask_for_the_status() {
    let server = start();
    server.publish(0);
    let page = get(admin(&server), "/").await;
    assert_eq!(status(&page), 200);
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(header(&page, name), Some(value), "{name}");
    }
    let policy = header(&page, "content-security-policy").unwrap();
    for source in
        ["default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'", "script-src 'sha256-"]
    {
        assert!(policy.contains(source), "{source} is not in {policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert!(body(&page).starts_with("<!doctype html>") && body(&page).ends_with("</html>\n"));
    for planted in [SECRET_ACCESS_KEY, SESSION_TOKEN, ROLE_ARN] {
        assert!(!page.contains(planted), "it is the same for everyone");
    }
    let head = exchange(admin(&server), "HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!((status(&head), body(&head)), (200, ""));
    assert_eq!(header(&head, "content-length").unwrap(), body(&page).len().to_string());
}

#[tokio::test]
async fn a_browser_sees_the_page_and_a_foreign_site_does_not() {
    let server = start();
    for (headers, expected) in [
        // The address bar, then the page's own request, as Chromium sends them.
        (
            "Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-User: ?1\r\nSec-Fetch-Dest: document",
            200,
        ),
        ("Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty", 200),
        ("Sec-Fetch-Site: same-site\r\nSec-Fetch-Mode: no-cors", 403),
        ("Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe", 403),
        ("Sec-Fetch-Site: none\r\nReferer: http://attacker.example/", 403),
        ("Origin: http://localhost:9912", 403),
        ("X-Forwarded-For: 127.0.0.1", 403),
    ] {
        for path in ["/", "/status"] {
            let request = format!("GET {path} HTTP/1.1\r\nHost: localhost:8080\r\n{headers}\r\n\r\n");
            let answer = exchange(admin(&server), request).await;
            assert_eq!(status(&answer), expected, "{path} {headers}");
        }
        // What gives credentials is for no browser at all.
        let request = format!("GET /v1/credentials HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n\r\n");
        assert_eq!(status(&exchange(server.addresses[0], request).await), 403, "{headers}");
    }
}

#[tokio::test]
async fn status_is_for_people_in_the_pod() {
    let server = start();
    for (headers, expected) in [
        ("Host: localhost:8080", 200),
        ("Host: [::1]", 200),
        ("Host: attacker.example", 403),
        ("Host: localhost\r\nOrigin: http://attacker.example", 403),
        ("Host: localhost\r\nX-Forwarded-For: 127.0.0.1", 403),
        ("Accept: */*", 400),
    ] {
        let answer = exchange(admin(&server), format!("GET /status HTTP/1.1\r\n{headers}\r\n\r\n")).await;
        assert_eq!(status(&answer), expected, "{headers}");
    }
}

#[tokio::test]
async fn answers_nothing_else() {
    let server = start();
    server.publish(0);
    for (request, expected) in [
        ("GET /v1/credentials HTTP/1.1", 404),
        ("GET /index.html HTTP/1.1", 404),
        ("POST / HTTP/1.1", 405),
        ("GET /live/ HTTP/1.1", 404),
        ("POST /live HTTP/1.1", 405),
        ("HEAD /ready HTTP/1.1", 200),
    ] {
        let answer = exchange(admin(&server), format!("{request}\r\nHost: localhost\r\n\r\n")).await;
        assert_eq!(status(&answer), expected, "{request}");
        assert!(!answer.contains(SECRET_ACCESS_KEY));
    }
    let container = get(server.addresses[0], "/status").await;
    assert_eq!(status(&container), 404);
}

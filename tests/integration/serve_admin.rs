//! Health, metrics and status at a real socket.

use std::net::Ipv4Addr;
use std::net::SocketAddr;

use serde_json::Value;

use crate::serve_server::*;

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
        ("GET / HTTP/1.1", 404),
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

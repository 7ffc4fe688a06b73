//! What goes over the wire, right and wrong, at a real socket.

use std::collections::BTreeMap;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::serve_server::*;

const HOST: &str = "Host: localhost\r\n";

/// Each request, the status of its answer (0: closed without one), and the error's code where we write it.
fn cases(port: u16) -> Vec<(String, u16, &'static str)> {
    let to = |start: &str, headers: &str| format!("{start}\r\n{headers}\r\n");
    let long = "x".repeat(9000);
    let many: String = (0..101).map(|index| format!("X-{index}: x\r\n")).collect();
    let some: String = (0..90).map(|index| format!("X-{index}: x\r\n")).collect();
    vec![
        (to("GET /v1/credentials HTTP/1.1", HOST), 200, ""),
        (to("GET /v1/credentials/ HTTP/1.1", HOST), 200, ""),
        (to("GET /v1/credentials/default HTTP/1.1", HOST), 200, ""),
        (to("GET /v1/credentials/d%65fault HTTP/1.1", HOST), 200, ""),
        (to("GET /v1/credentials?a=b HTTP/1.1", HOST), 200, ""),
        (to("GET /v1/credentials HTTP/1.1", "HOST: LOCALHOST\r\n"), 200, ""),
        (to("GET /v1/credentials HTTP/1.1", &format!("hOsT: 127.0.0.1:{port}\r\n")), 200, ""),
        (to("GET /v1/credentials HTTP/1.1", &format!("{HOST}{some}")), 200, ""),
        ("GET /v1/credentials HTTP/1.1\nHost: localhost\n\n".to_owned(), 200, ""),
        ("\r\n\r\nGET /v1/credentials HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), 200, ""),
        (to("GET /v1/credentials HTTP/1.0", ""), 200, ""),
        (to(&format!("GET http://127.0.0.1:{port}/v1/credentials HTTP/1.1"), HOST), 200, ""),
        // Hosts.
        (to("GET /v1/credentials HTTP/1.1", ""), 400, "HostMissing"),
        (to("GET /v1/credentials HTTP/1.1", &HOST.repeat(2)), 400, "HostRepeated"),
        (to("GET /v1/credentials HTTP/1.1", "Host: a b\r\n"), 400, "HostInvalid"),
        (to("GET /v1/credentials HTTP/1.1", "Host: attacker.example\r\n"), 403, "HostNotAllowed"),
        (to("GET http://attacker.example/v1/credentials HTTP/1.1", HOST), 403, "HostNotAllowed"),
        (to("GET /v1/credentials HTTP/1.1", &format!("{HOST}Origin: null\r\n")), 403, "WebPageRequest"),
        (
            to("GET /v1/credentials HTTP/1.1", &format!("{HOST}X-Forwarded-For: ::1\r\n")),
            403,
            "ProxiedRequest",
        ),
        // Paths.
        (to("GET / HTTP/1.1", HOST), 404, "PathUnknown"),
        (to("GET /v1/credentialsx HTTP/1.1", HOST), 404, "PathUnknown"),
        (to("GET //v1/credentials HTTP/1.1", HOST), 404, "PathUnknown"),
        (to("GET /v1/../v1/credentials HTTP/1.1", HOST), 404, "PathUnknown"),
        (to("GET /V1/Credentials HTTP/1.1", HOST), 404, "PathUnknown"),
        (to("GET /v1/credentials/default/ HTTP/1.1", HOST), 404, "PathUnknown"),
        (to("GET /v1/credentials/%2e%2e HTTP/1.1", HOST), 404, "RoleUnknown"),
        (to("GET /v1/credentials/%2Fdefault HTTP/1.1", HOST), 404, "RoleUnknown"),
        (to("GET /v1/credentials/Default HTTP/1.1", HOST), 404, "RoleUnknown"),
        (to("GET /v1/credentials/%zz HTTP/1.1", HOST), 400, "PathInvalid"),
        (to("GET /v1/credentials/%ff HTTP/1.1", HOST), 400, "PathInvalid"),
        (to("GET /latest/meta-data/iam/security-credentials/ HTTP/1.1", HOST), 404, "PathUnknown"),
        // Methods.
        (to("POST /v1/credentials HTTP/1.1", HOST), 405, "MethodNotAllowed"),
        (to("get /v1/credentials HTTP/1.1", HOST), 405, "MethodNotAllowed"),
        (to("OPTIONS * HTTP/1.1", HOST), 405, "MethodNotAllowed"),
        (to("CONNECT localhost:443 HTTP/1.1", HOST), 405, "MethodNotAllowed"),
        (to("TRACE /v1/credentials HTTP/1.1", HOST), 405, "MethodNotAllowed"),
        // Bodies.
        (to("GET /v1/credentials HTTP/1.1", &format!("{HOST}Content-Length: 0\r\n")), 200, ""),
        (
            to("GET /v1/credentials HTTP/1.1", &format!("{HOST}Content-Length: 5\r\n")) + "hello",
            413,
            "BodyNotAccepted",
        ),
        (
            to("PUT /v1/credentials HTTP/1.1", &format!("{HOST}Content-Length: 5\r\n")) + "hello",
            405,
            "MethodNotAllowed",
        ),
        (
            to("GET /v1/credentials HTTP/1.1", &format!("{HOST}Content-Length: 9000\r\n")) + &long,
            413,
            "BodyNotAccepted",
        ),
        (to("GET /v1/credentials HTTP/1.1", &format!("{HOST}Content-Length: -1\r\n")), 400, ""),
        (
            to("GET /v1/credentials HTTP/1.1", &format!("{HOST}Content-Length: 1\r\nContent-Length: 2\r\n")),
            400,
            "",
        ),
        (to("GET /v1/credentials HTTP/1.1", &format!("{HOST}Transfer-Encoding: gzip\r\n")), 400, ""),
        // What is not HTTP/1.
        ("\0\u{1}\u{2}garbage\r\n\r\n".to_owned(), 400, ""),
        ("GET\r\n\r\n".to_owned(), 400, ""),
        ("GET /v1/credentials\r\n\r\n".to_owned(), 400, ""),
        (to("GET /v1/credentials HTTP/2.0", HOST), 400, ""),
        (to("GET /v1/credentials HTTP/1.1", &format!("{HOST}X Y: z\r\n")), 400, ""),
        (to("GET /v1/credentials HTTP/1.1", &format!("{HOST}X: a\0b\r\n")), 400, ""),
        (to("GET /v1/credentials HTTP/1.1", &format!("{HOST} folded: x\r\n")), 400, ""),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0".to_owned(), 0, ""),
        // Too much of it.
        (to("GET /v1/credentials HTTP/1.1", &format!("{HOST}X: {long}\r\n")), 431, ""),
        (to("GET /v1/credentials HTTP/1.1", &format!("{HOST}{many}")), 431, ""),
        (to(&format!("GET /{long} HTTP/1.1"), HOST), 431, ""),
        // Nothing, or half of it.
        (String::new(), 0, ""),
        ("GET /v1/cred".to_owned(), 0, ""),
    ]
}

#[tokio::test]
async fn every_request_gets_the_status_and_the_code_it_deserves() {
    let server = start();
    server.publish(0);
    let address = server.addresses[0];
    for (request, expected, code) in cases(address.port()) {
        let answer = exchange(address, &request).await;
        let shown = &request[..request.len().min(120)];
        assert_eq!(status(&answer), expected, "{shown:?} → {answer:?}");
        if !code.is_empty() {
            let error: BTreeMap<String, String> = serde_json::from_str(body(&answer)).unwrap();
            assert_eq!(error["code"], code, "{shown:?}");
            assert!(!error["message"].is_empty() && error.len() == 2, "{answer}");
            assert_eq!(header(&answer, "content-type"), Some("application/json"));
        }
        assert!(expected == 200 || !answer.contains(SECRET_ACCESS_KEY), "{shown:?}");
        assert_eq!(header(&answer, "location"), None, "{shown:?}");
    }
    assert_eq!(status(&get(address, "/v1/credentials").await), 200, "and it goes on");
}

#[tokio::test]
async fn bytes_that_are_no_text_are_refused() {
    let server = start();
    server.publish(0);
    let client_hello =
        [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03, b'\r', b'\n', b'\r', b'\n'];
    for bytes in [&client_hello[..], &[0xff; 64], &[b'\r'; 9000], &[0; 20_000]] {
        let answer = exchange(server.addresses[0], bytes).await;
        assert!(matches!(status(&answer), 0 | 400 | 431), "{answer}");
    }
}

#[tokio::test]
async fn the_answer_is_what_the_pickiest_client_needs() {
    let server = start();
    server.publish(0);
    let answer = get(server.addresses[0], "/v1/credentials").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!(header(&answer, "content-type"), Some("application/json"));
    assert_eq!(header(&answer, "cache-control"), Some("no-store"));
    assert_eq!(header(&answer, "content-length"), Some(body(&answer).len().to_string().as_str()));
    assert_eq!(header(&answer, "content-encoding"), None);
    assert_eq!(header(&answer, "transfer-encoding"), None);
    let fields: BTreeMap<String, String> = serde_json::from_str(body(&answer)).unwrap();
    assert_eq!(fields["Code"], "Success");
    assert_eq!(fields["SecretAccessKey"], SECRET_ACCESS_KEY);
    assert_eq!(fields["Token"], SESSION_TOKEN);
    assert!(!body(&answer).contains('\n'));
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let server = start();
    server.publish(0);
    let full = get(server.addresses[0], "/v1/credentials").await;
    let head = exchange(server.addresses[0], format!("HEAD /v1/credentials HTTP/1.1\r\n{HOST}\r\n")).await;
    assert_eq!(status(&head), 200);
    assert_eq!(header(&head, "content-length"), header(&full, "content-length"));
    assert_eq!(body(&head), "");
}

#[tokio::test]
async fn a_method_that_is_not_allowed_learns_which_are() {
    let server = start();
    let answer =
        exchange(server.addresses[0], format!("DELETE /v1/credentials HTTP/1.1\r\n{HOST}\r\n")).await;
    assert_eq!(header(&answer, "allow"), Some("GET, HEAD"));
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = start();
    server.publish(0);
    let good = format!("GET /v1/credentials HTTP/1.1\r\n{HOST}\r\n");
    let bad = format!("GET /nowhere HTTP/1.1\r\n{HOST}\r\n");
    let answer = exchange(server.addresses[0], format!("{good}{bad}{good}")).await;
    let statuses: Vec<&str> = answer.split("HTTP/1.1 ").skip(1).map(|response| &response[..3]).collect();
    assert_eq!(statuses, ["200", "404", "200"]);
}

#[tokio::test]
async fn a_connection_is_kept_unless_its_peer_wants_it_closed() {
    let server = start();
    server.publish(0);
    let mut stream = TcpStream::connect(server.addresses[0]).await.unwrap();
    for _ in 0..3 {
        stream.write_all(format!("GET /v1/credentials HTTP/1.1\r\n{HOST}\r\n").as_bytes()).await.unwrap();
        assert_eq!(status(&response(&mut stream).await), 200);
    }
    let last = format!("GET /v1/credentials HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n");
    stream.write_all(last.as_bytes()).await.unwrap();
    let answer = rest(&mut stream).await;
    assert_eq!((status(&answer), header(&answer, "connection")), (200, Some("close")));
}

#[tokio::test]
async fn the_token_is_asked_for_on_every_listener_that_is_not_named_open() {
    const TOKEN: &str = "planted-authorization";
    for (is_second_open, statuses) in [(false, [403, 403]), (true, [403, 200])] {
        let server = start_with(&["default"], Some(TOKEN), is_second_open);
        server.publish(0);
        for (address, without) in server.addresses.iter().zip(statuses) {
            let request = |line: &str| format!("GET /v1/credentials HTTP/1.1\r\n{HOST}{line}\r\n");
            assert_eq!(status(&get(*address, "/v1/credentials").await), without);
            let wrong = exchange(*address, request("Authorization: planted-authorisation\r\n")).await;
            assert_eq!(status(&wrong), without);
            assert!(!wrong.contains("planted-"), "{wrong}");
            let right = exchange(*address, request(&format!("Authorization: {TOKEN}\r\n"))).await;
            assert_eq!(status(&right), 200);
            // The guards come before the routes: nothing is learnt without the token.
            let unknown = get(*address, "/v1/credentials/other").await;
            assert_eq!(status(&unknown), if without == 200 { 404 } else { 403 });
        }
    }
}

#[tokio::test]
async fn every_role_has_its_own_path() {
    let server = start_with(&["app", "reports+daily"], None, false);
    server.publish(0);
    server.publish(1);
    for (path, expected) in [
        ("/v1/credentials/app", 200),
        ("/v1/credentials/reports+daily", 200),
        ("/v1/credentials/reports%2Bdaily", 200),
        // Neither is called `default`, and there is more than one.
        ("/v1/credentials", 404),
        ("/v1/credentials/default", 404),
    ] {
        assert_eq!(status(&get(server.addresses[1], path).await), expected, "{path}");
    }
}

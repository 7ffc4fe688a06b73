//! Garbage at the metadata service and at ECS's address: a right status or a closed connection, the process unharmed,
//! nothing leaked.

use std::net::SocketAddr;

use support::in_a_namespace;
use support::raw;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::pod::*;

const HOST: &str = "Host: localhost\r\n";

/// Each request, and the status of its answer; 0 where the connection is closed without one.
fn cases() -> Vec<(Vec<u8>, u16)> {
    let long = "x".repeat(9000);
    let many: String = (0..101).map(|index| format!("X-{index}: x\r\n")).collect();
    let get = |target: &str, headers: &str| format!("GET {target} HTTP/1.1\r\n{HOST}{headers}\r\n");
    let put =
        |headers: &str, body: &str| format!("PUT /latest/api/token HTTP/1.1\r\n{HOST}{headers}\r\n{body}");
    let ttl = "X-aws-ec2-metadata-token-ttl-seconds";
    let text = vec![
        // Targets.
        (get("/%2e%2e/latest/meta-data/iam/security-credentials/", ""), 200),
        (get("/latest/meta-data/iam/%2e%2e/%2e%2e/user-data", ""), 404),
        (get("/latest/%252e%252e/meta-data/", ""), 404),
        (get("/latest/meta-data/iam/security-credentials/..%2f..%2f..%2fuser-data", ""), 404),
        (get("/latest/meta-data/iam/security-credentials/%00", ""), 404),
        (get("/latest/meta-data/iam/security-credentials/%ff", ""), 400),
        (get("/latest/meta-data/iam/security-credentials/%zz", ""), 400),
        (get("/latest/meta-data/iam/security-credentials/legacy-app?x=y", ""), 200),
        (get("/latest/meta-data/iam/security-credentials/legacy-app;x", ""), 404),
        (get("/latest\\meta-data", ""), 404),
        (get("*", ""), 404),
        (get("latest/meta-data/", ""), 400),
        (get("http://169.254.169.254/latest/meta-data/", ""), 200),
        (get("http://169.254.169.254@attacker.example/latest/", ""), 400),
        (get("http://attacker.example/latest/meta-data/", ""), 403),
        (get(&format!("/{long}"), ""), 431),
        (format!("GET /{} HTTP/1.1\r\n{HOST}\r\n", "../".repeat(2000)), 200),
        // Methods.
        (format!("CONNECT 169.254.169.254:80 HTTP/1.1\r\n{HOST}\r\n"), 405),
        (format!("POST /latest/api/token HTTP/1.1\r\n{HOST}Content-Length: 0\r\n\r\n"), 405),
        (format!("DELETE /latest/meta-data/ HTTP/1.1\r\n{HOST}\r\n"), 405),
        (format!("OPTIONS * HTTP/1.1\r\n{HOST}\r\n"), 405),
        (format!("put /latest/api/token HTTP/1.1\r\n{HOST}{ttl}: 60\r\n\r\n"), 405),
        (get("/latest/api/token", ""), 405),
        (format!("PUT /latest/meta-data/ HTTP/1.1\r\n{HOST}{ttl}: 60\r\n\r\n"), 405),
        (format!("PUT /2021-03-23/api/token HTTP/1.1\r\n{HOST}{ttl}: 60\r\n\r\n"), 403),
        // Sessions.
        (put(&format!("{ttl}: 60\r\n"), ""), 200),
        (put(&format!("{ttl}: 60\r\n{ttl}: 60\r\n"), ""), 400),
        (put("", ""), 400),
        (put(&format!("{ttl}: 0\r\n"), ""), 400),
        (put(&format!("{ttl}: -1\r\n"), ""), 400),
        (put(&format!("{ttl}: 21601\r\n"), ""), 400),
        (put(&format!("{ttl}: text\r\n"), ""), 400),
        (put(&format!("{ttl}: {long}\r\n"), ""), 431),
        (get("/", &format!("X-aws-ec2-metadata-token: {}\r\n", "A".repeat(56))), 401),
        (get("/", "X-aws-ec2-metadata-token:\r\n"), 401),
        // Bodies.
        (put(&format!("{ttl}: 60\r\nContent-Length: 2\r\n"), "{}"), 413),
        (put(&format!("{ttl}: 60\r\nContent-Length: 9000\r\n"), &long), 413),
        (put(&format!("{ttl}: 60\r\nTransfer-Encoding: chunked\r\n"), "2\r\n{}\r\n0\r\n\r\n"), 413),
        (put(&format!("{ttl}: 60\r\nTransfer-Encoding: chunked\r\n"), "zz\r\n"), 413),
        (put(&format!("{ttl}: 60\r\nTransfer-Encoding: chunked\r\n"), &format!("2000\r\n{long}")), 413),
        (put(&format!("{ttl}: 60\r\nTransfer-Encoding: gzip\r\n"), ""), 400),
        (put(&format!("{ttl}: 60\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n"), "0\r\n\r\n"), 200),
        (get("/", "Content-Length: 3\r\n") + "abc", 413),
        // What is announced and never comes.
        (put(&format!("{ttl}: 60\r\nContent-Length: 5\r\n"), ""), 0),
        (put(&format!("{ttl}: 60\r\nTransfer-Encoding: chunked\r\n"), ""), 0),
        (put(&format!("{ttl}: 60\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n"), ""), 100),
        // What is not HTTP/1.
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), 0),
        ("GET / HTTP/3\r\n\r\n".to_owned(), 400),
        ("GET /\r\n\r\n".to_owned(), 400),
        (get("/", "X Y: z\r\n"), 400),
        (get("/", &format!("X: {long}\r\n")), 431),
        (get("/", &many), 431),
        ("GET / HTTP/1.1\r\nHost: loc".to_owned(), 0),
    ];
    let mut cases: Vec<_> = text.into_iter().map(|(text, status)| (text.into_bytes(), status)).collect();
    cases.push((
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX-aws-ec2-metadata-token: \xff\xfe\r\n\r\n".to_vec(),
        401,
    ));
    cases.push((b"GET / HTTP/1.1\r\nHost: \xff\r\n\r\n".to_vec(), 400));
    cases.push((b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(), 400));
    cases.push((b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), 400));
    cases.push((vec![0; 20_000], 400));
    cases
}

#[tokio::test]
async fn garbage_gets_a_right_status_or_none_and_does_no_harm() {
    in_a_namespace!();
    let mut pod = Pod::start().await;
    let secrets: Vec<String> = pod
        .world
        .sts
        .issued()
        .into_iter()
        .flat_map(|issued| [issued.secret_access_key, issued.session_token])
        .collect();
    let mut wrong = Vec::new();
    for (request, expected) in cases() {
        let answer = exchange(imds(), &request).await;
        let shown = String::from_utf8_lossy(&request[..request.len().min(160)]).into_owned();
        if status(&answer) != expected {
            wrong.push(format!("{shown:?}: {} instead of {expected}", status(&answer)));
        }
        let gives = shown.contains("/security-credentials/legacy-app?");
        assert!(gives || secrets.iter().all(|secret| !answer.contains(secret)), "{shown:?}");
        // The same at the address of ECS: whatever the status, never a secret.
        let answer = exchange(ecs(), &request).await;
        assert!(secrets.iter().all(|secret| !answer.contains(secret)), "{shown:?}");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(pod.sidecar.process.is_running());
    assert_eq!(raw::get(pod.sidecar.admin, "/live").await.unwrap().status, 200);
    assert_eq!(metadata(&role_path().await).await.status, 200);
    assert_eq!(pod.sidecar.log_lines_with("fault of ours"), 0);
}

#[tokio::test]
async fn requests_in_one_packet_are_answered_in_order() {
    in_a_namespace!();
    let _pod = Pod::start().await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\n{HOST}\r\n");
    let ttl = "X-aws-ec2-metadata-token-ttl-seconds: 60\r\nTransfer-Encoding: chunked\r\n";
    let put = format!("PUT /latest/api/token HTTP/1.1\r\n{HOST}{ttl}\r\n0\r\n\r\n");
    let all = get("/") + &put + &get("/nowhere") + &get(ROLE_LIST);
    let mut client = raw::RawClient::connect(imds()).await.unwrap();
    client.send(all).await.unwrap();
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(client.response().await.unwrap().status);
    }
    assert_eq!(statuses, [200, 200, 404, 200]);
}

/// The 2 s of a request run where its head came along with the request before, too: what is idle has 75 s.
#[tokio::test]
async fn a_body_that_never_comes_is_not_waited_for_behind_another_request() {
    in_a_namespace!();
    let pod = Pod::start().await;
    let mut client = raw::RawClient::connect(imds()).await.unwrap();
    let ttl = "X-aws-ec2-metadata-token-ttl-seconds: 60\r\nTransfer-Encoding: chunked\r\n";
    let both = format!("GET / HTTP/1.1\r\n{HOST}\r\nPUT /latest/api/token HTTP/1.1\r\n{HOST}{ttl}\r\n");
    client.send(both).await.unwrap();
    assert_eq!(client.response().await.unwrap().status, 200);
    assert_eq!(client.rest().await.unwrap(), b"");
    let slow = r#"irsa_sidecar_connections_closed_total{endpoint="imds",reason="slow_request"} 1"#;
    assert!(pod.sidecar.metrics().await.contains(slow), "{}", pod.sidecar.metrics().await);
}

#[tokio::test]
async fn a_client_that_closes_its_half_after_the_request_is_answered() {
    in_a_namespace!();
    let _pod = Pod::start().await;
    let mut client = raw::RawClient::connect(imds()).await.unwrap();
    client.send(format!("GET {ROLE_LIST} HTTP/1.1\r\n{HOST}\r\n")).await.unwrap();
    client.finish_sending().await.unwrap();
    assert_eq!(client.response().await.unwrap().text(), "legacy-app");
}

#[tokio::test]
async fn head_answers_as_get_without_a_body() {
    in_a_namespace!();
    let _pod = Pod::start().await;
    for path in ["/", ROLE_LIST, &role_path().await, "/nowhere"] {
        let get = metadata(path).await;
        let head = asked("HEAD", path, &[]).await;
        assert_eq!((head.status, head.body.len()), (get.status, 0), "{path}");
        assert_eq!(head.header("content-length"), get.header("content-length"), "{path}");
    }
}

/// Everything that comes back until the server closes, or until it has answered and waits for more.
async fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let sent = stream.write_all(request).await;
    let mut answer = Vec::new();
    let mut chunk = [0; 65_536];
    while sent.is_ok() && !is_whole(&answer) {
        match stream.read(&mut chunk).await {
            Ok(read) if read > 0 => answer.extend_from_slice(&chunk[..read]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.and_then(|length| length.parse().ok()).is_some_and(|length: usize| body.len() >= length)
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
}

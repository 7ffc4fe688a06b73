//! Who is not given credentials, at every address and as the real server sees it: raw sockets, real packets, real
//! neighbours.

use std::net::SocketAddr;

use support::in_a_namespace;
use support::raw;
use support::raw::RawClient;
use support::world::World;

use crate::neighbour::Neighbour;
use crate::neighbour::POD_V4;
use crate::neighbour::POD_V6;
use crate::packets::Packets;
use crate::pod::*;

const CREDENTIALS: &str = "/v1/credentials";

/// Every listener, and a path there that gives credentials.
async fn doors() -> Vec<(SocketAddr, String)> {
    let role = role_path().await;
    let mut doors = vec![("127.0.0.1:9911".parse().unwrap(), CREDENTIALS.to_owned())];
    for address in link_local() {
        let is_imds = address.ip() == imds().ip() || address.to_string() == "[fd00:ec2::254]:80";
        doors.push((address, if is_imds { role.clone() } else { CREDENTIALS.to_owned() }));
    }
    doors
}

#[tokio::test]
async fn a_neighbour_that_routes_the_addresses_through_the_pod_is_refused() {
    in_a_namespace!();
    let pod = Pod::start().await;
    let neighbour = Neighbour::join().await;
    for (address, path) in doors().await.into_iter().filter(|(address, _)| !address.ip().is_loopback()) {
        let (route, via) = if address.is_ipv4() { ("/32", POD_V4) } else { ("/128", POD_V6) };
        let target = format!("{}{route}", address.ip());
        assert_eq!(neighbour.run(&["ip", "route", "add", &target, "via", via]).await, "");
        let url = format!("http://{address}{path}");
        let answer = neighbour.run(&["curl", "-sig", "--max-time", "10", &url]).await;
        // It gets through to the server: that is what makes the guard necessary.
        assert!(answer.starts_with("HTTP/1.1 403 "), "{url}: {answer}");
        assert!(answer.contains("PeerNotLocal"), "{answer}");
        // With the pod's own address as its source it would not get the answer; with a Host of ours it is no better off.
        let answer =
            neighbour.run(&["curl", "-sig", "--max-time", "10", "-H", "Host: localhost", &url]).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{url}: {answer}");
        let put = [
            "curl",
            "-sig",
            "--max-time",
            "10",
            "-X",
            "PUT",
            "-H",
            "X-aws-ec2-metadata-token-ttl-seconds: 60",
        ];
        let token = format!("http://{address}/latest/api/token");
        let answer = neighbour.run(&[&put[..], &[&token]].concat()).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{token}: {answer}");
        // Nor is a body waited for, or told from another.
        let answer = neighbour.run(&[&put[..], &["-H", "Expect:", "--data", "x", &token]].concat()).await;
        assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("PeerNotLocal"), "{token}: {answer}");
        assert!(answer.to_ascii_lowercase().contains("connection: close"), "{answer}");
    }
    // The pod's own address on the network has no door at all, but for health.
    for port in ["80", "9911"] {
        let url = format!("http://{POD_V4}:{port}{CREDENTIALS}");
        let answer = neighbour.run(&["curl", "-sig", "--max-time", "10", "-w", "%{http_code}", &url]).await;
        assert!(answer.ends_with("000"), "{url}: {answer}");
    }
    let metrics = pod.sidecar.metrics().await;
    let refused = r#"irsa_sidecar_requests_total{endpoint="imds",status="403",sdk="curl"} 8"#;
    assert!(metrics.contains(refused), "{metrics}");
}

#[tokio::test]
async fn a_local_process_reaches_every_door() {
    in_a_namespace!();
    let _pod = Pod::start().await;
    // From another address of the pod's own: that is not the way of a client of a link-local address.
    let _neighbour = Neighbour::join().await;
    for (address, path) in doors().await {
        assert_eq!(raw::get(address, &path).await.unwrap().status, 200, "{address}");
    }
}

/// The first packet is the kernel's answer to a SYN, before the server knows of the connection.
#[tokio::test]
async fn what_a_link_local_address_sends_does_not_survive_a_router_from_the_first_packet() {
    in_a_namespace!();
    let _pod = Pod::start().await;
    let mut packets = Packets::watch();
    let doors = doors().await;
    for (address, path) in &doors {
        assert_eq!(raw::get(*address, path).await.unwrap().status, 200);
        // A client's own packets have the same source: an address of `lo` talks to itself. They are told by the port.
    }
    let seen = packets.seen();
    for (address, _) in &doors {
        let first = seen.iter().find(|packet| packet.from == address.ip() && packet.is_first_answer);
        let first = first.unwrap_or_else(|| panic!("{address} answered nothing: {seen:?}"));
        let expected = if address.ip().is_loopback() { 64 } else { 1 };
        assert_eq!(first.hops, expected, "{address}");
    }
}

#[tokio::test]
async fn a_page_in_a_browser_and_an_open_proxy_get_nothing_at_any_address() {
    in_a_namespace!();
    let _pod = Pod::start().await;
    for (address, path) in doors().await {
        for (header, value, status) in [
            ("Host", "attacker.example", 403),
            ("Host", "169.254.169.254.attacker.example", 403),
            ("Host", "169.254.170.3", 403),
            ("Host", "0.0.0.0", 403),
            ("Host", "127.0.0.1:1", 403),
            ("Host", "a b", 400),
            ("Host", "", 400),
            ("X-Forwarded-For", "127.0.0.1", 403),
            ("Forwarded", "for=127.0.0.1", 403),
            ("Origin", "http://169.254.169.254", 403),
            ("Referer", "http://localhost/", 403),
            ("Sec-Fetch-Site", "same-origin", 403),
            ("sec-fetch-mode", "cors", 403),
        ] {
            let mut client = RawClient::connect(address).await.unwrap();
            let answer = client.request("GET", &path, &[(header, value)]).await.unwrap();
            assert_eq!(answer.status, status, "{address} {header}: {value}");
            assert!(!answer.text().contains("AccessKeyId"));
        }
    }
}

#[tokio::test]
async fn the_host_may_be_missing_in_http_1_0_alone() {
    in_a_namespace!();
    let _pod = Pod::start().await;
    for (address, path) in doors().await {
        for (request, status) in [
            (format!("GET {path} HTTP/1.0\r\n\r\n"), 200),
            (
                format!("GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", address.ip()),
                if address.is_ipv4() { 200 } else { 400 },
            ),
            (format!("GET {path} HTTP/1.0\r\nHost: attacker.example\r\n\r\n"), 403),
            (format!("GET {path} HTTP/1.1\r\n\r\n"), 400),
            (format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n"), 400),
            (format!("GET http://attacker.example{path} HTTP/1.1\r\nHost: localhost\r\n\r\n"), 403),
            (format!("GET http://{address}{path} HTTP/1.1\r\nHost: localhost\r\n\r\n"), 200),
        ] {
            assert_eq!(sent(address, &request).await.status, status, "{address} {request:?}");
        }
    }
}

/// hyper's own limit for a head runs while a connection is idle: 2 s later it would be closed.
#[tokio::test]
async fn two_requests_more_than_3_s_apart_on_one_connection_are_both_answered() {
    in_a_namespace!();
    let _pod = Pod::start().await;
    let doors = doors().await;
    let mut connections = Vec::new();
    for (address, path) in &doors {
        let mut client = RawClient::connect(*address).await.unwrap();
        assert_eq!(client.request("GET", path, &[]).await.unwrap().status, 200);
        connections.push(client);
    }
    // Twice the 2 s that a request may take: half of one is cut off when they have passed.
    for _ in 0..2 {
        let mut half = RawClient::connect(imds()).await.unwrap();
        half.send("GET / HTTP/1.1\r\n").await.unwrap();
        assert_eq!(half.rest().await.unwrap(), b"");
    }
    for (client, (address, path)) in connections.iter_mut().zip(&doors) {
        assert_eq!(client.request("GET", path, &[]).await.unwrap().status, 200, "{address}");
    }
}

#[tokio::test]
async fn the_authorization_token_is_asked_for_at_every_door_that_is_not_named_as_open() {
    in_a_namespace!();
    let token = "0123456789abcdef0123456789abcdef";
    let open = "169.254.169.254,fd00:ec2::254";
    let settings =
        [("IRSA_SIDECAR_AUTHORIZATION_TOKEN", token), ("IRSA_SIDECAR_ALLOW_UNAUTHENTICATED", open)];
    let _pod = Pod::start_with(World::start().await.unwrap(), &settings).await;
    for (address, path) in doors().await {
        let is_imds = path != CREDENTIALS;
        let without = raw::get(address, &path).await.unwrap();
        assert_eq!(without.status, if is_imds { 200 } else { 403 }, "{address}");
        let mut client = RawClient::connect(address).await.unwrap();
        let with = client.request("GET", &path, &[("Authorization", token)]).await.unwrap();
        assert_eq!(with.status, 200, "{address}");
    }
}

#![allow(clippy::unwrap_used)]

use std::io::ErrorKind;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::*;
use crate::raw::{RawClient, RawResponse};
use crate::tls::tests::{ask, encrypt};
use crate::world::World;

const GOVERNMENT: &str = "sts.us-gov-west-1.amazonaws.com";
/// `user:p@ss`, in Base64.
const USER: &str = "dXNlcjpwQHNz";

async fn connect(proxy: &Proxy, target: &str, headers: &[(&str, &str)]) -> io::Result<RawResponse> {
    let mut client = RawClient::connect(proxy.address()).await?;
    client.request("CONNECT", target, headers).await
}

/// A tunnel, with the proxy's consent already read.
async fn tunnel(proxy: &Proxy, target: &str) -> TcpStream {
    use tokio::io::AsyncReadExt as _;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    stream
        .write_all(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
    stream
}

#[tokio::test]
async fn a_client_on_its_way_to_aws_speaks_tls_with_the_emulator() {
    let world = World::builder().tls_for(&[GOVERNMENT]).start().await.unwrap();
    let proxy = Proxy::start(world.sts.address()).await.unwrap();
    let stream = tunnel(&proxy, &format!("{GOVERNMENT}:443")).await;
    let stream = encrypt(stream, GOVERNMENT, world.sts.ca_pem().unwrap()).await.unwrap();
    assert_eq!(proxy.in_progress(), 1);
    assert!(ask(stream, GOVERNMENT).await.unwrap().contains("MissingAction"));

    assert_eq!(proxy.tunnels(), [format!("{GOVERNMENT}:443")]);
    let asked = proxy.asked();
    assert_eq!((asked[0].host(), asked[0].status, asked[0].is_tunnel()), (GOVERNMENT, Some(200), true));
    let calls = world.sts.calls();
    assert_eq!(calls[0].host.as_deref(), Some(GOVERNMENT));
    assert_eq!((calls[0].tls, calls[0].server_name.as_deref()), (true, Some(GOVERNMENT)));
}

#[tokio::test]
async fn a_request_with_a_whole_url_is_passed_on_without_what_was_for_the_proxy() {
    let world = World::start().await.unwrap();
    let proxy = Proxy::builder(world.sts.address()).credentials("user", "p@ss").start().await.unwrap();
    assert!(proxy.url().starts_with("http://user:p@ss@127.0.0.1:"));
    let (authorization, form) = (format!("Basic {USER}"), "Action=Nothing&Version=2011-06-15");
    let mut client = RawClient::connect(proxy.address()).await.unwrap();
    let headers = [("Host", "sts.amazonaws.com"), ("Proxy-Authorization", &authorization), ("X-Own", "1")];
    let url = "http://sts.amazonaws.com/";
    let answer = client.request_with_body("POST", url, &headers, form.as_bytes()).await.unwrap();
    assert!(answer.text().contains("Could not find operation Nothing"), "{}", answer.text());
    let call = &world.sts.calls()[0];
    assert_eq!((call.method.as_str(), call.host.as_deref()), ("POST", Some("sts.amazonaws.com")));
    let asked = &proxy.asked()[0];
    assert_eq!((asked.target.as_str(), asked.host()), (url, "sts.amazonaws.com"));
    assert_eq!(asked.header("x-own"), Some("1"));
}

#[tokio::test]
async fn who_does_not_say_the_password_is_asked_for_it() {
    let world = World::start().await.unwrap();
    let proxy = Proxy::builder(world.sts.address()).credentials("user", "p@ss").start().await.unwrap();
    let right = format!("Basic {USER}");
    for (headers, status) in [
        (&[][..], 407),
        (&[("Proxy-Authorization", "Basic bm9ib2R5Og==")], 407),
        (&[("Proxy-Authorization", right.as_str())], 200),
    ] {
        assert_eq!(connect(&proxy, "sts.amazonaws.com:443", headers).await.unwrap().status, status);
    }
    let outcomes: Vec<String> = proxy.asked().iter().map(|asked| asked.outcome.to_string()).collect();
    assert_eq!(outcomes, ["407", "407", "ok"]);
    let challenge = connect(&proxy, "sts.amazonaws.com:443", &[]).await.unwrap();
    assert_eq!(challenge.header("proxy-authenticate"), Some("Basic realm=\"proxy\""));
    assert!(world.sts.calls().is_empty());
}

#[tokio::test]
async fn it_fails_as_proxies_do() {
    let world = World::start().await.unwrap();
    let proxy = Proxy::start(world.sts.address()).await.unwrap();
    let target = "[2001:db8::1]:443";
    proxy.behave(ProxyManner::Refuses(503));
    assert_eq!(connect(&proxy, target, &[]).await.unwrap().status, 503);
    assert_eq!(proxy.asked()[0].host(), "[2001:db8::1]");
    proxy.behave(ProxyManner::Resets);
    assert_eq!(connect(&proxy, target, &[]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    proxy.behave(ProxyManner::Hangs);
    let mut client = RawClient::connect(proxy.address()).await.unwrap();
    client.send("CONNECT sts:443 HTTP/1.1\r\n\r\n").await.unwrap();
    let asked = proxy.wait_until(|asked| asked.len() == 3).await.unwrap();
    assert_eq!(asked[2].target, "sts:443");
    proxy.behave(ProxyManner::Forwards);
    world.sts.refuse().await;
    assert_eq!(connect(&proxy, target, &[]).await.unwrap().status, 502);
    let other = World::start().await.unwrap();
    proxy.lead_to(other.sts.address());
    assert_eq!(connect(&proxy, target, &[]).await.unwrap().status, 200);
    let mut client = RawClient::connect(proxy.address()).await.unwrap();
    assert_eq!(client.request("GET", "/no/url", &[]).await.unwrap().status, 400);
    proxy.refuse().await;
    assert_eq!(connect(&proxy, target, &[]).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    proxy.listen_again().await.unwrap();
    assert_eq!(connect(&proxy, target, &[]).await.unwrap().status, 200);
}

#[tokio::test]
async fn the_way_to_the_proxy_can_be_tls_itself() {
    let world = World::start().await.unwrap();
    let tls = Tls::generate().unwrap();
    let pem = tls.ca_pem().to_owned();
    let proxy = Proxy::builder(world.sts.address()).tls(tls).start().await.unwrap();
    assert!(proxy.url().starts_with("https://127.0.0.1:"));
    let stream = TcpStream::connect(proxy.address()).await.unwrap();
    let mut stream = encrypt(stream, "127.0.0.1", &pem).await.unwrap();
    stream.write_all(b"GET http://sts.amazonaws.com/ HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let answer = ask(stream, "ignored").await.unwrap();
    assert!(answer.contains("MissingAction"), "{answer}");
}

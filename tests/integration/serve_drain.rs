//! The end of the server: what is asked is still answered, what is idle is told goodbye.

use irsa_sidecar::shutdown::Phase;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::serve_server::*;

const REQUEST: &[u8] = b"GET /v1/credentials HTTP/1.1\r\nHost: localhost\r\n\r\n";

async fn ask(stream: &mut TcpStream) -> u16 {
    stream.write_all(REQUEST).await.unwrap();
    status(&response(stream).await)
}

#[tokio::test]
async fn serves_as_before_while_it_drains() {
    let server = start();
    server.publish(0);
    let mut old = TcpStream::connect(server.addresses[0]).await.unwrap();
    assert_eq!(ask(&mut old).await, 200);
    server.phase.send(Phase::Draining).unwrap();
    tokio::task::yield_now().await;
    assert_eq!(ask(&mut old).await, 200);
    let mut new = TcpStream::connect(server.addresses[1]).await.unwrap();
    assert_eq!(ask(&mut new).await, 200);
    assert!(!server.running.is_finished());
}

#[tokio::test]
async fn then_finishes_what_is_in_flight_and_ends() {
    let server = start();
    let mut idle = TcpStream::connect(server.admin).await.unwrap();
    idle.write_all(b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert_eq!(status(&response(&mut idle).await), 200);
    let mut waiting = TcpStream::connect(server.addresses[0]).await.unwrap();
    waiting.write_all(REQUEST).await.unwrap();
    // Another connection's answer says that this one's request, sent before, has been read.
    assert_eq!(status(&get(server.addresses[0], "/nowhere").await), 404);

    server.phase.send(Phase::Stopping).unwrap();
    assert_eq!(rest(&mut idle).await, "");
    assert!(TcpStream::connect(server.addresses[0]).await.is_err());
    assert!(!server.running.is_finished());
    server.publish(0);
    let answer = rest(&mut waiting).await;
    assert_eq!((status(&answer), header(&answer, "connection")), (200, Some("close")));
    server.running.await.unwrap();
}

#[tokio::test]
async fn a_phase_that_nobody_holds_any_more_is_an_end() {
    let server = start();
    drop(server.phase);
    server.running.await.unwrap();
}

#[tokio::test]
async fn dropping_it_closes_everything_at_once() {
    let server = start();
    let mut waiting = TcpStream::connect(server.addresses[0]).await.unwrap();
    waiting.write_all(REQUEST).await.unwrap();
    assert_eq!(status(&get(server.addresses[0], "/nowhere").await), 404);
    server.running.abort();
    assert_eq!(rest(&mut waiting).await, "");
}

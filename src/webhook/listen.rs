//! Connections: accepted until asked to stop, with or without TLS; no error ends the loop.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::Version;
use hyper::body::Incoming;
use hyper::header::CONNECTION;
use hyper::header::HeaderValue;
use hyper::service::service_fn;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::server::graceful::Watcher;
use socket2::Domain;
use socket2::Protocol;
use socket2::Socket;
use socket2::Type;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::shutdown::Phase;
use crate::webhook::http::Reply;
use crate::webhook::tls::Served;

const BACKLOG: i32 = 1024;
const MAX_CONNECTIONS: usize = 256;
/// After a failed accept. Too many open files is the usual reason, and only time mends it.
const PAUSE: Duration = Duration::from_millis(100);
const HANDSHAKE: Duration = Duration::from_secs(5);
/// For the head of a request, and as long as a connection may idle in HTTP/1.1: longer than the API server keeps one
/// (90 s), so that it is never the webhook that closes one as it is used again.
const HEAD: Duration = Duration::from_secs(120);
/// In HTTP/2 an idle peer is asked whether it is there.
const PING: Duration = Duration::from_secs(30);

/// What is done with a request.
pub(super) trait Handler: Clone + Send + 'static {
    fn handle(&self, request: Request<Incoming>) -> impl Future<Output = Reply> + Send;
}

/// With `falls_back`, an IPv6 address that cannot be had gives way to all of IPv4.
pub(super) fn bind(address: SocketAddr, falls_back: bool) -> io::Result<TcpListener> {
    match listen(address) {
        Err(error) if falls_back && address.is_ipv6() && error.kind() != io::ErrorKind::AddrInUse => {
            listen((Ipv4Addr::UNSPECIFIED, address.port()).into())
        }
        result => result,
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Serves until the phase is `Stopping`, then finishes what is in flight.
pub(super) async fn run<H: Handler>(
    listener: TcpListener,
    certificate: Option<watch::Receiver<Served>>,
    handler: H,
    mut phase: watch::Receiver<Phase>,
) {
    let connections = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let leaving = phase.clone();
    let accept = async {
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let certificate = certificate.as_ref().map(|served| served.borrow().config.clone());
                    let acceptor = certificate.map(TlsAcceptor::from);
                    let handler = Leaving { handler: handler.clone(), phase: leaving.clone() };
                    spawn(connection(stream, acceptor, handler, connections.watcher(), place));
                }
                Err(error) => {
                    tracing::debug!(%error, "a connection could not be accepted");
                    sleep(PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        () = accept => {}
        _ = phase.wait_for(|phase| *phase == Phase::Stopping) => {}
    }
    drop(listener);
    connections.shutdown().await;
}

/// Once it drains, it tells each client to take another connection next time.
///
/// The API server speaks HTTP/1.1 with webhooks, keeps its connections, and does not repeat a review that was written into one
/// as that was closed: a pod would be refused with `EOF`. HTTP/2 has GOAWAY, which hyper sends.
#[derive(Clone)]
struct Leaving<H> {
    handler: H,
    phase: watch::Receiver<Phase>,
}

impl<H: Handler> Leaving<H> {
    async fn handle(self, request: Request<Incoming>) -> Result<Reply, Infallible> {
        let has_goaway = request.version() >= Version::HTTP_2;
        let mut reply = self.handler.handle(request).await;
        if !has_goaway && *self.phase.borrow() != Phase::Running {
            reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(reply)
    }
}

async fn connection<H: Handler>(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    handler: Leaving<H>,
    watcher: Watcher,
    place: OwnedSemaphorePermit,
) {
    match acceptor {
        None => speak(stream, handler, watcher).await,
        Some(acceptor) => match timeout(HANDSHAKE, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => speak(stream, handler, watcher).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        },
    }
    drop(place);
}

async fn speak<H: Handler>(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    handler: Leaving<H>,
    watcher: Watcher,
) {
    let mut protocol = Builder::new(TokioExecutor::new());
    protocol.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    protocol
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(HANDSHAKE)
        .max_concurrent_streams(256);
    let service = service_fn(move |request| handler.clone().handle(request));
    let connection = protocol.serve_connection(TokioIo::new(stream), service).into_owned();
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection ended");
    }
}

/// Connections outlive the loop that accepted them, so that they can finish.
#[allow(clippy::disallowed_methods)] // this is the door
fn spawn(connection: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(connection);
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use bytes::Bytes;
    use http_body_util::Full;
    use tokio::io::AsyncReadExt;
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[derive(Clone)]
    struct Answering;

    impl Handler for Answering {
        async fn handle(&self, _: Request<Incoming>) -> Reply {
            Reply::new(Full::new(Bytes::from_static(b"done")))
        }
    }

    #[tokio::test]
    async fn once_it_drains_every_answer_ends_its_connection() {
        let (phase, phases) = watch::channel(Phase::Running);
        let listener = bind((Ipv4Addr::LOCALHOST, 0).into(), false).unwrap();
        let address = listener.local_addr().unwrap();
        let client = async {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let first = ask(&mut stream).await;
            assert!(!first.to_ascii_lowercase().contains("connection: close"), "{first}");
            phase.send_replace(Phase::Draining);
            let second = ask(&mut stream).await;
            assert!(second.to_ascii_lowercase().contains("connection: close"), "{second}");
            assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
            let third = ask(&mut TcpStream::connect(address).await.unwrap()).await;
            assert!(third.starts_with("HTTP/1.1 200 "), "{third}");
            phase.send_replace(Phase::Stopping);
        };
        tokio::join!(run(listener, None, Answering, phases), client);
    }

    async fn ask(stream: &mut TcpStream) -> String {
        stream
            .write_all(b"POST /inject HTTP/1.1\r\nhost: webhook\r\ncontent-length: 0\r\n\r\n")
            .await
            .unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"done") {
            assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "{answer:?}");
        }
        String::from_utf8(answer).unwrap()
    }
}

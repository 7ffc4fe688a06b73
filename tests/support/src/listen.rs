//! One HTTP/1.1 server on one address, which can stop listening and start again on the same port.
//!
//! The issuer, the STS emulator and its control endpoint are all this server with another handler. A request's body
//! is read whole before the handler sees it; the handler decides what goes back, byte for byte if it must ([`Reply`]).

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{fmt, io};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

use crate::listen::reply::Paced;
use crate::listen::wire::Wire;

pub(crate) use crate::listen::reply::{Reply, plain};

pub(crate) mod reply;
mod wire;

/// Far above what STS accepts (a token has at most 20,000 characters), so that its own checks are reached.
const BODY_LIMIT: usize = 1 << 20;

const AFTER_ACCEPT_ERROR: Duration = Duration::from_millis(50);

pub(crate) type Handler =
    Arc<dyn Fn(Request<Bytes>) -> Pin<Box<dyn Future<Output = Reply> + Send>> + Send + Sync>;

/// A bound server. Dropping it closes the port and every connection.
pub(crate) struct Listener {
    address: SocketAddr,
    serve: Serve,
    running: Mutex<Option<Running>>,
}

#[derive(Clone)]
struct Serve {
    handler: Handler,
    tls: Option<TlsAcceptor>,
}

struct Running {
    stop: oneshot::Sender<Infallible>,
    accepting: JoinHandle<()>,
}

/// What ends a connection without an answer.
#[derive(Debug)]
struct Dropped;

impl Listener {
    pub(crate) async fn bind(
        address: SocketAddr,
        tls: Option<TlsAcceptor>,
        handler: Handler,
    ) -> io::Result<Self> {
        Self::on(TcpListener::bind(address).await?, tls, handler)
    }

    /// Bound elsewhere, as in another network namespace.
    pub(crate) fn on(socket: TcpListener, tls: Option<TlsAcceptor>, handler: Handler) -> io::Result<Self> {
        let address = socket.local_addr()?;
        let serve = Serve { handler, tls };
        let running = Mutex::new(Some(serve.clone().start(socket)));
        Ok(Self { address, serve, running })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes the port and all connections; on return a new connection is refused.
    pub(crate) async fn refuse(&self) {
        if let Some(Running { stop, accepting }) = self.running.lock().await.take() {
            drop(stop);
            let _ = accepting.await;
        }
    }

    /// Listens again on the same port; does nothing while already listening.
    pub(crate) async fn listen_again(&self) -> io::Result<()> {
        let mut running = self.running.lock().await;
        if running.is_none() {
            let socket = TcpListener::bind(self.address).await?;
            *running = Some(self.serve.clone().start(socket));
        }
        Ok(())
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Serve {
    fn start(self, socket: TcpListener) -> Running {
        let (stop, stopped) = oneshot::channel();
        Running { stop, accepting: tokio::spawn(self.accept(socket, stopped)) }
    }

    async fn accept(self, socket: TcpListener, mut stopped: oneshot::Receiver<Infallible>) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                _ = &mut stopped => break,
                Some(_) = connections.join_next() => {}
                accepted = socket.accept() => {
                    match accepted {
                        Ok((stream, _)) => {
                            connections.spawn(self.clone().converse(stream));
                        }
                        // A connection that died in the backlog, or no file descriptors left: neither is the end.
                        Err(_) => sleep(AFTER_ACCEPT_ERROR).await,
                    }
                }
            }
        }
        drop(socket);
        connections.shutdown().await;
    }

    async fn converse(self, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let resetting = Arc::new(AtomicBool::new(false));
        let wire = Wire::new(stream, Arc::clone(&resetting));
        match &self.tls {
            None => speak(wire, self.handler, resetting).await,
            Some(acceptor) => {
                // A failed handshake is what a client that distrusts our CA looks like.
                if let Ok(encrypted) = acceptor.accept(wire).await {
                    speak(encrypted, self.handler, resetting).await;
                }
            }
        }
    }
}

async fn speak<S>(stream: S, handler: Handler, resetting: Arc<AtomicBool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        let handler = Arc::clone(&handler);
        let resetting = Arc::clone(&resetting);
        async move {
            match answer(request, &handler).await {
                Reply::Send(response) => Ok(response),
                Reply::Reset => {
                    resetting.store(true, Ordering::SeqCst);
                    Err(Dropped)
                }
            }
        }
    });
    // An error here is a client that went away, or a fault that we were asked to play.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(request: Request<Incoming>, handler: &Handler) -> Reply {
    let (head, body) = request.into_parts();
    match Limited::new(body, BODY_LIMIT).collect().await {
        Ok(body) => handler(Request::from_parts(head, body.to_bytes())).await,
        Err(_) => Reply::Send(plain(StatusCode::PAYLOAD_TOO_LARGE, "text/plain", Paced::whole("too large"))),
    }
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is dropped without an answer, as scripted")
    }
}

impl std::error::Error for Dropped {}

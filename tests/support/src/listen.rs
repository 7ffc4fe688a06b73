//! One HTTP/1.1 server on one address, which can stop listening and start again on the same port.
//!
//! The issuer, the STS emulator and its control endpoint are all this server with another handler. A request's body
//! is read whole before the handler sees it; the handler decides what goes back, byte for byte if it must ([`Reply`]).

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
use tokio_rustls::TlsAcceptor;

use crate::listen::port::Port;
use crate::listen::reply::Paced;
use crate::listen::wire::Wire;

pub(crate) use crate::listen::reply::{Reply, plain};

pub(crate) mod port;
pub(crate) mod reply;
pub(crate) mod wire;

/// Far above what STS accepts (a token has at most 20,000 characters), so that its own checks are reached.
const BODY_LIMIT: usize = 1 << 20;

pub(crate) type Handler =
    Arc<dyn Fn(Request<Bytes>) -> Pin<Box<dyn Future<Output = Reply> + Send>> + Send + Sync>;

/// A bound server. Dropping it closes the port and every connection.
#[derive(Debug)]
pub(crate) struct Listener {
    port: Port,
}

/// Goes with every request that came over TLS.
#[derive(Clone, Debug)]
pub(crate) struct Encrypted {
    /// The name that the client asked for in its first words; an address is not said there.
    pub(crate) server_name: Option<String>,
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
        let conversation = Arc::new(move |stream| -> Pin<Box<dyn Future<Output = ()> + Send>> {
            Box::pin(converse(stream, tls.clone(), Arc::clone(&handler)))
        });
        Ok(Self { port: Port::open(socket, conversation)? })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Closes the port and all connections; on return a new connection is refused.
    pub(crate) async fn refuse(&self) {
        self.port.refuse().await;
    }

    /// Listens again on the same port; does nothing while already listening.
    pub(crate) async fn listen_again(&self) -> io::Result<()> {
        self.port.listen_again().await
    }
}

async fn converse(stream: TcpStream, tls: Option<TlsAcceptor>, handler: Handler) {
    let resetting = Arc::new(AtomicBool::new(false));
    let wire = Wire::new(stream, Arc::clone(&resetting));
    match tls {
        None => speak(wire, None, handler, resetting).await,
        Some(acceptor) => {
            // A failed handshake is what a client that distrusts our CA looks like.
            if let Ok(stream) = acceptor.accept(wire).await {
                let server_name = stream.get_ref().1.server_name().map(str::to_owned);
                speak(stream, Some(Encrypted { server_name }), handler, resetting).await;
            }
        }
    }
}

async fn speak<S>(stream: S, encrypted: Option<Encrypted>, handler: Handler, resetting: Arc<AtomicBool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |mut request: Request<Incoming>| {
        if let Some(encrypted) = &encrypted {
            request.extensions_mut().insert(encrypted.clone());
        }
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

//! One request on a connection of its own; the only hand of the pass-through.
//!
//! Through an interface where one is named (`SO_BINDTODEVICE`, which since Linux 5.7 needs no capability). For IPv4 the
//! kernel then takes that interface's own address as the source. For IPv6 it would take the upstream's address itself
//! once that is on `lo`, and no answer would ever come back, so the source is chosen here.

use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::Empty;
use http_body_util::LengthLimitError;
use http_body_util::Limited;
use hyper::Request;
use hyper::client::conn::http1;
use hyper::client::conn::http1::SendRequest;
use hyper::header::CONNECTION;
use hyper::header::HOST;
use hyper::header::HeaderMap;
use hyper::header::HeaderValue;
use hyper_util::rt::TokioIo;
use tokio::net::TcpSocket;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::upstream::PassError;
use crate::upstream::interface;

const CONNECT: Duration = Duration::from_millis(300);
const LONGEST_BODY: usize = 64 * 1024;
/// The least that hyper takes is 8 KiB; no metadata service has more to say before its body.
const LONGEST_HEAD: usize = 16 * 1024;
const OTHER: PassError = PassError::Unintelligible("it does not speak HTTP");

/// Where the upstream is, and how it is spoken to.
#[derive(Debug)]
pub(super) struct Client {
    address: SocketAddr,
    interface: Option<String>,
    host: HeaderValue,
}

/// An answer, whatever its status.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Client {
    pub(super) fn new(address: SocketAddr, interface: Option<String>) -> Self {
        let host = match (address, address.port()) {
            (SocketAddr::V4(v4), 80) => v4.ip().to_string(),
            (SocketAddr::V6(v6), 80) => format!("[{}]", v6.ip()),
            _ => address.to_string(),
        };
        let host = HeaderValue::try_from(host).expect("an address must make a header");
        Self { address, interface, host }
    }

    pub(super) async fn ask(&self, mut request: Request<Empty<Bytes>>) -> Result<Reply, PassError> {
        let headers = request.headers_mut();
        headers.insert(HOST, self.host.clone());
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        let stream = match timeout(CONNECT, self.connect()).await {
            Ok(connected) => connected.map_err(|error| PassError::Unreachable(error.to_string()))?,
            Err(_) => {
                let why = format!("no connection within {} ms", CONNECT.as_millis());
                return Err(PassError::Unreachable(why));
            }
        };
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(LONGEST_HEAD)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| not_http(&error))?;
        let mut driving = pin!(connection);
        let mut exchange = pin!(exchange(sender, request));
        let mut is_other = false;
        let mut is_over = false;
        loop {
            tokio::select! {
                biased;
                ended = &mut driving, if !is_over => {
                    is_over = true;
                    // What speaks before it is asked (SSH, SMTP) is told to the connection, and not to the exchange.
                    is_other = ended.is_err_and(|error| error.is_parse() || is_unasked(&error));
                }
                reply = &mut exchange => {
                    return reply.map_err(|error| if is_other { OTHER } else { error });
                }
            }
        }
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let socket = if self.address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        if let Some(interface) = &self.interface {
            socket.bind_device(Some(interface.as_bytes()))?;
            if let IpAddr::V6(ip) = self.address.ip()
                && !ip.is_unicast_link_local()
            {
                let own = interface::ipv6_of(interface).ok_or_else(|| {
                    io::Error::other(format!("the interface {interface} has no IPv6 address to send from"))
                })?;
                socket.bind(SocketAddr::new(own.into(), 0))?;
            }
        }
        socket.set_nodelay(true)?;
        socket.connect(self.address).await
    }
}

async fn exchange(
    mut sender: SendRequest<Empty<Bytes>>,
    request: Request<Empty<Bytes>>,
) -> Result<Reply, PassError> {
    let (head, body) = sender.send_request(request).await.map_err(|error| not_http(&error))?.into_parts();
    let body = Limited::new(body, LONGEST_BODY).collect().await.map_err(|error| {
        match error.is::<LengthLimitError>() {
            true => PassError::TooLarge,
            false => PassError::Unreachable("it ended before its answer did".to_owned()),
        }
    })?;
    Ok(Reply { status: head.status.as_u16(), headers: head.headers, body: body.to_bytes() })
}

/// Bytes that nobody asked for: an error of hyper's own making, without a cause.
fn is_unasked(error: &hyper::Error) -> bool {
    let is_an_end = error.is_incomplete_message() || error.is_canceled() || error.is_closed();
    !is_an_end && std::error::Error::source(error).is_none()
}

fn not_http(error: &hyper::Error) -> PassError {
    if error.is_parse() || error.is_parse_too_large() {
        return OTHER;
    }
    PassError::Unreachable("the connection ended without an answer".to_owned())
}

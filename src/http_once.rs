//! One request over plain HTTP, on a connection of its own, bounded in time and in size.

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
use hyper::header::HeaderMap;
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio::time::timeout;

/// For connecting, if the whole may take longer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// An answer, whatever its status.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Why there is none.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum SendError {
    /// Nobody is there.
    #[error("{0}")]
    NotConnected(String),
    #[error("no answer within {0} s")]
    TimedOut(u64),
    #[error("{0}")]
    Broken(String),
    #[error("does not speak HTTP")]
    NotHttp,
    #[error("said more than {} KiB", .0 / 1024)]
    TooLong(usize),
}

/// Sends it there; the answer must come within this time, with a body of `max_body` bytes at most.
pub async fn send(
    address: SocketAddr,
    request: Request<Empty<Bytes>>,
    within: Duration,
    max_body: usize,
) -> Result<Reply, SendError> {
    let whole = async { talk(connect(address, CONNECT_TIMEOUT.min(within)).await?, request, max_body).await };
    // Where connecting has all the time there is, it is the one to say that nobody is there.
    tokio::select! {
        biased;
        reply = whole => reply,
        () = sleep(within) => Err(SendError::TimedOut(within.as_secs())),
    }
}

async fn connect(address: SocketAddr, within: Duration) -> Result<TcpStream, SendError> {
    let late = |_| SendError::NotConnected(format!("no connection within {} s", within.as_secs()));
    let connected = timeout(within, TcpStream::connect(address)).await.map_err(late)?;
    connected.map_err(|error| SendError::NotConnected(error.to_string()))
}

async fn talk(
    stream: TcpStream,
    request: Request<Empty<Bytes>>,
    max_body: usize,
) -> Result<Reply, SendError> {
    let broken = |error: hyper::Error| SendError::Broken(error.to_string());
    let builder = http1::Builder::new().max_buf_size(MAX_HEAD_BYTES).handshake(TokioIo::new(stream));
    let (mut sender, connection) = builder.await.map_err(broken)?;
    let exchange = async {
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| if error.is_parse() { SendError::NotHttp } else { broken(error) })?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, max_body).collect().await.map_err(|error| {
            match error.is::<LengthLimitError>() {
                true => SendError::TooLong(max_body),
                false => SendError::Broken("the answer ended before its end".to_owned()),
            }
        })?;
        Ok(Reply { status: head.status.as_u16(), headers: head.headers, body: body.to_bytes() })
    };
    let (mut driving, mut exchange) = (pin!(connection), pin!(exchange));
    tokio::select! {
        biased;
        reply = &mut exchange => reply,
        _ = &mut driving => exchange.await,
    }
}

impl Reply {
    /// A header's text, where it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

//! A raw HTTP/1.1 client for loopback: sends exactly the bytes it is given and reads one response at a time.
//!
//! It is the tests' magnifying glass (keep-alive, pipelining, half requests, garbage), and fetches the issuer's keys.
//! It refuses to connect anywhere but to loopback, so that no test can reach the network by a slip; in a
//! [`namespace`] of the test's own there is no network to reach.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::namespace;

/// One connection; responses are read in order, and what follows a response stays for the next.
#[derive(Debug)]
pub struct RawClient {
    stream: TcpStream,
    unread: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawResponse {
    pub status: u16,
    /// In the order and the letter case in which they came.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl RawClient {
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        if !address.ip().is_loopback() && !namespace::is_inside() {
            return Err(invalid(format!("{address} is not loopback: tests do not leave the machine")));
        }
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, unread: Vec::new() })
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await
    }

    /// Says that nothing more will be sent, and leaves the reading side open.
    pub async fn finish_sending(&mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }

    /// Sends one request without a body (`Host` is the peer's address unless `headers` has one) and reads its response.
    pub async fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> io::Result<RawResponse> {
        self.request_with_body(method, path, headers, b"").await
    }

    /// As [`request`](Self::request); a body gets its `Content-Length`, and so does an empty POST or PUT.
    pub async fn request_with_body(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<RawResponse> {
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head += &format!("Host: {}\r\n", self.stream.peer_addr()?);
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() || matches!(method, "POST" | "PUT") {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        head += "\r\n";
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        self.send(bytes).await?;
        self.response_to(method).await
    }

    /// Reads the next response to anything but HEAD.
    pub async fn response(&mut self) -> io::Result<RawResponse> {
        self.response_to("GET").await
    }

    /// Reads the next response; `method` tells whether a body can follow its headers.
    pub async fn response_to(&mut self, method: &str) -> io::Result<RawResponse> {
        loop {
            let end = loop {
                if let Some(at) = find(&self.unread, b"\r\n\r\n") {
                    break at;
                }
                if self.fill().await? == 0 {
                    return Err(closed("before the response's headers were complete"));
                }
            };
            let head: Vec<u8> = self.unread.drain(..end + 4).collect();
            let (status, headers) = parse_head(&head)?;
            // 1xx responses come before the one that was asked for.
            if (100..200).contains(&status) {
                continue;
            }
            let mut response = RawResponse { status, headers, body: Vec::new() };
            // What follows a proxy's consent is the tunnel.
            let is_tunnel = method == "CONNECT" && (200..300).contains(&status);
            if method != "HEAD" && !is_tunnel && status != 204 && status != 304 {
                response.body = self.body(&response).await?;
            }
            return Ok(response);
        }
    }

    /// Waits until the server closes, and returns what it still sent.
    pub async fn rest(&mut self) -> io::Result<Vec<u8>> {
        while self.fill().await? > 0 {}
        Ok(std::mem::take(&mut self.unread))
    }

    async fn body(&mut self, response: &RawResponse) -> io::Result<Vec<u8>> {
        if response.header("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked")) {
            return self.chunks().await;
        }
        match response.header("content-length") {
            Some(length) => {
                let length =
                    length.trim().parse().map_err(|_| invalid(format!("Content-Length {length:?}")))?;
                self.take(length).await
            }
            None => self.rest().await,
        }
    }

    async fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line().await?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let length =
                usize::from_str_radix(digits, 16).map_err(|_| invalid(format!("chunk length {digits:?}")))?;
            if length == 0 {
                while !self.line().await?.is_empty() {}
                return Ok(body);
            }
            body.extend(self.take(length).await?);
            self.take(2).await?;
        }
    }

    async fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(at) = find(&self.unread, b"\r\n") {
                let line: Vec<u8> = self.unread.drain(..at + 2).collect();
                return Ok(String::from_utf8_lossy(&line[..at]).into_owned());
            }
            if self.fill().await? == 0 {
                return Err(closed("within a chunked body"));
            }
        }
    }

    async fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.unread.len() < length {
            if self.fill().await? == 0 {
                return Err(closed("within the body"));
            }
        }
        Ok(self.unread.drain(..length).collect())
    }

    async fn fill(&mut self) -> io::Result<usize> {
        self.stream.read_buf(&mut self.unread).await
    }
}

impl RawResponse {
    /// The first header of this name, in any letter case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::from_slice(&self.body)
    }
}

/// One GET on a connection of its own.
pub async fn get(address: SocketAddr, path: &str) -> io::Result<RawResponse> {
    RawClient::connect(address).await?.request("GET", path, &[("Connection", "close")]).await
}

/// One POST on a connection of its own.
pub async fn post(
    address: SocketAddr,
    path: &str,
    content_type: &str,
    body: &[u8],
) -> io::Result<RawResponse> {
    let headers = [("Connection", "close"), ("Content-Type", content_type)];
    RawClient::connect(address).await?.request_with_body("POST", path, &headers, body).await
}

fn parse_head(head: &[u8]) -> io::Result<(u16, Vec<(String, String)>)> {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.split("\r\n").filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let status = first
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.split(' ').nth(1))
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| invalid(format!("not an HTTP/1.x status line: {first:?}")))?;
    let headers = lines
        .map(|line| match line.split_once(':') {
            Some((name, value)) => Ok((name.to_owned(), value.trim().to_owned())),
            None => Err(invalid(format!("not a header: {line:?}"))),
        })
        .collect::<io::Result<_>>()?;
    Ok((status, headers))
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

fn closed(when: &str) -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, format!("the server closed the connection {when}"))
}

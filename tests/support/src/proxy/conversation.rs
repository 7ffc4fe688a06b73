//! One connection to a proxy: a head, an answer, and then bytes in both directions.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::clock::Clock;
use crate::journal::{Journal, Outcome, Ticket};
use crate::listen::wire::Wire;
use crate::proxy::ProxyManner;
use crate::proxy::asked::Proxied;

const HEAD_LIMIT: usize = 64 * 1024;
const ESTABLISHED: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";

#[derive(Debug)]
pub(super) struct State {
    pub(super) clock: Clock,
    pub(super) journal: Arc<Journal<Proxied>>,
    pub(super) manner: Mutex<ProxyManner>,
    pub(super) to: Mutex<SocketAddr>,
    pub(super) credentials: Option<(String, String)>,
}

impl State {
    pub(super) async fn converse(&self, stream: TcpStream, tls: Option<TlsAcceptor>) -> io::Result<()> {
        let resetting = Arc::new(AtomicBool::new(false));
        let wire = Wire::new(stream, Arc::clone(&resetting));
        match tls {
            None => self.serve(wire, &resetting).await,
            Some(acceptor) => self.serve(acceptor.accept(wire).await?, &resetting).await,
        }
    }

    async fn serve<S>(&self, mut client: S, resetting: &AtomicBool) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (head, rest) = read_head(&mut client).await?;
        let Some(asked) = Proxied::parse(&head, self.clock.now()) else {
            return refuse(&mut client, 400).await;
        };
        let mut ticket = self.journal.begin(asked.clone());
        let manner = *self.manner.lock().unwrap_or_else(PoisonError::into_inner);
        match manner {
            ProxyManner::Hangs => {
                ticket.settle(Outcome::Scripted("hang".to_owned()), None);
                std::future::pending().await
            }
            ProxyManner::Resets => {
                ticket.settle(Outcome::Scripted("reset".to_owned()), None);
                resetting.store(true, Ordering::SeqCst);
                Ok(())
            }
            ProxyManner::Refuses(status) => {
                ticket.settle(Outcome::Scripted("refused".to_owned()), Some(status));
                refuse(&mut client, status).await
            }
            ProxyManner::Forwards => self.forward(&mut client, &asked, &rest, &mut ticket).await,
        }
    }

    async fn forward<S>(
        &self,
        client: &mut S,
        asked: &Proxied,
        rest: &[u8],
        ticket: &mut Ticket<Proxied>,
    ) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut refused = |status: u16| ticket.settle(Outcome::Refused(status.to_string()), Some(status));
        if self.credentials.as_ref().is_some_and(|(user, password)| !asked.carries(user, password)) {
            refused(407);
            return refuse(client, 407).await;
        }
        let onward = if asked.is_tunnel() { Some(String::new()) } else { asked.onward() };
        let Some(onward) = onward else {
            refused(400);
            return refuse(client, 400).await;
        };
        let to = *self.to.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(mut server) = TcpStream::connect(to).await else {
            refused(502);
            return refuse(client, 502).await;
        };
        server.set_nodelay(true)?;
        if asked.is_tunnel() {
            client.write_all(ESTABLISHED).await?;
        }
        ticket.settle(Outcome::Ok, asked.is_tunnel().then_some(200));
        server.write_all(onward.as_bytes()).await?;
        server.write_all(rest).await?;
        copy_bidirectional(client, &mut server).await.map(drop)
    }
}

/// The head without the empty line at its end, and what came after it.
async fn read_head(client: &mut (impl AsyncRead + Unpin)) -> io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            return Ok((String::from_utf8_lossy(&bytes[..end]).into_owned(), rest));
        }
        if bytes.len() > HEAD_LIMIT || client.read_buf(&mut bytes).await? == 0 {
            return Err(io::Error::other("no whole head came"));
        }
    }
}

async fn refuse(client: &mut (impl AsyncWrite + Unpin), status: u16) -> io::Result<()> {
    let challenge = if status == 407 { "Proxy-Authenticate: Basic realm=\"proxy\"\r\n" } else { "" };
    let answer = format!("HTTP/1.1 {status} No\r\n{challenge}Content-Length: 0\r\nConnection: close\r\n\r\n");
    client.write_all(answer.as_bytes()).await?;
    client.shutdown().await
}

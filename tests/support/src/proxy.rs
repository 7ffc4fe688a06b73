//! A forward proxy that leads to one place, whatever it is asked for, and remembers what it was asked for.
//!
//! `CONNECT host:port` becomes a tunnel to that place, so that a client which believes itself on the way to
//! `sts.eu-central-1.amazonaws.com:443` speaks TLS with an emulator. A request with a whole URL is passed on to it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::TcpListener;

use crate::clock::Clock;
use crate::journal::Journal;
use crate::listen::port::Port;
use crate::proxy::conversation::State;
use crate::tls::Tls;

pub use crate::proxy::asked::Proxied;

mod asked;
mod conversation;

/// A running proxy. Dropping it closes its port and every tunnel.
#[derive(Debug)]
pub struct Proxy {
    port: Port,
    state: Arc<State>,
    tls: Option<Tls>,
}

/// How a proxy is to be.
#[derive(Clone, Debug)]
pub struct ProxyBuilder {
    address: SocketAddr,
    to: SocketAddr,
    credentials: Option<(String, String)>,
    tls: Option<Tls>,
}

/// What it does with what it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyManner {
    Forwards,
    /// This status, and no more.
    Refuses(u16),
    /// Takes every request and never answers.
    Hangs,
    /// Takes every request and resets the connection.
    Resets,
}

impl Proxy {
    /// On a free loopback port, for everybody.
    pub async fn start(to: SocketAddr) -> io::Result<Self> {
        Self::builder(to).start().await
    }

    pub fn builder(to: SocketAddr) -> ProxyBuilder {
        ProxyBuilder { address: (Ipv4Addr::LOCALHOST, 0).into(), to, credentials: None, tls: None }
    }

    /// What `HTTPS_PROXY` is set to, with the user and the password that are asked for.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let user = self.state.credentials.as_ref().map(|(user, password)| format!("{user}:{password}@"));
        format!("{scheme}://{}{}", user.unwrap_or_default(), self.address())
    }

    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    pub fn behave(&self, manner: ProxyManner) {
        *self.state.manner.lock().unwrap_or_else(PoisonError::into_inner) = manner;
    }

    /// Where the next tunnels lead.
    pub fn lead_to(&self, to: SocketAddr) {
        *self.state.to.lock().unwrap_or_else(PoisonError::into_inner) = to;
    }

    pub fn asked(&self) -> Vec<Proxied> {
        self.state.journal.all()
    }

    /// `host:port` of each CONNECT, in order.
    pub fn tunnels(&self) -> Vec<String> {
        self.asked().into_iter().filter(|asked| asked.method == "CONNECT").map(|asked| asked.target).collect()
    }

    /// Waits until what was asked is as the predicate wants it.
    pub async fn wait_until(&self, enough: impl Fn(&[Proxied]) -> bool) -> io::Result<Vec<Proxied>> {
        self.state.journal.wait_until(enough).await
    }

    /// Tunnels that are open now, and requests under way.
    pub fn in_progress(&self) -> usize {
        self.state.journal.in_progress()
    }

    /// Closes the port and every tunnel: connections are refused until [`listen_again`](Self::listen_again).
    pub async fn refuse(&self) {
        self.port.refuse().await;
    }

    pub async fn listen_again(&self) -> io::Result<()> {
        self.port.listen_again().await
    }
}

impl ProxyBuilder {
    pub fn address(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Asks for these in `Proxy-Authorization: Basic`, and answers 407 without.
    pub fn credentials(mut self, user: &str, password: &str) -> Self {
        self.credentials = Some((user.to_owned(), password.to_owned()));
        self
    }

    /// The way to the proxy itself is TLS.
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    pub async fn start(self) -> io::Result<Proxy> {
        let Self { address, to, credentials, tls } = self;
        let state = Arc::new(State {
            clock: Clock::default(),
            journal: Arc::new(Journal::new()),
            manner: Mutex::new(ProxyManner::Forwards),
            to: Mutex::new(to),
            credentials,
        });
        let (serving, acceptor) = (Arc::clone(&state), tls.as_ref().map(Tls::acceptor));
        let conversation = Arc::new(move |stream| -> Pin<Box<dyn Future<Output = ()> + Send>> {
            let (state, acceptor) = (Arc::clone(&serving), acceptor.clone());
            Box::pin(async move {
                // An error here is one side that went away.
                let _ = state.converse(stream, acceptor).await;
            })
        });
        Ok(Proxy { port: Port::open(TcpListener::bind(address).await?, conversation)?, state, tls })
    }
}

#[cfg(test)]
mod tests;

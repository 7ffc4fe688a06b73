//! The EKS Pod Identity Agent, as it looks from a pod; told otherwise, any container-credentials endpoint.
//!
//! | request | answer |
//! |---|---|
//! | with a token for `pods.eks.amazonaws.com` as the whole of `Authorization` | 200, one line of JSON; `Expiration` with nanoseconds |
//! | without a token, or with something that is none, or an expired one | 400, `Service account token …` |
//! | with a `Host` that is not one of [`hosts`](PodIdentityBuilder::hosts), where there are any | 403, `Access Denied. …` |
//! | with a token that EKS does not take | 400, `[REQUEST ID]: (InvalidTokenException): …, fault: client` |
//! | for another path | 404, `404 page not found` |
//!
//! Errors are plain text with a newline at the end, as Go's `http.Error` writes them. What goes wrong on purpose is a
//! [`PodFault`]; what came is in [`PodIdentity::calls`], in which a token is a hash.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;

use crate::clock::Clock;
use crate::journal::Journal;
use crate::listen::{Handler, Listener};
use crate::pod_identity::agent::State;
use crate::pod_identity::settings::{Settings, Taken};
use crate::sts::Credentials;
use crate::tls::Tls;

pub use crate::pod_identity::builder::PodIdentityBuilder;
pub use crate::pod_identity::calls::PodCall;
pub use crate::pod_identity::faults::{PodFault, PodFaultKind};

mod agent;
mod body;
mod builder;
mod calls;
mod faults;
mod settings;

/// What its tokens are for.
pub const AUDIENCE: &str = "pods.eks.amazonaws.com";
pub const PATH: &str = "/v1/credentials";
/// The addresses that the agent has on a node, and insists on.
pub const HOSTS: [&str; 2] = ["169.254.170.23", "fd00:ec2::23"];

/// A running endpoint. Dropping it closes its port.
#[derive(Debug)]
pub struct PodIdentity {
    listener: Listener,
    state: Arc<State>,
    tls: Option<Tls>,
}

impl PodIdentity {
    /// An agent on a free loopback port, which takes any unexpired token for [`AUDIENCE`] and any `Host`.
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    pub fn builder() -> PodIdentityBuilder {
        PodIdentityBuilder::default()
    }

    fn on(socket: TcpListener, settings: Settings, tls: Option<Tls>) -> io::Result<Self> {
        let state = Arc::new(State {
            settings: Mutex::new(settings),
            faults: Mutex::default(),
            calls: Arc::new(Journal::new()),
            issued: Mutex::default(),
        });
        let answering = Arc::clone(&state);
        let handler: Handler = Arc::new(move |request| {
            let state = Arc::clone(&answering);
            Box::pin(async move { state.answer(request).await }) as Pin<Box<_>>
        });
        Ok(Self { listener: Listener::on(socket, tls.as_ref().map(Tls::acceptor), handler)?, state, tls })
    }

    /// What `AWS_CONTAINER_CREDENTIALS_FULL_URI` is set to.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}{}", self.address(), self.state.settings().path)
    }

    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// What EKS's webhook puts into a container's environment.
    pub fn env(&self, token_file: &Path) -> BTreeMap<String, String> {
        let token_file = token_file.to_string_lossy().into_owned();
        BTreeMap::from([
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI".to_owned(), self.url()),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE".to_owned(), token_file),
        ])
    }

    /// From now on these values of `Authorization` are good, whatever they look like, and no others.
    pub fn accept_only(&self, values: impl IntoIterator<Item = impl Into<String>>) {
        self.state.settings().taken = Taken::Only(values.into_iter().map(Into::into).collect());
    }

    /// Any unexpired token for [`AUDIENCE`] is good again.
    pub fn accept_any_token(&self) {
        self.state.settings().taken = Taken::TokensOf(AUDIENCE.to_owned());
    }

    /// How long credentials last; six hours at the start.
    pub fn set_session_life(&self, life: Duration) {
        self.state.settings().session_life = life;
    }

    /// Whether it gives out the same credentials until half of their life is over, as the agent's own cache does.
    pub fn set_caching(&self, caching: bool) {
        self.state.settings().caching = caching;
    }

    pub fn inject(&self, fault: PodFault) {
        self.state.faults().add(fault);
    }

    /// Ends all faults; a refusing listener listens again.
    pub async fn clear(&self) -> io::Result<()> {
        self.state.faults().clear();
        self.listen_again().await
    }

    /// Closes the port: connections are refused until [`listen_again`](Self::listen_again) or [`clear`](Self::clear).
    pub async fn refuse(&self) {
        self.listener.refuse().await;
    }

    pub async fn listen_again(&self) -> io::Result<()> {
        self.listener.listen_again().await
    }

    pub fn calls(&self) -> Vec<PodCall> {
        self.state.calls.all()
    }

    /// Waits until that many calls, since the start, have ended in whatever way; a hanging one counts at once.
    pub async fn wait_for_calls(&self, count: usize) -> io::Result<Vec<PodCall>> {
        self.state.calls.wait_for(count).await
    }

    /// Waits until the calls are as the predicate wants them.
    pub async fn wait_until(&self, enough: impl Fn(&[PodCall]) -> bool) -> io::Result<Vec<PodCall>> {
        self.state.calls.wait_until(enough).await
    }

    /// The most calls that were ever in progress at once.
    pub fn most_in_progress(&self) -> usize {
        self.state.calls.most_in_progress()
    }

    /// All credentials that were ever given out, in that order.
    pub fn issued(&self) -> Vec<Credentials> {
        lock(&self.state.issued).clone()
    }

    pub fn clock(&self) -> Clock {
        self.state.settings().clock.clone()
    }
}

fn anywhere() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! The HTTP server: `Listeners → bind → run → drain`.
//!
//! Three surfaces. `container` and `imds` give credentials to clients in this pod, each in the form that some SDKs know;
//! every request passes `guard`. `admin` gives health, metrics and status on a port of its own. Bounds on each, kept by
//! `roster` and `activity`:
//!
//! | | |
//! |---|---|
//! | connections | 1,024 for all credential listeners together, 64 of peers outside the pod, 64 for admin; above that the one that has kept us waiting longest is closed, and while there is none accepting waits |
//! | a request | head at most 8 KiB and 100 headers; 2 s from its first byte to its last; none has a body: one that brings a body is refused and its connection closed |
//! | a response | taken within 10 s |
//! | an idle connection | kept 75 s |
//!
//! A request never causes a call for credentials: what is served lies in the cache. What else may be asked of the node's
//! metadata service, a task of `upstream`'s asks.

use std::net::SocketAddr;
use std::sync::Arc;

use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::authorization;
use crate::authorization::Authorization;
use crate::authorization::Keeper;
use crate::clock::Clock;
use crate::config;
use crate::config::AdminListener;
use crate::config::Listeners;
use crate::config::Serves;
use crate::metrics::Endpoint;
use crate::metrics::Metrics;
use crate::roles::Board;
use crate::session_key::SessionKey;
use crate::shutdown::Phase;
use crate::upstream::Passage;

mod accept;
mod activity;
mod admin;
mod answer;
mod connection;
mod container;
mod guard;
mod held;
mod imds;
mod listen;
mod page;
mod refusal;
mod roster;
mod service;
mod status;
mod stream;

pub use listen::BindError;
pub use listen::BindReason;
pub use refusal::Refusal;

use accept::Acceptor;
use accept::Listening;
use activity::Order;
use admin::Admin;
use container::Container;
use guard::Door;
use imds::Imds;
use roster::Roster;
use service::Place;
use service::Surface;

const MAX_CONNECTIONS: usize = 1024;
/// Peers outside the pod that reach a link-local address: they are refused, and take nobody's place until they know.
const MAX_STRANGERS: usize = 64;
/// Its own bound, so that whoever crowds the one surface cannot starve the probes on the other.
const MAX_ADMIN_CONNECTIONS: usize = 64;

/// Every address taken, nothing accepted yet.
#[allow(missing_debug_implementations)] // holds a secret
pub struct Bound {
    credentials: Vec<(Serves, Opened)>,
    admin: Option<Opened>,
    keeper: Option<Keeper>,
}

/// A bound listener.
struct Opened {
    listener: TcpListener,
    address: SocketAddr,
    authorization: Option<Authorization>,
}

/// What is served.
#[allow(missing_debug_implementations)] // holds a secret
pub struct Offer {
    pub board: Board,
    pub imds: config::Imds,
    /// To the node's own metadata service; none where nothing is passed on.
    pub passage: Option<Passage>,
    pub session_key: SessionKey,
    /// None where no role asks STS.
    pub sts: Option<StsEndpoint>,
}

/// Where STS is called: to be shown, nothing here calls it.
#[derive(Clone, Debug, Serialize)]
pub struct StsEndpoint {
    #[serde(rename = "endpoint")]
    pub url: String,
    pub region: Option<String>,
}

/// Ends what is still open when the server is dropped.
struct CutOnDrop(Arc<Roster>);

/// Takes every address, or says which one could not be had. Belongs into a tokio runtime.
pub fn bind(listeners: &Listeners, admin: Option<&AdminListener>) -> Result<Bound, BindError> {
    let held = listeners.authorization.clone().map(authorization::hold);
    let (asked_for, keeper) = held.map_or((None, None), |(asked_for, keeper)| (Some(asked_for), keeper));
    let mut credentials = Vec::new();
    for (listener, bound) in listen::credentials(&listeners.listeners)? {
        let authorization = asked_for.clone().filter(|_| !listener.allow_unauthenticated);
        // Clients of IMDS have no place for the token; that it is open was allowed by name.
        let authorization = authorization.filter(|_| !listener.serves_imds());
        credentials.push((listener.serves, Opened::new(bound, listener.address, authorization)));
    }
    let open = |admin: &AdminListener| Ok(Opened::new(listen::admin(admin)?, admin.address, None));
    let admin = admin.map(open).transpose()?;
    Ok(Bound { credentials, admin, keeper })
}

/// Under which of the surfaces it is counted and logged.
pub fn endpoint(serves: Serves) -> Endpoint {
    match serves {
        Serves::Container => Endpoint::Container,
        Serves::Imds => Endpoint::Imds,
    }
}

impl Bound {
    /// Where credentials are served, in the order of the settings; with the real port where 0 was asked for.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.credentials.iter().map(|(_, opened)| opened.address).collect()
    }

    /// The same with what each serves, and whether it asks for the authorization token.
    pub fn listening(&self) -> impl Iterator<Item = (Serves, SocketAddr, bool)> {
        let each = self.credentials.iter();
        each.map(|(serves, opened)| (*serves, opened.address, opened.authorization.is_some()))
    }

    /// Whoever follows the file of the authorization token, to be run beside the server, which does not touch files.
    pub fn keeper(&mut self) -> Option<Keeper> {
        self.keeper.take()
    }

    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(|opened| opened.address)
    }

    /// Serves until the phase is `Stopping`, then finishes what is in flight. Dropping it closes everything at once.
    pub async fn run(self, offer: Offer, metrics: Metrics, clock: Clock, mut phase: watch::Receiver<Phase>) {
        let roster = |bound| Roster::new(bound, metrics.clone(), &clock);
        let clients = CutOnDrop(roster(MAX_CONNECTIONS));
        let strangers = CutOnDrop(roster(MAX_STRANGERS));
        let probes = CutOnDrop(roster(MAX_ADMIN_CONNECTIONS));
        // One for all its addresses: a session opened on one is good on the others.
        let imds = Arc::new(Imds::new(&offer));
        let (board, sts) = (offer.board, offer.sts);

        let mut accepting = JoinSet::new();
        let mut accept = |opened: Opened, surface, roster: &CutOnDrop, strangers: Option<&CutOnDrop>| {
            let door = Door::new(opened.address, opened.authorization);
            let place = Arc::new(Place { surface, door, metrics: metrics.clone(), clock: clock.clone() });
            let source = Listening { listener: opened.listener, own: place.door.own() };
            let strangers = strangers.map(|strangers| strangers.0.clone());
            accepting.spawn(Acceptor::new(source, place, roster.0.clone(), strangers).run());
        };
        for (serves, opened) in self.credentials {
            let surface = match serves {
                Serves::Imds => Surface::Imds(imds.clone()),
                Serves::Container => Surface::Container(Container::new(board.clone())),
            };
            accept(opened, surface, &clients, Some(&strangers));
        }
        if let Some(opened) = self.admin {
            let admin = Admin { board, sts, metrics: metrics.clone(), started: clock.read() };
            accept(opened, Surface::Admin(admin), &probes, None);
        }

        let served = async {
            // Whoever held the phase has gone: that is an end as well.
            let _ = phase.wait_for(|phase| *phase == Phase::Stopping).await;
            accepting.abort_all();
            while accepting.join_next().await.is_some() {}
            for CutOnDrop(roster) in [&clients, &strangers, &probes] {
                roster.ask(Order::Finish);
            }
            clients.0.empty().await;
            strangers.0.empty().await;
            probes.0.empty().await;
        };
        tokio::select! {
            () = served => {}
            () = clients.0.watch(&clock) => {}
            () = strangers.0.watch(&clock) => {}
            () = probes.0.watch(&clock) => {}
        }
    }
}

impl Opened {
    fn new(listener: TcpListener, asked: SocketAddr, authorization: Option<Authorization>) -> Self {
        let address = listener.local_addr().unwrap_or(asked);
        Self { listener, address, authorization }
    }
}

impl Drop for CutOnDrop {
    fn drop(&mut self) {
        self.0.ask(Order::Cut);
    }
}

#[cfg(test)]
mod tests;

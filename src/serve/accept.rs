//! The loop that accepts, which no error ends, and the one door through which tasks are spawned.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio::time::sleep;

use crate::serve::connection;
use crate::serve::connection::Connection;
use crate::serve::guard::Caller;
use crate::serve::roster::Roster;
use crate::serve::roster::Seat;
use crate::serve::service::Place;
use crate::serve::service::Service;

/// After a failed accept. Too many open files is the usual reason, and only time mends it.
const PAUSE: Duration = Duration::from_millis(100);
/// Linux's numbers for "too many open files", in this process and in all.
const EMFILE: i32 = 24;
const ENFILE: i32 = 23;
/// The same failure is logged once in this time.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

/// Where connections come from: a listener, or a script in the tests of the loop.
pub(super) trait Source: Send {
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, Caller)>> + Send;
}

/// One listener with all that its connections need.
#[allow(missing_debug_implementations)] // holds a secret
pub(super) struct Acceptor<S> {
    source: S,
    place: Arc<Place>,
    roster: Arc<Roster>,
    /// For peers outside the pod, who are to be told so and take nobody's place; none where they may ask.
    strangers: Option<Arc<Roster>>,
    protocol: http1::Builder,
    complaints: Vec<(Option<i32>, Instant)>,
}

/// A listener that knows its own address.
#[derive(Debug)]
pub(super) struct Listening {
    pub listener: TcpListener,
    pub own: SocketAddr,
}

impl<S: Source> Acceptor<S> {
    pub(super) fn new(
        source: S,
        place: Arc<Place>,
        roster: Arc<Roster>,
        strangers: Option<Arc<Roster>>,
    ) -> Self {
        Self { source, place, roster, strangers, protocol: connection::protocol(), complaints: Vec::new() }
    }

    /// Accepts until dropped.
    pub(super) async fn run(mut self) -> Infallible {
        loop {
            match self.source.accept().await {
                Ok((stream, caller)) => {
                    let Some(seat) = self.seat(caller).await else { continue };
                    let service = Service::new(self.place.clone(), caller, seat.activity.clone());
                    spawn(Connection::new(&self.protocol, stream, service, seat));
                }
                Err(error) => {
                    self.place.metrics.accept_failed(self.place.surface.endpoint());
                    self.complain(&error);
                    if matches!(error.raw_os_error(), Some(EMFILE | ENFILE)) {
                        // Someone idle can give a file back.
                        self.roster.make_room(self.place.clock.steady());
                    }
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// None for a stranger too many, who is not waited for: others would wait as well.
    async fn seat(&self, caller: Caller) -> Option<Seat> {
        let (endpoint, clock) = (self.place.surface.endpoint(), &self.place.clock);
        match &self.strangers {
            Some(strangers) if !caller.is_local() => strangers.try_admit(endpoint, clock),
            _ => Some(self.roster.admit(endpoint, clock).await),
        }
    }

    fn complain(&mut self, error: &io::Error) {
        let (now, kind) = (self.place.clock.steady(), error.raw_os_error());
        self.complaints.retain(|(_, at)| *at + COMPLAIN_EVERY > now);
        if self.complaints.iter().all(|(known, _)| *known != kind) {
            self.complaints.push((kind, now));
            tracing::warn!(
                code = "AcceptFailed",
                address = %self.place.door.own(),
                error = %error,
                "a connection could not be accepted; going on. Too many open files: raise the limit (`ulimit -n`)"
            );
        }
    }
}

impl Source for Listening {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, Caller)> {
        let (stream, peer) = self.listener.accept().await?;
        // A connection to a bound address has that address; only a wildcard has to be asked.
        let local = if self.own.ip().is_unspecified() { stream.local_addr()? } else { self.own };
        Ok((stream, Caller::new(peer.ip(), local.ip())))
    }
}

/// Connections outlive the loop that accepted them, so that they can finish; their roster ends them.
#[allow(clippy::disallowed_methods)] // this is the door
fn spawn(connection: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(connection);
}

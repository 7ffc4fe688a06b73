//! What every role serves right now: one writer, any number of readers that never wait for each other.
//!
//! The door to `arc-swap`. A [`Publisher`] replaces a role's whole [`State`] at once; a [`Reader`] sees the old one or
//! the new one, never a mixture. What is served is serialised when it is published, not when it is asked for.

use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use arc_swap::Guard;
use bytes::Bytes;
use tokio::sync::watch;

use crate::cache::history::History;
use crate::clock::Reading;
use crate::clock::Timeline;
use crate::credentials::Credentials;
use crate::credentials::Lifetime;

pub mod history;

/// What is known about one role.
#[derive(Clone)]
#[allow(missing_debug_implementations)] // holds secrets
pub struct State {
    /// STS's time, as last heard.
    pub timeline: Timeline,
    /// The newest credentials, if there ever were any; they may have expired.
    pub snapshot: Option<Arc<Snapshot>>,
    /// Why the last attempt failed; none after a success.
    pub problem: Option<Problem>,
    /// When the next exchange is due; none while it waits for the token.
    pub next_exchange_at: Option<SystemTime>,
    /// What the last exchanges came to.
    pub history: History,
}

/// Credentials as they are served: bodies ready, never to be changed.
#[allow(missing_debug_implementations)] // holds secrets
pub struct Snapshot {
    pub container_body: Bytes,
    pub imds_body: Bytes,
    pub lifetime: Lifetime,
    /// For people: shortened.
    pub access_key_id: String,
    /// The identity that STS says was assumed, where it says so.
    pub assumed_role_arn: Option<String>,
}

/// The last failure, in words that may be shown to anyone in the pod.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// Stable: log field, metric label, body of a 503.
    pub code: &'static str,
    pub message: String,
    pub mend: String,
    pub since: SystemTime,
}

/// The writing half. There is one for each role and it is not `Clone`: its owner is the only writer.
#[derive(Debug)]
pub struct Publisher {
    slot: Arc<Slot>,
    published: watch::Sender<u64>,
}

/// The reading half, for the server.
#[derive(Clone, Debug)]
pub struct Reader {
    slot: Arc<Slot>,
    published: watch::Receiver<u64>,
}

struct Slot {
    role: String,
    /// Not every source tells whose credentials it gives.
    role_arn: Option<String>,
    state: ArcSwap<State>,
}

/// Makes the two halves for one role; until something is published `problem` says what is waited for.
pub fn role(role: &str, role_arn: Option<&str>, now: Reading, problem: Problem) -> (Publisher, Reader) {
    let state = State {
        timeline: Timeline::local(now),
        snapshot: None,
        problem: Some(problem),
        next_exchange_at: None,
        history: History::default(),
    };
    halves(role, role_arn, Arc::new(state))
}

/// Makes the two halves for a role that is obtained in another way from now on: what is held is served until something
/// better is published.
pub fn successor(to: &Reader, role_arn: Option<&str>) -> (Publisher, Reader) {
    halves(to.role(), role_arn, to.slot.state.load_full())
}

fn halves(role: &str, role_arn: Option<&str>, state: Arc<State>) -> (Publisher, Reader) {
    let (role, role_arn) = (role.to_owned(), role_arn.map(str::to_owned));
    let slot = Arc::new(Slot { role, role_arn, state: ArcSwap::new(state) });
    let (sender, receiver) = watch::channel(0);
    (Publisher { slot: slot.clone(), published: sender }, Reader { slot, published: receiver })
}

impl Publisher {
    pub fn publish(&self, state: State) {
        self.slot.state.store(Arc::new(state));
        self.published.send_modify(|sequence| *sequence += 1);
    }

    /// The state as this writer left it.
    pub fn current(&self) -> Arc<State> {
        self.slot.state.load_full()
    }
}

impl Reader {
    pub fn role(&self) -> &str {
        &self.slot.role
    }

    pub fn role_arn(&self) -> Option<&str> {
        self.slot.role_arn.as_deref()
    }

    pub fn load(&self) -> Guard<Arc<State>> {
        self.slot.state.load()
    }

    /// Waits until something is published after this call began; the caller bounds it.
    pub async fn published(&mut self) {
        self.published.mark_unchanged();
        if self.published.changed().await.is_err() {
            // The writer has gone: nothing will ever come, and the caller's bound ends the wait.
            std::future::pending::<()>().await;
        }
    }
}

impl State {
    /// The credentials, if they may be served at this moment.
    pub fn servable(&self, reading: Reading) -> Option<&Arc<Snapshot>> {
        let snapshot = self.snapshot.as_ref()?;
        snapshot.lifetime.may_be_served(self.timeline.now(reading)).then_some(snapshot)
    }
}

impl Snapshot {
    pub fn new(credentials: &Credentials, assumed_role_arn: Option<String>) -> Self {
        Self {
            container_body: credentials.container_body(),
            imds_body: credentials.imds_body(),
            lifetime: credentials.lifetime(),
            access_key_id: crate::secret::shorten(&credentials.access_key_id),
            assumed_role_arn,
        }
    }
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot").field("role", &self.role).finish_non_exhaustive()
    }
}

//! Every open connection of some surfaces: how many there may be, whose limit has passed, who makes room.
//!
//! One timer serves them all, so that a request costs none. Above the bound the connection that has kept us waiting
//! longest is closed; while all of them are being answered, accepting waits.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio::time::sleep_until;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::metrics::Closed;
use crate::metrics::Endpoint;
use crate::metrics::Metrics;
use crate::serve::activity;
use crate::serve::activity::Activity;
use crate::serve::activity::Order;

/// While there is no room and nobody left, one of the others may have become idle meanwhile.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(10);
/// Those whose limit has passed close themselves; if one has not, it is asked again.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Roster {
    bound: usize,
    epoch: Instant,
    metrics: Metrics,
    members: Mutex<Vec<Arc<Activity>>>,
    /// Told when someone leaves, if anyone wants to know.
    left: Notify,
    wanting: AtomicUsize,
    /// When the timer goes off next, in milliseconds after the epoch, and how to have it earlier.
    alarm: AtomicU64,
    sooner: Notify,
}

/// A connection's place; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Seat {
    roster: Arc<Roster>,
    endpoint: Endpoint,
    pub activity: Arc<Activity>,
}

/// Counts someone who wants to be told of a free place.
struct Wanting<'a>(&'a AtomicUsize);

impl Roster {
    pub(super) fn new(bound: usize, metrics: Metrics, clock: &Clock) -> Arc<Self> {
        Arc::new(Self {
            bound,
            epoch: clock.steady(),
            metrics,
            members: Mutex::default(),
            left: Notify::new(),
            wanting: AtomicUsize::new(0),
            alarm: AtomicU64::new(u64::MAX),
            sooner: Notify::new(),
        })
    }

    /// A place for a new connection to this surface, as soon as there is one.
    pub(super) async fn admit(self: &Arc<Self>, endpoint: Endpoint, clock: &Clock) -> Seat {
        if let Some(seat) = self.try_admit(endpoint, clock) {
            return seat;
        }
        let _wanting = Wanting::new(&self.wanting);
        loop {
            let left = self.left.notified();
            if let Some(seat) = self.try_admit(endpoint, clock) {
                return seat;
            }
            self.make_room(clock.steady());
            let _ = timeout(LOOK_AGAIN_AFTER, left).await;
        }
    }

    /// Asks the connection that has kept us waiting longest to close. It looks once more whether a request has come.
    pub(super) fn make_room(&self, now: Instant) {
        let members = self.members();
        let waiting = members.iter().filter(|activity| !activity.is_asked(Order::MakeRoom));
        let longest = waiting
            .filter_map(|activity| Some((activity.waiting_since(now)?, activity)))
            .min_by_key(|it| it.0);
        if let Some((_, activity)) = longest {
            activity.ask(Order::MakeRoom);
        }
    }

    /// Asks all of them.
    pub(super) fn ask(&self, order: Order) {
        for activity in self.members().iter() {
            activity.ask(order);
        }
    }

    /// Waits until nobody is left.
    pub(super) async fn empty(&self) {
        let _wanting = Wanting::new(&self.wanting);
        loop {
            let left = self.left.notified();
            if self.members().is_empty() {
                return;
            }
            left.await;
        }
    }

    /// Has the limits looked at by then.
    pub(super) fn look_by(&self, deadline: Instant) {
        let at = self.millis(deadline);
        if self.alarm.fetch_min(at, Ordering::AcqRel) > at {
            self.sooner.notify_one();
        }
    }

    /// The timer. Runs until dropped.
    pub(super) async fn watch(&self, clock: &Clock) {
        loop {
            let sooner = self.sooner.notified();
            match self.look(clock.steady()) {
                Some(at) => tokio::select! {
                    () = sleep_until(at) => {}
                    () = sooner => {}
                },
                None => sooner.await,
            }
        }
    }

    /// A place, if there is one.
    pub(super) fn try_admit(self: &Arc<Self>, endpoint: Endpoint, clock: &Clock) -> Option<Seat> {
        let activity = {
            let mut members = self.members();
            if members.len() >= self.bound {
                return None;
            }
            let activity = Arc::new(Activity::new(self.epoch, clock.steady()));
            activity.place.store(members.len(), Ordering::Relaxed);
            members.push(activity.clone());
            activity
        };
        self.metrics.connection_opened(endpoint);
        if let Some(deadline) = activity.deadline() {
            self.look_by(deadline);
        }
        Some(Seat { roster: self.clone(), endpoint, activity })
    }

    /// Wakes everyone whose limit has passed and says when to look again.
    fn look(&self, now: Instant) -> Option<Instant> {
        // Before anything is read: who notes a deadline from now on moves the alarm.
        self.alarm.store(u64::MAX, Ordering::Release);
        let next = self
            .members()
            .iter()
            .map(|activity| match activity.deadline() {
                Some(deadline) if deadline <= now => {
                    activity.ask(Order::Look);
                    now + ASK_AGAIN_AFTER
                }
                Some(deadline) => deadline,
                // Being answered: it can become idle without a word.
                None => now + activity::IDLE_LIMIT,
            })
            .min()?;
        self.alarm.fetch_min(self.millis(next), Ordering::AcqRel);
        Some(next)
    }

    fn leave(&self, activity: &Activity) {
        {
            let mut members = self.members();
            let place = activity.place.load(Ordering::Relaxed);
            members.swap_remove(place);
            if let Some(moved) = members.get(place) {
                moved.place.store(place, Ordering::Relaxed);
            }
        }
        if self.wanting.load(Ordering::Acquire) > 0 {
            self.left.notify_waiters();
        }
    }

    fn members(&self) -> MutexGuard<'_, Vec<Arc<Activity>>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn millis(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.epoch).as_millis()).unwrap_or(u64::MAX)
    }
}

impl Seat {
    pub(super) fn roster(&self) -> &Roster {
        &self.roster
    }

    pub(super) fn closed(&self, reason: Closed) {
        self.roster.metrics.connection_closed(self.endpoint, reason);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.roster.metrics.connection_ended(self.endpoint);
        self.roster.leave(&self.activity);
    }
}

impl<'a> Wanting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(count)
    }
}

impl Drop for Wanting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

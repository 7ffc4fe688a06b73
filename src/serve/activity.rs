//! What a connection is doing, and since when: written where bytes and requests pass, read by whoever must decide
//! which connection to close.
//!
//! ```text
//! Fresh ──first byte──▶ Receiving ──head and body whole──▶ Answering ──answer ready──▶ Sending ──taken──▶ Idle
//!                          ▲                                                                              │
//!                          └───────────────────────────first byte──────────────────────────────────────────┘
//! ```
//!
//! An ordinary request passes through all of them in one poll and reads no clock for it: the beginning of `Receiving` is
//! noted only when a poll has ended in it.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::AcqRel;
use std::sync::atomic::Ordering::Acquire;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::Ordering::Release;
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use crate::metrics::Closed;

/// From a request's first byte to its last.
pub(super) const REQUEST_LIMIT: Duration = Duration::from_secs(2);
/// How long a connection is kept on which nothing is asked.
pub(super) const IDLE_LIMIT: Duration = Duration::from_secs(75);
/// How long a peer may take to take a response.
pub(super) const RESPONSE_LIMIT: Duration = Duration::from_secs(10);
/// A peer that keeps us waiting for longer, for the rest of a request, for its first one or for room for an answer, may be
/// closed when others
/// need the room: else slow peers could keep everyone else out.
pub(super) const STALLED_AFTER: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(super) enum Phase {
    Fresh,
    Receiving,
    Answering,
    Sending,
    Idle,
}

/// What others ask of a connection; it looks at itself when it is woken for it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(super) enum Order {
    /// See whether a limit has passed.
    Look = 1,
    /// Make room, if nothing is under way.
    MakeRoom = 2,
    /// Finish what is under way and close.
    Finish = 4,
    /// Close now.
    Cut = 8,
}

#[derive(Debug)]
pub(super) struct Activity {
    /// Times are kept as microseconds after this, plus one; 0 is "not noted".
    epoch: Instant,
    phase: AtomicU8,
    since: AtomicU64,
    /// Since when there has been something that the peer has not taken: answers to pipelined requests do not renew it.
    sending_since: AtomicU64,
    /// The last bytes read were the end of a head: nothing of another request has come.
    at_end: AtomicBool,
    asked: AtomicU8,
    waker: Mutex<Option<Waker>>,
    /// Where the roster keeps it; the roster's lock guards it.
    pub(super) place: AtomicUsize,
}

impl Activity {
    pub(super) fn new(epoch: Instant, now: Instant) -> Self {
        let activity = Self {
            epoch,
            phase: AtomicU8::new(Phase::Fresh as u8),
            since: AtomicU64::new(0),
            sending_since: AtomicU64::new(0),
            at_end: AtomicBool::new(true),
            asked: AtomicU8::new(0),
            waker: Mutex::new(None),
            place: AtomicUsize::new(0),
        };
        activity.note(now);
        activity
    }

    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Acquire) {
            0 => Phase::Fresh,
            1 => Phase::Receiving,
            2 => Phase::Answering,
            3 => Phase::Sending,
            _ => Phase::Idle,
        }
    }

    // ---- What happens to it ----

    pub(super) fn received(&self, ends_a_head: bool) {
        self.at_end.store(ends_a_head, Relaxed);
        if matches!(self.phase(), Phase::Fresh | Phase::Idle) {
            self.since.store(0, Relaxed);
            self.enter(Phase::Receiving);
        }
    }

    /// The head has come and a body is to: the time for the whole runs, even where the head was read long before, behind
    /// other requests.
    pub(super) fn awaiting_rest(&self) {
        if self.phase() != Phase::Receiving {
            self.since.store(0, Relaxed);
            self.enter(Phase::Receiving);
        }
    }

    /// The request is whole.
    pub(super) fn answering(&self) {
        self.enter(Phase::Answering);
    }

    pub(super) fn answered(&self, now: Instant) {
        self.note(now);
        let _ = self.sending_since.compare_exchange(0, self.since.load(Relaxed), Relaxed, Relaxed);
        self.enter(Phase::Sending);
    }

    /// Everything written so far has been taken.
    pub(super) fn flushed(&self) {
        if self.phase() != Phase::Sending {
            return;
        }
        self.sending_since.store(0, Relaxed);
        if self.at_end.load(Relaxed) {
            self.enter(Phase::Idle);
        } else {
            // The beginning of the next request came along with this one.
            self.since.store(0, Relaxed);
            self.enter(Phase::Receiving);
        }
    }

    /// After a poll: notes the beginning of a phase that outlasts it, and says by when it must end.
    pub(super) fn settle(&self, now: impl FnOnce() -> Instant) -> Option<Instant> {
        match self.phase() {
            Phase::Receiving if self.since.load(Relaxed) == 0 => {
                self.note(now());
                self.deadline()
            }
            Phase::Sending => self.deadline(),
            _ => None,
        }
    }

    // ---- What is made of it ----

    /// When it must be over with what it does; none while it waits for us.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let limit = match self.phase() {
            Phase::Fresh | Phase::Idle => IDLE_LIMIT,
            Phase::Receiving => REQUEST_LIMIT,
            Phase::Sending => RESPONSE_LIMIT,
            Phase::Answering => return None,
        };
        Some(self.since()? + limit)
    }

    /// The limit that has passed.
    pub(super) fn overdue(&self, now: Instant) -> Option<Closed> {
        if self.deadline()? > now {
            return None;
        }
        Some(match self.phase() {
            Phase::Receiving => Closed::SlowRequest,
            Phase::Sending => Closed::SlowResponse,
            Phase::Fresh | Phase::Idle | Phase::Answering => Closed::Idle,
        })
    }

    /// Since when it has kept us waiting, if it may be closed for another's sake.
    pub(super) fn waiting_since(&self, now: Instant) -> Option<Instant> {
        let since = self.since()?;
        match self.phase() {
            Phase::Idle => Some(since),
            Phase::Fresh | Phase::Receiving | Phase::Sending => {
                (since + STALLED_AFTER <= now).then_some(since)
            }
            Phase::Answering => None,
        }
    }

    // ---- What is asked of it ----

    pub(super) fn ask(&self, order: Order) {
        self.asked.fetch_or(order as u8, AcqRel);
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(super) fn is_asked(&self, order: Order) -> bool {
        self.asked.load(Acquire) & order as u8 != 0
    }

    pub(super) fn is_asked_anything(&self) -> bool {
        self.asked.load(Acquire) != 0
    }

    pub(super) fn done(&self, order: Order) {
        self.asked.fetch_and(!(order as u8), AcqRel);
    }

    /// Whom to wake when something is asked.
    pub(super) fn set_waker(&self, waker: Waker) {
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker);
    }

    fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Release);
    }

    fn note(&self, now: Instant) {
        let micros = now.saturating_duration_since(self.epoch).as_micros();
        self.since.store(u64::try_from(micros).unwrap_or(u64::MAX - 1) + 1, Relaxed);
    }

    fn since(&self) -> Option<Instant> {
        let since = if self.phase() == Phase::Sending { &self.sending_since } else { &self.since };
        let micros = since.load(Relaxed).checked_sub(1)?;
        Some(self.epoch + Duration::from_micros(micros))
    }
}

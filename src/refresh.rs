//! When to exchange: one pure function.
//!
//! [`step`] takes what is known, what happened, the time and a random draw, and answers with what is known now and what
//! to do. It reads no clock, draws no lots and does no I/O; `refresh/driver.rs` does. Its time is the boot clock's, which
//! never jumps; what STS's time is good for, the life of credentials, arrives as a length.
//!
//! The contract (README, "Freshness"):
//! - refresh between 40 % and 50 % of a session's life;
//! - one exchange at a time;
//! - after a failure what is served stays; what can pass is retried within 1 s to 60 s, what a person must mend within
//!   5 s to 5 min, an expired token when the file changes or after 5 min; never before a `Retry-After` has passed;
//! - a changed token (or another role's credentials, where it starts from those) is used at once while something is wrong, and at the next refresh while all is well;
//! - SIGHUP exchanges now, at most once in 10 s; no two exchanges start within 250 ms.

use std::time::Duration;

use crate::backoff;
use crate::credentials::Lifetime;
use crate::sts::Remedy;

pub mod basis;
pub mod driver;
mod report;

/// How long after the start an `InvalidIdentityToken` is held for a provider that is not known everywhere yet.
pub const STARTING: Duration = Duration::from_secs(120);
/// SIGHUP exchanges at most once in this time.
pub const HANGUP_INTERVAL: Duration = Duration::from_secs(10);
/// With an expired token, STS is asked again after this time even if the file never changes.
pub const EXPIRED_TOKEN_RETRY: Duration = backoff::MAX_DELAY;

/// A moment, as time since the machine started.
pub type Moment = Duration;

/// What is known about one role's credentials.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    started_at: Moment,
    has_basis: bool,
    /// Until when what is held may be served.
    serve_until: Option<Moment>,
    /// Failures in a row.
    failures: u32,
    last_started_at: Option<Moment>,
    last_hangup_at: Option<Moment>,
    /// What STS asked for with `Retry-After`.
    not_before: Moment,
    next: Next,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Next {
    /// There never was anything to start from: its arrival is the only thing that helps.
    AwaitBasis,
    At(Moment),
    /// An exchange is under way; if it fails, something that happened meanwhile asks for another one from then on.
    InFlight {
        again_at: Option<Moment>,
    },
    Stopped,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// What an exchange starts from, a token or another role's credentials, is another than before.
    BasisChanged,
    ExchangeSucceeded(Lifetime),
    ExchangeFailed {
        remedy: Remedy,
        retry_after: Option<Duration>,
    },
    /// Time passed, perhaps more than was thought: the machine may have slept.
    Tick,
    /// SIGHUP, or a wall clock that jumped: STS's `Date` tells what time it is.
    ExchangeNow,
    Shutdown,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action {
    /// Start an exchange; its end is the next `Exchange…` event.
    Exchange,
    /// Nothing before this moment. Look again at least every 30 s: timers stand still while the machine sleeps.
    WaitUntil(Moment),
    /// Nothing before the next event.
    Wait,
    Stop,
}

impl State {
    pub fn new(started_at: Moment) -> Self {
        Self {
            started_at,
            has_basis: false,
            serve_until: None,
            failures: 0,
            last_started_at: None,
            last_hangup_at: None,
            not_before: Moment::ZERO,
            next: Next::AwaitBasis,
        }
    }

    /// Failures since the last success.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// When the next exchange is due, if that is known.
    pub fn next_exchange_at(&self) -> Option<Moment> {
        match self.next {
            Next::At(at) => Some(at),
            Next::AwaitBasis | Next::InFlight { .. } | Next::Stopped => None,
        }
    }

    fn is_healthy(&self, now: Moment) -> bool {
        self.failures == 0 && self.serve_until.is_some_and(|until| now < until)
    }

    /// The first moment from `at` on at which another exchange may start, so that nothing makes us hammer STS.
    fn allowed_from(&self, at: Moment) -> Moment {
        let at = at.max(self.not_before);
        self.last_started_at.map_or(at, |started| at.max(started + backoff::MIN_DELAY))
    }

    /// Has the next exchange start at `at` if it would start later, or another one if the one under way fails.
    fn hasten(&mut self, at: Moment) {
        let at = self.allowed_from(at);
        match &mut self.next {
            Next::AwaitBasis => self.next = Next::At(at),
            Next::At(next) => *next = at.min(*next),
            Next::InFlight { again_at } => *again_at = Some(again_at.map_or(at, |again| again.min(at))),
            Next::Stopped => {}
        }
    }
}

/// The whole policy.
pub fn step(state: State, event: Event, now: Moment, jitter: f64) -> (State, Action) {
    let mut state = state;
    if state.next == Next::Stopped {
        return (state, Action::Stop);
    }
    match event {
        Event::Shutdown => state.next = Next::Stopped,
        Event::Tick => {}
        Event::BasisChanged => {
            state.has_basis = true;
            let is_in_flight = matches!(state.next, Next::InFlight { .. });
            if is_in_flight || !state.is_healthy(now) {
                state.hasten(now);
            }
        }
        Event::ExchangeNow => exchange_now(&mut state, now),
        Event::ExchangeSucceeded(lifetime) => {
            state.serve_until = Some(now + lifetime.serve_for());
            state.failures = 0;
            state.not_before = Moment::ZERO;
            state.next = Next::At(state.allowed_from(now + lifetime.refresh_after(jitter)));
        }
        Event::ExchangeFailed { remedy, retry_after } => {
            state.failures = state.failures.saturating_add(1);
            state.not_before = now + retry_after.unwrap_or_default().min(backoff::MAX_DELAY);
            let again_at = match state.next {
                Next::InFlight { again_at } => again_at,
                _ => None,
            };
            state.next = Next::At(state.allowed_from(now + delay(&state, remedy, now, jitter)));
            if let Some(at) = again_at {
                state.hasten(at.max(now));
            }
        }
    }
    let action = act(&mut state, now);
    (state, action)
}

/// Asked again too soon, it is put off.
fn exchange_now(state: &mut State, now: Moment) {
    if !state.has_basis {
        return;
    }
    let at = match state.last_hangup_at {
        None => now,
        Some(put_off) if put_off > now => put_off,
        Some(last) => now.max(last + HANGUP_INTERVAL),
    };
    state.last_hangup_at = Some(at);
    state.hasten(at);
}

fn delay(state: &State, remedy: Remedy, now: Moment, jitter: f64) -> Duration {
    let is_starting = now - state.started_at < STARTING;
    match remedy {
        Remedy::Retry => backoff::SOON.delay(state.failures, jitter),
        Remedy::RetryWhileStarting if is_starting => backoff::SOON.delay(state.failures, jitter),
        Remedy::RetryWhileStarting | Remedy::FixSetup => backoff::SLOWLY.delay(state.failures, jitter),
        Remedy::WaitForToken => EXPIRED_TOKEN_RETRY,
    }
}

/// Starts what is due.
fn act(state: &mut State, now: Moment) -> Action {
    match state.next {
        Next::Stopped => Action::Stop,
        Next::AwaitBasis | Next::InFlight { .. } => Action::Wait,
        Next::At(at) if at > now => Action::WaitUntil(at),
        Next::At(_) => {
            state.last_started_at = Some(now);
            state.next = Next::InFlight { again_at: None };
            Action::Exchange
        }
    }
}

#[cfg(test)]
mod tests;

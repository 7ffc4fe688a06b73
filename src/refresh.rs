//! When to exchange: one pure function.
//!
//! [`step`] takes what is known, what happened, STS's time and a random draw, and answers with what is known now and
//! what to do. It reads no clock, draws no lots and does no I/O; `refresh/driver.rs` does, and does nothing else.
//!
//! The contract (README, "Freshness"):
//! - refresh between 40 % and 50 % of a session's life;
//! - one exchange at a time;
//! - after a failure what is served stays; what can pass is retried within 1 s to 60 s, what a person must mend within
//!   5 s to 5 min, an expired token when the file changes or after 5 min;
//! - a changed token is used at once while something is wrong, and at the next refresh while all is well;
//! - SIGHUP exchanges now, at most once in 10 s; no two exchanges start within 250 ms.

use std::time::Duration;
use std::time::SystemTime;

use crate::backoff;
use crate::credentials::Lifetime;
use crate::sts::Remedy;

pub mod driver;
mod report;

/// How long after the start an `InvalidIdentityToken` is held for a provider that is not known everywhere yet.
pub const STARTING: Duration = Duration::from_secs(120);
/// SIGHUP exchanges at most once in this time.
pub const HANGUP_INTERVAL: Duration = Duration::from_secs(10);
/// With an expired token, STS is asked again after this time even if the file never changes.
pub const EXPIRED_TOKEN_RETRY: Duration = backoff::MAX_DELAY;

/// What is known about one role's credentials.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    started_at: SystemTime,
    has_token: bool,
    held: Option<Lifetime>,
    /// Failures in a row.
    failures: u32,
    last_started_at: Option<SystemTime>,
    last_hangup_at: Option<SystemTime>,
    next: Next,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Next {
    /// No token was ever read: its arrival is the only thing that helps.
    AwaitToken,
    At(SystemTime),
    /// An exchange is under way; `again` if something happened meanwhile that a failure should not wait for.
    InFlight {
        again: bool,
    },
    Stopped,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// A token was read that differs from the one before.
    TokenChanged,
    ExchangeSucceeded(Lifetime),
    ExchangeFailed {
        remedy: Remedy,
        retry_after: Option<Duration>,
    },
    /// Time passed, perhaps more or less than was thought.
    Tick,
    /// SIGHUP.
    ExchangeNow,
    Shutdown,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action {
    /// Start an exchange; its end is the next `Exchange…` event.
    Exchange,
    /// Nothing before this moment, in STS's time. Look at the clock again at least every 30 s: it can jump.
    WaitUntil(SystemTime),
    /// Nothing before the next event.
    Wait,
    Stop,
}

impl State {
    pub fn new(started_at: SystemTime) -> Self {
        Self {
            started_at,
            has_token: false,
            held: None,
            failures: 0,
            last_started_at: None,
            last_hangup_at: None,
            next: Next::AwaitToken,
        }
    }

    /// Failures since the last success.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// When the next exchange is due, if that is known.
    pub fn next_exchange_at(&self) -> Option<SystemTime> {
        match self.next {
            Next::At(at) => Some(at),
            Next::AwaitToken | Next::InFlight { .. } | Next::Stopped => None,
        }
    }

    fn is_healthy(&self, now: SystemTime) -> bool {
        self.failures == 0 && self.held.is_some_and(|held| held.may_be_served(now))
    }

    /// The first moment from `at` on at which another exchange may start, so that nothing makes us hammer STS.
    fn not_before(&self, at: SystemTime, now: SystemTime) -> SystemTime {
        match self.last_started_at {
            // What is called now may have been set back since: STS's time was not known before its first answer.
            Some(started) => at.max(started.min(now) + backoff::MIN_DELAY),
            None => at,
        }
    }
}

/// The whole policy.
pub fn step(state: State, event: Event, now: SystemTime, jitter: f64) -> (State, Action) {
    let mut state = state;
    if state.next == Next::Stopped {
        return (state, Action::Stop);
    }
    match event {
        Event::Shutdown => state.next = Next::Stopped,
        Event::Tick => {}
        Event::TokenChanged => {
            state.has_token = true;
            if let Next::InFlight { again } = &mut state.next {
                *again = true;
            } else if !state.is_healthy(now) {
                state.next = Next::At(state.not_before(now, now));
            }
        }
        Event::ExchangeNow => exchange_now(&mut state, now),
        Event::ExchangeSucceeded(lifetime) => {
            state.held = Some(lifetime);
            state.failures = 0;
            state.next = Next::At(state.not_before(lifetime.refresh_at(jitter), now));
        }
        Event::ExchangeFailed { remedy, retry_after } => {
            state.failures = state.failures.saturating_add(1);
            let something_changed = state.next == Next::InFlight { again: true };
            let at = if something_changed {
                state.not_before(now, now)
            } else {
                let delay = delay(&state, remedy, now, jitter);
                now + delay.max(retry_after.unwrap_or_default().min(backoff::MAX_DELAY))
            };
            state.next = Next::At(at);
        }
    }
    let action = act(&mut state, now);
    (state, action)
}

fn exchange_now(state: &mut State, now: SystemTime) {
    if !state.has_token {
        return;
    }
    // Asked again too soon, it is put off. (A stamp from before STS set our time back says nothing.)
    let at = match state.last_hangup_at.filter(|last| *last <= now + HANGUP_INTERVAL) {
        None => now,
        Some(put_off) if put_off > now => put_off,
        Some(last) => now.max(last + HANGUP_INTERVAL),
    };
    match &mut state.next {
        Next::InFlight { again } if at <= now => *again = true,
        Next::At(next) if *next > at => *next = at,
        _ => return,
    }
    state.last_hangup_at = Some(at);
    if let Next::At(next) = state.next {
        state.next = Next::At(state.not_before(next, now));
    }
}

fn delay(state: &State, remedy: Remedy, now: SystemTime, jitter: f64) -> Duration {
    let is_starting = now.duration_since(state.started_at).unwrap_or_default() < STARTING;
    match remedy {
        Remedy::Retry => backoff::SOON.delay(state.failures, jitter),
        Remedy::RetryWhileStarting if is_starting => backoff::SOON.delay(state.failures, jitter),
        Remedy::RetryWhileStarting | Remedy::FixSetup => backoff::SLOWLY.delay(state.failures, jitter),
        Remedy::WaitForToken => EXPIRED_TOKEN_RETRY,
    }
}

/// Starts what is due.
fn act(state: &mut State, now: SystemTime) -> Action {
    match state.next {
        Next::Stopped => Action::Stop,
        Next::AwaitToken | Next::InFlight { .. } => Action::Wait,
        Next::At(at) if at > now => Action::WaitUntil(at),
        Next::At(_) => {
            state.last_started_at = Some(now);
            state.next = Next::InFlight { again: false };
            Action::Exchange
        }
    }
}

#[cfg(test)]
mod tests;

//! What a role's exchanges came to in the last hours, for people. It never holds a secret.
//!
//! Bounded, and small: 32 bytes an event, [`LONGEST`] events. Between two successes each kind of failure is one event with
//! a count, so that an outage of a night, with its thousand attempts, does not push out the day before.

use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

use crate::cache::Problem;

/// Older events than so many are forgotten: with sessions of an hour, those of more than a day.
pub const LONGEST: usize = 64;

/// A value: what happens next gives another one.
#[derive(Clone, Debug, Default)]
pub struct History {
    events: Arc<[Event]>,
    token: Option<Token>,
    holder: Option<Arc<Holder>>,
    problem: Option<Arc<Problem>>,
    problem_ended_at: Option<Moment>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// Another token was found.
    Token(Token),
    Success {
        issued_at: Moment,
        expires_at: Moment,
    },
    Failure {
        code: &'static str,
        count: u32,
        first_at: Moment,
        last_at: Moment,
    },
}

/// What a token says of itself, unverified, and since when it is known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Token {
    pub changed_at: Moment,
    pub issued_at: Option<Moment>,
    pub expires_at: Option<Moment>,
}

/// Whom a token names: as much of it as it says, unverified.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Holder {
    pub namespace: Option<String>,
    pub service_account: Option<String>,
    pub pod: Option<String>,
}

/// A time to the second, in a quarter of the room.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Moment(u32);

impl History {
    /// The oldest first.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The token that was found last, however long ago that is.
    pub fn token(&self) -> Option<Token> {
        self.token
    }

    /// Whom that token names.
    pub fn holder(&self) -> Option<&Holder> {
        self.holder.as_deref()
    }

    /// The last that was wrong, though it may be over.
    pub fn problem(&self) -> Option<&Problem> {
        self.problem.as_deref()
    }

    /// Since when it is.
    pub fn problem_ended_at(&self) -> Option<Moment> {
        self.problem_ended_at
    }

    pub fn troubled(&self, problem: &Problem) -> Self {
        let is_known = self.problem.as_deref() == Some(problem);
        if is_known {
            self.clone()
        } else {
            Self { problem: Some(Arc::new(problem.clone())), problem_ended_at: None, ..self.clone() }
        }
    }

    pub fn token_found(&self, token: Token, holder: Holder) -> Self {
        Self { token: Some(token), holder: Some(Arc::new(holder)), ..self.with(Event::Token(token)) }
    }

    /// What exchanges start from is no token any more.
    pub fn without_token(&self) -> Self {
        Self { token: None, holder: None, ..self.clone() }
    }

    pub fn succeeded(&self, issued_at: SystemTime, expires_at: SystemTime) -> Self {
        let success = Event::Success { issued_at: issued_at.into(), expires_at: expires_at.into() };
        let ended_at = self.problem.as_ref().map(|_| self.problem_ended_at.unwrap_or(issued_at.into()));
        Self { problem_ended_at: ended_at, ..self.with(success) }
    }

    pub fn failed(&self, code: &'static str, at: SystemTime) -> Self {
        let now = Moment::from(at);
        let is_success = |event: &Event| matches!(event, Event::Success { .. });
        let since = self.events.iter().rposition(is_success).map_or(0, |success| success + 1);
        let is_same = |event: &Event| matches!(event, Event::Failure { code: known, .. } if *known == code);
        let Some(known) = self.events[since..].iter().position(is_same) else {
            return self.with(Event::Failure { code, count: 1, first_at: now, last_at: now });
        };
        let mut events = self.events.clone();
        if let Event::Failure { count, last_at, .. } = &mut Arc::make_mut(&mut events)[since + known] {
            *count = count.saturating_add(1);
            *last_at = now;
        }
        Self { events, ..self.clone() }
    }

    fn with(&self, event: Event) -> Self {
        let forgotten = (self.events.len() + 1).saturating_sub(LONGEST);
        let events = self.events[forgotten..].iter().copied().chain([event]).collect();
        Self { events, ..self.clone() }
    }
}

impl Moment {
    pub fn time(self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.0.into())
    }
}

impl From<SystemTime> for Moment {
    fn from(time: SystemTime) -> Self {
        let seconds = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        Self(u32::try_from(seconds).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn failure(code: &'static str, count: u32, first: u64, last: u64) -> Event {
        Event::Failure { code, count, first_at: at(first).into(), last_at: at(last).into() }
    }

    fn success(issued: u64) -> Event {
        Event::Success { issued_at: at(issued).into(), expires_at: at(issued + 3600).into() }
    }

    fn token(changed: u64, expires: Option<u64>) -> Token {
        let expires_at = expires.map(|seconds| at(seconds).into());
        Token { changed_at: at(changed).into(), issued_at: Some(at(0).into()), expires_at }
    }

    #[test]
    fn a_failure_that_repeats_is_one_event() {
        let mut history = History::default().succeeded(at(100), at(3700));
        for second in 1000..2000 {
            history = history.failed("TimedOut", at(second));
        }
        history = history.succeeded(at(2000), at(5600)).failed("TimedOut", at(3000));
        let expected = [
            success(100),
            failure("TimedOut", 1000, 1000, 1999),
            success(2000),
            failure("TimedOut", 1, 3000, 3000),
        ];
        assert_eq!(history.events(), expected);
    }

    #[test]
    fn failures_that_take_turns_are_one_event_each_even_across_a_rotation() {
        let mut history = History::default();
        for round in 0..500 {
            history = history.failed("TimedOut", at(2 * round)).failed("ConnectionFailed", at(2 * round + 1));
            if round == 300 {
                history = history.token_found(token(600, Some(90_000)), Holder::default());
            }
        }
        let expected = [
            failure("TimedOut", 500, 0, 998),
            failure("ConnectionFailed", 500, 1, 999),
            Event::Token(token(600, Some(90_000))),
        ];
        assert_eq!(history.events(), expected);
    }

    #[test]
    fn what_is_old_is_forgotten_but_the_token_is_not() {
        let mut history = History::default().token_found(token(5, None), Holder::default());
        for hour in 1..=100 {
            history = history.succeeded(at(hour * 3600), at((hour + 1) * 3600));
        }
        assert_eq!(history.events().len(), LONGEST);
        assert_eq!(history.events()[0], success(37 * 3600));
        assert_eq!(history.events()[LONGEST - 1], success(100 * 3600));
        assert_eq!(history.token(), Some(token(5, None)));
    }

    #[test]
    fn a_problem_ends_with_the_next_success_and_begins_anew() {
        let problem = |since| Problem {
            code: "TimedOut",
            message: String::new(),
            mend: String::new(),
            since: at(since),
        };
        let history = History::default().succeeded(at(1), at(3601));
        assert_eq!((history.problem(), history.problem_ended_at()), (None, None));
        let history = history.troubled(&problem(10));
        assert_eq!(history.problem_ended_at(), None);
        let history = history.succeeded(at(20), at(3620)).succeeded(at(1800), at(5400));
        assert_eq!(
            (history.problem(), history.problem_ended_at()),
            (Some(&problem(10)), Some(at(20).into()))
        );
        assert_eq!(history.troubled(&problem(2000)).problem_ended_at(), None);
    }

    #[test]
    fn an_event_is_small() {
        assert!(size_of::<Event>() <= 32, "{} bytes", size_of::<Event>());
    }

    #[test]
    fn a_time_beyond_the_room_is_the_last_one() {
        assert_eq!(Moment::from(at(u64::from(u32::MAX) + 5)), Moment(u32::MAX));
    }
}

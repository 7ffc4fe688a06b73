//! How long a role's sessions may be, which only STS can tell, and tells only by refusing what is longer.

use std::time::Duration;

use crate::contract::MAX_SESSION_DURATION;
use crate::sts::ErrorKind;
use crate::sts::ExchangeError;

/// Lengths are tried to a quarter of an hour: seven calls at most, once.
const STEP: Duration = Duration::from_secs(15 * 60);
/// IAM's smallest maximum: every role allows it.
const ALWAYS_ALLOWED: Duration = Duration::from_secs(3600);

/// A search between what is allowed and what is not.
#[derive(Debug)]
pub(super) struct Search {
    allowed: Duration,
    /// Whether STS has given a session of the length that is allowed.
    is_given: bool,
    /// The shortest that was refused.
    refused: Option<Duration>,
    first: Duration,
}

impl Search {
    /// Begins with what was found before, else with the longest that there is.
    pub(super) fn from(remembered: Option<Duration>) -> Self {
        let first = remembered.unwrap_or(MAX_SESSION_DURATION);
        Self { allowed: ALWAYS_ALLOWED, is_given: false, refused: None, first }
    }

    /// What to ask for; none once it is found.
    pub(super) fn next(&self) -> Option<Duration> {
        let Some(refused) = self.refused else {
            return (!self.is_given).then_some(self.first);
        };
        let steps = (refused - self.allowed).as_secs() / STEP.as_secs();
        if steps > 1 {
            return Some(self.allowed + STEP * u32::try_from(steps / 2).unwrap_or(1));
        }
        (!self.is_given).then_some(self.allowed)
    }

    pub(super) fn allowed(&mut self, asked: Duration) {
        self.allowed = asked;
        self.is_given = true;
    }

    pub(super) fn refused(&mut self, asked: Duration) {
        self.refused = Some(asked);
    }

    /// Whether there is anything shorter left to try.
    pub(super) fn may_be_shorter(&self, asked: Duration) -> bool {
        asked > ALWAYS_ALLOWED
    }

    pub(super) fn longest(&self) -> Duration {
        self.allowed
    }
}

/// STS's words for a session that is longer than the role's own maximum; its code alone says less.
pub(super) fn is_too_long(error: &ExchangeError) -> bool {
    error.kind == ErrorKind::ValidationError && error.message.contains("MaxSessionDuration")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// What a role with this maximum is asked for, and what is found.
    fn play(maximum: Duration, remembered: Option<Duration>) -> (Vec<u64>, Duration) {
        let mut search = Search::from(remembered);
        let mut asked = Vec::new();
        while let Some(duration) = search.next() {
            asked.push(duration.as_secs() / 60);
            if duration <= maximum { search.allowed(duration) } else { search.refused(duration) }
        }
        (asked, search.longest())
    }

    #[test]
    fn finds_the_longest_to_a_quarter_of_an_hour_within_seven_calls() {
        for minutes in 60..=720 {
            let (asked, found) = play(minutes * MINUTE, None);
            assert_eq!(found, minutes / 15 * 15 * MINUTE, "{minutes} min");
            assert!(asked.len() <= 7, "{minutes} min: {asked:?}");
        }
    }

    #[test]
    fn asks_once_for_what_it_remembers() {
        assert_eq!(play(720 * MINUTE, None), (vec![720], 720 * MINUTE));
        assert_eq!(play(180 * MINUTE, Some(180 * MINUTE)), (vec![180], 180 * MINUTE));
    }

    #[test]
    fn searches_again_when_the_role_allows_less_than_before() {
        let (asked, found) = play(60 * MINUTE, Some(180 * MINUTE));
        assert_eq!((asked[0], *asked.last().unwrap(), found), (180, 60, 60 * MINUTE));
    }
}

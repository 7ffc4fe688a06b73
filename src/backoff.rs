//! How long to wait after a failure. Pure: the randomness comes from outside.

use std::time::Duration;

/// No delay is shorter, whatever the draw and whatever a server asks for.
pub const MIN_DELAY: Duration = Duration::from_millis(250);
/// Nobody makes us wait longer, a server's `Retry-After` included.
pub const MAX_DELAY: Duration = Duration::from_secs(300);

/// Exponential back-off between two bounds.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    spread: Spread,
}

#[derive(Clone, Copy, Debug)]
enum Spread {
    /// Anywhere between nothing and the bound: clients that failed together come back apart.
    Full,
    /// In the upper half: it is meant to be slow.
    Upper,
}

/// For what passes by itself.
pub const SOON: Backoff =
    Backoff { first: Duration::from_secs(1), most: Duration::from_secs(60), spread: Spread::Full };
/// For what only a person can mend. The first tries are close together: a role that was just made, or a trust policy
/// that was just mended, takes some seconds to be known everywhere in IAM.
pub const SLOWLY: Backoff = Backoff { first: Duration::from_secs(5), most: MAX_DELAY, spread: Spread::Upper };

impl Backoff {
    /// The delay after so many failures in a row (1 for the first); `jitter` is in `0.0..1.0`.
    pub fn delay(&self, failures: u32, jitter: f64) -> Duration {
        let doublings = failures.saturating_sub(1).min(16);
        let bound = self.first.saturating_mul(1 << doublings).min(self.most);
        let jitter = jitter.clamp(0.0, 1.0);
        let delay = match self.spread {
            Spread::Full => bound.mul_f64(jitter),
            Spread::Upper => bound.mul_f64(0.5 + jitter / 2.0),
        };
        delay.max(MIN_DELAY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_its_bound() {
        let soon: Vec<u64> = (1..=8).map(|n| SOON.delay(n, 1.0).as_secs()).collect();
        assert_eq!(soon, [1, 2, 4, 8, 16, 32, 60, 60]);
        let slowly: Vec<u64> = (1..=8).map(|n| SLOWLY.delay(n, 1.0).as_secs()).collect();
        assert_eq!(slowly, [5, 10, 20, 40, 80, 160, 300, 300]);
    }

    #[test]
    fn stays_between_its_bounds_for_any_draw() {
        for failures in [0, 1, 2, 7, 40, u32::MAX] {
            for jitter in [f64::MIN, -1.0, 0.0, 0.5, 1.0, 7.0] {
                assert!((MIN_DELAY..=SOON.most).contains(&SOON.delay(failures, jitter)));
                assert!((SLOWLY.first / 2..=SLOWLY.most).contains(&SLOWLY.delay(failures, jitter)));
            }
        }
    }
}

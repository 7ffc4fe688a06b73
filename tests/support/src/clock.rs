//! The one door to the time in this crate: the real clock plus an offset that a test holds in its hand.
//!
//! Clones share the offset, so a world's issuer, kubelet and emulator stay in step, and moving one moves all.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A wall clock that can be pushed forwards and backwards.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    offset_millis: Arc<AtomicI64>,
}

impl Clock {
    pub fn now(&self) -> SystemTime {
        offset(SystemTime::now(), self.offset_millis.load(Ordering::SeqCst))
    }

    /// Whole seconds since 1970, as JWT's NumericDate has them.
    pub fn unix_seconds(&self) -> i64 {
        unix_seconds(self.now())
    }

    pub fn advance(&self, by: Duration) {
        self.offset_millis.fetch_add(millis(by), Ordering::SeqCst);
    }

    pub fn rewind(&self, by: Duration) {
        self.offset_millis.fetch_sub(millis(by), Ordering::SeqCst);
    }
}

pub(crate) fn unix_seconds(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_secs().cast_signed(),
        Err(before) => -(before.duration().as_secs().cast_signed()),
    }
}

pub(crate) fn offset(time: SystemTime, millis: i64) -> SystemTime {
    let by = Duration::from_millis(millis.unsigned_abs());
    if millis < 0 { time - by } else { time + by }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).expect("an offset must fit into 64 bits of milliseconds")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn clones_move_together() {
        let clock = Clock::default();
        let other = clock.clone();
        let before = clock.now();
        other.advance(Duration::from_secs(7200));
        assert!(clock.now().duration_since(before).unwrap() >= Duration::from_secs(7200));
        clock.rewind(Duration::from_secs(10800));
        assert!(other.now() < before);
    }
}

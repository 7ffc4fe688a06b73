//! The one beat that everything slow moves to: whoever looks at a file, at the clock or at the heap once in a while does it
//! on this beat, so that an idle process wakes up twice a minute and not once for each of them.

use std::future::Future;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Interval;
use tokio::time::MissedTickBehavior;
use tokio::time::interval_at;

use crate::clock::Clock;

/// tokio's timer keeps what is due in wheels of 1, 64 and 4,096 ms and wakes up whenever something moves from a wheel to
/// the next finer one: three times for one long wait, but once if it ends on a tick of the coarsest.
const TICK: Duration = Duration::from_millis(4096);
/// The last tick within 30 s.
const BEAT: Duration = Duration::from_millis(7 * 4096);
/// For those who cannot do with 30 s: the last tick within 10 s.
const QUICK_BEAT: Duration = Duration::from_millis(2 * 4096);

/// Waits for the next beat; clones wait each for themselves.
#[derive(Clone, Debug)]
pub struct Beat(watch::Receiver<u64>);

/// Makes the beat, and the task that gives it.
pub fn beat(clock: Clock) -> (impl Future<Output = ()>, Beat) {
    let (sender, beat) = Beat::scripted();
    let give = async move {
        let mut beats = every(&clock, BEAT);
        loop {
            beats.tick().await;
            sender.send_modify(|count| *count += 1);
        }
    };
    (give, beat)
}

/// A beat of one's own, for those who need it more often.
pub fn quick(clock: &Clock) -> Interval {
    every(clock, QUICK_BEAT)
}

impl Beat {
    /// For those who give the beat themselves.
    pub fn scripted() -> (watch::Sender<u64>, Self) {
        let (sender, receiver) = watch::channel(0);
        (sender, Self(receiver))
    }

    pub async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            // Nobody gives it any more.
            std::future::pending::<()>().await;
        }
    }
}

/// From the next tick on.
fn every(clock: &Clock, beat: Duration) -> Interval {
    let passed = clock.steady().saturating_duration_since(clock.started());
    let ticks = passed.as_millis() / TICK.as_millis();
    let first = TICK * u32::try_from(ticks).unwrap_or_default() + beat;
    let mut interval = interval_at(clock.started() + first, beat);
    interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
    interval
}

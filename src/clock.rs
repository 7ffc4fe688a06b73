//! The only door to the time.
//!
//! Three clocks are read together. The wall clock is people's and tokens', and jumps: NTP steps it, and a node may have it
//! wrong. The steady clock is what timers run on; it stands still while a machine is suspended. The boot clock
//! (`CLOCK_BOOTTIME`) does neither, so it measures how long anything lasts.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::SystemTime;

use rustix::time::ClockId;
use rustix::time::clock_gettime;
use tokio::time::Instant;

/// Beyond this the local wall clock is not believed, STS's `Date` is.
pub const TOLERATED_SKEW: Duration = Duration::from_secs(60);

/// All clocks at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    pub wall: SystemTime,
    pub steady: Instant,
    /// Time since the machine started, suspended time included.
    pub boot: Duration,
}

/// Hands out [`Reading`]s; cheap to clone. Tests set the wall themselves and let tokio's paused clock move all three.
#[derive(Clone, Debug)]
pub struct Clock(Inner);

#[derive(Clone, Debug)]
enum Inner {
    /// With the moment at which it was made.
    System(Instant),
    Manual(Arc<Manual>),
}

/// Clocks that move with tokio's (paused) clock, and jump when told to.
#[derive(Debug)]
pub struct Manual {
    started: Instant,
    /// What the wall showed at the start and how long the machine was up then, jumps since included.
    set: Mutex<(SystemTime, Duration)>,
}

impl Clock {
    pub fn system() -> Self {
        Self(Inner::System(steady_now()))
    }

    /// A clock that shows `wall` now; the handle makes it jump.
    pub fn manual(wall: SystemTime) -> (Self, Arc<Manual>) {
        let manual = Arc::new(Manual { started: steady_now(), set: Mutex::new((wall, Duration::ZERO)) });
        (Self(Inner::Manual(manual.clone())), manual)
    }

    pub fn read(&self) -> Reading {
        match &self.0 {
            Inner::System(_) => Reading { wall: wall_now(), steady: steady_now(), boot: boot_now() },
            Inner::Manual(manual) => manual.read(),
        }
    }

    pub fn steady(&self) -> Instant {
        steady_now()
    }

    /// When this clock was made: before the runtime, where beats are to fall on the ticks of the runtime's timer.
    pub fn started(&self) -> Instant {
        match &self.0 {
            Inner::System(started) => *started,
            Inner::Manual(manual) => manual.started,
        }
    }

    pub fn wall(&self) -> SystemTime {
        self.read().wall
    }
}

impl Manual {
    fn read(&self) -> Reading {
        let steady = steady_now();
        let passed = steady - self.started;
        let (wall, boot) = *self.set.lock().unwrap_or_else(PoisonError::into_inner);
        Reading { wall: wall + passed, steady, boot: boot + passed }
    }

    /// Moves the wall clock alone, as NTP does.
    pub fn jump_forward(&self, by: Duration) {
        self.set.lock().unwrap_or_else(PoisonError::into_inner).0 += by;
    }

    pub fn jump_back(&self, by: Duration) {
        self.set.lock().unwrap_or_else(PoisonError::into_inner).0 -= by;
    }

    /// The machine sleeps: the wall and the boot clock go on, timers do not.
    pub fn suspend(&self, time: Duration) {
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        set.0 += time;
        set.1 += time;
    }
}

/// STS's time, told from the last moment at which it was known. What has passed since is the boot clock's to say: a wall
/// clock that is set back cannot make credentials live longer, one that is set forward cannot take them away.
#[derive(Clone, Copy, Debug)]
pub struct Timeline {
    known: SystemTime,
    at: Duration,
}

impl Timeline {
    /// Before STS was heard: the local wall clock is all there is.
    pub fn local(at: Reading) -> Self {
        Self { known: at.wall, at: at.boot }
    }

    /// After STS was heard. Its `Date` has whole seconds and was on its way, so of two that nearly agree the later is
    /// taken: that refreshes too early rather than too late.
    pub fn heard(date: SystemTime, at: Reading) -> Self {
        let known = if skew(date, at.wall) > TOLERATED_SKEW { date } else { date.max(at.wall) };
        Self { known, at: at.boot }
    }

    /// It was `known` at this moment.
    pub fn since(known: SystemTime, at: Reading) -> Self {
        Self { known, at: at.boot }
    }

    pub fn now(&self, reading: Reading) -> SystemTime {
        self.known + reading.boot.saturating_sub(self.at)
    }
}

/// How far two clocks are apart.
pub fn skew(a: SystemTime, b: SystemTime) -> Duration {
    a.duration_since(b).unwrap_or_else(|earlier| earlier.duration())
}

#[allow(clippy::disallowed_methods)] // this is the door
fn wall_now() -> SystemTime {
    SystemTime::now()
}

#[allow(clippy::disallowed_methods)] // this is the door
fn steady_now() -> Instant {
    Instant::now()
}

fn boot_now() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    // Neither is negative: the machine has started.
    Duration::new(now.tv_sec.cast_unsigned(), now.tv_nsec.cast_unsigned() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_secs(1_800_000_000);
    const HOUR: Duration = Duration::from_secs(3600);

    #[tokio::test(start_paused = true)]
    async fn follows_the_wall_clock_while_nothing_jumps() {
        let (clock, _) = Clock::manual(SystemTime::UNIX_EPOCH + START);
        let timeline = Timeline::local(clock.read());
        tokio::time::advance(HOUR).await;
        assert_eq!(timeline.now(clock.read()), SystemTime::UNIX_EPOCH + START + HOUR);
    }

    #[tokio::test(start_paused = true)]
    async fn goes_on_through_a_sleep_of_the_machine() {
        let (clock, machine) = Clock::manual(SystemTime::UNIX_EPOCH + START);
        let timeline = Timeline::local(clock.read());
        machine.suspend(HOUR);
        assert_eq!(timeline.now(clock.read()), SystemTime::UNIX_EPOCH + START + HOUR);
    }

    #[tokio::test(start_paused = true)]
    async fn goes_on_evenly_when_the_wall_clock_is_set_either_way() {
        let (clock, machine) = Clock::manual(SystemTime::UNIX_EPOCH + START);
        let timeline = Timeline::local(clock.read());
        tokio::time::advance(HOUR).await;
        machine.jump_back(10 * HOUR);
        assert_eq!(timeline.now(clock.read()), SystemTime::UNIX_EPOCH + START + HOUR);
        machine.jump_forward(20 * HOUR);
        assert_eq!(timeline.now(clock.read()), SystemTime::UNIX_EPOCH + START + HOUR);
    }

    #[tokio::test(start_paused = true)]
    async fn takes_the_date_of_sts_when_the_wall_clock_is_more_than_a_minute_off() {
        let start = SystemTime::UNIX_EPOCH + START;
        let (clock, _) = Clock::manual(start);
        let now = clock.read();
        let second = Duration::from_secs(1);
        for (date, known) in [
            (start - TOLERATED_SKEW - second, start - TOLERATED_SKEW - second),
            (start - TOLERATED_SKEW, start),
            (start + TOLERATED_SKEW, start + TOLERATED_SKEW),
            (start + TOLERATED_SKEW + second, start + TOLERATED_SKEW + second),
        ] {
            assert_eq!(Timeline::heard(date, now).now(now), known);
        }
    }

    #[test]
    fn the_boot_clock_goes_on() {
        let earlier = boot_now();
        assert!(boot_now() >= earlier && earlier > Duration::ZERO);
    }
}

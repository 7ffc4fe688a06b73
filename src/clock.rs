//! The only door to the time.
//!
//! Two clocks are read together: the wall clock, which people and tokens use and which can jump, and the steady
//! one, which never goes back but stands still while a machine is suspended. [`Timeline`] makes STS's time of the two.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::SystemTime;

use tokio::time::Instant;

/// Beyond this the local wall clock is not believed, STS's `Date` is.
pub const TOLERATED_SKEW: Duration = Duration::from_secs(60);

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    pub wall: SystemTime,
    pub steady: Instant,
}

/// Hands out [`Reading`]s; cheap to clone. Tests set the wall themselves and let tokio's paused clock be the steady one.
#[derive(Clone, Debug)]
pub struct Clock(Inner);

#[derive(Clone, Debug)]
enum Inner {
    System,
    Manual(Arc<Manual>),
}

/// A wall clock that moves with tokio's (paused) clock, and jumps when told to.
#[derive(Debug)]
pub struct Manual {
    started: Reading,
    wall: Mutex<SystemTime>,
}

impl Clock {
    pub fn system() -> Self {
        Self(Inner::System)
    }

    /// A clock that shows `wall` now; the handle makes it jump.
    pub fn manual(wall: SystemTime) -> (Self, Arc<Manual>) {
        let started = Reading { wall, steady: steady_now() };
        let manual = Arc::new(Manual { started, wall: Mutex::new(wall) });
        (Self(Inner::Manual(manual.clone())), manual)
    }

    pub fn read(&self) -> Reading {
        match &self.0 {
            Inner::System => Reading { wall: wall_now(), steady: steady_now() },
            Inner::Manual(manual) => manual.read(),
        }
    }

    pub fn steady(&self) -> Instant {
        steady_now()
    }

    pub fn wall(&self) -> SystemTime {
        self.read().wall
    }
}

impl Manual {
    fn read(&self) -> Reading {
        let steady = steady_now();
        let wall = *self.wall.lock().unwrap_or_else(PoisonError::into_inner);
        Reading { wall: wall + (steady - self.started.steady), steady }
    }

    /// Moves the wall clock alone, as NTP or a resumed machine does.
    pub fn jump_forward(&self, by: Duration) {
        *self.wall.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }

    pub fn jump_back(&self, by: Duration) {
        *self.wall.lock().unwrap_or_else(PoisonError::into_inner) -= by;
    }
}

/// STS's time, told from the last moment at which it was known.
///
/// Since then at least as much time has passed as the larger of the two clocks says: the wall clock falls behind when
/// it is set back, the steady one when the machine sleeps. Erring towards "later" refreshes too early, never too late.
#[derive(Clone, Copy, Debug)]
pub struct Timeline {
    known: SystemTime,
    at: Reading,
}

impl Timeline {
    /// Before STS was heard: the local wall clock is all there is.
    pub fn local(at: Reading) -> Self {
        Self { known: at.wall, at }
    }

    /// After STS was heard; its `Date` has whole seconds, so a small difference says nothing.
    pub fn heard(date: SystemTime, at: Reading) -> Self {
        let known = if skew(date, at.wall) > TOLERATED_SKEW { date } else { at.wall };
        Self { known, at }
    }

    pub fn now(&self, reading: Reading) -> SystemTime {
        let steady = reading.steady.saturating_duration_since(self.at.steady);
        let wall = reading.wall.duration_since(self.at.wall).unwrap_or_default();
        self.known + steady.max(wall)
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
    async fn believes_a_wall_clock_that_ran_ahead_since_the_machine_may_have_slept() {
        let (clock, wall) = Clock::manual(SystemTime::UNIX_EPOCH + START);
        let timeline = Timeline::local(clock.read());
        wall.jump_forward(HOUR);
        assert_eq!(timeline.now(clock.read()), SystemTime::UNIX_EPOCH + START + HOUR);
    }

    #[tokio::test(start_paused = true)]
    async fn goes_on_when_the_wall_clock_is_set_back() {
        let (clock, wall) = Clock::manual(SystemTime::UNIX_EPOCH + START);
        let timeline = Timeline::local(clock.read());
        tokio::time::advance(HOUR).await;
        wall.jump_back(10 * HOUR);
        assert_eq!(timeline.now(clock.read()), SystemTime::UNIX_EPOCH + START + HOUR);
    }

    #[tokio::test(start_paused = true)]
    async fn takes_the_date_of_sts_when_the_wall_clock_is_more_than_a_minute_off() {
        let (clock, _) = Clock::manual(SystemTime::UNIX_EPOCH + START);
        let near = SystemTime::UNIX_EPOCH + START + TOLERATED_SKEW;
        let far = near + Duration::from_secs(1);
        assert_eq!(Timeline::heard(near, clock.read()).now(clock.read()), SystemTime::UNIX_EPOCH + START);
        assert_eq!(Timeline::heard(far, clock.read()).now(clock.read()), far);
    }
}

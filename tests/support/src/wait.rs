//! Waiting for what nobody tells of: a file that is swapped, a process that becomes another program.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// More than anything here takes, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(60);
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

/// Looks again and again until there is something; a test that waits in vain fails and says for what.
///
/// # Panics
///
/// When there is nothing after a minute.
pub async fn found<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        pause(what, end).await;
    }
}

/// The same, until it is so; to look may take a while.
///
/// # Panics
///
/// When it is not after a minute.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so().await {
        pause(what, end).await;
    }
}

async fn pause(what: &str, end: Instant) {
    assert!(Instant::now() < end, "after {} s still not: {what}", PATIENCE.as_secs());
    sleep(BETWEEN_LOOKS).await;
}

//! What is said in the log of passing on: one line, not a thousand, while the same thing fails.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::Instant;

use crate::upstream::PassError;

/// Failures and successes may take turns: what was said is not said again before this has passed.
const SAID_ONCE_IN: Duration = Duration::from_secs(60);

/// Remembers what has been said, and when.
#[derive(Debug, Default)]
pub(super) struct Report(Mutex<Said>);

#[derive(Debug, Default)]
struct Said {
    failures: Vec<(&'static str, Instant)>,
    is_failing: bool,
}

impl Report {
    pub(super) fn success(&self) {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_failing {
            said.is_failing = false;
            tracing::info!("the node's metadata service answers again");
        }
    }

    pub(super) fn failure(&self, error: &PassError, now: Instant) {
        let code = error.code();
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.failures.retain(|(_, at)| now.duration_since(*at) < SAID_ONCE_IN);
        if said.failures.iter().any(|(known, _)| *known == code) {
            tracing::debug!(code, "passing on failed again: {error}");
            return;
        }
        said.failures.push((code, now));
        said.is_failing = true;
        tracing::warn!(code, "a request could not be passed on to the node's metadata service: {error}");
    }
}

//! What came to an emulator and what became of it, with a way to wait for it and a count of what is under way.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use serde::{Serialize, Serializer};
use tokio::sync::watch;
use tokio::time::timeout;

/// Waiting longer than this is a hang, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Under way.
    Pending,
    Ok,
    /// Refused with this code, in earnest.
    Refused(String),
    /// A scripted fault of this kind.
    Scripted(String),
    /// The client went away before an answer was ready.
    Abandoned,
}

/// One request, as an emulator remembers it.
pub(crate) trait Entry: Clone + fmt::Debug {
    /// Its place in the journal, from 1.
    fn number(&mut self, number: usize);

    fn outcome(&self) -> &Outcome;

    fn settle(&mut self, outcome: Outcome, status: Option<u16>);
}

#[derive(Debug)]
pub(crate) struct Journal<E> {
    entries: Mutex<Vec<E>>,
    in_progress: Mutex<InProgress>,
    changed: watch::Sender<()>,
}

/// How many requests have come and not been answered.
#[derive(Clone, Copy, Debug, Default)]
struct InProgress {
    now: usize,
    at_most: usize,
}

/// The duty to say what became of a request; dropped without a word it is [`Outcome::Abandoned`].
#[derive(Debug)]
pub(crate) struct Ticket<E: Entry> {
    journal: Arc<Journal<E>>,
    number: usize,
    settled: bool,
}

impl<E: Entry> Journal<E> {
    pub(crate) fn new() -> Self {
        Self { entries: Mutex::default(), in_progress: Mutex::default(), changed: watch::Sender::new(()) }
    }

    pub(crate) fn begin(self: &Arc<Self>, mut entry: E) -> Ticket<E> {
        let mut entries = self.entries();
        let number = entries.len() + 1;
        entry.number(number);
        entries.push(entry);
        drop(entries);
        self.count(|InProgress { now, at_most }| {
            *now += 1;
            *at_most = (*at_most).max(*now);
        });
        self.changed.send_replace(());
        Ticket { journal: Arc::clone(self), number, settled: false }
    }

    pub(crate) fn all(&self) -> Vec<E> {
        self.entries().clone()
    }

    pub(crate) fn in_progress(&self) -> usize {
        self.count(|counted| counted.now)
    }

    pub(crate) fn most_in_progress(&self) -> usize {
        self.count(|counted| counted.at_most)
    }

    pub(crate) fn forget_most_in_progress(&self) {
        self.count(|counted| counted.at_most = counted.now);
    }

    /// Waits until that many requests are settled, whatever became of them.
    pub(crate) async fn wait_for(&self, count: usize) -> io::Result<Vec<E>> {
        let settled = |entry: &&E| *entry.outcome() != Outcome::Pending;
        self.wait_until(|entries| entries.iter().filter(settled).count() >= count).await
    }

    pub(crate) async fn wait_until(&self, enough: impl Fn(&[E]) -> bool) -> io::Result<Vec<E>> {
        let mut changed = self.changed.subscribe();
        let waiting = async {
            loop {
                let entries = self.all();
                if enough(&entries) {
                    return entries;
                }
                // The sender lives as long as the journal.
                let _ = changed.changed().await;
            }
        };
        timeout(PATIENCE, waiting).await.map_err(|_| {
            let seen = self.all();
            io::Error::new(
                io::ErrorKind::TimedOut,
                format!("the calls waited for did not come; there were {seen:#?}"),
            )
        })
    }

    fn settle(&self, number: usize, outcome: Outcome, status: Option<u16>) {
        self.entries()[number - 1].settle(outcome, status);
        self.changed.send_replace(());
    }

    fn count<T>(&self, change: impl FnOnce(&mut InProgress) -> T) -> T {
        change(&mut self.in_progress.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn entries(&self) -> MutexGuard<'_, Vec<E>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<E: Entry> Ticket<E> {
    pub(crate) fn settle(&mut self, outcome: Outcome, status: Option<u16>) {
        self.settled = true;
        self.journal.settle(self.number, outcome, status);
    }
}

impl<E: Entry> Drop for Ticket<E> {
    fn drop(&mut self) {
        self.journal.count(|counted| counted.now -= 1);
        if self.settled {
            self.journal.changed.send_replace(());
        } else {
            self.journal.settle(self.number, Outcome::Abandoned, None);
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pending => f.write_str("pending"),
            Self::Ok => f.write_str("ok"),
            Self::Refused(code) => f.write_str(code),
            Self::Scripted(kind) => write!(f, "scripted {kind}"),
            Self::Abandoned => f.write_str("abandoned"),
        }
    }
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

pub(crate) fn rfc3339<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_rfc3339_millis(*time))
}

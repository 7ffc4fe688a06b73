//! The log of calls: what came, from whom, and what became of it; never a secret.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use serde::{Serialize, Serializer};
use tokio::sync::watch;
use tokio::time::timeout;

/// Waiting longer than this is a hang, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// One request to the emulator.
#[derive(Clone, Debug, Serialize)]
pub struct Call {
    /// From 1.
    pub number: usize,
    #[serde(serialize_with = "rfc3339")]
    pub at: SystemTime,
    pub method: String,
    /// The `Host` header: whom the client believed that it was talking to.
    pub host: Option<String>,
    pub action: Option<String>,
    pub role_arn: Option<String>,
    pub role_session_name: Option<String>,
    /// As it was sent; absent when it was not.
    pub duration_seconds: Option<String>,
    pub external_id: Option<String>,
    /// As it was sent with this request; one that is inherited is in the caller's own calls.
    pub source_identity: Option<String>,
    pub tags: BTreeMap<String, String>,
    pub transitive_tag_keys: Vec<String>,
    /// The session policy, as it was sent.
    pub policy: Option<String>,
    pub policy_arns: Vec<String>,
    pub token: Option<TokenSeen>,
    /// Whether the request carried a signature (an exchange must not).
    pub signed: bool,
    /// The key that the signature is said to be made with.
    pub access_key_id: Option<String>,
    /// Whose key that is, if it was given out here: `arn:aws:sts::111122223333:assumed-role/NAME/SESSION`.
    pub caller_arn: Option<String>,
    /// From the signature's credential scope.
    pub signing_region: Option<String>,
    pub signing_service: Option<String>,
    pub user_agent: Option<String>,
    pub request_id: String,
    pub outcome: Outcome,
    /// The HTTP status, when one was sent.
    pub status: Option<u16>,
}

/// Enough of a token to tell it from others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TokenSeen {
    pub jti: Option<String>,
    pub sha256: String,
}

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

#[derive(Debug)]
pub(crate) struct CallLog {
    calls: Mutex<Vec<Call>>,
    in_progress: Mutex<InProgress>,
    changed: watch::Sender<()>,
}

/// How many calls have come and not been answered.
#[derive(Clone, Copy, Debug, Default)]
struct InProgress {
    now: usize,
    at_most: usize,
}

/// The duty to say what became of a call; dropped without a word it is [`Outcome::Abandoned`].
#[derive(Debug)]
pub(crate) struct Ticket {
    log: Arc<CallLog>,
    number: usize,
    settled: bool,
}

impl Call {
    pub fn succeeded(&self) -> bool {
        self.outcome == Outcome::Ok
    }

    /// Whether it was this action, by its name in the API.
    pub fn is(&self, action: &str) -> bool {
        self.action.as_deref() == Some(action)
    }

    /// Whether it was for this role.
    pub fn is_for(&self, role_arn: &str) -> bool {
        self.role_arn.as_deref() == Some(role_arn)
    }

    fn settled(&self) -> bool {
        self.outcome != Outcome::Pending
    }
}

impl CallLog {
    pub(crate) fn new() -> Self {
        Self { calls: Mutex::default(), in_progress: Mutex::default(), changed: watch::Sender::new(()) }
    }

    pub(crate) fn begin(self: &Arc<Self>, mut call: Call) -> Ticket {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        call.number = calls.len() + 1;
        let ticket = Ticket { log: Arc::clone(self), number: call.number, settled: false };
        calls.push(call);
        drop(calls);
        self.count(|InProgress { now, at_most }| {
            *now += 1;
            *at_most = (*at_most).max(*now);
        });
        self.changed.send_replace(());
        ticket
    }

    pub(crate) fn all(&self) -> Vec<Call> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
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

    /// Waits until that many calls are settled, whatever became of them.
    pub(crate) async fn wait_for(&self, count: usize) -> io::Result<Vec<Call>> {
        self.wait_until(|calls| calls.iter().filter(|call| call.settled()).count() >= count).await
    }

    pub(crate) async fn wait_until(&self, enough: impl Fn(&[Call]) -> bool) -> io::Result<Vec<Call>> {
        let mut changed = self.changed.subscribe();
        let waiting = async {
            loop {
                let calls = self.all();
                if enough(&calls) {
                    return calls;
                }
                // The sender lives as long as the log.
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

    fn count<T>(&self, change: impl FnOnce(&mut InProgress) -> T) -> T {
        change(&mut self.in_progress.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn settle(&self, number: usize, outcome: Outcome, status: Option<u16>) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let call = &mut calls[number - 1];
        call.outcome = outcome;
        call.status = status;
        drop(calls);
        self.changed.send_replace(());
    }
}

impl Ticket {
    pub(crate) fn settle(&mut self, outcome: Outcome, status: Option<u16>) {
        self.settled = true;
        self.log.settle(self.number, outcome, status);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.settled {
            self.log.settle(self.number, Outcome::Abandoned, None);
        }
        self.log.count(|counted| counted.now -= 1);
        self.log.changed.send_replace(());
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

fn rfc3339<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_rfc3339_millis(*time))
}

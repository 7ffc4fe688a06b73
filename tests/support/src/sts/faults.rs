//! The script: what goes wrong, how often, and for which action and role.
//!
//! As JSON, which is how a shell gives it: `{"kind":"throttle","times":3,"retry_after":2}`.
//! For each request, every matching `hold`, `latency`, `skew_date`, `drip` and `truncate` shapes the answer, and the first
//! matching fault of the other kinds takes its place.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;

/// One thing that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    #[serde(flatten)]
    pub kind: FaultKind,
    /// For how many requests; until [`clear`](crate::sts::Emulator::clear) when absent.
    #[serde(default)]
    pub times: Option<u32>,
    /// Only for this action.
    #[serde(default)]
    pub action: Option<String>,
    /// Only for requests that name this role, by its ARN.
    #[serde(default)]
    pub role: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultKind {
    /// Answers later.
    Latency { millis: u64 },
    /// Answers when this fault is cleared or mended, as if nothing had been.
    Hold,
    /// The `Date` header is wrong by this much, and nothing else is.
    SkewDate { seconds: i64 },
    /// The body comes one byte at a time, over about this long.
    Drip { millis: u64 },
    /// The body ends half-way, and the connection with it.
    Truncate,
    /// An error of AWS's, by its code; status and message are AWS's own unless given.
    Error {
        code: String,
        #[serde(default)]
        status: Option<u16>,
        #[serde(default)]
        message: Option<String>,
    },
    /// `Throttling`, 400, "Rate exceeded"; `Retry-After` in seconds if wanted.
    Throttle {
        #[serde(default)]
        retry_after: Option<u64>,
    },
    /// A bare HTTP answer, as a load balancer in front of STS gives it.
    Http {
        status: u16,
        #[serde(default)]
        body: Option<String>,
        #[serde(default)]
        retry_after: Option<u64>,
    },
    /// 200 with a body that is not XML.
    Garbage,
    /// The request is read and the connection reset.
    Reset,
    /// The request is read and never answered.
    Hang,
}

/// What happens to one request.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) latency: Duration,
    pub(crate) date_skew_seconds: i64,
    pub(crate) drip: Option<Duration>,
    pub(crate) truncate: bool,
    pub(crate) instead: Option<FaultKind>,
    holds: Vec<watch::Receiver<()>>,
}

/// A fault that is not cleared. Used up, it stays for what it still holds.
#[derive(Debug)]
struct Standing {
    fault: Fault,
    /// Its end is what held requests wait for.
    holding: watch::Sender<()>,
}

#[derive(Debug, Default)]
pub(crate) struct Faults {
    standing: Mutex<Vec<Standing>>,
}

impl Fault {
    /// Until cleared, for every action.
    pub fn always(kind: FaultKind) -> Self {
        Self { kind, times: None, action: None, role: None }
    }

    pub fn times(kind: FaultKind, times: u32) -> Self {
        Self { times: Some(times), ..Self::always(kind) }
    }

    /// One of AWS's errors, until cleared.
    pub fn error(code: &str) -> Self {
        Self::always(FaultKind::Error { code: code.to_owned(), status: None, message: None })
    }

    pub fn throttle(times: u32) -> Self {
        Self::times(FaultKind::Throttle { retry_after: None }, times)
    }

    /// Every answer this much later, until cleared.
    pub fn latency(by: Duration) -> Self {
        Self::always(FaultKind::Latency { millis: u64::try_from(by.as_millis()).unwrap_or(u64::MAX) })
    }

    pub fn only_for(self, action: &str) -> Self {
        Self { action: Some(action.to_owned()), ..self }
    }

    /// Only for requests that name this role.
    pub fn for_role(self, role_arn: &str) -> Self {
        Self { role: Some(role_arn.to_owned()), ..self }
    }

    /// Reads a fault, and refuses a field that it does not know: a mistyped `times` must not throttle for ever.
    pub fn from_json(json: &[u8]) -> Result<Self, String> {
        let given: Value = serde_json::from_slice(json).map_err(|e| e.to_string())?;
        let fault: Self = serde_json::from_value(given.clone()).map_err(|e| e.to_string())?;
        let known = serde_json::to_value(&fault).map_err(|e| e.to_string())?;
        let unknown =
            given.as_object().and_then(|fields| fields.keys().find(|name| known.get(name).is_none()));
        unknown.map_or(Ok(fault), |name| Err(format!("unknown field {name:?}")))
    }

    fn is_for(&self, action: Option<&str>, role: Option<&str>) -> bool {
        self.times != Some(0)
            && self.action.as_deref().is_none_or(|only| Some(only) == action)
            && self.role.as_deref().is_none_or(|only| Some(only) == role)
    }
}

impl FaultKind {
    /// Its name, as in JSON.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Latency { .. } => "latency",
            Self::Hold => "hold",
            Self::SkewDate { .. } => "skew_date",
            Self::Drip { .. } => "drip",
            Self::Truncate => "truncate",
            Self::Error { .. } => "error",
            Self::Throttle { .. } => "throttle",
            Self::Http { .. } => "http",
            Self::Garbage => "garbage",
            Self::Reset => "reset",
            Self::Hang => "hang",
        }
    }
}

impl Script {
    /// Waits until nothing holds this request any more.
    pub(crate) async fn released(&mut self) {
        for hold in &mut self.holds {
            // Nothing is ever sent: the sender's end is the word.
            let _ = hold.changed().await;
        }
    }
}

impl Faults {
    pub(crate) fn add(&self, fault: Fault) {
        self.standing().push(Standing { fault, holding: watch::Sender::new(()) });
    }

    pub(crate) fn clear(&self) {
        self.standing().clear();
    }

    /// Ends what is for this role alone.
    pub(crate) fn mend(&self, role: &str) {
        self.standing().retain(|standing| standing.fault.role.as_deref() != Some(role));
    }

    /// Takes what is due for a request of this action for this role.
    pub(crate) fn take(&self, action: Option<&str>, role: Option<&str>) -> Script {
        let mut standing = self.standing();
        let mut script = Script::default();
        for Standing { fault, holding } in standing.iter_mut().filter(|one| one.fault.is_for(action, role)) {
            match &fault.kind {
                FaultKind::Hold => script.holds.push(holding.subscribe()),
                FaultKind::Latency { millis } => script.latency += Duration::from_millis(*millis),
                FaultKind::SkewDate { seconds } => script.date_skew_seconds += seconds,
                FaultKind::Drip { millis } => script.drip = Some(Duration::from_millis(*millis)),
                FaultKind::Truncate => script.truncate = true,
                // Its turn comes when the one before it is used up.
                _ if script.instead.is_some() => continue,
                other => script.instead = Some(other.clone()),
            }
            fault.times = fault.times.map(|left| left - 1);
        }
        standing.retain(|one| one.fault.times != Some(0) || one.holding.receiver_count() > 0);
        script
    }

    fn standing(&self) -> MutexGuard<'_, Vec<Standing>> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

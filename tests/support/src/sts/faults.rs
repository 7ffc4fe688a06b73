//! The script: what goes wrong, how often, and for which action.
//!
//! As JSON, which is how a shell gives it: `{"kind":"throttle","times":3,"retry_after":2}`.
//! For each request, every matching `latency`, `skew_date`, `drip` and `truncate` shapes the answer, and the first
//! matching fault of the other kinds takes its place.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

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
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultKind {
    /// Answers later.
    Latency { millis: u64 },
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
}

#[derive(Debug, Default)]
pub(crate) struct Faults {
    standing: Mutex<Vec<Fault>>,
}

impl Fault {
    /// Until cleared, for every action.
    pub fn always(kind: FaultKind) -> Self {
        Self { kind, times: None, action: None }
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

    pub fn only_for(self, action: &str) -> Self {
        Self { action: Some(action.to_owned()), ..self }
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

    fn is_for(&self, action: Option<&str>) -> bool {
        self.times != Some(0) && self.action.as_deref().is_none_or(|only| Some(only) == action)
    }
}

impl FaultKind {
    /// Its name, as in JSON.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Latency { .. } => "latency",
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

impl Faults {
    pub(crate) fn add(&self, fault: Fault) {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
    }

    pub(crate) fn clear(&self) {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Takes what is due for a request of this action.
    pub(crate) fn take(&self, action: Option<&str>) -> Script {
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut script = Script::default();
        for fault in standing.iter_mut().filter(|fault| fault.is_for(action)) {
            match &fault.kind {
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
        standing.retain(|fault| fault.times != Some(0));
        script
    }
}

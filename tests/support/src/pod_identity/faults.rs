//! What goes wrong on purpose.

use std::time::Duration;

use serde_json::Value;

/// One thing that goes wrong, so many times or until it is cleared. Faults take turns in the order in which they came;
/// a latency is on top of the others.
#[derive(Clone, Debug, PartialEq)]
pub struct PodFault {
    pub kind: PodFaultKind,
    pub times: Option<u32>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum PodFaultKind {
    Latency(Duration),
    /// EKS refused: this status, and `[REQUEST ID]: (CODE): MESSAGE, fault: FAULT`.
    Upstream {
        status: u16,
        code: String,
        message: String,
    },
    /// EKS was not reached in time: 500, and nothing but `[]`.
    UpstreamUnreachable,
    /// The agent's own limit: 429.
    TooManyRequests,
    /// This status and this text.
    Text {
        status: u16,
        body: String,
    },
    /// This status and this JSON, as other endpoints have it.
    Json {
        status: u16,
        body: Value,
    },
    /// The request is read and never answered.
    Hang,
    /// The request is read and the connection reset.
    Reset,
    /// 200 and no JSON.
    Garbage,
    /// 200 and the credentials, and blanks up to this many bytes.
    Huge(usize),
    /// Half of the body, and then the connection ends.
    Cut,
    /// The right body under another `Content-Type`.
    ContentType(String),
    /// The credentials without this field.
    Without(String),
    /// The credentials with this in place of what the field should hold.
    With(String, Value),
    /// Credentials that expired this long ago.
    ExpiredFor(Duration),
    /// To another place: 302.
    Redirect(String),
}

#[derive(Debug, Default)]
pub(super) struct Faults {
    standing: Vec<PodFault>,
}

/// What happens to one request.
#[derive(Debug, Default)]
pub(super) struct Script {
    pub(super) latency: Duration,
    pub(super) instead: Option<PodFaultKind>,
}

impl PodFault {
    /// Until cleared.
    pub fn always(kind: PodFaultKind) -> Self {
        Self { kind, times: None }
    }

    pub fn times(kind: PodFaultKind, times: u32) -> Self {
        Self { kind, times: Some(times) }
    }

    /// EKS refuses, until cleared. The code decides whose fault it is said to be.
    pub fn upstream(status: u16, code: &str, message: &str) -> Self {
        Self::always(PodFaultKind::Upstream { status, code: code.to_owned(), message: message.to_owned() })
    }

    /// The role does not trust EKS, until cleared: the usual mistake.
    pub fn untrusted_role() -> Self {
        let message = "Unauthorized Exception! EKS does not have permissions to assume the associated role.";
        Self::upstream(400, "AccessDeniedException", message)
    }
}

impl PodFaultKind {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Latency(_) => "latency",
            Self::Upstream { .. } => "upstream",
            Self::UpstreamUnreachable => "upstream_unreachable",
            Self::TooManyRequests => "too_many_requests",
            Self::Text { .. } => "text",
            Self::Json { .. } => "json",
            Self::Hang => "hang",
            Self::Reset => "reset",
            Self::Garbage => "garbage",
            Self::Huge(_) => "huge",
            Self::Cut => "cut",
            Self::ContentType(_) => "content_type",
            Self::Without(_) => "without",
            Self::With(..) => "with",
            Self::ExpiredFor(_) => "expired_for",
            Self::Redirect(_) => "redirect",
        }
    }
}

impl Faults {
    pub(super) fn add(&mut self, fault: PodFault) {
        self.standing.push(fault);
    }

    pub(super) fn clear(&mut self) {
        self.standing.clear();
    }

    /// Takes what is due for one request.
    pub(super) fn take(&mut self) -> Script {
        let mut script = Script::default();
        for fault in &mut self.standing {
            match &fault.kind {
                PodFaultKind::Latency(by) => script.latency += *by,
                _ if script.instead.is_some() => continue,
                other => script.instead = Some(other.clone()),
            }
            fault.times = fault.times.map(|left| left.saturating_sub(1));
        }
        self.standing.retain(|fault| fault.times != Some(0));
        script
    }
}

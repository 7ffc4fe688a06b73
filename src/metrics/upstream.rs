//! What is counted of requests that are passed on to the node's metadata service.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Its own bound is 900 ms.
const BUCKETS: [f64; 9] = [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.25, 0.5, 1.0];

/// How passing a request on ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Passing {
    Success,
    Timeout,
    Unreachable,
    Busy,
    TooLarge,
    SessionRefused,
    Failed,
    Unintelligible,
    Ending,
}

#[derive(Debug)]
pub(super) struct Upstream {
    requests: [Counter; Passing::ALL.len()],
    duration: Histogram,
}

impl Passing {
    const ALL: [Self; 9] = [
        Self::Success,
        Self::Timeout,
        Self::Unreachable,
        Self::Busy,
        Self::TooLarge,
        Self::SessionRefused,
        Self::Failed,
        Self::Unintelligible,
        Self::Ending,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Busy => "busy",
            Self::TooLarge => "too_large",
            Self::SessionRefused => "session_refused",
            Self::Failed => "failed",
            Self::Unintelligible => "unintelligible",
            Self::Ending => "ending",
        }
    }
}

impl Upstream {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let requests = Family::<[(&'static str, &'static str); 1], Counter>::default();
        registry.register(
            "upstream_requests",
            "Requests passed on to the node's metadata service, by how they ended",
            requests.clone(),
        );
        let duration = Histogram::new(BUCKETS);
        registry.register(
            "upstream_request_duration_seconds",
            "How long passing them on took, failed ones included",
            duration.clone(),
        );
        let requests = Passing::ALL.map(|result| requests.get_or_create_owned(&[("result", result.name())]));
        Self { requests, duration }
    }

    pub(super) fn count(&self, result: Passing, took: Duration) {
        self.requests[result as usize].inc();
        self.duration.observe(took.as_secs_f64());
    }
}

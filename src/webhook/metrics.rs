//! What the webhook counts, in the OpenMetrics text that Prometheus scrapes.
//!
//! | family (`irsa_sidecar_webhook_…`) | labels | |
//! |---|---|---|
//! | `reviews_total` | result | see [`Outcome`] |
//! | `review_duration_seconds` | | from the end of the request to its answer |
//! | `warnings_total` | | that were returned with reviews |
//! | `certificate_expiry_timestamp_seconds` | | of the serving certificate |
//! | `service_accounts` | | with annotations of `eks.amazonaws.com`, that are known from the watch |
//! | `service_account_lookups_total` | result | see [`Lookup`] |
//! | `watch_failures_total` | | each is followed by another try |
//!
//! and `irsa_sidecar_build_info`. Every series is there from the start.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::build_info;

pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const BUCKETS: [f64; 9] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0, 2.5];

#[derive(Clone, Debug)]
pub(super) struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    reviews: Family<[(&'static str, &'static str); 1], Counter>,
    duration: Histogram,
    warnings: Counter,
    certificate_expiry: Gauge,
    accounts: Gauge,
    lookups: Family<[(&'static str, &'static str); 1], Counter>,
    watch_failures: Counter,
}

/// What came of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    Injected,
    Untouched,
    Refused,
    /// It was no review.
    Invalid,
    /// The ServiceAccount could not be asked for.
    Failed,
}

/// Where a ServiceAccount was found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Lookup {
    Watch,
    Direct,
    Missing,
    Failed,
}

impl Outcome {
    const ALL: [Self; 5] = [Self::Injected, Self::Untouched, Self::Refused, Self::Invalid, Self::Failed];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Injected => "injected",
            Self::Untouched => "untouched",
            Self::Refused => "refused",
            Self::Invalid => "invalid",
            Self::Failed => "failed",
        }
    }
}

impl Lookup {
    const ALL: [Self; 4] = [Self::Watch, Self::Direct, Self::Missing, Self::Failed];

    fn name(self) -> &'static str {
        match self {
            Self::Watch => "watch",
            Self::Direct => "direct",
            Self::Missing => "missing",
            Self::Failed => "failed",
        }
    }
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut all = Registry::with_prefix("irsa_sidecar");
        let (version, commit, target) = (build_info::VERSION, build_info::COMMIT, build_info::TARGET);
        let info = [("version", version), ("commit", commit), ("target", target)];
        all.register("build", "What was built", Info::new(info));
        let registry = all.sub_registry_with_prefix("webhook");
        let (reviews, lookups) = (Family::default(), Family::default());
        let (warnings, watch_failures) = (Counter::default(), Counter::default());
        let (certificate_expiry, accounts): (Gauge, Gauge) = Default::default();
        let duration = Histogram::new(BUCKETS);
        registry.register("reviews", "Requests for injection, by what came of them", reviews.clone());
        registry.register("review_duration_seconds", "How long an answer took", duration.clone());
        registry.register("warnings", "Warnings returned with reviews", warnings.clone());
        registry.register(
            "certificate_expiry_timestamp_seconds",
            "When the serving certificate ends",
            certificate_expiry.clone(),
        );
        registry.register("service_accounts", "ServiceAccounts known from the watch", accounts.clone());
        registry.register("service_account_lookups", "Where ServiceAccounts were found", lookups.clone());
        registry.register("watch_failures", "Failures of the watch", watch_failures.clone());
        for outcome in Outcome::ALL {
            let _ = Family::<_, Counter>::get_or_create(&reviews, &[("result", outcome.name())]);
        }
        for lookup in Lookup::ALL {
            let _ = Family::<_, Counter>::get_or_create(&lookups, &[("result", lookup.name())]);
        }
        Self(Arc::new(Inner {
            registry: all,
            reviews,
            duration,
            warnings,
            certificate_expiry,
            accounts,
            lookups,
            watch_failures,
        }))
    }

    pub(super) fn reviewed(&self, outcome: Outcome, warnings: usize, took: Duration) {
        self.0.reviews.get_or_create(&[("result", outcome.name())]).inc();
        self.0.warnings.inc_by(warnings as u64);
        self.0.duration.observe(took.as_secs_f64());
    }

    pub(super) fn looked_up(&self, lookup: Lookup) {
        self.0.lookups.get_or_create(&[("result", lookup.name())]).inc();
    }

    pub(super) fn watch_failed(&self) {
        self.0.watch_failures.inc();
    }

    pub(super) fn knows(&self, accounts: usize) {
        self.0.accounts.set(i64::try_from(accounts).unwrap_or(i64::MAX));
    }

    pub(super) fn certificate_ends(&self, at: Duration) {
        self.0.certificate_expiry.set(i64::try_from(at.as_secs()).unwrap_or(i64::MAX));
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        // A String takes everything.
        let _ = encode(&mut text, &self.0.registry);
        text
    }
}

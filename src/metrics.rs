//! What the process counts, in the OpenMetrics text that Prometheus scrapes; the door to `prometheus-client`.
//!
//! | family (`irsa_sidecar_…`) | labels | |
//! |---|---|---|
//! | `credentials_expiry_timestamp_seconds` | role | when the held credentials expire |
//! | `refresh_timestamp_seconds` | role | when they were obtained |
//! | `next_refresh_timestamp_seconds` | role | when the next exchange is due |
//! | `exchange_total` | role, result, code | exchanges; `result` is `success` (empty `code`) or `failure` |
//! | `exchange_duration_seconds` | role | |
//! | `token_expiry_timestamp_seconds` | | `exp` of the token last read |
//! | `token_changes_total`, `token_read_failures_total` | | |
//! | `authorization_reads_total` | result | reads of the authorization token's file after the start, see [`Reread`] |
//! | `roles_file_reads_total` | result | the same of the roles file |
//! | `credentials_file_writes_total` | result | writes of the credentials file, see [`Written`] |
//! | `requests_total` | endpoint, status, sdk | `sdk` is a closed list, see [`Sdk`] |
//! | `request_duration_seconds` | endpoint | from the end of the request's head to its answer |
//! | `connections` | endpoint | open now |
//! | `connections_closed_total` | endpoint, reason | those that we closed, see [`Closed`] |
//! | `accept_errors_total` | endpoint | |
//! | `upstream_requests_total` | result | passed on to the node's metadata service, see [`Passing`] |
//! | `upstream_request_duration_seconds` | | |
//! | `build_info` | version, commit, target | |
//!
//! Every family is there from the start, and so is every series that an alert reads. A timestamp that is not known is 0.
//! Request counts are plain atomics in a table: a request costs two additions, no look-up by name.

use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

mod sdk;
mod surface;
mod upstream;

pub use sdk::Sdk;
pub use surface::Asked;
pub use surface::Closed;
pub use surface::Endpoint;
pub use upstream::Passing;

use surface::Surfaces;
use upstream::Upstream;

use crate::build_info;

/// What `/metrics` is served as.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const PREFIX: &str = "irsa_sidecar";
const EXCHANGE_BUCKETS: [f64; 9] = [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Counts for the whole process; clones count together.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Inner>);

type Role = [(&'static str, String); 1];
type ExchangeLabels = [(&'static str, String); 3];

#[derive(Debug)]
struct Inner {
    registry: Registry,
    expiry: Family<Role, Gauge>,
    refreshed: Family<Role, Gauge>,
    next_refresh: Family<Role, Gauge>,
    exchanges: Family<ExchangeLabels, Counter>,
    exchange_duration: Family<Role, Histogram, fn() -> Histogram>,
    token_expiry: Gauge,
    token_changes: Counter,
    token_read_failures: Counter,
    authorization_reads: [Counter; Reread::ALL.len()],
    roles_file_reads: [Counter; Reread::ALL.len()],
    credentials_file_writes: [Counter; Written::ALL.len()],
    surfaces: Surfaces,
    upstream: Upstream,
    exchange_codes: Vec<&'static str>,
}

/// What came of reading a file again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reread {
    Unchanged,
    Changed,
    /// It could not be read, or held nothing good: what was held is kept.
    Failed,
}

impl Reread {
    const ALL: [Self; 3] = [Self::Unchanged, Self::Changed, Self::Failed];

    fn name(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Changed => "changed",
            Self::Failed => "failed",
        }
    }
}

/// What came of writing the credentials file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Written {
    Changed,
    Failed,
}

impl Written {
    const ALL: [Self; 2] = [Self::Changed, Self::Failed];

    fn name(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Failed => "failed",
        }
    }
}

impl Metrics {
    /// `exchange_codes` are the ways in which an exchange can fail: each has a series for each role.
    pub fn new(exchange_codes: &[&'static str]) -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        let build = [
            ("version", build_info::VERSION),
            ("commit", build_info::COMMIT),
            ("target", build_info::TARGET),
        ];
        registry.register("build", "What is running", Info::new(build));

        let expiry = Family::default();
        registry.register(
            "credentials_expiry_timestamp_seconds",
            "When the credentials that are held expire; 0 before there are any",
            expiry.clone(),
        );
        let refreshed = Family::default();
        registry.register("refresh_timestamp_seconds", "When they were obtained", refreshed.clone());
        let next_refresh = Family::default();
        registry.register(
            "next_refresh_timestamp_seconds",
            "When the next exchange is due; 0 while it waits for the token",
            next_refresh.clone(),
        );
        let exchanges = Family::default();
        registry.register("exchange", "Exchanges of the token at STS, by how they ended", exchanges.clone());
        let exchange_duration = Family::new_with_constructor(exchange_histogram as fn() -> Histogram);
        registry.register(
            "exchange_duration_seconds",
            "How long exchanges took, failed ones included",
            exchange_duration.clone(),
        );

        let token_expiry = Gauge::default();
        registry.register(
            "token_expiry_timestamp_seconds",
            "When the token says that it expires; 0 while unknown",
            token_expiry.clone(),
        );
        let token_changes = Counter::default();
        registry.register("token_changes", "New tokens found in the file", token_changes.clone());
        let token_read_failures = Counter::default();
        registry.register(
            "token_read_failures",
            "Attempts to read the token that found none, or a bad one",
            token_read_failures.clone(),
        );

        let authorization_reads = Family::<[(&'static str, &'static str); 1], Counter>::default();
        registry.register(
            "authorization_reads",
            "Reads of the authorization token's file, by what came of them",
            authorization_reads.clone(),
        );
        let authorization_reads =
            Reread::ALL.map(|result| authorization_reads.get_or_create_owned(&[("result", result.name())]));

        let roles_file_reads = Family::<[(&'static str, &'static str); 1], Counter>::default();
        registry.register(
            "roles_file_reads",
            "Reads of the roles file, by what came of them",
            roles_file_reads.clone(),
        );
        let roles_file_reads =
            Reread::ALL.map(|result| roles_file_reads.get_or_create_owned(&[("result", result.name())]));

        let credentials_file_writes = Family::<[(&'static str, &'static str); 1], Counter>::default();
        registry.register(
            "credentials_file_writes",
            "Attempts to write the credentials file, by what came of them",
            credentials_file_writes.clone(),
        );
        let credentials_file_writes = Written::ALL
            .map(|result| credentials_file_writes.get_or_create_owned(&[("result", result.name())]));

        let surfaces = Surfaces::register(&mut registry);
        let upstream = Upstream::register(&mut registry);

        let inner = Inner {
            registry,
            expiry,
            refreshed,
            next_refresh,
            exchanges,
            exchange_duration,
            token_expiry,
            token_changes,
            token_read_failures,
            authorization_reads,
            roles_file_reads,
            credentials_file_writes,
            surfaces,
            upstream,
            exchange_codes: exchange_codes.to_vec(),
        };
        Self(Arc::new(inner))
    }

    /// There is such a role from now on: all of its series exist from the start.
    pub fn role_added(&self, role: &str) {
        self.0.open_series(role);
    }

    /// There is no such role any more. What it counted is gone with it, as with a process that ends.
    pub fn role_removed(&self, role: &str) {
        self.0.close_series(role);
    }

    pub fn exchange_succeeded(
        &self,
        role: &str,
        at: SystemTime,
        expires_at: SystemTime,
        next_at: SystemTime,
        took: Duration,
    ) {
        let label = role_label(role);
        self.0.expiry.get_or_create(&label).set(seconds(Some(expires_at)));
        self.0.refreshed.get_or_create(&label).set(seconds(Some(at)));
        self.0.next_refresh.get_or_create(&label).set(seconds(Some(next_at)));
        self.0.exchanges.get_or_create(&exchange_labels(role, "success", "")).inc();
        self.0.exchange_duration.get_or_create(&label).observe(took.as_secs_f64());
    }

    /// What is held stays as it was; `next_at` is none while only a new token can help.
    pub fn exchange_failed(
        &self,
        role: &str,
        code: &'static str,
        next_at: Option<SystemTime>,
        took: Duration,
    ) {
        let label = role_label(role);
        self.0.next_refresh.get_or_create(&label).set(seconds(next_at));
        self.0.exchanges.get_or_create(&exchange_labels(role, "failure", code)).inc();
        self.0.exchange_duration.get_or_create(&label).observe(took.as_secs_f64());
    }

    /// None while it waits for the token, or an exchange is under way.
    pub fn next_exchange(&self, role: &str, at: Option<SystemTime>) {
        self.0.next_refresh.get_or_create(&role_label(role)).set(seconds(at));
    }

    pub fn token_changed(&self, expires_at: Option<SystemTime>) {
        self.0.token_expiry.set(seconds(expires_at));
        self.0.token_changes.inc();
    }

    pub fn token_read_failed(&self) {
        self.0.token_read_failures.inc();
    }

    pub fn authorization_read(&self, result: Reread) {
        self.0.authorization_reads[result as usize].inc();
    }

    pub fn roles_file_read(&self, result: Reread) {
        self.0.roles_file_reads[result as usize].inc();
    }

    pub fn credentials_file_written(&self, result: Written) {
        self.0.credentials_file_writes[result as usize].inc();
    }

    pub fn request(&self, endpoint: Endpoint, status: u16, sdk: Sdk, took: Duration) {
        self.0.surfaces.request(endpoint, status, sdk, took);
    }

    pub fn connection_opened(&self, endpoint: Endpoint) {
        self.0.surfaces.of(endpoint).connections.inc();
    }

    pub fn connection_ended(&self, endpoint: Endpoint) {
        self.0.surfaces.of(endpoint).connections.dec();
    }

    /// Says why, beside [`Self::connection_ended`].
    pub fn connection_closed(&self, endpoint: Endpoint, reason: Closed) {
        self.0.surfaces.of(endpoint).closed[reason as usize].inc();
    }

    pub fn accept_failed(&self, endpoint: Endpoint) {
        self.0.surfaces.of(endpoint).accept_errors.inc();
    }

    /// A request was passed on to the node's metadata service, or could not be.
    pub fn passed_on(&self, result: Passing, took: Duration) {
        self.0.upstream.count(result, took);
    }

    /// Who asked there, since the start.
    pub fn asked(&self, endpoint: Endpoint) -> impl Iterator<Item = Asked> {
        self.0.surfaces.asked(endpoint)
    }

    /// Everything, as it is at this moment.
    pub fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.0.registry).expect("writing into a string must not fail");
        text
    }
}

impl Inner {
    fn open_series(&self, role: &str) {
        let label = role_label(role);
        for gauges in [&self.expiry, &self.refreshed, &self.next_refresh] {
            drop(gauges.get_or_create(&label));
        }
        drop(self.exchange_duration.get_or_create(&label));
        drop(self.exchanges.get_or_create(&exchange_labels(role, "success", "")));
        for code in &self.exchange_codes {
            drop(self.exchanges.get_or_create(&exchange_labels(role, "failure", code)));
        }
    }

    fn close_series(&self, role: &str) {
        let label = role_label(role);
        for gauges in [&self.expiry, &self.refreshed, &self.next_refresh] {
            gauges.remove(&label);
        }
        self.exchange_duration.remove(&label);
        self.exchanges.remove(&exchange_labels(role, "success", ""));
        for code in &self.exchange_codes {
            self.exchanges.remove(&exchange_labels(role, "failure", code));
        }
    }
}

fn exchange_histogram() -> Histogram {
    Histogram::new(EXCHANGE_BUCKETS)
}

fn role_label(role: &str) -> Role {
    [("role", role.to_owned())]
}

fn exchange_labels(role: &str, result: &str, code: &str) -> ExchangeLabels {
    [("role", role.to_owned()), ("result", result.to_owned()), ("code", code.to_owned())]
}

fn seconds(time: Option<SystemTime>) -> i64 {
    let since_epoch = time.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
    since_epoch.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;

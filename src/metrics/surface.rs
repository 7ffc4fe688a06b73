//! What is counted for each HTTP surface: requests and connections.
//!
//! Request counts are plain atomics in a table, so that a request looks nothing up by name.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::encoding::EncodeMetric;
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::metrics::Sdk;

const REQUEST_BUCKETS: [f64; 12] =
    [0.000_005, 0.000_01, 0.000_025, 0.000_1, 0.000_25, 0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0];
/// A status that is not in the list is counted under the last, 0.
const STATUSES: [u16; 10] = [200, 400, 401, 403, 404, 405, 413, 503, 504, 0];

/// Which of the HTTP surfaces.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Endpoint {
    Container,
    Imds,
    Admin,
}

/// Why we closed a connection that its peer would have kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Closed {
    /// Nothing was asked for too long.
    Idle,
    /// A request did not arrive in time.
    SlowRequest,
    /// A response was not taken in time.
    SlowResponse,
    /// Others needed the room.
    NoRoom,
    /// What arrived was not HTTP/1, or too long.
    Malformed,
}

/// How the requests of one SDK at one surface ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Asked {
    pub endpoint: Endpoint,
    pub sdk: Sdk,
    pub ok: u64,
    /// 4xx.
    pub client_errors: u64,
    /// 5xx, and what is in no list.
    pub server_errors: u64,
}

/// The counts of all surfaces.
#[derive(Debug)]
pub(super) struct Surfaces {
    requests: Arc<Requests>,
    each: [Surface; Endpoint::ALL.len()],
}

/// What is counted for one surface, found without a look-up.
#[derive(Debug)]
pub(super) struct Surface {
    duration: Histogram,
    pub(super) connections: Gauge,
    pub(super) closed: [Counter; Closed::ALL.len()],
    pub(super) accept_errors: Counter,
}

type ByStatus = [[AtomicU64; Sdk::COUNT]; STATUSES.len()];

struct Requests([ByStatus; Endpoint::ALL.len()]);

impl Endpoint {
    const ALL: [Self; 3] = [Self::Container, Self::Imds, Self::Admin];

    pub fn name(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Imds => "imds",
            Self::Admin => "admin",
        }
    }
}

impl Closed {
    const ALL: [Self; 5] = [Self::Idle, Self::SlowRequest, Self::SlowResponse, Self::NoRoom, Self::Malformed];

    fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::SlowRequest => "slow_request",
            Self::SlowResponse => "slow_response",
            Self::NoRoom => "no_room",
            Self::Malformed => "malformed",
        }
    }
}

impl Surfaces {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let requests = Arc::new(Requests::new());
        registry.register_collector(Box::new(requests.clone()));
        Self { requests, each: register_each(registry) }
    }

    pub(super) fn of(&self, endpoint: Endpoint) -> &Surface {
        &self.each[endpoint as usize]
    }

    pub(super) fn request(&self, endpoint: Endpoint, status: u16, sdk: Sdk, took: Duration) {
        self.requests.count(endpoint, status, sdk);
        self.of(endpoint).duration.observe(took.as_secs_f64());
    }
}

impl Surfaces {
    pub(super) fn asked(&self, endpoint: Endpoint) -> impl Iterator<Item = Asked> {
        Sdk::all().filter_map(move |sdk| self.requests.of(endpoint, sdk))
    }
}

impl Requests {
    /// None where nothing was asked.
    fn of(&self, endpoint: Endpoint, sdk: Sdk) -> Option<Asked> {
        let mut asked = Asked { endpoint, sdk, ok: 0, client_errors: 0, server_errors: 0 };
        for (status, counts) in STATUSES.iter().zip(&self.0[endpoint as usize]) {
            let sum = match status {
                200..400 => &mut asked.ok,
                400..500 => &mut asked.client_errors,
                _ => &mut asked.server_errors,
            };
            *sum += counts[sdk.index()].load(Ordering::Relaxed);
        }
        (asked.ok + asked.client_errors + asked.server_errors > 0).then_some(asked)
    }

    fn new() -> Self {
        let zeroes = |_| std::array::from_fn(|_| std::array::from_fn(|_| AtomicU64::new(0)));
        Self(std::array::from_fn(zeroes))
    }

    fn count(&self, endpoint: Endpoint, status: u16, sdk: Sdk) {
        let status = STATUSES.iter().position(|known| *known == status).unwrap_or(STATUSES.len() - 1);
        self.0[endpoint as usize][status][sdk.index()].fetch_add(1, Ordering::Relaxed);
    }
}

impl Collector for Requests {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut encoder =
            encoder.encode_descriptor("requests", "Requests answered", None, MetricType::Counter)?;
        for endpoint in Endpoint::ALL {
            for (status, counts) in STATUSES.iter().zip(&self.0[endpoint as usize]) {
                for sdk in Sdk::all() {
                    let count = counts[sdk.index()].load(Ordering::Relaxed);
                    // Others appear when they first happen: twenty-seven names times ten statuses would drown the rest.
                    let alerts = matches!(status, 200 | 403 | 503) && sdk == Sdk::OTHER;
                    if count == 0 && !alerts {
                        continue;
                    }
                    let status = if *status == 0 { "other".to_owned() } else { status.to_string() };
                    let labels = [("endpoint", endpoint.name()), ("status", &status), ("sdk", sdk.name())];
                    ConstCounter::new(count).encode(encoder.encode_family(&labels)?)?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requests").finish_non_exhaustive()
    }
}

fn register_each(registry: &mut Registry) -> [Surface; Endpoint::ALL.len()] {
    type Endpointed<M, C = fn() -> M> = Family<[(&'static str, &'static str); 1], M, C>;
    let duration: Endpointed<Histogram> = Family::new_with_constructor(request_histogram);
    registry.register(
        "request_duration_seconds",
        "From the end of a request's head to its answer",
        duration.clone(),
    );
    let connections: Endpointed<Gauge> = Family::new_with_constructor(Gauge::default);
    registry.register("connections", "Connections that are open", connections.clone());
    let accept_errors: Endpointed<Counter> = Family::new_with_constructor(Counter::default);
    registry.register("accept_errors", "Connections that could not be accepted", accept_errors.clone());
    let closed = Family::<[(&'static str, &'static str); 2], Counter>::default();
    registry.register(
        "connections_closed",
        "Connections that were closed on their peers, by why",
        closed.clone(),
    );
    Endpoint::ALL.map(|endpoint| {
        let label = [("endpoint", endpoint.name())];
        Surface {
            duration: duration.get_or_create_owned(&label),
            connections: connections.get_or_create_owned(&label),
            accept_errors: accept_errors.get_or_create_owned(&label),
            closed: Closed::ALL.map(|reason| {
                closed.get_or_create_owned(&[("endpoint", endpoint.name()), ("reason", reason.name())])
            }),
        }
    })
}

fn request_histogram() -> Histogram {
    Histogram::new(REQUEST_BUCKETS)
}

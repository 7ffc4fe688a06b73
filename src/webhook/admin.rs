//! Health and metrics, on a port of their own and without TLS, as probes and Prometheus expect.

use std::convert::Infallible;
use std::sync::Arc;

use hyper::Request;
use hyper::StatusCode;
use hyper::body::Incoming;
use tokio::sync::watch;

use crate::contract::PATH_LIVE;
use crate::contract::PATH_METRICS;
use crate::contract::PATH_READY;
use crate::shutdown::Phase;
use crate::webhook::http::Reply;
use crate::webhook::http::plain;
use crate::webhook::http::reply;
use crate::webhook::metrics::CONTENT_TYPE;
use crate::webhook::metrics::Metrics;

pub(super) struct Admin {
    pub(super) metrics: Metrics,
    pub(super) listed: watch::Receiver<bool>,
    pub(super) native_sidecars: watch::Receiver<Option<bool>>,
    pub(super) phase: watch::Receiver<Phase>,
}

#[allow(clippy::unused_async)] // hyper wants a future
pub(super) async fn serve(admin: Arc<Admin>, request: Request<Incoming>) -> Result<Reply, Infallible> {
    Ok(match request.uri().path() {
        PATH_LIVE => plain(StatusCode::OK, "live"),
        PATH_READY => match admin.missing() {
            None => plain(StatusCode::OK, "ready"),
            Some(why) => plain(StatusCode::SERVICE_UNAVAILABLE, why),
        },
        PATH_METRICS => reply(StatusCode::OK, CONTENT_TYPE, admin.metrics.text().into()),
        _ => plain(StatusCode::NOT_FOUND, &format!("there are {PATH_LIVE}, {PATH_READY} and {PATH_METRICS}")),
    })
}

impl Admin {
    fn missing(&self) -> Option<&'static str> {
        if *self.phase.borrow() != Phase::Running {
            return Some("ending: asked to by a signal");
        }
        if self.native_sidecars.borrow().is_none() {
            return Some("waiting for the API server's version");
        }
        (!*self.listed.borrow()).then_some("waiting for the list of ServiceAccounts")
    }
}

//! Health, metrics and status; never a secret.
//!
//! | path | who may ask | answer |
//! |---|---|---|
//! | `/live` | anyone | 200 `ok` |
//! | `/ready` | anyone | 200 `ok` while every role holds credentials that may be served; else 503 and a line `ROLE: CODE` for each that does not |
//! | `/metrics` | anyone | OpenMetrics text |
//! | `/status` | loopback clients | JSON, see `serve/status.rs` |
//! | `/` | loopback clients | the status page, see `serve/page.rs` |
//!
//! Kubelets and scrapers come from outside the pod, so the first three have no guard but their poverty.

use bytes::Bytes;
use hyper::StatusCode;
use hyper::http::request::Parts;

use crate::clock::Reading;
use crate::contract;
use crate::metrics::Metrics;
use crate::roles::Board;
use crate::roles::Entry;
use crate::serve::StsEndpoint;
use crate::serve::answer::Answer;
use crate::serve::answer::CREDENTIALS_EXPIRED;
use crate::serve::guard;
use crate::serve::guard::Caller;
use crate::serve::guard::Door;
use crate::serve::page;
use crate::serve::refusal::Refusal;
use crate::serve::status::Status;

const OK: &str = "ok\n";

#[derive(Clone)]
#[allow(missing_debug_implementations)] // holds secrets
pub(super) struct Admin {
    pub board: Board,
    pub sts: Option<StsEndpoint>,
    pub metrics: Metrics,
    pub started: Reading,
}

impl Admin {
    pub(super) fn answer(&self, caller: Caller, door: &Door, head: &Parts, now: Reading) -> Answer {
        self.try_answer(caller, door, head, now).unwrap_or_else(Answer::from)
    }

    fn try_answer(&self, caller: Caller, door: &Door, head: &Parts, now: Reading) -> Result<Answer, Refusal> {
        guard::check_method(&head.method)?;
        match head.uri.path() {
            contract::PATH_LIVE => Ok(Answer::text(StatusCode::OK, OK)),
            contract::PATH_READY => Ok(self.ready(now)),
            contract::PATH_METRICS => Ok(Answer::metrics(self.metrics.text())),
            contract::PATH_STATUS => {
                guard::check_page(caller, door, head)?;
                let status =
                    Status::new(&self.board.now(), self.sts.as_ref(), &self.metrics, self.started, now);
                Ok(Answer::json(Bytes::from(status.to_json())))
            }
            contract::PATH_PAGE => {
                guard::check_page(caller, door, head)?;
                Ok(page::answer())
            }
            _ => Err(Refusal::AdminPathUnknown),
        }
    }

    fn ready(&self, now: Reading) -> Answer {
        let mut missing = String::new();
        for Entry { reader, .. } in self.board.now().entries() {
            let state = reader.load();
            if state.servable(now).is_none() {
                let code = state.problem.as_ref().map_or(CREDENTIALS_EXPIRED, |problem| problem.code);
                missing.push_str(&format!("{}: {code}\n", reader.role()));
            }
        }
        if missing.is_empty() {
            Answer::text(StatusCode::OK, OK)
        } else {
            Answer::text(StatusCode::SERVICE_UNAVAILABLE, missing)
        }
    }
}

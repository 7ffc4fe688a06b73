//! The metadata service of the node: what is on the allow-list is passed on to it, with a session of our own.
//!
//! A surface holds a [`Passage`] and has no hand of its own to reach out with; the task beside it connects. Of a request
//! only its path goes on, decoded, normalised and admitted ([`Allowed`]): no header of the client's, no query, no
//! method but GET. Of an answer only the status (200 or 404), the content type and the body come back; everything else
//! is a [`PassError`]. A redirect is never followed.
//!
//! | | |
//! |---|---|
//! | whole | 900 ms: clients give up at 1 s, and are to be told why instead |
//! | connecting | 300 ms, a connection for each request |
//! | at once | 8, and 64 that wait; above that it is busy |
//! | a body | 64 KiB |

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::HeaderValue;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::config::Upstream;
use crate::metrics::Metrics;
use crate::metrics::Passing;

mod allow;
mod check;
mod client;
mod interface;
mod node;
mod report;
#[cfg(test)]
mod tests;

pub use allow::Allowed;
pub use check::UnreachableUpstream;
pub use check::check;

use node::Node;
use report::Report;

const WHOLE: Duration = Duration::from_millis(900);
const AT_ONCE: usize = 8;
const WAITING: usize = 64;

/// A cheap handle to the task that talks to the upstream.
#[derive(Clone, Debug)]
pub struct Passage {
    questions: mpsc::Sender<Question>,
    shared: Arc<Shared>,
}

/// What the upstream answered.
#[derive(Clone, Debug)]
pub struct Passed {
    /// 200 or 404.
    pub status: u16,
    pub content_type: Option<HeaderValue>,
    pub body: Bytes,
}

/// Why there is no answer. Each is a 503 but the first, which is a 504.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum PassError {
    #[error(
        "the node's metadata service did not answer within {} ms. See whether it is to be reached from this pod at all",
        WHOLE.as_millis()
    )]
    Timeout,
    #[error(
        "the node's metadata service cannot be reached: {0}. Mend IRSA_SIDECAR_IMDS_UPSTREAM, or what is in the way \
         (a network policy, routes)"
    )]
    Unreachable(String),
    #[error("{} requests already wait for the node's metadata service. Ask again, and less often", AT_ONCE + WAITING)]
    Busy,
    #[error("the node's metadata service answered with too much to be passed on. Ask for something smaller")]
    TooLarge,
    #[error(
        "the node's metadata service asks for a session and gives us none that it takes. Raise the node's \
         HttpPutResponseHopLimit to 2, or name another IRSA_SIDECAR_IMDS_UPSTREAM"
    )]
    SessionRefused,
    #[error(
        "the node's metadata service answered with status {0}, which is not passed on. Its own log, or its owner, \
         knows why"
    )]
    Failed(u16),
    #[error(
        "what answers at IRSA_SIDECAR_IMDS_UPSTREAM is no metadata service: {0}. See whether address and port are right"
    )]
    Unintelligible(&'static str),
    #[error("the sidecar is ending. Ask the one that is started in its place")]
    Ending,
}

/// What a surface asks the task.
#[derive(Debug)]
struct Question {
    path: Allowed,
    answer: oneshot::Sender<Result<Passed, PassError>>,
}

#[derive(Debug)]
struct Shared {
    settings: Upstream,
    clock: Clock,
    metrics: Metrics,
    report: Report,
}

/// The handle, and the task that must be run beside it: it ends with the last handle.
pub fn start(
    settings: Upstream,
    clock: Clock,
    metrics: Metrics,
) -> (Passage, impl Future<Output = ()> + Send + use<>) {
    let (questions, asked) = mpsc::channel(WAITING);
    let node = Node::new(settings.address, settings.interface.clone(), clock.clone());
    let report = Report::default();
    let passage = Passage { questions, shared: Arc::new(Shared { settings, clock, metrics, report }) };
    (passage, answer_all(asked, Arc::new(node)))
}

impl Passage {
    /// Where requests are passed on to: for the log.
    pub fn address(&self) -> SocketAddr {
        self.shared.settings.address
    }

    /// The request's path, as it came and without its query; none when it may not be passed on.
    pub fn allows(&self, path: &str) -> Option<Allowed> {
        Allowed::of(&self.shared.settings.allow, path)
    }

    /// Asks. Never longer than the bound; dropping it takes the question back.
    pub async fn get(&self, path: Allowed) -> Result<Passed, PassError> {
        let Shared { clock, metrics, report, .. } = &*self.shared;
        let began = clock.steady();
        let result = timeout(WHOLE, self.ask(path)).await.unwrap_or(Err(PassError::Timeout));
        let now = clock.steady();
        metrics.passed_on(result.as_ref().map_or_else(PassError::passing, |_| Passing::Success), now - began);
        match &result {
            Ok(_) => report.success(),
            Err(error) => report.failure(error, now),
        }
        result
    }

    async fn ask(&self, path: Allowed) -> Result<Passed, PassError> {
        let (answer, answered) = oneshot::channel();
        self.questions.try_send(Question { path, answer }).map_err(|refused| match refused {
            TrySendError::Full(_) => PassError::Busy,
            TrySendError::Closed(_) => PassError::Ending,
        })?;
        answered.await.unwrap_or(Err(PassError::Ending))
    }
}

impl PassError {
    /// Stable: for clients, logs and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Timeout => "UpstreamTimeout",
            Self::Unreachable(_) => "UpstreamUnreachable",
            Self::Busy => "UpstreamBusy",
            Self::TooLarge => "UpstreamTooLarge",
            Self::SessionRefused => "UpstreamSessionRefused",
            Self::Failed(_) => "UpstreamFailed",
            Self::Unintelligible(_) => "UpstreamUnintelligible",
            Self::Ending => "UpstreamEnding",
        }
    }

    fn passing(&self) -> Passing {
        match self {
            Self::Timeout => Passing::Timeout,
            Self::Unreachable(_) => Passing::Unreachable,
            Self::Busy => Passing::Busy,
            Self::TooLarge => Passing::TooLarge,
            Self::SessionRefused => Passing::SessionRefused,
            Self::Failed(_) => Passing::Failed,
            Self::Unintelligible(_) => Passing::Unintelligible,
            Self::Ending => Passing::Ending,
        }
    }
}

impl Question {
    /// A client that has gone, or has waited too long, needs no answer: asking ends with it.
    async fn answer(self, node: Arc<Node>) {
        let Self { path, mut answer } = self;
        let result = tokio::select! {
            () = answer.closed() => return,
            result = node.get(&path) => result,
        };
        let _ = answer.send(result);
    }
}

async fn answer_all(mut asked: mpsc::Receiver<Question>, node: Arc<Node>) {
    let mut answering = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = answering.join_next() => {}
            question = asked.recv(), if answering.len() < AT_ONCE => match question {
                Some(question) => { answering.spawn(question.answer(node.clone())); }
                None => return,
            },
        }
    }
}

//! From a request to its answer, for every surface: dispatches, counts, refuses bodies.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;

use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::Full;
use http_body_util::Limited;
use hyper::Method;
use hyper::Request;
use hyper::Response;
use hyper::body::Body;
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::header::SERVER;
use hyper::header::USER_AGENT;
use hyper::http::request::Parts;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::clock::Reading;
use crate::contract;
use crate::metrics::Endpoint;
use crate::metrics::Metrics;
use crate::metrics::Sdk;
use crate::serve::activity::Activity;
use crate::serve::admin::Admin;
use crate::serve::answer::Answer;
use crate::serve::container::Container;
use crate::serve::guard;
use crate::serve::guard::Caller;
use crate::serve::guard::Door;
use crate::serve::held::Outcome;
use crate::serve::imds;
use crate::serve::imds::Imds;
use crate::serve::refusal::Refusal;

/// One listener's part of the server: what all of its connections share.
#[allow(missing_debug_implementations)] // holds a secret
pub(super) struct Place {
    pub surface: Surface,
    pub door: Door,
    pub metrics: Metrics,
    pub clock: Clock,
}

/// What is served.
#[allow(missing_debug_implementations)] // holds secrets
pub(super) enum Surface {
    Container(Container),
    Imds(Arc<Imds>),
    Admin(Admin),
}

const IMDS_SERVER: HeaderValue = HeaderValue::from_static(contract::IMDS_SERVER);

/// What a request's body may hold. No client sends any; the one that announces one, in chunks, sends none.
const MAX_BODY_BYTES: usize = 1024;

/// Answers the requests of one connection.
#[derive(Clone)]
#[allow(missing_debug_implementations)] // holds a secret
pub(super) struct Service {
    place: Arc<Place>,
    caller: Caller,
    activity: Arc<Activity>,
}

/// An answer, or the wait for one. Almost all are ready at once and cost no allocation.
#[allow(missing_debug_implementations)]
pub(super) enum Reply {
    Ready(Option<Response<Full<Bytes>>>),
    Pending(Pin<Box<dyn Future<Output = Response<Full<Bytes>>> + Send>>),
}

impl Surface {
    pub(super) fn endpoint(&self) -> Endpoint {
        match self {
            Self::Container(_) => Endpoint::Container,
            Self::Imds(_) => Endpoint::Imds,
            Self::Admin(_) => Endpoint::Admin,
        }
    }
}

impl Service {
    pub(super) fn new(place: Arc<Place>, caller: Caller, activity: Arc<Activity>) -> Self {
        Self { place, caller, activity }
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.place.clock
    }

    fn answer(&self, head: Parts) -> Reply {
        self.activity.answering();
        let now = self.clock().read();
        match self.outcome(&head, now) {
            Outcome::Now(answer) => Reply::Ready(Some(self.finish(answer, head, now.steady))),
            outcome => {
                let this = self.clone();
                Reply::Pending(Box::pin(async move {
                    let answer = this.over(outcome, &head).await;
                    this.finish(answer, head, now.steady)
                }))
            }
        }
    }

    fn outcome(&self, head: &Parts, now: Reading) -> Outcome {
        let (caller, door) = (self.caller, &self.place.door);
        match &self.place.surface {
            // Probes come on connections of their own, and there are few places: nobody keeps one.
            Surface::Admin(admin) => Outcome::Now(admin.answer(caller, door, head, now).closing()),
            Surface::Container(container) => container.answer(caller, door, head, now),
            Surface::Imds(imds) => imds.answer(caller, door, head, now),
        }
    }

    /// What came of it in the end. Whoever waited for a newer token is judged anew, once.
    async fn over(&self, mut outcome: Outcome, head: &Parts) -> Answer {
        if let Outcome::AwaitToken(look) = outcome {
            look.over().await;
            outcome = self.outcome(head, self.clock().read());
        }
        match outcome {
            Outcome::Now(answer) => answer,
            Outcome::AwaitFirst(wait) => wait.over(self.clock().clone()).await,
            Outcome::PassOn(passing) => passing.over().await,
            Outcome::AwaitToken(_) => Refusal::AuthorizationTokenMismatch.into(),
        }
    }

    fn finish(&self, answer: Answer, head: Parts, started: Instant) -> Response<Full<Bytes>> {
        let place = &*self.place;
        let sdk = Sdk::of(head.headers.get(USER_AGENT).map(|value| value.as_bytes()));
        let now = place.clock.steady();
        place.metrics.request(place.surface.endpoint(), answer.status.as_u16(), sdk, now - started);
        self.activity.answered(now);
        // A stranger has been told, and keeps no place.
        let is_stranger = place.surface.endpoint() != Endpoint::Admin && !self.caller.is_local();
        let answer = if is_stranger { answer.closing() } else { answer };
        let mut response = answer.into_response(head.headers);
        if let Surface::Imds(_) = place.surface {
            response.headers_mut().insert(SERVER, IMDS_SERVER);
        }
        response
    }

    /// Whether this peer may ask this at all, told by the head alone: whoever may not is told so before a body is waited
    /// for.
    fn judge(&self, head: &Parts) -> Result<(), Refusal> {
        let (caller, door) = (self.caller, &self.place.door);
        match &self.place.surface {
            Surface::Admin(_) => guard::check_method(&head.method),
            Surface::Container(container) => container.judge(caller, door, head),
            Surface::Imds(imds) => imds.judge(caller, door, head),
        }
    }

    /// The connection ends with it: a body that nobody reads would be taken for the next request.
    fn refuse(&self, refusal: Refusal, head: Parts) -> Reply {
        self.activity.answering();
        let answer = match &self.place.surface {
            Surface::Imds(_) => imds::refuse(refusal),
            Surface::Container(_) | Surface::Admin(_) => Answer::from(refusal),
        };
        Reply::Ready(Some(self.finish(answer.closing(), head, self.clock().steady())))
    }

    /// s3fs asks for an IMDSv2 session with a body in chunks of which there are none. It is read to its end, or the next
    /// request on the connection could not be found; until then the request is not whole, and its time runs.
    fn answer_after(&self, head: Parts, body: Incoming) -> Reply {
        self.activity.awaiting_rest();
        let this = self.clone();
        Reply::Pending(Box::pin(async move {
            let body = Limited::new(body, MAX_BODY_BYTES).collect().await;
            let is_empty = body.is_ok_and(|body| body.to_bytes().is_empty());
            let reply =
                if is_empty { this.answer(head) } else { this.refuse(Refusal::BodyNotAccepted, head) };
            reply.await.unwrap_or_else(|never| match never {})
        }))
    }

    /// No other route takes a body, so none is read: waiting would cost memory for each peer that does not send it.
    fn may_announce_a_body(&self, head: &Parts) -> bool {
        matches!(self.place.surface, Surface::Imds(_)) && head.method == Method::PUT
    }
}

impl hyper::service::Service<Request<Incoming>> for Service {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Reply;

    fn call(&self, request: Request<Incoming>) -> Reply {
        let (head, body) = request.into_parts();
        if body.is_end_stream() {
            return self.answer(head);
        }
        match self.judge(&head) {
            Err(refusal) => self.refuse(refusal, head),
            Ok(()) if self.may_announce_a_body(&head) => self.answer_after(head, body),
            Ok(()) => self.refuse(Refusal::BodyNotAccepted, head),
        }
    }
}

impl Future for Reply {
    type Output = Result<Response<Full<Bytes>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Self::Ready(response) => Poll::Ready(Ok(response.take().expect("a reply must be polled once"))),
            Self::Pending(response) => response.as_mut().poll(cx).map(Ok),
        }
    }
}

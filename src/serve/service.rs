//! From a request to its answer, for either surface: dispatches, counts, refuses bodies.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::Response;
use hyper::body::Body;
use hyper::body::Incoming;
use hyper::header::USER_AGENT;
use hyper::http::request::Parts;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::metrics::Endpoint;
use crate::metrics::Metrics;
use crate::metrics::Sdk;
use crate::serve::activity::Activity;
use crate::serve::admin::Admin;
use crate::serve::answer::Answer;
use crate::serve::container;
use crate::serve::container::Container;
use crate::serve::container::Outcome;
use crate::serve::guard;
use crate::serve::guard::Caller;
use crate::serve::guard::Door;
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
#[derive(Debug)]
pub(super) enum Surface {
    Container(Container),
    Admin(Admin),
}

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
        let place = &*self.place;
        let now = place.clock.read();
        let answer = match &place.surface {
            // Probes come on connections of their own, and there are few places: nobody keeps one.
            Surface::Admin(admin) => admin.answer(self.caller, &place.door, &head, now).closing(),
            Surface::Container(container) => match container.answer(self.caller, &place.door, &head, now) {
                Outcome::Now(answer) => answer,
                Outcome::AwaitFirst(reader) => {
                    let this = self.clone();
                    return Reply::Pending(Box::pin(async move {
                        let answer = container::await_first(reader, this.clock().clone()).await;
                        this.finish(answer, head, now.steady)
                    }));
                }
            },
        };
        Reply::Ready(Some(self.finish(answer, head, now.steady)))
    }

    fn finish(&self, answer: Answer, head: Parts, started: Instant) -> Response<Full<Bytes>> {
        let place = &*self.place;
        let sdk = Sdk::of(head.headers.get(USER_AGENT).map(|value| value.as_bytes()));
        let now = place.clock.steady();
        place.metrics.request(place.surface.endpoint(), answer.status.as_u16(), sdk, now - started);
        self.activity.answered(now);
        answer.into_response(head.headers)
    }

    /// No route takes a body, so none is read: waiting for one would cost memory for each peer that does not send it.
    fn refuse_body(&self, head: Parts) -> Reply {
        self.activity.answering();
        let refusal = guard::check_method(&head.method).err().unwrap_or(Refusal::BodyNotAccepted);
        let answer = Answer::from(refusal).closing();
        Reply::Ready(Some(self.finish(answer, head, self.clock().steady())))
    }
}

impl hyper::service::Service<Request<Incoming>> for Service {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Reply;

    fn call(&self, request: Request<Incoming>) -> Reply {
        let (head, body) = request.into_parts();
        if body.is_end_stream() { self.answer(head) } else { self.refuse_body(head) }
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

//! One connection, from its acceptance to its end.
//!
//! hyper speaks HTTP/1.1; this future lets it, and after each poll looks whether the connection has outstayed a limit
//! or is asked to go. Before it goes it polls once more, so that a request that has just come is still answered.

use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;

use crate::metrics::Closed;
use crate::serve::activity::Order;
use crate::serve::roster::Seat;
use crate::serve::service::Service;
use crate::serve::stream::Watched;

/// The smallest that hyper allows; a request's head must fit.
const MAX_HEAD_BYTES: usize = 8192;

#[allow(missing_debug_implementations)] // nothing worth showing
pub(super) struct Connection<T: AsyncRead + AsyncWrite + Unpin> {
    // Declared before the seat: the socket is closed before its place is given to another.
    http: http1::Connection<TokioIo<Watched<T>>, Service>,
    seat: Seat,
    service: Service,
    is_finishing: bool,
    has_waker: bool,
}

/// How HTTP/1.1 is spoken on every connection.
pub(super) fn protocol() -> http1::Builder {
    let mut protocol = http1::Builder::new();
    protocol
        // A client may close its half after the request: `nc -N` and some proxies do.
        .half_close(true)
        .header_read_timeout(None)
        .max_buf_size(MAX_HEAD_BYTES);
    protocol
}

impl<T: AsyncRead + AsyncWrite + Unpin> Connection<T> {
    pub(super) fn new(protocol: &http1::Builder, stream: T, service: Service, seat: Seat) -> Self {
        let stream = TokioIo::new(Watched::new(stream, seat.activity.clone()));
        let http = protocol.serve_connection(stream, service.clone());
        Self { http, seat, service, is_finishing: false, has_waker: false }
    }

    fn poll_http(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.http).poll(cx).map(|ended| {
            if ended.is_err_and(|error| error.is_parse()) {
                self.seat.closed(Closed::Malformed);
            }
        })
    }

    /// Whether to close now.
    fn must_close(&mut self) -> bool {
        let (activity, clock) = (&self.seat.activity, self.service.clock());
        if let Some(deadline) = activity.settle(|| clock.steady()) {
            self.seat.roster().look_by(deadline);
        }
        if !activity.is_asked_anything() {
            return false;
        }
        let now = clock.steady();
        activity.done(Order::Look);
        let reason = if activity.is_asked(Order::Cut) {
            return true;
        } else if let Some(limit) = activity.overdue(now) {
            Some(limit)
        } else if activity.is_asked(Order::MakeRoom) {
            activity.done(Order::MakeRoom);
            activity.waiting_since(now).map(|_| Closed::NoRoom)
        } else {
            None
        };
        if let Some(reason) = reason {
            self.seat.closed(reason);
        }
        reason.is_some()
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Future for Connection<T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if !this.has_waker {
            // A task's waker stays the same.
            this.seat.activity.set_waker(cx.waker().clone());
            this.has_waker = true;
        }
        if this.poll_http(cx).is_ready() || this.must_close() {
            return Poll::Ready(());
        }
        if this.seat.activity.is_asked(Order::Finish) && !this.is_finishing {
            this.is_finishing = true;
            Pin::new(&mut this.http).graceful_shutdown();
            return this.poll_http(cx);
        }
        Poll::Pending
    }
}

//! What a handler sends back: a response whose body may come slowly or stop half-way, or a reset.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::CONTENT_TYPE;
use hyper::{Response, StatusCode};
use tokio::time::{Sleep, sleep};

/// Long enough for what is already written to leave the socket before the connection is cut.
const CUT_AFTER: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(crate) enum Reply {
    Send(Response<Paced>),
    Reset,
}

/// A body of known length, sent in pieces with a pause before each but the first.
#[derive(Debug)]
pub(crate) struct Paced {
    pieces: VecDeque<Bytes>,
    pause: Duration,
    pausing: Option<Pin<Box<Sleep>>>,
    left: u64,
    started: bool,
}

pub(crate) fn plain(status: StatusCode, content_type: &'static str, body: Paced) -> Response<Paced> {
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, content_type)
        .body(body)
        .expect("a status and a static content type must make a response")
}

impl Paced {
    pub(crate) fn whole(body: impl Into<Bytes>) -> Self {
        let body = body.into();
        Self::of(body.len(), VecDeque::from([body]), Duration::ZERO)
    }

    /// One byte at a time, the whole spread over about `over`.
    pub(crate) fn dripping(body: &Bytes, over: Duration) -> Self {
        let pieces = (0..body.len()).map(|at| body.slice(at..=at)).collect();
        let pause = over / u32::try_from(body.len().max(1)).unwrap_or(u32::MAX);
        Self::of(body.len(), pieces, pause)
    }

    /// The first half under the full length's `Content-Length`; then the connection ends.
    pub(crate) fn cut(body: &Bytes) -> Self {
        Self::of(body.len(), VecDeque::from([body.slice(..body.len() / 2)]), CUT_AFTER)
    }

    fn of(length: usize, pieces: VecDeque<Bytes>, pause: Duration) -> Self {
        Self { pieces, pause, pausing: None, left: length as u64, started: false }
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        if self.started && !self.pause.is_zero() {
            let pause = self.pause;
            let pausing = self.pausing.get_or_insert_with(|| Box::pin(sleep(pause)));
            ready!(pausing.as_mut().poll(cx));
            self.pausing = None;
        }
        self.started = true;
        let Some(piece) = self.pieces.pop_front() else {
            return Poll::Ready(Some(Err(io::Error::other("cut short, as scripted"))));
        };
        self.left -= piece.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

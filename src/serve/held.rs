//! What is held for a role, as an answer: the body that the cache holds ready, or 503 with a code and a message that says
//! who must act.
//!
//! A request never causes an exchange. It waits for one only before the first credentials, and then not for long: SDKs
//! give up after a second or less, and some then go to the node's role.

use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use tokio::time::timeout_at;

use crate::authorization::Look;
use crate::cache::Reader;
use crate::cache::Snapshot;
use crate::cache::State;
use crate::clock::Clock;
use crate::clock::Reading;
use crate::serve::answer::Answer;
use crate::serve::answer::CREDENTIALS_EXPIRED;
use crate::serve::imds::PassOn;

/// What comes of a request.
#[derive(Debug)]
pub(super) enum Outcome {
    Now(Answer),
    /// There never were credentials: they may come any moment.
    AwaitFirst(Wait),
    /// The node's metadata service is asked.
    PassOn(PassOn),
    /// The token was another one than is held: its file may hold a newer one.
    AwaitToken(Look),
}

/// A wait for the first credentials.
#[derive(Debug)]
pub(super) struct Wait {
    reader: Reader,
    form: Form,
}

/// How a surface serves credentials.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub body: fn(&Snapshot) -> &Bytes,
    pub dress: fn(Bytes) -> Answer,
    /// How long a request waits for the first ones.
    pub wait: Duration,
}

pub(super) fn serve(reader: &Reader, form: Form, now: Reading) -> Outcome {
    let state = reader.load();
    match state.servable(now) {
        Some(snapshot) => Outcome::Now(form.answer(snapshot)),
        None if state.snapshot.is_none() => Outcome::AwaitFirst(Wait { reader: reader.clone(), form }),
        None => Outcome::Now(not_ready(&state)),
    }
}

pub(super) fn not_ready(state: &State) -> Answer {
    match &state.problem {
        Some(problem) => Answer::error(
            StatusCode::SERVICE_UNAVAILABLE,
            problem.code,
            &format!("{}. {}", problem.message.trim_end_matches('.'), problem.mend),
        ),
        None => Answer::error(
            StatusCode::SERVICE_UNAVAILABLE,
            CREDENTIALS_EXPIRED,
            "the credentials that are held have expired. Wait for the next exchange; the log says when it is due.",
        ),
    }
}

impl Form {
    fn answer(self, snapshot: &Snapshot) -> Answer {
        (self.dress)((self.body)(snapshot).clone())
    }
}

impl Wait {
    /// For as long as the SDKs wait for us.
    pub(super) async fn over(mut self, clock: Clock) -> Answer {
        let until = clock.steady() + self.form.wait;
        loop {
            let came = timeout_at(until, self.reader.published()).await.is_ok();
            let now = clock.read();
            let state = self.reader.load();
            match state.servable(now) {
                Some(snapshot) => return self.form.answer(snapshot),
                None if !came || state.snapshot.is_some() => return not_ready(&state),
                None => {}
            }
        }
    }
}

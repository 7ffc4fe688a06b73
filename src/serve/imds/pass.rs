//! What is passed on to the node's metadata service, and how its answer is given.

use hyper::StatusCode;

use crate::serve::answer::Answer;
use crate::serve::imds::document::Document;
use crate::serve::imds::explained;
use crate::serve::imds::page;
use crate::upstream::Allowed;
use crate::upstream::PassError;
use crate::upstream::Passage;
use crate::upstream::Passed;

/// A path on its way to the node.
#[derive(Debug)]
pub(in crate::serve) struct PassOn {
    passage: Passage,
    path: Allowed,
    /// What we know of the document that is asked for; it wins, and stands alone where the node does not answer.
    ours: Option<Document>,
}

impl PassOn {
    pub(super) fn new(passage: Passage, path: Allowed, ours: Option<Document>) -> Self {
        Self { passage, path, ours }
    }

    pub(in crate::serve) async fn over(self) -> Answer {
        let Self { passage, path, ours } = self;
        match (passage.get(path).await, ours) {
            (Ok(Passed { status: 200, body, .. }), Some(ours)) => {
                Answer::plain(StatusCode::OK, ours.over(&body).body())
            }
            (_, Some(ours)) => Answer::plain(StatusCode::OK, ours.body()),
            (Ok(passed), None) => as_it_came(passed),
            (Err(error), None) => explained(page::of(status(&error)), error.code(), &error),
        }
    }
}

fn as_it_came(passed: Passed) -> Answer {
    let status = if passed.status == 200 { StatusCode::OK } else { StatusCode::NOT_FOUND };
    Answer::passed(status, passed.content_type, passed.body)
}

fn status(error: &PassError) -> StatusCode {
    match error {
        PassError::Timeout => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

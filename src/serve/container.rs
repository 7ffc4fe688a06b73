//! The container credentials endpoint, as the ECS agent's clients know it.
//!
//! `GET /v1/credentials` gives the default role's credentials, `GET /v1/credentials/{role}` a named one's: 200 with the
//! body that the cache holds ready, or 503 with a code and a message that says who must act. The query is ignored.
//!
//! A request never causes an exchange. It waits for one only before the first credentials, and then not for long:
//! SDKs give up after 1 s, and some then go to the node's role.

use std::borrow::Cow;
use std::time::Duration;

use hyper::StatusCode;
use hyper::http::request::Parts;
use percent_encoding::percent_decode_str;
use tokio::time::Instant;
use tokio::time::timeout_at;

use crate::cache::Reader;
use crate::cache::State;
use crate::clock::Clock;
use crate::clock::Reading;
use crate::contract;
use crate::serve::answer::Answer;
use crate::serve::answer::CREDENTIALS_EXPIRED;
use crate::serve::guard;
use crate::serve::guard::Caller;
use crate::serve::guard::Door;
use crate::serve::refusal::Refusal;

/// How long a request waits for the first credentials.
pub(super) const FIRST_CREDENTIALS_WAIT: Duration = Duration::from_millis(700);

/// Every role that may be asked for.
#[derive(Clone, Debug)]
pub(super) struct Container {
    readers: Vec<Reader>,
}

/// What comes of a request.
#[derive(Debug)]
pub(super) enum Outcome {
    Now(Answer),
    /// There never were credentials: they may come any moment.
    AwaitFirst(Reader),
}

impl Container {
    pub(super) fn new(readers: Vec<Reader>) -> Self {
        Self { readers }
    }

    pub(super) fn answer(&self, caller: Caller, door: &Door, head: &Parts, now: Reading) -> Outcome {
        match self.reader(caller, door, head) {
            Ok(reader) => serve(reader, now),
            Err(refusal) => Outcome::Now(refusal.into()),
        }
    }

    fn reader(&self, caller: Caller, door: &Door, head: &Parts) -> Result<&Reader, Refusal> {
        guard::check(caller, door, head)?;
        guard::check_method(&head.method)?;
        let Some(rest) = head.uri.path().strip_prefix(contract::PATH_CREDENTIALS) else {
            return Err(Refusal::PathUnknown);
        };
        match rest {
            "" | "/" => self.default_reader().ok_or(Refusal::RoleUnknown),
            _ => {
                let segment = rest.strip_prefix('/').filter(|segment| !segment.contains('/'));
                let role = decode(segment.ok_or(Refusal::PathUnknown)?)?;
                self.readers.iter().find(|reader| reader.role() == role).ok_or(Refusal::RoleUnknown)
            }
        }
    }

    /// The role named so, else the only one.
    fn default_reader(&self) -> Option<&Reader> {
        let named = self.readers.iter().find(|reader| reader.role() == contract::DEFAULT_ROLE);
        named.or(match self.readers.as_slice() {
            [only] => Some(only),
            _ => None,
        })
    }
}

/// Waits for the first credentials, for as long as the SDKs wait for us.
pub(super) async fn await_first(mut reader: Reader, clock: Clock) -> Answer {
    let until: Instant = clock.steady() + FIRST_CREDENTIALS_WAIT;
    loop {
        let came = timeout_at(until, reader.published()).await.is_ok();
        let now = clock.read();
        let state = reader.load();
        match state.servable(now) {
            Some(snapshot) => return Answer::json(snapshot.container_body.clone()),
            None if !came || state.snapshot.is_some() => return not_ready(&state),
            None => {}
        }
    }
}

fn serve(reader: &Reader, now: Reading) -> Outcome {
    let state = reader.load();
    match state.servable(now) {
        Some(snapshot) => Outcome::Now(Answer::json(snapshot.container_body.clone())),
        None if state.snapshot.is_none() => Outcome::AwaitFirst(reader.clone()),
        None => Outcome::Now(not_ready(&state)),
    }
}

fn not_ready(state: &State) -> Answer {
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

fn decode(segment: &str) -> Result<Cow<'_, str>, Refusal> {
    // The decoder lets a broken escape stand; we do not.
    let is_whole =
        |after: &str| after.len() >= 2 && after.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    if !segment.split('%').skip(1).all(is_whole) {
        return Err(Refusal::PathInvalid);
    }
    percent_decode_str(segment).decode_utf8().map_err(|_| Refusal::PathInvalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_what_sdks_encode() {
        for (segment, role) in [
            ("default", Ok("default")),
            ("a%2Bb%40c", Ok("a+b@c")),
            ("a%2bb%3dc", Ok("a+b=c")),
            ("%2e%2e", Ok("..")),
            ("a%2Fb", Ok("a/b")),
            ("caf%C3%A9", Ok("café")),
            ("%", Err(Refusal::PathInvalid)),
            ("a%4", Err(Refusal::PathInvalid)),
            ("%zz", Err(Refusal::PathInvalid)),
            ("%+1", Err(Refusal::PathInvalid)),
            ("%%41", Err(Refusal::PathInvalid)),
            ("%ff", Err(Refusal::PathInvalid)),
        ] {
            assert_eq!(decode(segment).as_deref(), role.as_ref().map(|role| *role), "{segment}");
        }
    }
}

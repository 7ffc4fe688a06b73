//! The container credentials endpoint, as the clients of the ECS agent and of the EKS Pod Identity Agent know it.
//!
//! `GET /v1/credentials` gives the default role's credentials, `GET /v1/credentials/{role}` a named one's: 200 with the
//! body that the cache holds ready, or 503. The query is ignored.

use std::borrow::Cow;
use std::time::Duration;

use hyper::http::request::Parts;
use percent_encoding::percent_decode_str;

use crate::authorization::Crowded;
use crate::cache::Reader;
use crate::clock::Reading;
use crate::contract;
use crate::serve::answer::Answer;
use crate::serve::guard;
use crate::serve::guard::Caller;
use crate::serve::guard::Door;
use crate::serve::held;
use crate::serve::held::Form;
use crate::serve::held::Outcome;
use crate::serve::refusal::Refusal;

/// How long a request waits for the first credentials.
pub(super) const FIRST_CREDENTIALS_WAIT: Duration = Duration::from_millis(700);
const FORM: Form =
    Form { body: |snapshot| &snapshot.container_body, dress: Answer::json, wait: FIRST_CREDENTIALS_WAIT };

/// Every role that may be asked for.
#[derive(Clone, Debug)]
pub(super) struct Container {
    readers: Vec<Reader>,
}

impl Container {
    pub(super) fn new(readers: Vec<Reader>) -> Self {
        Self { readers }
    }

    pub(super) fn answer(&self, caller: Caller, door: &Door, head: &Parts, now: Reading) -> Outcome {
        match self.reader(caller, door, head) {
            Ok(reader) => held::serve(reader, FORM, now),
            Err(refusal @ Refusal::AuthorizationTokenMismatch) => match door.look() {
                Ok(Some(look)) => Outcome::AwaitToken(look),
                Ok(None) => Outcome::Now(refusal.into()),
                Err(Crowded) => Outcome::Now(Refusal::AuthorizationTokenBusy.into()),
            },
            Err(refusal) => Outcome::Now(refusal.into()),
        }
    }

    /// What the head alone says.
    pub(super) fn judge(caller: Caller, door: &Door, head: &Parts) -> Result<(), Refusal> {
        guard::check(caller, door, head)?;
        guard::check_method(&head.method)
    }

    fn reader(&self, caller: Caller, door: &Door, head: &Parts) -> Result<&Reader, Refusal> {
        Self::judge(caller, door, head)?;
        let Some(rest) = head.uri.path().strip_prefix(contract::PATH_CREDENTIALS) else {
            return Err(Refusal::PathUnknown);
        };
        match rest {
            "" | "/" => held::default_role(&self.readers).ok_or(Refusal::RoleUnknown),
            _ => {
                let segment = rest.strip_prefix('/').filter(|segment| !segment.contains('/'));
                let role = decode(segment.ok_or(Refusal::PathUnknown)?)?;
                self.readers.iter().find(|reader| reader.role() == role).ok_or(Refusal::RoleUnknown)
            }
        }
    }
}

/// Once, and only what is whole: the decoder itself lets a broken escape stand.
pub(super) fn decode(segment: &str) -> Result<Cow<'_, str>, Refusal> {
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

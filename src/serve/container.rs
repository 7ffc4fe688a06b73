//! The container credentials endpoint, as the clients of the ECS agent and of the EKS Pod Identity Agent know it.
//!
//! `GET /v1/credentials` gives the default role's credentials, `GET /v1/credentials/{role}` a named one's: 200 with the
//! body that the cache holds ready, or 503. The query is ignored.

use std::borrow::Cow;
use std::time::Duration;

use hyper::http::request::Parts;
use percent_encoding::percent_decode_str;

use crate::authorization::Authorization;
use crate::authorization::Crowded;
use crate::clock::Reading;
use crate::contract;
use crate::roles::Board;
use crate::roles::Entry;
use crate::roles::Table;
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
#[derive(Clone)]
#[allow(missing_debug_implementations)] // holds secrets
pub(super) struct Container {
    board: Board,
}

/// Why a request is given nothing.
enum Denied<'a> {
    Refused(Refusal),
    /// It carries another token than this.
    Mismatch(&'a Authorization),
}

impl Container {
    pub(super) fn new(board: Board) -> Self {
        Self { board }
    }

    pub(super) fn answer(&self, caller: Caller, door: &Door, head: &Parts, now: Reading) -> Outcome {
        let table = self.board.now();
        match admit(&table, caller, door, head) {
            Ok(entry) => held::serve(&entry.reader, FORM, now),
            Err(Denied::Refused(refusal)) => Outcome::Now(refusal.into()),
            Err(Denied::Mismatch(asked_for)) => match asked_for.look() {
                Ok(Some(look)) => Outcome::AwaitToken(look),
                Ok(None) => Outcome::Now(Refusal::AuthorizationTokenMismatch.into()),
                Err(Crowded) => Outcome::Now(Refusal::AuthorizationTokenBusy.into()),
            },
        }
    }

    /// What the head alone says.
    pub(super) fn judge(&self, caller: Caller, door: &Door, head: &Parts) -> Result<(), Refusal> {
        match admit(&self.board.now(), caller, door, head) {
            // That there is no such role is no reason to wait for a body.
            Ok(_)
            | Err(Denied::Refused(
                Refusal::RoleNotNamed | Refusal::RoleUnknown | Refusal::PathUnknown | Refusal::PathInvalid,
            )) => Ok(()),
            Err(Denied::Refused(refusal)) => Err(refusal),
            Err(Denied::Mismatch(_)) => Err(Refusal::AuthorizationTokenMismatch),
        }
    }
}

/// The role that is asked for, by somebody who may have it. Where there is no such role, what holds for all is asked for,
/// so that nobody learns more than a role's name would tell.
fn admit<'a>(
    table: &'a Table,
    caller: Caller,
    door: &'a Door,
    head: &Parts,
) -> Result<&'a Entry, Denied<'a>> {
    let carried = guard::check_origin(caller, door, head)?;
    let entry = find(table, head.uri.path());
    let own = entry.as_ref().ok().and_then(|entry| entry.authorization.as_ref());
    if let Some(asked_for) = own.or(door.authorization()) {
        match carried.check(asked_for) {
            Err(Refusal::AuthorizationTokenMismatch) => return Err(Denied::Mismatch(asked_for)),
            checked => checked?,
        }
    }
    guard::check_method(&head.method)?;
    Ok(entry?)
}

fn find<'a>(table: &'a Table, path: &str) -> Result<&'a Entry, Refusal> {
    let rest = path.strip_prefix(contract::PATH_CREDENTIALS).ok_or(Refusal::PathUnknown)?;
    match rest {
        "" | "/" => table.default_role().ok_or(Refusal::RoleNotNamed),
        _ => {
            let segment = rest.strip_prefix('/').filter(|segment| !segment.contains('/'));
            let role = decode(segment.ok_or(Refusal::PathUnknown)?)?;
            table.named(&role).ok_or(Refusal::RoleUnknown)
        }
    }
}

impl From<Refusal> for Denied<'_> {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
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

//! The instance metadata service (IMDS), versions 1 and 2, as EC2's own answers: statuses, headers and bodies are its
//! wire forms.
//!
//! | request | answer |
//! |---|---|
//! | `PUT /latest/api/token` | a session token (IMDSv2); 400 without a sound `X-aws-ec2-metadata-token-ttl-seconds` |
//! | `GET /latest/meta-data/iam/security-credentials/` | the one role's name, with no newline: half of the clients do not trim it |
//! | `GET …/iam/security-credentials/{role}` | its credentials; 404 for every other name |
//! | `GET …/iam/info`, `…/placement/…`, `…/instance-…`, `/latest/dynamic/instance-identity/document` | what is known |
//! | what `--imds-upstream-allow` lists | the node's own metadata service's answer; ours wins where we know one |
//! | anything else | 404, so that nothing can fall through to the node's metadata |
//!
//! Under `latest` and every dated version, with and without a slash at the end, and with doubled ones. A session token that
//! is wrong or old is 401 wherever it is sent, before anything else is looked at: some clients probe with one.
//!
//! Every answer that is not EC2's says why in the header `X-Irsa-Sidecar-Error`, which no SDK reads.

use std::fmt::Display;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use hyper::Method;
use hyper::StatusCode;
use hyper::header::HeaderValue;
use hyper::http::request::Parts;

use crate::clock::Reading;
use crate::config;
use crate::config::ImdsMode;
use crate::contract;
use crate::metadata_path::Segments;
use crate::roles::Board;
use crate::roles::Table;
use crate::serve::Offer;
use crate::serve::answer::Answer;
use crate::serve::container::decode;
use crate::serve::guard;
use crate::serve::guard::Caller;
use crate::serve::guard::Door;
use crate::serve::held;
use crate::serve::held::Form;
use crate::serve::held::Outcome;
use crate::serve::refusal::Refusal;
use crate::upstream::Passage;

mod document;
mod page;
mod pass;
mod session;
mod tree;

pub(super) use pass::PassOn;

use document::Document;
use session::Sessions;
use tree::Found;
use tree::Leaf;
use tree::Tree;

/// How long a request waits for the first credentials: some clients give up after 500 ms.
pub(super) const FIRST_CREDENTIALS_WAIT: Duration = Duration::from_millis(300);
const FORM: Form = Form {
    body: |snapshot| &snapshot.imds_body,
    dress: |body| Answer::plain(StatusCode::OK, body),
    wait: FIRST_CREDENTIALS_WAIT,
};

/// EC2 gives session tokens under `latest` alone.
const SESSION_PATH: &[&str] = &["latest", "api", "token"];

/// One pod's metadata.
#[allow(missing_debug_implementations)] // holds secrets
pub(super) struct Imds {
    mode: ImdsMode,
    board: Board,
    known: config::Imds,
    /// Grown anew when the roles are others.
    grown: Mutex<(Arc<Table>, Arc<Tree>)>,
    sessions: Sessions,
    passage: Option<Passage>,
}

impl Imds {
    pub(super) fn new(offer: &Offer) -> Self {
        let Offer { board, imds, passage, session_key, .. } = offer;
        let table = board.now();
        let tree = grow(&table, imds);
        Self {
            mode: imds.mode,
            board: board.clone(),
            known: imds.clone(),
            grown: Mutex::new((table, tree)),
            sessions: Sessions::new(session_key),
            passage: passage.clone(),
        }
    }

    pub(super) fn answer(&self, caller: Caller, door: &Door, head: &Parts, now: Reading) -> Outcome {
        self.try_answer(caller, door, head, now).unwrap_or_else(|refusal| Outcome::Now(refuse(refusal)))
    }

    fn try_answer(
        &self,
        caller: Caller,
        door: &Door,
        head: &Parts,
        now: Reading,
    ) -> Result<Outcome, Refusal> {
        self.judge(caller, door, head)?;
        match head.method {
            Method::PUT => self.open_session(head, now).map(Outcome::Now),
            Method::GET | Method::HEAD => {
                let left = self.check_session(head, now)?;
                let outcome = self.read(head, now)?;
                Ok(match (outcome, left) {
                    (Outcome::Now(answer), Some(left)) => Outcome::Now(lasting(answer, left)),
                    (outcome, _) => outcome,
                })
            }
            _ => Err(Refusal::MetadataMethodNotAllowed),
        }
    }

    /// What the head alone says.
    pub(super) fn judge(&self, caller: Caller, door: &Door, head: &Parts) -> Result<(), Refusal> {
        if self.mode == ImdsMode::Off {
            return Err(Refusal::ImdsOff);
        }
        guard::check(caller, door, head)
    }

    fn tree(&self) -> Arc<Tree> {
        let table = self.board.now();
        let mut grown = self.grown.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&grown.0, &table) {
            let tree = grow(&table, &self.known);
            *grown = (table, tree);
        }
        grown.1.clone()
    }

    fn open_session(&self, head: &Parts, now: Reading) -> Result<Answer, Refusal> {
        let path = decode(head.uri.path())?;
        match Segments::of(&path).all.as_slice() {
            SESSION_PATH => {}
            [_, "api", "token"] => return Err(Refusal::SessionPathNotLatest),
            _ => return Err(Refusal::MetadataMethodNotAllowed),
        }
        let ttl = session::ttl(&head.headers)?;
        Ok(lasting(Answer::plain(StatusCode::OK, self.sessions.open(ttl, now.boot)), ttl))
    }

    /// How long the request's session still lasts. A token that is sent must be good, whether one is asked for or not.
    fn check_session(&self, head: &Parts, now: Reading) -> Result<Option<Duration>, Refusal> {
        match session::token(&head.headers) {
            Some(token) => self.sessions.left(token, now.boot).map(Some).ok_or(Refusal::SessionTokenInvalid),
            None if self.mode == ImdsMode::Required => Err(Refusal::SessionTokenMissing),
            None => Ok(None),
        }
    }

    fn read(&self, head: &Parts, now: Reading) -> Result<Outcome, Refusal> {
        let path = decode(head.uri.path())?;
        let segments = Segments::of(&path).all;
        if segments == SESSION_PATH {
            return Err(Refusal::SessionByPutAlone);
        }
        let tree = self.tree();
        let Some(found) = tree.find(&segments) else {
            return self.pass_on(head, None).ok_or(Refusal::MetadataUnknown);
        };
        let body = match found {
            Found::Directory(names) => names,
            Found::Leaf(Leaf::Value(value)) => value.clone(),
            Found::Leaf(Leaf::Document(document)) => match self.pass_on(head, Some(document.clone())) {
                Some(passing) => return Ok(passing),
                None => document.body(),
            },
            Found::Leaf(Leaf::Credentials(role)) => return Ok(held::serve(role, FORM, now)),
            Found::Leaf(Leaf::Info { role, instance_profile_arn }) => {
                let state = role.load();
                match state.servable(now) {
                    Some(snapshot) => document::info(instance_profile_arn, snapshot.lifetime.issued_at),
                    None => return Ok(Outcome::Now(held::not_ready(&state))),
                }
            }
        };
        Ok(Outcome::Now(Answer::plain(StatusCode::OK, body)))
    }

    /// The list judges the path as it came, by rules of its own: stricter ones than ours.
    fn pass_on(&self, head: &Parts, ours: Option<Document>) -> Option<Outcome> {
        let passage = self.passage.as_ref()?;
        let path = passage.allows(head.uri.path())?;
        Some(Outcome::PassOn(PassOn::new(passage.clone(), path, ours)))
    }
}

fn grow(table: &Table, known: &config::Imds) -> Arc<Tree> {
    Arc::new(Tree::new(table.imds_role().map(|entry| &entry.reader), known))
}

/// As EC2's own refuses, with our reason in a header for whoever looks for it.
pub(super) fn refuse(refusal: Refusal) -> Answer {
    explained(page::of(refusal.status()).allowing(refusal.allowed()), refusal.code(), &refusal)
}

fn explained(answer: Answer, code: &str, why: &dyn Display) -> Answer {
    match HeaderValue::try_from(format!("{code}: {why}")) {
        Ok(why) => answer.with(contract::HEADER_ERROR, why),
        Err(_) => answer,
    }
}

fn lasting(answer: Answer, left: Duration) -> Answer {
    answer.with(contract::HEADER_METADATA_TOKEN_TTL, left.as_secs())
}

//! The state of every role, for people and their scripts in the pod, and for the page at `/`. `schema` grows when a field
//! changes its meaning.
//!
//! A role's times are STS's, and so is its `now`; the other `now` is this machine's.

use serde::Serialize;
use serde::Serializer;

use std::time::SystemTime;

use crate::build_info;
use crate::cache::Problem;
use crate::cache::history;
use crate::cache::history::History;
use crate::cache::history::Moment;
use crate::clock::Reading;
use crate::contract::STATUS_SCHEMA;
use crate::credentials::rfc3339;
use crate::metrics::Asked;
use crate::metrics::Endpoint;
use crate::metrics::Metrics;
use crate::roles::Entry;
use crate::roles::Table;
use crate::serve::StsEndpoint;

/// So many events are told in all: of many roles, the last few of each.
const MOST_EVENTS: usize = 2048;

#[derive(Debug, Serialize)]
pub(super) struct Status<'a> {
    schema: u32,
    version: &'static str,
    uptime_seconds: u64,
    #[serde(serialize_with = "time")]
    now: Option<SystemTime>,
    /// None where no role asks it.
    sts: Option<&'a StsEndpoint>,
    roles: Vec<Role>,
    /// For credentials and for metadata, since the start.
    requests: Vec<Requests>,
}

/// One role. The credentials are those that are held, though they may no longer be served.
#[derive(Debug, Serialize)]
struct Role {
    name: String,
    /// Not every source tells it.
    role_arn: Option<String>,
    source: &'static str,
    /// The role that it starts from.
    from: Option<String>,
    /// Whether a request would be given credentials now.
    is_ready: bool,
    #[serde(serialize_with = "time")]
    now: Option<SystemTime>,
    credentials: Option<Held>,
    /// What exchanges start from, where that is a token.
    token: Option<Token>,
    #[serde(serialize_with = "time")]
    next_exchange_at: Option<SystemTime>,
    problem: Option<Trouble>,
    /// The last one, though it may be over.
    last_problem: Option<LastTrouble>,
    /// The oldest first.
    history: Vec<Event>,
}

#[derive(Debug, Serialize)]
struct Held {
    /// Shortened.
    access_key_id: String,
    assumed_role_arn: Option<String>,
    #[serde(serialize_with = "time")]
    issued_at: Option<SystemTime>,
    #[serde(serialize_with = "time")]
    expires_at: Option<SystemTime>,
    seconds_left: u64,
}

/// By its own unverified claims.
#[derive(Debug, Serialize)]
struct Token {
    namespace: Option<String>,
    service_account: Option<String>,
    pod: Option<String>,
    /// When it was found in place of the one before.
    #[serde(serialize_with = "moment")]
    changed_at: Option<Moment>,
    #[serde(serialize_with = "moment")]
    issued_at: Option<Moment>,
    #[serde(serialize_with = "moment")]
    expires_at: Option<Moment>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event {
    /// Another token was found.
    Token {
        #[serde(serialize_with = "moment")]
        at: Option<Moment>,
        #[serde(serialize_with = "moment")]
        issued_at: Option<Moment>,
        #[serde(serialize_with = "moment")]
        expires_at: Option<Moment>,
    },
    /// Credentials were obtained that were issued `at` this time.
    Success {
        #[serde(serialize_with = "moment")]
        at: Option<Moment>,
        #[serde(serialize_with = "moment")]
        expires_at: Option<Moment>,
    },
    /// All of this code between two successes; the last was `at` this time.
    Failure {
        #[serde(serialize_with = "moment")]
        at: Option<Moment>,
        code: &'static str,
        count: u32,
        #[serde(serialize_with = "moment")]
        first_at: Option<Moment>,
    },
}

#[derive(Debug, Serialize)]
struct Trouble {
    code: &'static str,
    message: String,
    mend: String,
    #[serde(serialize_with = "time")]
    since: Option<SystemTime>,
}

#[derive(Debug, Serialize)]
struct LastTrouble {
    #[serde(flatten)]
    trouble: Trouble,
    /// None while it goes on.
    #[serde(serialize_with = "moment")]
    ended_at: Option<Moment>,
}

#[derive(Debug, Serialize)]
struct Requests {
    endpoint: &'static str,
    sdk: &'static str,
    ok: u64,
    client_errors: u64,
    server_errors: u64,
}

impl<'a> Status<'a> {
    pub(super) fn new(
        table: &Table,
        sts: Option<&'a StsEndpoint>,
        metrics: &Metrics,
        started: Reading,
        now: Reading,
    ) -> Self {
        let entries = table.entries();
        let events = MOST_EVENTS / entries.len().max(1);
        let surfaces = [Endpoint::Container, Endpoint::Imds];
        Self {
            schema: STATUS_SCHEMA,
            version: build_info::VERSION,
            uptime_seconds: now.steady.saturating_duration_since(started.steady).as_secs(),
            now: Some(now.wall),
            sts,
            roles: entries.iter().map(|entry| Role::new(entry, events, now)).collect(),
            requests: surfaces.into_iter().flat_map(|at| metrics.asked(at)).map(Requests::from).collect(),
        }
    }

    pub(super) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a structure of strings and numbers must serialize")
    }
}

impl Role {
    /// With so many events at most.
    fn new(entry: &Entry, events: usize, now: Reading) -> Self {
        let reader = &entry.reader;
        let state = reader.load();
        let credentials = state.snapshot.as_ref().map(|snapshot| Held {
            access_key_id: snapshot.access_key_id.clone(),
            assumed_role_arn: snapshot.assumed_role_arn.clone(),
            issued_at: Some(snapshot.lifetime.issued_at),
            expires_at: Some(snapshot.lifetime.expires_at),
            seconds_left: snapshot.lifetime.remaining(state.timeline.now(now)).as_secs(),
        });
        let history = state.history.events();
        let history = &history[history.len().saturating_sub(events)..];
        Self {
            name: reader.role().to_owned(),
            role_arn: reader.role_arn().map(str::to_owned),
            source: entry.source,
            from: entry.from.clone(),
            is_ready: state.servable(now).is_some(),
            now: Some(state.timeline.now(now)),
            credentials,
            token: Token::of(&state.history),
            next_exchange_at: state.next_exchange_at,
            problem: state.problem.clone().map(Trouble::from),
            last_problem: LastTrouble::of(&state.history),
            history: history.iter().copied().map(Event::from).collect(),
        }
    }
}

impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        Self { code: problem.code, message: problem.message, mend: problem.mend, since: Some(problem.since) }
    }
}

impl LastTrouble {
    fn of(history: &History) -> Option<Self> {
        let trouble = Trouble::from(history.problem()?.clone());
        Some(Self { trouble, ended_at: history.problem_ended_at() })
    }
}

impl Token {
    fn of(history: &History) -> Option<Self> {
        let history::Token { changed_at, issued_at, expires_at } = history.token()?;
        let history::Holder { namespace, service_account, pod } =
            history.holder().cloned().unwrap_or_default();
        Some(Self { namespace, service_account, pod, changed_at: Some(changed_at), issued_at, expires_at })
    }
}

impl From<history::Event> for Event {
    fn from(event: history::Event) -> Self {
        match event {
            history::Event::Token(history::Token { changed_at, issued_at, expires_at }) => {
                Self::Token { at: Some(changed_at), issued_at, expires_at }
            }
            history::Event::Success { issued_at, expires_at } => {
                Self::Success { at: Some(issued_at), expires_at: Some(expires_at) }
            }
            history::Event::Failure { code, count, first_at, last_at } => {
                Self::Failure { at: Some(last_at), code, count, first_at: Some(first_at) }
            }
        }
    }
}

impl From<Asked> for Requests {
    fn from(asked: Asked) -> Self {
        let Asked { endpoint, sdk, ok, client_errors, server_errors } = asked;
        Self { endpoint: endpoint.name(), sdk: sdk.name(), ok, client_errors, server_errors }
    }
}

fn moment<S: Serializer>(moment: &Option<Moment>, serializer: S) -> Result<S::Ok, S::Error> {
    time(&moment.map(Moment::time), serializer)
}

fn time<S: Serializer>(time: &Option<SystemTime>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serializer.serialize_str(&rfc3339(*time)),
        None => serializer.serialize_none(),
    }
}

//! The state of every role, for people and their scripts in the pod. `schema` grows when a field changes its meaning.

use serde::Serialize;
use serde::Serializer;

use std::time::SystemTime;

use crate::build_info;
use crate::cache::Problem;
use crate::clock::Reading;
use crate::credentials::rfc3339;
use crate::roles::Entry;
use crate::roles::Table;

const SCHEMA: u32 = 1;

#[derive(Debug, Serialize)]
pub(super) struct Status {
    schema: u32,
    version: &'static str,
    uptime_seconds: u64,
    roles: Vec<Role>,
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
    credentials: Option<Held>,
    #[serde(serialize_with = "time")]
    next_exchange_at: Option<SystemTime>,
    problem: Option<Trouble>,
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

#[derive(Debug, Serialize)]
struct Trouble {
    code: &'static str,
    message: String,
    mend: String,
    #[serde(serialize_with = "time")]
    since: Option<SystemTime>,
}

impl Status {
    pub(super) fn new(table: &Table, started: Reading, now: Reading) -> Self {
        Self {
            schema: SCHEMA,
            version: build_info::VERSION,
            uptime_seconds: now.steady.saturating_duration_since(started.steady).as_secs(),
            roles: table.entries().iter().map(|entry| Role::new(entry, now)).collect(),
        }
    }

    pub(super) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a structure of strings and numbers must serialize")
    }
}

impl Role {
    fn new(entry: &Entry, now: Reading) -> Self {
        let reader = &entry.reader;
        let state = reader.load();
        let credentials = state.snapshot.as_ref().map(|snapshot| Held {
            access_key_id: snapshot.access_key_id.clone(),
            assumed_role_arn: snapshot.assumed_role_arn.clone(),
            issued_at: Some(snapshot.lifetime.issued_at),
            expires_at: Some(snapshot.lifetime.expires_at),
            seconds_left: snapshot.lifetime.remaining(state.timeline.now(now)).as_secs(),
        });
        Self {
            name: reader.role().to_owned(),
            role_arn: reader.role_arn().map(str::to_owned),
            source: entry.source,
            from: entry.from.clone(),
            is_ready: state.servable(now).is_some(),
            credentials,
            next_exchange_at: state.next_exchange_at,
            problem: state.problem.clone().map(Trouble::from),
        }
    }
}

impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        Self { code: problem.code, message: problem.message, mend: problem.mend, since: Some(problem.since) }
    }
}

fn time<S: Serializer>(time: &Option<SystemTime>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serializer.serialize_str(&rfc3339(*time)),
        None => serializer.serialize_none(),
    }
}

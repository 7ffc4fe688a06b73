//! What the sidecar says of itself: its log line by line, its `/status`, and whom it served by its `/metrics`.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::SystemTime;

use irsa_sidecar::contract;
use serde_json::Value;
use support::process::Process;
use support::raw;

/// One line of its log.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    fields: Value,
}

/// One role's part of `/status`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Status {
    pub is_ready: bool,
    /// Shortened.
    pub access_key_id: Option<String>,
    pub assumed_role_arn: Option<String>,
    pub issued_at: Option<SystemTime>,
    pub expires_at: Option<SystemTime>,
    pub next_exchange_at: Option<SystemTime>,
    /// The code of what is wrong.
    pub problem: Option<String>,
}

/// Requests for credentials, by the SDK that made them and the status that they got.
pub(crate) type Served = BTreeMap<(String, u16), u64>;

/// Its log from this line on.
pub(crate) fn log(process: &Process, from: usize) -> Vec<Entry> {
    let lines = process.lines().into_iter().skip(from);
    lines
        .map(|(_, line)| Entry { fields: serde_json::from_str(&line).unwrap_or(Value::String(line)) })
        .collect()
}

pub(crate) async fn status(admin: SocketAddr) -> io::Result<Status> {
    let answer = raw::get(admin, contract::PATH_STATUS).await?.json()?;
    let role = &answer["roles"][0];
    let held = &role["credentials"];
    Ok(Status {
        is_ready: role["is_ready"] == true,
        access_key_id: text(&held["access_key_id"]),
        assumed_role_arn: text(&held["assumed_role_arn"]),
        issued_at: time(&held["issued_at"]),
        expires_at: time(&held["expires_at"]),
        next_exchange_at: time(&role["next_exchange_at"]),
        problem: text(&role["problem"]["code"]),
    })
}

pub(crate) async fn served(admin: SocketAddr) -> io::Result<Served> {
    Ok(counts(&raw::get(admin, contract::PATH_METRICS).await?.text()))
}

impl Entry {
    /// The line's message; the line itself where it is no JSON.
    pub(crate) fn message(&self) -> &str {
        self.field("message").or(self.fields.as_str()).unwrap_or_default()
    }

    pub(crate) fn says(&self, beginning: &str) -> bool {
        self.message().starts_with(beginning)
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields[name].as_str()
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.fields[name].as_u64()
    }

    /// WARN or worse.
    pub(crate) fn is_trouble(&self) -> bool {
        matches!(self.field("level"), Some("WARN" | "ERROR")) || self.fields.is_string()
    }
}

fn counts(metrics: &str) -> Served {
    let requests = metrics.lines().filter(|line| line.starts_with("irsa_sidecar_requests_total{"));
    let of_container = requests.filter(|line| line.contains(r#"endpoint="container""#));
    of_container
        .filter_map(|line| {
            let label = |name: &str| line.split(&format!("{name}=\"")).nth(1)?.split('"').next();
            // An exemplar or a timestamp may follow the value.
            let count: u64 = line.split("} ").nth(1)?.split(' ').next()?.parse().ok()?;
            Some(((label("sdk")?.to_owned(), label("status")?.parse().ok()?), count))
        })
        .filter(|(_, count)| *count > 0)
        .collect()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn time(value: &Value) -> Option<SystemTime> {
    humantime::parse_rfc3339(value.as_str()?).ok()
}

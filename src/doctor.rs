//! `irsa-sidecar doctor`: every link of the chain from the environment to the credentials, which of them is broken, and
//! the mend.
//!
//! | check | looks at |
//! |---|---|
//! | `environment` | the variables: which are set, who set them, what they shadow |
//! | `sdk-chain` | what an SDK with these variables takes; `--sdk NAME/VERSION` asks for one |
//! | `token-file` | whether it is there, readable, the kubelet's, and replaced in time |
//! | `token` | its claims and algorithm, its age, what about it STS cannot take |
//! | `issuer` | its documents, as seen from here: a hint, since STS asks from elsewhere |
//! | `network` | the name, the route, the proxy, TLS, and the clock of STS beside ours |
//! | `exchange` | the call itself; where its answer leaves several causes, all of them |
//! | `trust-policy` | with `--trust-policy`, or `--fetch-trust-policy`: each statement, held against this token |
//! | `identity` | who the credentials are |
//! | `sidecar` | one that runs in this pod: its endpoint, guards, freshness and metrics |
//! | `node-metadata` | whether an SDK can fall through to the node's role |
//!
//! It changes nothing. What needs the network is asked all at the same time.

use std::time::Duration;

use serde::Serialize;
use tokio::join;

use crate::build_info::VERSION;
use crate::clock::Clock;
use crate::config::Place;
use crate::config::env::Strings;
use crate::contract::doctor_exit;
use crate::doctor::facts::Facts;
use crate::doctor::finding::Severity;
use crate::doctor::trust::Trust;

mod endpoint;
mod environment;
mod exchange;
mod facts;
mod fetch;
mod finding;
mod identity;
mod issuer;
mod keys;
mod network;
mod node;
mod partitions;
pub mod process;
mod profile;
mod sdk;
mod sidecar;
mod status;
mod text;
mod token;
mod token_file;
mod trust;

pub use facts::Asked;
pub use facts::Outcome;
pub use facts::Policy;
use finding::Check;
use finding::Finding;

/// What `--json` prints is of this schema; it grows when a field changes its meaning.
const SCHEMA: u32 = 1;

/// All that was found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    schema: u32,
    version: &'static str,
    verdict: Severity,
    exit_status: u8,
    offline: bool,
    took_ms: u64,
    #[serde(rename = "checks")]
    findings: Vec<Finding>,
    #[serde(skip)]
    other_sts: Option<String>,
}

/// Looks at everything. `obtain` gives the credentials of the role that is meant, as any command does.
pub async fn examine(
    asked: &Asked,
    strings: &dyn Strings,
    clock: &Clock,
    obtain: impl AsyncFnOnce() -> Outcome,
) -> Report {
    let started = clock.steady();
    let facts = Facts::gather(asked, strings, clock).await;
    let given = asked.trust_policy.as_ref();
    let mut findings = environment::check(&facts);
    findings.extend(sdk::check(&facts));
    findings.extend(token_file::check(&facts));
    if asked.offline {
        findings.extend(network::place(&facts));
        let left_out = Check::ONLINE.into_iter().filter(|check| findings.iter().all(|it| it.check != *check));
        findings.extend(left_out.map(Check::not_asked).collect::<Vec<_>>());
        findings.extend(token::check(&facts, None));
        findings.extend(given.map(|policy| trust::check(&facts, policy).findings).unwrap_or_default());
    } else {
        let (network, issuer, (outcome, identity, fetched), sidecar, node) = join!(
            network::check(&facts, clock),
            issuer::check(&facts),
            exchanged(&facts, clock, obtain),
            sidecar::check(&facts),
            node::check(&facts),
        );
        findings.extend(token::check(&facts, network.sts_time));
        let trust = match fetched {
            Some(Err(finding)) => Some(Trust::from(finding)),
            Some(Ok(policy)) => Some(trust::check(&facts, &policy)),
            None => given.map(|policy| trust::check(&facts, policy)),
        };
        let trust = trust.map(|trust| trust.beside(&outcome));
        findings.extend(exchange::check(&facts, &outcome, &issuer, &network, trust.as_ref()));
        let trust = trust.map(|trust| trust.findings).unwrap_or_default();
        findings.extend(
            [issuer.findings, network.findings, identity, sidecar, node, trust].into_iter().flatten(),
        );
    }
    findings.sort_by_key(|finding| finding.check);
    let other_sts = facts.sts.as_ref().ok().filter(|_| facts.asks_sts() && facts.has_own_sts());
    let other_sts = other_sts.map(|sts| {
        Place::of(sts.endpoint()).map_or_else(|| sts.endpoint().to_owned(), |place| place.shown())
    });
    Report { other_sts, ..Report::new(findings, asked.offline, clock.steady() - started) }
}

/// The exchange, and what its credentials are good for.
async fn exchanged(
    facts: &Facts<'_>,
    clock: &Clock,
    obtain: impl AsyncFnOnce() -> Outcome,
) -> (Outcome, Vec<Finding>, Option<Result<Policy, Box<Finding>>>) {
    let outcome = if facts.can_exchange() { obtain().await } else { Outcome::NotTried };
    let fetched = async {
        match facts.asked.fetch_trust_policy {
            true => Some(fetch::policy(facts, &outcome, clock).await),
            false => None,
        }
    };
    let (identity, fetched) = join!(identity::check(facts, &outcome, clock), fetched);
    (outcome, identity, fetched)
}

impl Report {
    fn new(findings: Vec<Finding>, offline: bool, took: Duration) -> Self {
        let verdict = findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Fine);
        let exit_status = match verdict {
            Severity::Skipped | Severity::Fine | Severity::Note => 0,
            Severity::Warning => doctor_exit::WARNINGS,
            Severity::Broken => doctor_exit::BROKEN,
        };
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        Self {
            schema: SCHEMA,
            version: VERSION,
            verdict,
            exit_status,
            offline,
            took_ms,
            findings,
            other_sts: None,
        }
    }

    pub fn exit_status(&self) -> u8 {
        self.exit_status
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a report of texts and numbers must serialize")
    }
}

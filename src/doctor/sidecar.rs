//! What serves credentials in this pod: that it answers, and, where it is a sidecar of ours, its guards, how fresh what it
//! holds is, and its metrics.
//!
//! Whoever listens on loopback may be anybody: it is sent an authorization token only where SDKs would send one, and
//! nothing that repeats it is shown.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::Request;
use hyper::header::AUTHORIZATION;
use hyper::header::HOST;
use hyper::header::HeaderValue;
use serde_json::Value;
use tokio::join;

use crate::config::Flags;
use crate::config::Place;
use crate::config::parse_healthcheck;
use crate::config::reachable;
use crate::contract::CONTAINER_ADDRESSES;
use crate::contract::DEFAULT_PORT;
use crate::contract::ENV_CONTAINER_AUTHORIZATION_TOKEN;
use crate::contract::ENV_CONTAINER_AUTHORIZATION_TOKEN_FILE;
use crate::contract::ENV_CONTAINER_CREDENTIALS_FULL_URI;
use crate::contract::ENV_CONTAINER_CREDENTIALS_RELATIVE_URI;
use crate::contract::ENV_PORT;
use crate::contract::LINK_LOCAL_PORT;
use crate::contract::PATH_CREDENTIALS;
use crate::contract::PATH_METRICS;
use crate::contract::PATH_STATUS;
use crate::credentials::parse_rfc3339;
use crate::doctor::facts::Facts;
use crate::doctor::finding::Check;
use crate::doctor::finding::Finding;
use crate::doctor::finding::Severity;
use crate::doctor::finding::Severity::Broken;
use crate::doctor::finding::Severity::Note;
use crate::doctor::finding::Severity::Warning;
use crate::doctor::status::Status;
use crate::doctor::text::about;
use crate::http_once::Reply;
use crate::http_once::SendError;
use crate::http_once::send;
use crate::secret::Secret;
use crate::sts::given::NOT_SHOWN;
use crate::sts::given::is_arn;
use crate::sts::given::repeats;
use crate::sts::given::shorten;
use crate::token::Token;

const TIMEOUT: Duration = Duration::from_secs(1);
const MAX_BODY: usize = 512 * 1024;
const FOREIGN_HOST: &str = "irsa-sidecar.invalid";

/// Where it is asked for credentials.
struct Endpoint {
    address: SocketAddr,
    path: String,
    shown: String,
    /// Whether the environment points there: then a client needs it.
    is_needed: bool,
}

pub(super) async fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let endpoint = match Endpoint::of(facts) {
        Ok(endpoint) => endpoint,
        Err(finding) => return vec![*finding],
    };
    let authorization = endpoint.is_trusted().then(|| authorization(facts)).flatten();
    let secret = authorization.as_ref();
    let (credentials, foreign, status) = join!(
        get(endpoint.address, &endpoint.path, None, secret),
        get(endpoint.address, &endpoint.path, Some(FOREIGN_HOST), secret),
        status(facts),
    );
    let own = answer(facts, &endpoint, &credentials, secret);
    let (answers, serves) = (credentials.is_ok(), credentials.is_ok_and(|reply| reply.status == 200));
    let mut findings = vec![own];
    // What answers in the agent's place, or another's, is not judged as a sidecar.
    if answers && let Some((admin, status)) = status {
        findings.extend(guard(&endpoint, &foreign));
        findings
            .extend(status.findings(&format!("http://{admin}{PATH_STATUS}"), endpoint.is_needed && !serves));
        findings.extend(counts(admin, get(admin, PATH_METRICS, None, None).await));
    }
    findings
}

impl Endpoint {
    fn of(facts: &Facts<'_>) -> Result<Self, Box<Finding>> {
        let at = |address: SocketAddr, path: &str, is_needed| {
            let (path, shown) = (path.to_owned(), format!("http://{address}{path}"));
            Ok(Self { address, path, shown, is_needed })
        };
        // Most SDKs take the relative one first.
        if let Some(path) = facts.var(ENV_CONTAINER_CREDENTIALS_RELATIVE_URI) {
            let path = if path.starts_with('/') { path } else { format!("/{path}") };
            return at(SocketAddr::new(CONTAINER_ADDRESSES[0], LINK_LOCAL_PORT), &path, true);
        }
        let Some(uri) = facts.var(ENV_CONTAINER_CREDENTIALS_FULL_URI) else {
            let port = facts.var(ENV_PORT).and_then(|port| port.parse().ok()).unwrap_or(DEFAULT_PORT);
            let usual = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
            return at(usual, PATH_CREDENTIALS, false);
        };
        let place = Place::of(&uri).filter(|place| !place.is_https);
        match place.as_ref().and_then(|place| Some((place.address()?, place))) {
            Some((address, place)) => at(address, &place.path, true),
            None => {
                let found = "Not asked: it is https, or its host is no address.";
                Err(Box::new(Check::Sidecar.skipped(ENV_CONTAINER_CREDENTIALS_FULL_URI, found)))
            }
        }
    }

    /// Where SDKs send an authorization token in clear, and nowhere else.
    fn is_trusted(&self) -> bool {
        let ip = self.address.ip();
        self.is_needed && (ip.is_loopback() || CONTAINER_ADDRESSES.contains(&ip))
    }
}

/// Where its admin listener may be: by the sidecar's own setting, where it is told here, else the usual places.
fn admins(facts: &Facts<'_>) -> Vec<SocketAddr> {
    let told = parse_healthcheck(&Flags::default(), facts.strings).ok();
    told.map(|(healthcheck, _)| reachable(healthcheck.admin)).unwrap_or_default()
}

/// The first that has a status of our form.
async fn status(facts: &Facts<'_>) -> Option<(SocketAddr, Status)> {
    for admin in admins(facts) {
        let reply = get(admin, PATH_STATUS, None, None).await.ok().filter(|reply| reply.status == 200);
        if let Some(status) = reply.and_then(|reply| Status::read(&reply.body)) {
            return Some((admin, status));
        }
    }
    None
}

/// What the application would send.
fn authorization(facts: &Facts<'_>) -> Option<Secret> {
    let file = facts.var(ENV_CONTAINER_AUTHORIZATION_TOKEN_FILE);
    let of_file = file.and_then(|file| Token::read_any(Path::new(&file)).ok());
    match of_file {
        Some(token) => Some(token.secret().clone()),
        None => facts.var(ENV_CONTAINER_AUTHORIZATION_TOKEN).map(Secret::new),
    }
}

async fn get(
    address: SocketAddr,
    path: &str,
    host: Option<&str>,
    authorization: Option<&Secret>,
) -> Result<Reply, SendError> {
    let host = host.map_or_else(|| address.to_string(), str::to_owned);
    let mut request = Request::get(path).header(HOST, host);
    if let Some(secret) = authorization
        && let Ok(mut value) = HeaderValue::try_from(secret.expose())
    {
        value.set_sensitive(true);
        request = request.header(AUTHORIZATION, value);
    }
    let request = request.body(Empty::<Bytes>::new());
    let request = request.map_err(|error| SendError::Broken(error.to_string()))?;
    send(address, request, TIMEOUT, MAX_BODY).await
}

/// Of the credentials themselves nothing is looked at but that they are there, and their end.
fn answer(
    facts: &Facts<'_>,
    endpoint: &Endpoint,
    reply: &Result<Reply, SendError>,
    secret: Option<&Secret>,
) -> Finding {
    let severity = if endpoint.is_needed { Broken } else { Warning };
    let finding = |code, found: String| {
        let found =
            if secret.is_some_and(|secret| repeats(&found, secret)) { NOT_SHOWN.to_owned() } else { found };
        Check::Sidecar.finding(severity, code, endpoint.shown.clone(), found)
    };
    let reply = match reply {
        Ok(reply) => reply,
        Err(error) if endpoint.is_needed => {
            let found = format!("The environment points here, and nobody answers: {error}.");
            return finding("SidecarUnreachable", found).mend(
                "See whether the sidecar's container runs (kubectl get pod, kubectl logs -c irsa-sidecar) and whether --listen or \
                 --port was changed.",
            );
        }
        Err(_) => {
            let found =
                format!("No sidecar answers at {}; SDKs that know web identity need none.", endpoint.address);
            return Check::Sidecar.finding(Note, "NoSidecar", endpoint.shown.clone(), found);
        }
    };
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let text = |field: &str| shorten(body.get(field).and_then(Value::as_str).unwrap_or_default());
    let has_keys = ["AccessKeyId", "SecretAccessKey", "Token"].iter().all(|field| body.get(field).is_some());
    match (reply.status, parse_rfc3339(&text("Expiration"))) {
        (200, Some(expires_at)) if has_keys => {
            let Ok(left) = expires_at.duration_since(facts.now) else {
                let found = format!("The credentials that it gives expired at {}.", text("Expiration"));
                let mend = "Compare this node's clock with STS's (network, above); see the sidecar's log for failed refreshes.";
                return finding("SidecarGivesExpired", found).mend(mend);
            };
            let of = text("RoleArn");
            let of = if is_arn(&of) { format!(" of {of}") } else { String::new() };
            let found = format!("It gives credentials{of}, with {} left.", about(left));
            Finding { severity: Severity::Fine, ..finding("Fine", found) }
        }
        (status, _) => {
            let said = format!("{} {}", text("code"), text("message"));
            let found = format!("It answers with HTTP status {status}: {}", said.trim());
            let (code, mend) = match status {
                401 | 403 => (
                    "SidecarRefuses",
                    "Give this container the token that it asks for: AWS_CONTAINER_AUTHORIZATION_TOKEN, or its _FILE.",
                ),
                503 => (
                    "SidecarNotReady",
                    "It holds no credentials yet; its log, and its status below, say why.",
                ),
                _ => (
                    "NotASidecar",
                    "Something else answers at this address: compare it with the sidecar's --listen.",
                ),
            };
            finding(code, found).mend(mend)
        }
    }
}

fn guard(endpoint: &Endpoint, foreign: &Result<Reply, SendError>) -> Option<Finding> {
    let reply = foreign.as_ref().ok().filter(|reply| reply.status == 200)?;
    let found =
        format!("It gives credentials to a request for another host too (HTTP status {}).", reply.status);
    let mend = "What answers here is not irsa-sidecar, or an old one: a web page could fetch credentials by DNS rebinding.";
    Some(Check::Sidecar.finding(Warning, "GuardMissing", endpoint.shown.clone(), found).mend(mend))
}

fn counts(admin: SocketAddr, metrics: Result<Reply, SendError>) -> Option<Finding> {
    let is_ours = |reply: Reply| reply.body.windows(13).any(|window| window == b"irsa_sidecar_");
    let is_there = metrics.is_ok_and(|reply| reply.status == 200 && is_ours(reply));
    let looked_at = format!("http://{admin}{PATH_METRICS}");
    let found = "Its metrics do not answer from here.";
    (!is_there).then(|| Check::Sidecar.finding(Note, "MetricsUnreachable", looked_at, found))
}

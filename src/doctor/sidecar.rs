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
use hyper::header::USER_AGENT;
use tokio::join;

use crate::build_info::DOCTOR_AGENT;
use crate::config::Flags;
use crate::config::Place;
use crate::config::parse_healthcheck;
use crate::config::reachable;
use crate::contract::CONTAINER_ADDRESSES;
use crate::contract::DEFAULT_PORT;
use crate::contract::ENV_ADMIN_LISTEN;
use crate::contract::ENV_CONTAINER_AUTHORIZATION_TOKEN;
use crate::contract::ENV_CONTAINER_AUTHORIZATION_TOKEN_FILE;
use crate::contract::ENV_CONTAINER_CREDENTIALS_FULL_URI;
use crate::contract::ENV_CONTAINER_CREDENTIALS_RELATIVE_URI;
use crate::contract::ENV_PORT;
use crate::contract::LINK_LOCAL_PORT;
use crate::contract::PATH_CREDENTIALS;
use crate::contract::PATH_METRICS;
use crate::contract::PATH_STATUS;
use crate::doctor::endpoint::is_local;
use crate::doctor::endpoint::without_query;
use crate::doctor::facts::Facts;
use crate::doctor::finding::Check;
use crate::doctor::finding::Finding;
use crate::doctor::finding::Severity::Note;
use crate::doctor::finding::Severity::Warning;
use crate::doctor::status::Status;
use crate::http_once::Reply;
use crate::http_once::SendError;
use crate::http_once::send;
use crate::secret::Secret;
use crate::token::Token;

mod answer;

const TIMEOUT: Duration = Duration::from_secs(1);
const MAX_BODY: usize = 512 * 1024;
const FOREIGN_HOST: &str = "irsa-sidecar.invalid";

/// Where it is asked for credentials.
struct Endpoint {
    address: SocketAddr,
    path: String,
    shown: String,
    /// Whether the environment points there.
    is_named: bool,
    /// Whether it does, and no client has another way.
    is_needed: bool,
}

pub(super) async fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let endpoint = match Endpoint::of(facts) {
        Ok(endpoint) => endpoint,
        Err(finding) => return vec![*finding],
    };
    let authorization = endpoint.is_named.then(|| authorization(facts)).flatten();
    let secret = authorization.as_ref();
    let (credentials, foreign, status) = join!(
        get(endpoint.address, &endpoint.path, None, secret),
        get(endpoint.address, &endpoint.path, Some(FOREIGN_HOST), secret),
        status(facts),
    );
    let admin = status.as_ref().map(|(admin, _)| *admin);
    let own = answer::judged(facts, &endpoint, &credentials, secret, admin);
    let (answers, serves) = (credentials.is_ok(), credentials.is_ok_and(|reply| reply.status == 200));
    let mut findings = vec![own];
    // What answers in the agent's place, or another's, is not judged as a sidecar.
    if answers && let Some((admin, status)) = status.filter(|_| endpoint.is_the_usual_one(facts)) {
        findings.extend(guard(&endpoint, &foreign));
        findings
            .extend(status.findings(&format!("http://{admin}{PATH_STATUS}"), endpoint.is_needed && !serves));
        findings.push(counts(admin, get(admin, PATH_METRICS, None, None).await));
    }
    findings
}

impl Endpoint {
    fn of(facts: &Facts<'_>) -> Result<Self, Box<Finding>> {
        let at = |address: SocketAddr, path: &str, is_named: bool| {
            let (path, shown) = (path.to_owned(), format!("http://{address}{}", without_query(path)));
            let is_needed = is_named && !facts.names_web_identity();
            Ok(Self { address, path, shown, is_named, is_needed })
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
            Some((address, place)) if is_local(address.ip()) => at(address, &place.path, true),
            _ => {
                let found = "Not asked: it is no plain http URL to an address that SDKs take.";
                Err(Box::new(Check::Sidecar.skipped(ENV_CONTAINER_CREDENTIALS_FULL_URI, found)))
            }
        }
    }

    /// Whether the admin listener that is found by the settings is this one's: on loopback, another port is another sidecar's,
    /// or that of an `exec`, which has none.
    fn is_the_usual_one(&self, facts: &Facts<'_>) -> bool {
        let port = facts.var(ENV_PORT).and_then(|port| port.parse().ok()).unwrap_or(DEFAULT_PORT);
        let is_told = facts.var(ENV_ADMIN_LISTEN).is_some();
        is_told || !self.address.ip().is_loopback() || self.address.port() == port
    }

    fn is_agents(&self) -> bool {
        CONTAINER_ADDRESSES[1..].contains(&self.address.ip())
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
    let mut request = Request::get(path).header(HOST, host).header(USER_AGENT, DOCTOR_AGENT);
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

fn guard(endpoint: &Endpoint, foreign: &Result<Reply, SendError>) -> Option<Finding> {
    let looked_at = format!("{}, with a foreign Host", endpoint.shown);
    let status = foreign.as_ref().ok()?.status;
    if status != 200 {
        let found = format!("It refuses what a web page could send by DNS rebinding (HTTP status {status}).");
        return Some(Check::Sidecar.fine(looked_at, found));
    }
    let found =
        format!("It gives credentials to a request with a foreign Host header too (HTTP status {status}).");
    let mend = "What answers here is not irsa-sidecar, or an old one: a web page could fetch credentials by DNS rebinding.";
    Some(Check::Sidecar.finding(Warning, "GuardMissing", looked_at, found).mend(mend))
}

fn counts(admin: SocketAddr, metrics: Result<Reply, SendError>) -> Finding {
    let is_ours = |reply: Reply| reply.body.windows(13).any(|window| window == b"irsa_sidecar_");
    let looked_at = format!("http://{admin}{PATH_METRICS}");
    match metrics.is_ok_and(|reply| reply.status == 200 && is_ours(reply)) {
        true => Check::Sidecar.fine(looked_at, "Its metrics answer."),
        false => Check::Sidecar.finding(
            Note,
            "MetricsUnreachable",
            looked_at,
            "Its metrics do not answer from here.",
        ),
    }
}

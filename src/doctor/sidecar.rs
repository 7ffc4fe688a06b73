//! A sidecar that runs in this pod: its endpoint, its guards, how fresh what it holds is, its metrics.

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
use tokio::time::timeout;

use crate::contract::DEFAULT_ADMIN_PORT;
use crate::contract::DEFAULT_PORT;
use crate::contract::ENV_ADMIN_LISTEN;
use crate::contract::ENV_CONTAINER_AUTHORIZATION_TOKEN;
use crate::contract::ENV_CONTAINER_AUTHORIZATION_TOKEN_FILE;
use crate::contract::ENV_CONTAINER_CREDENTIALS_FULL_URI;
use crate::contract::PATH_CREDENTIALS;
use crate::contract::PATH_METRICS;
use crate::contract::PATH_STATUS;
use crate::credentials::parse_rfc3339;
use crate::doctor::facts::Facts;
use crate::doctor::finding::Check;
use crate::doctor::finding::Finding;
use crate::doctor::finding::Severity::Broken;
use crate::doctor::finding::Severity::Note;
use crate::doctor::finding::Severity::Warning;
use crate::doctor::text::about;
use crate::http_once::NoReply;
use crate::http_once::Reply;
use crate::http_once::send;
use crate::token::Token;

const TIMEOUT: Duration = Duration::from_secs(1);
const MAX_BODY: usize = 1024 * 1024;
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
    let admin = admin(facts);
    let (credentials, foreign, status, metrics) = join!(
        get(endpoint.address, &endpoint.path, None, authorization(facts)),
        get(endpoint.address, &endpoint.path, Some(FOREIGN_HOST), authorization(facts)),
        get(admin, PATH_STATUS, None, None),
        get(admin, PATH_METRICS, None, None),
    );
    let mut findings = vec![answer(facts, &endpoint, &credentials)];
    if credentials.is_ok() {
        findings.extend(guard(&endpoint, &foreign));
        findings.extend(roles(admin, &endpoint, status));
        findings.extend(counts(admin, metrics));
    }
    findings
}

impl Endpoint {
    fn of(facts: &Facts<'_>) -> Result<Self, Box<Finding>> {
        let usual = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), DEFAULT_PORT);
        let Some(uri) = facts.var(ENV_CONTAINER_CREDENTIALS_FULL_URI) else {
            let shown = format!("http://{usual}{PATH_CREDENTIALS}");
            return Ok(Self { address: usual, path: PATH_CREDENTIALS.to_owned(), shown, is_needed: false });
        };
        let rest = uri.split_once("://").map_or("", |(_, rest)| rest);
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let authority = authority.replace("localhost", "127.0.0.1");
        let ip = || authority.trim_matches(['[', ']']).parse::<IpAddr>().ok();
        let address: Option<SocketAddr> =
            authority.parse().ok().or_else(|| Some(SocketAddr::new(ip()?, crate::contract::LINK_LOCAL_PORT)));
        let Some(address) = address.filter(|_| uri.starts_with("http://")) else {
            let found = "Not asked: its host is no address, or it is https.";
            return Err(Box::new(Check::Sidecar.skipped(uri, found)));
        };
        Ok(Self { address, path: format!("/{path}"), shown: uri, is_needed: true })
    }
}

/// Of the sidecar's own setting, where it is told here; else the usual one.
fn admin(facts: &Facts<'_>) -> SocketAddr {
    let usual = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), DEFAULT_ADMIN_PORT);
    let told = facts.var(ENV_ADMIN_LISTEN).and_then(|text| text.parse().ok());
    match told {
        Some(told) if SocketAddr::ip(&told).is_unspecified() => SocketAddr::new(usual.ip(), told.port()),
        Some(told) => told,
        None => usual,
    }
}

/// What the application would send.
fn authorization(facts: &Facts<'_>) -> Option<HeaderValue> {
    let file = facts.var(ENV_CONTAINER_AUTHORIZATION_TOKEN_FILE);
    let mut value = match file.and_then(|file| Token::read_any(Path::new(&file)).ok()) {
        Some(token) => HeaderValue::try_from(token.secret().expose()).ok()?,
        None => HeaderValue::try_from(facts.var(ENV_CONTAINER_AUTHORIZATION_TOKEN)?).ok()?,
    };
    value.set_sensitive(true);
    Some(value)
}

async fn get(
    address: SocketAddr,
    path: &str,
    host: Option<&str>,
    authorization: Option<HeaderValue>,
) -> Result<Reply, NoReply> {
    let host = host.map_or_else(|| address.to_string(), str::to_owned);
    let mut request = Request::get(path).header(HOST, host);
    if let Some(authorization) = authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    let unusable = |error: hyper::http::Error| NoReply::Unreachable(error.to_string());
    let request = request.body(Empty::<Bytes>::new()).map_err(unusable)?;
    let late = |_| NoReply::Unreachable("no answer within 1 s".to_owned());
    timeout(TIMEOUT, send(address, request, MAX_BODY)).await.map_err(late)?
}

/// The credentials themselves are looked at for their end alone.
fn answer(facts: &Facts<'_>, endpoint: &Endpoint, reply: &Result<Reply, NoReply>) -> Finding {
    let severity = if endpoint.is_needed { Broken } else { Warning };
    let finding = |code, found: String| Check::Sidecar.finding(severity, code, endpoint.shown.clone(), found);
    let reply = match reply {
        Ok(reply) => reply,
        Err(error) if endpoint.is_needed => {
            let found =
                format!("AWS_CONTAINER_CREDENTIALS_FULL_URI points here, and nobody answers: {error}.");
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
    let text = |field: &str| body.get(field).and_then(Value::as_str).unwrap_or_default();
    if reply.status == 200
        && let Some(expires_at) = parse_rfc3339(text("Expiration"))
    {
        let left = expires_at.duration_since(facts.now).unwrap_or_default();
        let left = about(left);
        let of = text("RoleArn");
        let of = if of.is_empty() { String::new() } else { format!(" of {of}") };
        return Check::Sidecar
            .fine(endpoint.shown.clone(), format!("It gives credentials{of}, with {left} left."));
    }
    let said = format!("{} {}", text("code"), text("message"));
    let found = format!("It answers with HTTP status {}: {}", reply.status, said.trim());
    match reply.status {
        401 | 403 => finding("SidecarRefuses", found).mend(
            "Give this container the token that the sidecar asks for: AWS_CONTAINER_AUTHORIZATION_TOKEN, or its _FILE.",
        ),
        503 => finding("SidecarNotReady", found).mend("It holds no credentials yet; its log, and its status below, say why."),
        _ => finding("NotASidecar", found).mend("Something else answers at this address: compare it with the sidecar's --listen."),
    }
}

fn guard(endpoint: &Endpoint, foreign: &Result<Reply, NoReply>) -> Option<Finding> {
    let reply = foreign.as_ref().ok().filter(|reply| reply.status == 200)?;
    let found =
        format!("It gives credentials to a request for another host too (HTTP status {}).", reply.status);
    let mend = "What answers here is not irsa-sidecar, or an old one: a web page could fetch credentials by DNS rebinding.";
    Some(Check::Sidecar.finding(Warning, "GuardMissing", endpoint.shown.clone(), found).mend(mend))
}

/// What it says of each role, in its own words.
fn roles(admin: SocketAddr, endpoint: &Endpoint, status: Result<Reply, NoReply>) -> Vec<Finding> {
    let looked_at = format!("http://{admin}{PATH_STATUS}");
    let status: Value = match status {
        Ok(reply) if reply.status == 200 => serde_json::from_slice(&reply.body).unwrap_or_default(),
        _ => {
            let found = "Its admin listener does not answer from here; IRSA_SIDECAR_ADMIN_LISTEN tells doctor another place.";
            return vec![Check::Sidecar.finding(Note, "StatusUnreachable", looked_at, found)];
        }
    };
    let roles = status.get("roles").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let text =
        |value: &Value, field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut findings = Vec::new();
    for role in roles {
        let name = text(role, "name");
        let is_ready = role.get("is_ready").and_then(Value::as_bool).unwrap_or(false);
        let problem = role.get("problem").filter(|problem| !problem.is_null());
        if is_ready && problem.is_none() {
            continue;
        }
        let problem = problem.cloned().unwrap_or_default();
        let (code, message) = (text(&problem, "code"), text(&problem, "message"));
        let found = format!("Role {name}: {code}: {message}.");
        let (severity, stable) = match is_ready {
            true => (Warning, "SidecarRefreshFails"),
            false if endpoint.is_needed => (Broken, "SidecarRoleMissing"),
            false => (Warning, "SidecarRoleMissing"),
        };
        let finding = Check::Sidecar.finding(severity, stable, looked_at.clone(), found);
        findings.push(finding.mend(text(&problem, "mend")));
    }
    if findings.is_empty() {
        findings.push(
            Check::Sidecar
                .fine(looked_at, format!("It holds credentials for all of its roles ({}).", roles.len())),
        );
    }
    findings
}

fn counts(admin: SocketAddr, metrics: Result<Reply, NoReply>) -> Option<Finding> {
    let is_there = metrics.is_ok_and(|reply| {
        reply.status == 200 && reply.body.windows(13).any(|window| window == b"irsa_sidecar_")
    });
    let looked_at = format!("http://{admin}{PATH_METRICS}");
    let found = "Its metrics do not answer from here.";
    (!is_there).then(|| Check::Sidecar.finding(Note, "MetricsUnreachable", looked_at, found))
}

//! The variables that point an application at an endpoint for credentials: whether SDKs take them as they are written.
//!
//! Which hosts an SDK takes is told by the sources of each: botocore/utils.py (ContainerMetadataFetcher), remote_credentials.js,
//! ContainerCredentialsProvider.java, aws/defaults/defaults.go, ecs_credentials.rb. All take plain HTTP to 127.0.0.1.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::Path;

use crate::config::Place;
use crate::config::quoted;
use crate::contract::CONTAINER_ADDRESSES;
use crate::contract::DEFAULT_PORT;
use crate::contract::ENV_CONTAINER_AUTHORIZATION_TOKEN_FILE;
use crate::contract::ENV_CONTAINER_CREDENTIALS_FULL_URI;
use crate::contract::ENV_NO_PROXY;
use crate::contract::PATH_CREDENTIALS;
use crate::doctor::facts::Facts;
use crate::doctor::finding::Check;
use crate::doctor::finding::Finding;
use crate::doctor::finding::Severity;
use crate::doctor::finding::Severity::Broken;
use crate::doctor::finding::Severity::Note;
use crate::doctor::finding::Severity::Warning;
use crate::file::read_bounded;
use crate::inject::longer_no_proxy;

const MAX_TOKEN_BYTES: usize = 64 * 1024;

pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    [uri(facts), token_file(facts), proxy(facts)].into_iter().flatten().collect()
}

/// Whom the variables name, where nothing else says where credentials come from.
pub(super) fn whose(facts: &Facts<'_>) -> &'static str {
    match facts.var(ENV_CONTAINER_CREDENTIALS_FULL_URI) {
        Some(_) if facts.endpoint_is_agents() => {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI names the EKS Pod Identity Agent, as EKS sets it."
        }
        Some(_) => {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI names an endpoint, as irsa-sidecar's webhook, or its exec, sets it."
        }
        None => "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI names a path on 169.254.170.2, as for ECS.",
    }
}

/// Whether SDKs ask it in plain HTTP, and send their authorization token there.
pub(super) fn is_local(ip: IpAddr) -> bool {
    ip.is_loopback() || CONTAINER_ADDRESSES.contains(&ip)
}

/// A query may hold what is not to be shown.
pub(super) fn without_query(uri: &str) -> &str {
    uri.split('?').next().unwrap_or_default()
}

/// The same address, where there is one that SDKs take.
fn as_it_should_be(uri: &str) -> String {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let named = rest.split('/').next().and_then(|host| host.trim().parse::<SocketAddr>().ok());
    let address = named.filter(|address| address.ip() == Ipv4Addr::LOCALHOST);
    let address = address.unwrap_or((Ipv4Addr::LOCALHOST, DEFAULT_PORT).into());
    format!("http://{address}{PATH_CREDENTIALS}")
}

/// Whether SDKs fail at the URL as it is.
pub(super) fn is_unusable(facts: &Facts<'_>) -> bool {
    uri(facts).is_some_and(|finding| finding.severity == Broken)
}

/// What SDKs make of the URL, where they do not simply ask it.
fn uri(facts: &Facts<'_>) -> Option<Finding> {
    let uri = facts.var(ENV_CONTAINER_CREDENTIALS_FULL_URI)?;
    let finding = |severity: Severity, code, found: String| {
        let finding = Check::Environment.finding(severity, code, ENV_CONTAINER_CREDENTIALS_FULL_URI, found);
        Some(finding.mend(format!("Write it as {}, with the sidecar's own port.", as_it_should_be(&uri))))
    };
    // It may hold what is not to be shown.
    let shown = if uri.contains('@') { "(not shown)".to_owned() } else { quoted(without_query(&uri)) };
    let unusable = |why: &str| {
        let found = format!("{ENV_CONTAINER_CREDENTIALS_FULL_URI} is {shown}: {why}. SDKs fail at it.");
        finding(Broken, "EndpointUriUnusable", found)
    };
    if uri.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return unusable("it holds a space or a line break");
    }
    let Some(place) = Place::of(&uri) else {
        return unusable("it does not begin with http:// and a host");
    };
    let ip = place.address().map(|address| address.ip());
    let is_local = ip.is_some_and(is_local);
    match (place.is_https, ip) {
        (true, _) if is_local => unusable("irsa-sidecar, and EKS's agent, speak plain HTTP there"),
        (true, _) => None,
        (false, Some(_)) if !is_local => {
            unusable("SDKs take plain HTTP from loopback, 169.254.170.2 and EKS's agent alone")
        }
        (false, None) => {
            let found = format!(
                "{ENV_CONTAINER_CREDENTIALS_FULL_URI} is {shown}: many SDKs take no name for the host but localhost."
            );
            finding(Warning, "EndpointByName", found)
        }
        (false, Some(_)) if place.host == "localhost" => {
            let found = format!(
                "{ENV_CONTAINER_CREDENTIALS_FULL_URI} names localhost: some clients try ::1 first, and Fluent Bit refuses it."
            );
            finding(Note, "EndpointByName", found)
        }
        (false, Some(ip)) if ip != Ipv4Addr::LOCALHOST && !facts.endpoint_is_agents() => {
            let found = format!(
                "{ENV_CONTAINER_CREDENTIALS_FULL_URI} names {ip}: some SDKs (JavaScript's v2, older ones of Python and Go) take \
                 127.0.0.1 and localhost alone."
            );
            finding(Warning, "EndpointAddressRefused", found)
        }
        _ => None,
    }
}

/// What newer SDKs send from the file, as it is.
fn token_file(facts: &Facts<'_>) -> Option<Finding> {
    let path = facts.var(ENV_CONTAINER_AUTHORIZATION_TOKEN_FILE).filter(|_| facts.has_endpoint())?;
    let finding = |code, found: String| {
        Check::Environment.finding(Broken, code, ENV_CONTAINER_AUTHORIZATION_TOKEN_FILE, found)
    };
    let shown = quoted(&path);
    match read_bounded(Path::new(&path), MAX_TOKEN_BYTES) {
        Err(error) => {
            let found = format!("{shown}, which {ENV_CONTAINER_AUTHORIZATION_TOKEN_FILE} names: {error}.");
            let mend = "Mount it into this container, readable by this user (fsGroup), or unset the variable: SDKs that know it fail \
                        without it.";
            Some(finding("AuthorizationTokenFileUnreadable", found).mend(mend))
        }
        Ok(token) if token.iter().any(|byte| matches!(byte, b'\r' | b'\n')) => {
            let found = format!(
                "{shown} holds a line break: boto3 from 1.29.0 on, Go's, JavaScript's, .NET's and Rust's SDKs refuse to send it."
            );
            let mend = "Write it without one: printf %s \"$(cat FILE)\" > NEW, then mv NEW FILE. In a Secret's YAML: KEY: VALUE, \
                        without a block (|).";
            Some(finding("AuthorizationTokenNewline", found).mend(mend))
        }
        Ok(_) => None,
    }
}

/// Old SDKs send whatever has an HTTP URL to the proxy, loopback too.
fn proxy(facts: &Facts<'_>) -> Option<Finding> {
    let host = Place::of(&facts.var(ENV_CONTAINER_CREDENTIALS_FULL_URI)?)?.host;
    let name = ["HTTP_PROXY", "http_proxy"].into_iter().find(|name| facts.var(name).is_some())?;
    // A network, as in 127.0.0.0/8, may have it or not: that is left to whoever reads it.
    let excepts =
        |list: String| list.contains('/') || longer_no_proxy(&list, std::slice::from_ref(&host)).is_none();
    let excepted = ENV_NO_PROXY.iter().filter_map(|name| facts.var(name)).any(excepts);
    let found = format!(
        "{name} is set, and NO_PROXY does not name {host}: some SDKs ask the proxy for the credentials."
    );
    let finding = Check::Environment.finding(Warning, "EndpointBehindProxy", ENV_NO_PROXY[0], found);
    (!excepted).then(|| finding.mend(format!("Add {host} to NO_PROXY and no_proxy.")))
}

//! The node's metadata service: where a pod reaches it, whatever finds no credentials before takes the node's.

use std::net::IpAddr;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::Method;
use hyper::Request;
use hyper::header::HOST;
use hyper::header::USER_AGENT;
use tokio::join;

use crate::build_info::DOCTOR_AGENT;
use crate::config::Place;
use crate::contract::ENV_ACCESS_KEY_ID;
use crate::contract::ENV_EC2_METADATA_SERVICE_ENDPOINT;
use crate::contract::ENV_EC2_METADATA_SERVICE_ENDPOINT_MODE;
use crate::contract::HEADER_ERROR;
use crate::contract::HEADER_METADATA_TOKEN;
use crate::contract::HEADER_METADATA_TOKEN_TTL;
use crate::contract::IMDS_ADDRESSES;
use crate::contract::LINK_LOCAL_PORT;
use crate::doctor::facts::Facts;
use crate::doctor::finding::Check;
use crate::doctor::finding::Finding;
use crate::doctor::finding::Severity::Note;
use crate::doctor::finding::Severity::Warning;
use crate::doctor::network::has_route;
use crate::http_once::Reply;
use crate::http_once::SendError;
use crate::http_once::send;

const TOKEN_PATH: &str = "/latest/api/token";
const ROLES_PATH: &str = "/latest/meta-data/iam/security-credentials/";
/// A session for the two questions of one check.
const TTL: &str = "60";
/// SDKs wait no longer.
const TIMEOUT: Duration = Duration::from_secs(1);
const MAX_BODY: usize = 16 * 1024;
const MEND: &str = "Set the nodes' HttpPutResponseHopLimit to 1 and HttpTokens to required; in the pod, claim the address (endpoint imds \
                    or block-imds of irsa-sidecar), which old SDKs cannot pass by; AWS_EC2_METADATA_DISABLED=true keeps the newer ones.";

pub(super) async fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let given = facts.var(ENV_EC2_METADATA_SERVICE_ENDPOINT);
    let place = given.as_deref().and_then(Place::of);
    let looked_at = match (&given, &place) {
        (Some(_), Some(place)) => place.shown(),
        (Some(_), None) => ENV_EC2_METADATA_SERVICE_ENDPOINT.to_owned(),
        (None, _) => IMDS_ADDRESSES[0].to_string(),
    };
    if facts.imds_is_off() {
        let why = "Not asked: AWS_EC2_METADATA_DISABLED=true, which all but boto 2, rusoto, s3cmd, s3fs, fog and GDAL obey.";
        return vec![Check::NodeMetadata.skipped(looked_at, why)];
    }
    if given.is_some() {
        let Some(address) = place.and_then(|place| place.address()) else {
            let why = "Not asked: the host in AWS_EC2_METADATA_SERVICE_ENDPOINT is no address.";
            return vec![Check::NodeMetadata.skipped(looked_at, why)];
        };
        return vec![ask(facts, address, looked_at).await];
    }
    let [ipv4, ipv6] = IMDS_ADDRESSES;
    let at = |ip: IpAddr| ask(facts, SocketAddr::new(ip, LINK_LOCAL_PORT), ip.to_string());
    match is_asked_over_ipv6(facts) {
        true => {
            let (over_ipv4, over_ipv6) = join!(at(ipv4), at(ipv6));
            vec![over_ipv4, over_ipv6]
        }
        false => vec![at(ipv4).await],
    }
}

/// SDKs ask there where they are told to, and in a pod of IPv6 alone there is no other way.
fn is_asked_over_ipv6(facts: &Facts<'_>) -> bool {
    let is_ipv6 = |mode: String| mode.eq_ignore_ascii_case("ipv6");
    facts.var(ENV_EC2_METADATA_SERVICE_ENDPOINT_MODE).is_some_and(is_ipv6) || !has_route(&IMDS_ADDRESSES[0])
}

async fn ask(facts: &Facts<'_>, address: SocketAddr, looked_at: String) -> Finding {
    let session = request(address, Method::PUT, TOKEN_PATH, None).await;
    let token = session.ok().filter(|reply| reply.status == 200);
    let token = token.and_then(|reply| String::from_utf8(reply.body.to_vec()).ok());
    let roles = match request(address, Method::GET, ROLES_PATH, token.as_deref()).await {
        Ok(roles) => roles,
        Err(SendError::NotConnected(_)) => {
            let found = "Out of reach, as it should be: no SDK can fall through to the node's role.";
            return Check::NodeMetadata.fine(looked_at, found);
        }
        Err(error) => {
            // The hop limit lets a connection be made and takes the answer away.
            let found =
                format!("Somebody is there and does not answer ({error}): SDKs give up after a second.");
            return Check::NodeMetadata.finding(Note, "NodeMetadataSilent", looked_at, found);
        }
    };
    let nowhere = request(address, Method::GET, "/latest/irsa-sidecar", token.as_deref()).await.ok();
    if [&roles].into_iter().chain(nowhere.as_ref()).any(|reply| reply.headers.contains_key(HEADER_ERROR)) {
        return Check::NodeMetadata.fine(looked_at, "It is irsa-sidecar that answers here, not the node.");
    }
    let name = str::from_utf8(&roles.body).ok().and_then(|body| body.lines().next()).unwrap_or_default();
    let name: String = name.chars().filter(|c| c.is_ascii_graphic()).take(64).collect();
    if roles.status != 200 || name.is_empty() {
        let found = format!("It is reached, and gives no role (HTTP status {}).", roles.status);
        return Check::NodeMetadata.finding(Note, "NodeMetadataWithoutRole", looked_at, found);
    }
    let has_keys = facts.var(ENV_ACCESS_KEY_ID).is_some();
    let is_only = !facts.names_web_identity() && !facts.has_endpoint() && !has_keys;
    let (code, found) = if is_only {
        ("NodeRolePickedUp", format!("An SDK here finds nothing else and takes the node's role, {name}."))
    } else {
        (
            "NodeMetadataReachable",
            format!("It is reached: an SDK that ignores the rest takes the node's role, {name}."),
        )
    };
    Check::NodeMetadata.finding(Warning, code, looked_at, found).mend(MEND)
}

async fn request(
    address: SocketAddr,
    method: Method,
    path: &str,
    token: Option<&str>,
) -> Result<Reply, SendError> {
    let host = match address.ip() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    let request = Request::builder().method(&method).uri(path).header(USER_AGENT, DOCTOR_AGENT);
    let mut request = request.header(HOST, host);
    if method == Method::PUT {
        request = request.header(HEADER_METADATA_TOKEN_TTL, TTL);
    }
    if let Some(token) = token {
        request = request.header(HEADER_METADATA_TOKEN, token);
    }
    let request = request.body(Empty::<Bytes>::new());
    let request = request.map_err(|error| SendError::Broken(error.to_string()))?;
    send(address, request, TIMEOUT, MAX_BODY).await
}

//! The way to STS: name, route, proxy, TLS, and its clock beside ours.

use std::net::IpAddr;
use std::net::SocketAddr;
use std::time::Duration;
use std::time::SystemTime;

use tokio::net::lookup_host;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::clock::TOLERATED_SKEW;
use crate::clock::skew;
use crate::config::Place;
use crate::config::proxy_on_the_way_to;
use crate::credentials::rfc3339;
use crate::doctor::facts::Facts;
use crate::doctor::finding::Cause;
use crate::doctor::finding::Check;
use crate::doctor::finding::Finding;
use crate::doctor::finding::Severity::Broken;
use crate::doctor::finding::Severity::Warning;
use crate::sts::ErrorKind;
use crate::sts::ExchangeError;
use crate::sts::client::ResolveError;

pub(super) struct Network {
    pub(super) findings: Vec<Finding>,
    /// STS's time at the moment of the look, where its clock and ours are apart.
    pub(super) sts_time: Option<SystemTime>,
}

/// How STS is reached from here.
struct Way {
    place: Option<Place>,
    /// What its name resolves to.
    addresses: Vec<IpAddr>,
    /// The variable that names the proxy in between.
    proxy: Option<&'static str>,
}

const LOOKUP_TIMEOUT: Duration = Duration::from_secs(4);

pub(super) async fn check(facts: &Facts<'_>, clock: &Clock) -> Network {
    if !facts.asks_sts() {
        let why = "This container does not ask STS itself.";
        return Network::of(Check::Network.skipped("the way to STS", why));
    }
    let sts = match &facts.sts {
        Ok(sts) => sts,
        Err(error) => return Network::of(unresolved(error)),
    };
    let place = Place::of(sts.endpoint());
    let endpoint = place.as_ref().map_or_else(|| sts.endpoint().to_owned(), Place::shown);
    let whom = format!("STS at {endpoint}");
    let (seen, addresses) = tokio::join!(sts.look(&whom, sts.endpoint()), addresses(place.as_ref()));
    let way = Way { place, addresses, proxy: proxy_on_the_way_to(sts.endpoint(), facts.strings) };
    match seen {
        Ok(seen) => {
            let who = if seen.has_request_id { whom } else { format!("Something at {endpoint}") };
            let answers = format!("{who} answers{}.", way.told());
            let mut network = Network::of(Check::Network.fine(endpoint.clone(), answers));
            // Whoever else answers may have any clock.
            if let Some(date) = seen.date.filter(|_| seen.has_request_id) {
                let now = clock.wall();
                if skew(date, now) > TOLERATED_SKEW {
                    network.sts_time = Some(date);
                    network.findings.push(clocks_apart(date, now));
                }
            }
            network
        }
        Err(error) => unreached(facts, &endpoint, &error, &way),
    }
}

/// Whether there is a place to ask at all, which the variables and the profile say.
pub(super) fn place(facts: &Facts<'_>) -> Option<Finding> {
    facts.sts.as_ref().err().filter(|_| facts.asks_sts()).map(unresolved)
}

/// Where STS is, nothing says.
fn unresolved(error: &ResolveError) -> Finding {
    let (found, mend) = match error {
        ResolveError::NoRegion => (
            "AWS_REGION is not set, and neither AWS_DEFAULT_REGION nor the profile names a region."
                .to_owned(),
            "Set it, as in AWS_REGION=eu-central-1; the EKS webhook does so from its --aws-default-region.",
        ),
        ResolveError::EndpointUrl => (
            "The endpoint's URL cannot be used; it may hold a user and a password, and is not shown."
                .to_owned(),
            "Write it as https://HOST[:PORT], in AWS_ENDPOINT_URL_STS or in the profile's endpoint_url.",
        ),
        other => (other.to_string(), "Mend the setting that is named; the rules are those of the AWS SDKs."),
    };
    Check::Network.finding(Broken, error.code(), "AWS_REGION and the profile", found).mend(mend)
}

fn clocks_apart(date: SystemTime, now: SystemTime) -> Finding {
    let apart = skew(date, now).as_secs();
    let found = format!(
        "This node's clock is {apart} s apart from STS's: it is {} here, and {} there.",
        rfc3339(now),
        rfc3339(date)
    );
    Check::Network.finding(Warning, "ClockSkew", "the Date of STS's answer", found).mend(
        "Mend NTP on the node (chronyc tracking). irsa-sidecar goes by STS's clock; SDKs go by the node's, and what they sign is \
         refused (RequestTimeTooSkewed, SignatureDoesNotMatch).",
    )
}

async fn addresses(place: Option<&Place>) -> Vec<IpAddr> {
    let Some(place) = place else { return Vec::new() };
    match timeout(LOOKUP_TIMEOUT, lookup_host((place.host.as_str(), place.port))).await {
        Ok(Ok(found)) => found.map(|address: SocketAddr| address.ip()).collect(),
        _ => Vec::new(),
    }
}

fn unreached(facts: &Facts<'_>, endpoint: &str, error: &ExchangeError, way: &Way) -> Network {
    let finding = Check::Network.finding(Broken, error.code(), endpoint, format!("{}.", error.message));
    // Who listens on loopback, or speaks through a proxy, is on no route.
    let is_here = facts.has_own_sts() && way.addresses.first().is_some_and(IpAddr::is_loopback);
    let is_route = match error.kind {
        ErrorKind::TimedOut => way.proxy.is_none(),
        ErrorKind::ConnectionFailed => way.proxy.is_none() && !is_here,
        _ => false,
    };
    if !is_route {
        return Network::of(finding.mend(error.mend()));
    }
    Network::of(finding.causes(causes(way)))
}

/// Why packets to STS find no answer. What the name resolves to decides which is likeliest.
fn causes(way: &Way) -> Vec<Cause> {
    let has_endpoint = way.addresses.first().copied().is_some_and(is_private);
    let mut causes = Vec::new();
    if way.place.as_ref().is_some_and(|place| place.host == "sts.amazonaws.com") {
        causes.push(Cause::new(
            "GlobalEndpoint",
            "The global endpoint is asked, to which a VPC endpoint for STS does not lead.",
            "Set AWS_STS_REGIONAL_ENDPOINTS=regional and AWS_REGION.",
            "the name above: with a region in it, it would be sts.REGION.amazonaws.com",
        ));
    }
    let private = Cause::new(
        "NoStsEndpoint",
        "The cluster is private: there is neither a NAT gateway nor a VPC endpoint for STS.",
        "Make an interface endpoint for com.amazonaws.REGION.sts in the VPC, with private DNS, or give the subnet a NAT gateway.",
        "a name that resolves to a private address has such an endpoint",
    );
    let security_group = Cause::new(
        "SecurityGroup",
        "The VPC endpoint's security group does not let the nodes, or pods, in on port 443.",
        "Allow TCP 443 from the pods' and nodes' networks.",
        "aws ec2 describe-vpc-endpoints, and the group's inbound rules",
    );
    causes.extend(if has_endpoint { [security_group, private] } else { [private, security_group] });
    causes.push(Cause::new(
        "NetworkPolicy",
        "A NetworkPolicy of the namespace, or a service mesh, drops what leaves the pod.",
        "Allow egress to TCP 443, and to DNS.",
        "the same call from a pod in another namespace",
    ));
    causes.push(Cause::new(
        "ProxyNeeded",
        "The internet is reached through a proxy, which this process does not know of.",
        "Set HTTPS_PROXY and NO_PROXY.",
        "whether other pods have HTTPS_PROXY",
    ));
    causes
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        // 100.64.0.0/10 is for carriers, and EKS gives pods addresses from it.
        IpAddr::V4(ip) => ip.is_private() || ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64,
        IpAddr::V6(ip) => ip.is_unique_local(),
    }
}

impl Way {
    /// What is worth telling of it, in brackets.
    fn told(&self) -> String {
        let has_address = self.place.as_ref().is_some_and(|place| place.host.parse::<IpAddr>().is_ok());
        match (self.proxy, self.addresses.first()) {
            (Some(proxy), _) => format!(" (through the proxy of {proxy})"),
            (None, Some(ip)) if is_private(*ip) && !has_address => {
                format!(" ({ip}, a private address: a VPC endpoint, most likely)")
            }
            (None, Some(ip)) if !has_address => format!(" ({ip})"),
            (None, _) => String::new(),
        }
    }
}

impl Network {
    fn of(finding: Finding) -> Self {
        Self { findings: vec![finding], sts_time: None }
    }

    pub(super) fn is_broken(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Broken)
    }
}

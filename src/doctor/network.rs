//! The way to STS: name, route, proxy, TLS, and its clock beside ours.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::net::UdpSocket;
use std::time::Duration;
use std::time::SystemTime;

use rustix::io::Errno;
use tokio::net::lookup_host;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::clock::TOLERATED_SKEW;
use crate::clock::skew;
use crate::config::Place;
use crate::config::proxy_on_the_way_to;
use crate::credentials::rfc3339;
use crate::doctor::facts::Facts;
use crate::doctor::finding::Check;
use crate::doctor::finding::Finding;
use crate::doctor::finding::Severity::Broken;
use crate::doctor::finding::Severity::Warning;
use crate::doctor::network::causes::is_private;
use crate::sts::ErrorKind;
use crate::sts::ExchangeError;
use crate::sts::client::CertificateFault;
use crate::sts::client::ResolveError;

mod causes;
mod partition;
mod stand_in;

pub(super) struct Network {
    pub(super) findings: Vec<Finding>,
    /// STS's time at the moment of the look, where its clock and ours are apart.
    pub(super) sts_time: Option<SystemTime>,
    /// Whether somebody else answers in its place.
    pub(super) is_stand_in: bool,
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
    let mut network = match seen {
        Ok(seen) => {
            let stand_in = stand_in::check(&seen, &endpoint, facts.has_own_sts(), way.proxy);
            if let Some(finding) = stand_in {
                return Network { is_stand_in: true, ..Network::of(finding) };
            }
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
    };
    network.findings.extend(partition::check(facts));
    network
}

/// Whether there is a place to ask at all, and one that can know the role, which the variables and the profile say.
pub(super) fn place(facts: &Facts<'_>) -> Option<Finding> {
    if !facts.asks_sts() {
        return None;
    }
    facts.sts.as_ref().err().map(unresolved).or_else(|| partition::check(facts))
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
    if let Some(finding) = without_route(endpoint, error, way) {
        return Network::of(finding);
    }
    let code = CertificateFault::of(error).map_or(error.code(), CertificateFault::code);
    let finding = Check::Network.finding(Broken, code, endpoint, format!("{}.", error.message));
    let of_name =
        if error.kind == ErrorKind::NameNotResolved { causes::of_no_address(way) } else { Vec::new() };
    if !of_name.is_empty() {
        return Network::of(finding.causes(of_name));
    }
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
    Network::of(finding.causes(causes::of_silence(way)))
}

/// Where the name has addresses of one family alone, and this network namespace has no way to any of that family.
fn without_route(endpoint: &str, error: &ExchangeError, way: &Way) -> Option<Finding> {
    let is_reason = matches!(error.kind, ErrorKind::ConnectionFailed | ErrorKind::TimedOut);
    let (first, proxy) = (way.addresses.first()?, way.proxy);
    let is_alike = |ip: &IpAddr| ip.is_ipv4() == first.is_ipv4();
    if !is_reason
        || proxy.is_some()
        || !way.addresses.iter().all(is_alike)
        || way.addresses.iter().any(has_route)
    {
        return None;
    }
    let (family, mend) = match first {
        IpAddr::V4(_) => (
            "of IPv4",
            "In a cluster of IPv6 alone, set AWS_USE_DUALSTACK_ENDPOINT=true, or give its subnets DNS64 and NAT64; else look at the \
             pod's network (ip route).",
        ),
        IpAddr::V6(_) => (
            "of IPv6",
            "Unset AWS_USE_DUALSTACK_ENDPOINT, or have the pod's DNS give IPv4 addresses too; else give the pods IPv6.",
        ),
    };
    let found = format!(
        "STS at {endpoint} has addresses {family} alone ({first}), and this pod has no route to them: {}.",
        error.message
    );
    Some(Check::Network.finding(Broken, "NoRouteToFamily", endpoint, found).mend(mend))
}

/// What the kernel says, without a packet.
pub(super) fn has_route(ip: &IpAddr) -> bool {
    let own: IpAddr = if ip.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let connected = UdpSocket::bind((own, 0)).and_then(|socket| socket.connect((*ip, 443)));
    let without = [Errno::NETUNREACH, Errno::HOSTUNREACH, Errno::ADDRNOTAVAIL, Errno::AFNOSUPPORT];
    let said = connected.err().and_then(|error| error.raw_os_error());
    said.is_none_or(|said| without.iter().all(|errno| errno.raw_os_error() != said))
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
        Self { findings: vec![finding], sts_time: None, is_stand_in: false }
    }

    pub(super) fn is_broken(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Broken)
    }
}

//! Why STS is not reached, where the failure leaves several causes.

use std::net::IpAddr;

use crate::contract::ENV_USE_DUALSTACK_ENDPOINT;
use crate::contract::ENV_USE_FIPS_ENDPOINT;
use crate::doctor::finding::Cause;
use crate::doctor::network::Way;

/// Why packets to STS find no answer. What the name resolves to decides which is likeliest.
pub(super) fn of_silence(way: &Way) -> Vec<Cause> {
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

pub(super) fn is_private(ip: IpAddr) -> bool {
    match ip {
        // 100.64.0.0/10 is for carriers, and EKS gives pods addresses from it.
        IpAddr::V4(ip) => ip.is_private() || ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64,
        IpAddr::V6(ip) => ip.is_unique_local(),
    }
}

/// Where the name is one that AWS has in some of its regions alone; else none.
pub(super) fn of_no_address(way: &Way) -> Vec<Cause> {
    let Some(host) = way.place.as_ref().map(|place| place.host.as_str()) else { return Vec::new() };
    let (what, variable) = if host.starts_with("sts-fips.") {
        ("FIPS", ENV_USE_FIPS_ENDPOINT)
    } else if host.ends_with(".api.aws") {
        ("dual-stack", ENV_USE_DUALSTACK_ENDPOINT)
    } else {
        return Vec::new();
    };
    vec![
        Cause::new(
            "EndpointNotInRegion",
            format!("STS has no {what} endpoint in this region."),
            format!(
                "Unset {variable} (or what the profile says of it), or name a region that has one in AWS_REGION."
            ),
            "whether sts.REGION.amazonaws.com resolves here; AWS's table of STS endpoints",
        ),
        Cause::new(
            "NameNotResolved",
            "The pod's DNS does not answer for names of the internet.",
            "Check CoreDNS, the NetworkPolicy for port 53, and the pod's dnsPolicy.",
            "whether any other name resolves here",
        ),
    ]
}

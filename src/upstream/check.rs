//! Whether the upstream can be reached at all, looked at before anything is bound.
//!
//! Once the metadata service's address is claimed on `lo`, what is sent to it ends here. It is then reached through a
//! named interface alone. For IPv4 that is not enough: the kernel drops the answers, whose source is one of its own
//! addresses, unless the larger of `accept_local` for `all` and for the interface is 1, and drops them even so where
//! `rp_filter` is 1 (strict). For IPv6 there is no such rule. All of that is measured, on Linux 6.18.

use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;

use socket2::Domain;
use socket2::Socket;
use socket2::Type;
use thiserror::Error;

use crate::config::Upstream;
use crate::upstream::interface;

/// Linux's number for "no such device". The standard library has no name for it.
const ENODEV: i32 = 19;

/// Why nothing could be passed on, and what to write into the pod's manifest.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum UnreachableUpstream {
    #[error(
        "IRSA_SIDECAR_IMDS_UPSTREAM: {0} is an address of this pod itself, where the sidecar listens or may listen: \
         what is passed on would come back. Name the pod's interface, as in {1}{2}, or a metadata service at another \
         address"
    )]
    OwnAddress(IpAddr, String, &'static str),
    #[error(
        "IRSA_SIDECAR_IMDS_UPSTREAM: there is no network interface {0}; there are {1}. A pod's is eth0 as a rule"
    )]
    NoInterface(String, String),
    #[error(
        "IRSA_SIDECAR_IMDS_UPSTREAM: this kernel does not let us send through the interface {0}: {1}. Linux 5.7 and \
         later do; on an older one add the capability CAP_NET_RAW"
    )]
    InterfaceNotPermitted(String, String),
    #[error(
        "IRSA_SIDECAR_IMDS_UPSTREAM: {0} is claimed in this pod, and net.ipv4.conf.all.accept_local is not 1: the \
         kernel drops every answer from the node's. Add to the pod's spec\n  securityContext:\n    sysctls:\n    - name: \
         net.ipv4.conf.all.accept_local\n      value: \"1\"\nwhich the kubelet must allow \
         (--allowed-unsafe-sysctls=net.ipv4.conf.all.accept_local), or, better, name http://[fd00:ec2::254%eth0], which \
         needs no sysctl, or a proxy on the node"
    )]
    AcceptLocal(IpAddr),
    #[error(
        "IRSA_SIDECAR_IMDS_UPSTREAM: the interface {0} has no IPv6 address, so that the node's cannot be asked from it. \
         Where the VPC has no IPv6, name a proxy on the node, as in http://10.0.0.1:8080"
    )]
    NoIpv6(String),
    #[error(
        "IRSA_SIDECAR_IMDS_UPSTREAM: {0} is claimed in this pod, and net.ipv4.conf.*.rp_filter is 1 (strict) for the \
         interface {1}: the kernel drops every answer from the node's. Add to the pod's spec\n  securityContext:\n    \
         sysctls:\n    - name: net.ipv4.conf.all.rp_filter\n      value: \"2\"\nwhich the kubelet must allow \
         (--allowed-unsafe-sysctls=net.ipv4.conf.all.rp_filter)"
    )]
    ReversePath(IpAddr, String),
}

impl UnreachableUpstream {
    /// Stable: for logs and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::OwnAddress(..) => "UpstreamIsSelf",
            Self::NoInterface(..) => "UpstreamInterfaceMissing",
            Self::InterfaceNotPermitted(..) => "UpstreamInterfaceNotPermitted",
            Self::NoIpv6(_) => "UpstreamNoIpv6",
            Self::AcceptLocal(_) => "UpstreamAcceptLocalMissing",
            Self::ReversePath(..) => "UpstreamReversePathStrict",
        }
    }
}

/// `listeners` are the addresses that are about to be bound, claimed or not.
pub fn check(
    settings: &Upstream,
    listeners: impl IntoIterator<Item = SocketAddr>,
) -> Result<(), UnreachableUpstream> {
    let ip = settings.address.ip();
    let is_claimed = interface::is_own(ip) || listeners.into_iter().any(|listener| listener.ip() == ip);
    let Some(through) = &settings.interface else {
        return if is_claimed { Err(own_address(settings.address)) } else { Ok(()) };
    };
    try_interface(ip, through)?;
    if ip.is_ipv6() && !is_link_local(ip) && interface::ipv6_of(through).is_none() {
        return Err(UnreachableUpstream::NoIpv6(through.clone()));
    }
    if is_claimed && interface::is_loopback(through) {
        return Err(own_address(settings.address));
    }
    if is_claimed && ip.is_ipv4() {
        let sysctl = |name| interface::ipv4_sysctl(through, name);
        if sysctl("accept_local") == Some(0) {
            return Err(UnreachableUpstream::AcceptLocal(ip));
        }
        if sysctl("rp_filter") == Some(1) {
            return Err(UnreachableUpstream::ReversePath(ip, through.clone()));
        }
    }
    Ok(())
}

fn is_link_local(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

fn own_address(address: SocketAddr) -> UnreachableUpstream {
    let (ip, port) = (address.ip(), address.port());
    let host = match ip {
        IpAddr::V4(v4) => format!("{v4}%eth0"),
        IpAddr::V6(v6) => format!("[{v6}%eth0]"),
    };
    let port = if port == 80 { String::new() } else { format!(":{port}") };
    let beside = match ip.is_ipv4() {
        true => " (and set the sysctl net.ipv4.conf.all.accept_local to 1 in the pod's securityContext)",
        false => "",
    };
    UnreachableUpstream::OwnAddress(ip, format!("http://{host}{port}"), beside)
}

/// The kernel is asked to send through it; nothing is sent.
fn try_interface(ip: IpAddr, name: &str) -> Result<(), UnreachableUpstream> {
    let domain = if ip.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let bind = || Socket::new(domain, Type::STREAM, None)?.bind_device(Some(name.as_bytes()));
    bind().map_err(|error: io::Error| match error.raw_os_error() {
        Some(ENODEV) => UnreachableUpstream::NoInterface(name.to_owned(), interface::names().join(", ")),
        _ => UnreachableUpstream::InterfaceNotPermitted(name.to_owned(), error.to_string()),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn checked(
        address: &str,
        interface: Option<&str>,
        listeners: &[&str],
    ) -> Result<(), UnreachableUpstream> {
        let interface = interface.map(str::to_owned);
        let settings = Upstream { address: address.parse().unwrap(), interface, allow: Vec::new() };
        check(&settings, listeners.iter().map(|listener| listener.parse().unwrap()))
    }

    #[test]
    fn an_upstream_that_is_ourselves_is_refused_with_the_interface_to_name() {
        for (address, listeners, mend) in [
            (
                "169.254.169.254:80",
                &["169.254.169.254:80"][..],
                "http://169.254.169.254%eth0 (and set the sysctl",
            ),
            ("[fd00:ec2::254]:8080", &["[fd00:ec2::254]:80"], "http://[fd00:ec2::254%eth0]:8080,"),
            ("127.0.0.1:8080", &[], "127.0.0.1"),
        ] {
            let error = checked(address, None, listeners).unwrap_err();
            assert_eq!(error.code(), "UpstreamIsSelf");
            assert!(error.to_string().contains(mend), "{error}");
        }
        // Documentation's own address: no machine has it.
        assert_eq!(checked("192.0.2.1:80", None, &["127.0.0.1:9911"]), Ok(()));
    }

    #[test]
    fn an_interface_must_be_there() {
        let error = checked("192.0.2.1:80", Some("nowhere0"), &[]).unwrap_err();
        assert_eq!(error.code(), "UpstreamInterfaceMissing");
        assert!(error.to_string().contains("there are lo"), "{error}");
        assert_eq!(checked("192.0.2.1:80", Some("lo"), &[]), Ok(()));
    }
}

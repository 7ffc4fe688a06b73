//! Claims link-local addresses on the pod's own `lo`, once, and gives them back.
//!
//! An address on `lo` is nearer than every route: what is sent to 169.254.169.254 then ends in the pod, whether somebody
//! listens there or not, and the node's metadata service is out of reach. Exactly the asked addresses are claimed, each
//! alone (/32 or /128), and it is the same to ask twice.
//!
//! It is a fence for SDKs, not for attackers: whoever binds an IPv6 socket to an interface and to that interface's address
//! passes `lo` by, and so does a raw socket. Over IPv4 the answer is dropped, since it seems to come from the pod itself,
//! unless `accept_local` is 1.
//!
//! All is checked before anything is changed, and when a claim fails those that this run made are taken back. On a node
//! the same claim would cut off the node itself, so the node's network namespace is refused unless it is asked for.

use std::net::IpAddr;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use thiserror::Error;

use crate::config::NetInit;

mod namespace;
mod netlink;
mod plan;

pub use netlink::NetlinkError;

use namespace::Namespace;
use netlink::Netlink;
use netlink::Way;
use plan::Step;

/// What became of one address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    Claimed,
    AlreadyThere,
    Removed,
    NotThere,
    /// There is no IPv6 in this namespace: nobody can reach the address from here.
    LeftOut,
}

/// Why nothing was changed, or why what was changed has been taken back.
#[derive(Debug, Error)]
pub enum ClaimError {
    #[error("this is the node's network namespace: {evidence}")]
    NodeNamespace { evidence: String },
    #[error("it cannot be told whether this is the node's network namespace: {why}")]
    UnknownNamespace { why: String },
    #[error("{}", .0.join(", "))]
    OnAnotherInterface(Vec<String>),
    #[error(
        "lo may have no IPv6 address here, but another interface may, so that {0} can be reached through it"
    )]
    NoIpv6OnLo(IpAddr),
    #[error("{0} is on lo, but what is sent there still goes elsewhere")]
    NotEffective(IpAddr),
    #[error("CAP_NET_ADMIN is missing: the kernel does not let this process {0}")]
    NotPermitted(String),
    #[error("the kernel does not let this process {what}: {why}")]
    Failed { what: String, why: NetlinkError },
    #[error("the kernel's list of addresses cannot be had: {0}")]
    Netlink(#[source] NetlinkError),
}

/// Seconds, on the busiest node.
const TRIES: usize = 5000;
const INTERVAL: Duration = Duration::from_millis(1);

impl ClaimError {
    /// Stable: a log field.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NodeNamespace { .. } => "NodeNamespace",
            Self::UnknownNamespace { .. } => "UnknownNamespace",
            Self::OnAnotherInterface(_) => "OnAnotherInterface",
            Self::NoIpv6OnLo(_) => "NoIpv6OnLo",
            Self::NotEffective(_) => "NotEffective",
            Self::NotPermitted(_) => "NotPermitted",
            Self::Failed { .. } => "ClaimFailed",
            Self::Netlink(_) => "NetlinkFailed",
        }
    }

    /// What to do about it.
    pub fn mend(&self) -> &'static str {
        match self {
            Self::NodeNamespace { .. } => {
                "Run it in a pod without hostNetwork: on a node it would cut off the node's own metadata service. Where \
                 it is meant, or where the pod itself has a device (Kata Containers, SR-IOV), say --host"
            }
            Self::UnknownNamespace { .. } => {
                "Mount /sys, as every container runtime does, or give POD_IP and HOST_IP by the downward API \
                 (status.podIP and status.hostIP), or say --host if it is no node or is meant to be one"
            }
            Self::OnAnotherInterface(_) => {
                "Somebody else serves it there: take it off that interface, or leave it out of IRSA_SIDECAR_LISTEN"
            }
            Self::NoIpv6OnLo(_) => {
                "Set the pod's sysctl net.ipv6.conf.lo.disable_ipv6 to 0, or switch IPv6 off for the whole pod with \
                 net.ipv6.conf.all.disable_ipv6"
            }
            Self::NotEffective(_) => {
                "A routing rule stands before the kernel's local table: `ip rule` and `ip -6 rule` in the pod show it"
            }
            Self::NotPermitted(_) => {
                "Give the init container `securityContext: { runAsUser: 0, runAsNonRoot: false, capabilities: { drop: \
                 [ALL], add: [NET_ADMIN] } }`: Kubernetes gives an added capability to uid 0 alone"
            }
            Self::Failed { .. } | Self::Netlink(_) => {
                "It is the kernel's answer: a sandbox (gVisor), a seccomp or an AppArmor profile may stand behind it"
            }
        }
    }
}

/// Claims the addresses, or gives them back with `--remove`.
pub fn run(asked: &NetInit) -> Result<Vec<(IpAddr, Outcome)>, ClaimError> {
    let mut netlink = Netlink::open().map_err(ClaimError::Netlink)?;
    let seen = netlink.see().map_err(ClaimError::Netlink)?;
    let namespace = Namespace { sys: Path::new("/sys"), proc: Path::new("/proc") };
    if !asked.host {
        namespace.refuse_the_nodes(&seen, asked)?;
    }
    if asked.remove {
        return carry_out(&mut netlink, seen.lo.index, &plan::removal(&asked.addresses, &seen));
    }
    let steps = plan::claim(&asked.addresses, &seen, namespace.has_ipv6(&seen.lo.name))?;
    // Where another interface may have IPv6, a route can come at any moment.
    let has_ipv6_elsewhere = || seen.others.iter().any(|other| namespace.has_ipv6(&other.name));
    for (address, step) in &steps {
        let is_open = |way| way == Way::Elsewhere || has_ipv6_elsewhere();
        if *step == Step::LeaveOut && netlink.way_to(*address).map(is_open).map_err(ClaimError::Netlink)? {
            return Err(ClaimError::NoIpv6OnLo(*address));
        }
    }
    if !seen.lo.is_up {
        // It stays up whatever follows: nothing works in a pod without it.
        netlink.bring_up(seen.lo.index).map_err(|why| failed("bring up lo".to_owned(), why))?;
    }
    let outcomes = carry_out(&mut netlink, seen.lo.index, &steps)?;
    for (address, outcome) in &outcomes {
        if *outcome != Outcome::LeftOut
            && let Err(error) = wait_until_effective(&mut netlink, *address)
        {
            take_back(&mut netlink, seen.lo.index, &outcomes);
            return Err(error);
        }
    }
    Ok(outcomes)
}

/// The kernel puts the route of an IPv6 address in place a moment after it has taken the address. Whoever ends before
/// that has left the way to the node open.
fn wait_until_effective(netlink: &mut Netlink, address: IpAddr) -> Result<(), ClaimError> {
    for _ in 0..TRIES {
        if netlink.way_to(address).map_err(ClaimError::Netlink)? == Way::Here {
            return Ok(());
        }
        pause();
    }
    Err(ClaimError::NotEffective(address))
}

#[allow(clippy::disallowed_methods)] // the kernel tells nobody when it is done, and no runtime runs here
fn pause() {
    thread::sleep(INTERVAL);
}

fn carry_out(
    netlink: &mut Netlink,
    lo: u32,
    steps: &[(IpAddr, Step)],
) -> Result<Vec<(IpAddr, Outcome)>, ClaimError> {
    let mut outcomes = Vec::with_capacity(steps.len());
    for (address, step) in steps {
        match take(netlink, lo, *address, step) {
            Ok(outcome) => outcomes.push((*address, outcome)),
            Err(error) => {
                take_back(netlink, lo, &outcomes);
                return Err(error);
            }
        }
    }
    Ok(outcomes)
}

fn take(netlink: &mut Netlink, lo: u32, address: IpAddr, step: &Step) -> Result<Outcome, ClaimError> {
    match step {
        Step::Keep => Ok(Outcome::AlreadyThere),
        Step::LeaveOut => Ok(Outcome::LeftOut),
        Step::Add => match netlink.add(lo, address) {
            Ok(()) => Ok(Outcome::Claimed),
            // Somebody was quicker, which is as good.
            Err(NetlinkError::Refused(Errno::EXIST)) => Ok(Outcome::AlreadyThere),
            Err(why) => Err(failed(format!("claim {address} on lo"), why)),
        },
        Step::Remove(prefixes) => {
            let mut outcome = Outcome::NotThere;
            for prefix in prefixes {
                match netlink.remove(lo, address, *prefix) {
                    Ok(()) => outcome = Outcome::Removed,
                    Err(NetlinkError::Refused(Errno::ADDRNOTAVAIL)) => {}
                    Err(why) => return Err(failed(format!("take {address} off lo"), why)),
                }
            }
            Ok(outcome)
        }
    }
}

/// All or nothing: half of the claims would look like all of them to whoever does not read the log.
fn take_back(netlink: &mut Netlink, lo: u32, outcomes: &[(IpAddr, Outcome)]) {
    for (address, _) in outcomes.iter().rev().filter(|(_, outcome)| *outcome == Outcome::Claimed) {
        if let Err(error) = netlink.remove(lo, *address, plan::alone(*address)) {
            tracing::error!(%address, "claimed, and cannot be taken back: {error}");
        }
    }
}

fn failed(what: String, why: NetlinkError) -> ClaimError {
    match why {
        NetlinkError::Refused(Errno::PERM) => ClaimError::NotPermitted(what),
        why => ClaimError::Failed { what, why },
    }
}

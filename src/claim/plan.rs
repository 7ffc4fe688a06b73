//! What is to be done about each address, decided before anything is.

use std::net::IpAddr;

use crate::claim::ClaimError;

/// What the kernel told of this network namespace.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Seen {
    pub(super) lo: Interface,
    pub(super) others: Vec<Interface>,
    pub(super) held: Vec<Held>,
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Interface {
    pub(super) index: u32,
    pub(super) name: String,
    pub(super) is_up: bool,
}

/// An address that an interface has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Held {
    pub(super) interface: u32,
    pub(super) address: IpAddr,
    pub(super) prefix: u8,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Step {
    Add,
    Keep,
    LeaveOut,
    /// With the prefixes that it has on `lo`, which need not be ours; none when it is not there.
    Remove(Vec<u8>),
}

pub(super) fn claim(
    asked: &[IpAddr],
    seen: &Seen,
    has_ipv6: bool,
) -> Result<Vec<(IpAddr, Step)>, ClaimError> {
    let elsewhere: Vec<String> = asked.iter().filter_map(|address| elsewhere(*address, seen)).collect();
    if !elsewhere.is_empty() {
        return Err(ClaimError::OnAnotherInterface(elsewhere));
    }
    let step = |address: IpAddr| match address {
        address if !prefixes_on_lo(address, seen).is_empty() => Step::Keep,
        IpAddr::V6(_) if !has_ipv6 => Step::LeaveOut,
        _ => Step::Add,
    };
    Ok(asked.iter().map(|address| (*address, step(*address))).collect())
}

/// What is on another interface is not ours, and stays.
pub(super) fn removal(asked: &[IpAddr], seen: &Seen) -> Vec<(IpAddr, Step)> {
    asked.iter().map(|address| (*address, Step::Remove(prefixes_on_lo(*address, seen)))).collect()
}

/// The prefix of an address and no neighbour of it. On `lo` a shorter one would claim all that it covers.
pub(super) fn alone(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn prefixes_on_lo(address: IpAddr, seen: &Seen) -> Vec<u8> {
    let here = |held: &&Held| held.address == address && held.interface == seen.lo.index;
    seen.held.iter().filter(here).map(|held| held.prefix).collect()
}

fn elsewhere(address: IpAddr, seen: &Seen) -> Option<String> {
    let there = |held: &&Held| held.address == address && held.interface != seen.lo.index;
    let index = seen.held.iter().find(there)?.interface;
    let name = seen.others.iter().find(|other| other.index == index).map(|other| other.name.as_str());
    Some(match name {
        Some(name) => format!("{address} is already on the interface {name}"),
        None => format!("{address} is already on the interface with the index {index}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen() -> Seen {
        let held =
            |interface, address: &str, prefix| Held { interface, address: address.parse().unwrap(), prefix };
        Seen {
            lo: Interface { index: 1, name: "lo".to_owned(), is_up: true },
            others: vec![Interface { index: 7, name: "pod-id-link0".to_owned(), is_up: true }],
            held: vec![
                held(1, "127.0.0.1", 8),
                held(1, "169.254.170.2", 32),
                held(1, "169.254.170.2", 16),
                held(7, "169.254.170.23", 32),
                held(9, "fd00:ec2::23", 128),
            ],
        }
    }

    fn claimed(asked: &[&str], has_ipv6: bool) -> Result<Vec<Step>, String> {
        let asked: Vec<IpAddr> = asked.iter().map(|address| address.parse().unwrap()).collect();
        let steps = claim(&asked, &seen(), has_ipv6).map_err(|error| error.to_string())?;
        Ok(steps.into_iter().map(|(_, step)| step).collect())
    }

    #[test]
    fn adds_what_is_not_there_and_keeps_what_is() {
        let asked = ["169.254.169.254", "169.254.170.2", "fd00:ec2::254"];
        assert_eq!(claimed(&asked, true).unwrap(), [Step::Add, Step::Keep, Step::Add]);
        assert_eq!(claimed(&asked, false).unwrap(), [Step::Add, Step::Keep, Step::LeaveOut]);
    }

    #[test]
    fn names_every_address_that_another_interface_has() {
        let error = claimed(&["169.254.169.254", "169.254.170.23", "fd00:ec2::23"], true).unwrap_err();
        assert_eq!(
            error,
            "169.254.170.23 is already on the interface pod-id-link0, fd00:ec2::23 is already on the interface with \
             the index 9"
        );
    }

    #[test]
    fn removes_from_lo_alone_whatever_the_prefix() {
        let asked = ["169.254.170.2", "169.254.170.23", "169.254.169.254"].map(|ip| ip.parse().unwrap());
        let steps: Vec<Step> = removal(&asked, &seen()).into_iter().map(|(_, step)| step).collect();
        assert_eq!(steps, [Step::Remove(vec![32, 16]), Step::Remove(vec![]), Step::Remove(vec![])]);
    }
}

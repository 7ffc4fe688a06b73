//! What the kernel tells of this network namespace's interfaces, and of where an address leads.

use std::fs;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::net::UdpSocket;

/// `IFA_F_DADFAILED`, `IFA_F_DEPRECATED`, `IFA_F_TENTATIVE`: nothing should be sent from such an address.
const UNFIT: u32 = 0x08 | 0x20 | 0x40;
/// The scope of an address that others can answer to.
const GLOBAL: &str = "00";

/// Whether what is sent to it ends in this network namespace. Nothing is sent: the kernel looks up its routes, and for an
/// address of its own takes that very address as the source.
pub(super) fn is_own(ip: IpAddr) -> bool {
    let unbound: IpAddr =
        if ip.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let source = || {
        let socket = UdpSocket::bind(SocketAddr::new(unbound, 0))?;
        socket.connect(SocketAddr::new(ip, 9))?;
        socket.local_addr()
    };
    source().is_ok_and(|source| source.ip() == ip)
}

/// The interfaces' names, in the kernel's order.
pub(super) fn names() -> Vec<String> {
    let table = fs::read_to_string("/proc/net/dev").unwrap_or_default();
    table.lines().filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned())).collect()
}

/// `IFF_LOOPBACK`. Where it cannot be read, its usual name tells.
pub(super) fn is_loopback(interface: &str) -> bool {
    let flags = fs::read_to_string(format!("/sys/class/net/{interface}/flags")).ok();
    let flags = flags.and_then(|text| u32::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok());
    flags.map_or(interface == "lo", |flags| flags & 0x8 != 0)
}

/// The address that this interface sends from.
pub(super) fn ipv6_of(interface: &str) -> Option<Ipv6Addr> {
    own_ipv6(&fs::read_to_string("/proc/net/if_inet6").ok()?, interface)
}

/// An interface's value of an IPv4 sysctl, where the kernel takes the larger of it and that for `all`.
pub(super) fn ipv4_sysctl(interface: &str, name: &str) -> Option<u8> {
    let value = |interface| {
        let text = fs::read_to_string(format!("/proc/sys/net/ipv4/conf/{interface}/{name}")).ok()?;
        text.trim().parse::<u8>().ok()
    };
    value("all").max(value(interface))
}

/// A line is `address index prefix scope flags name`, in hexadecimal.
fn own_ipv6(table: &str, interface: &str) -> Option<Ipv6Addr> {
    table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [address, _, _, scope, flags, name] = fields[..] else { return None };
        let is_fit = scope == GLOBAL && u32::from_str_radix(flags, 16).ok()? & UNFIT == 0;
        let address = u128::from_str_radix(address, 16).ok()?;
        (is_fit && name == interface).then(|| Ipv6Addr::from(address))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the kernel wrote it, the last line but for its flags.
    const TABLE: &str = "\
00000000000000000000000000000001 01 80 10 80       lo
fd000ec2000000000000000000000254 01 80 00 80       lo
fe800000000000006c4cbcfffe1c0a2b 02 40 20 80     eth0
fd010000000000000000000000000003 02 40 00 c0     eth0
fd010000000000000000000000000002 02 40 00 80     eth0
";

    #[test]
    fn sends_from_an_address_that_is_the_interfaces_own_and_fit() {
        assert_eq!(own_ipv6(TABLE, "eth0"), "fd01::2".parse().ok());
        assert_eq!(own_ipv6(TABLE, "lo"), "fd00:ec2::254".parse().ok());
        assert_eq!(own_ipv6(TABLE, "eth"), None);
        assert_eq!(own_ipv6("", "eth0"), None);
    }

    #[test]
    fn knows_its_own_addresses_and_interfaces() {
        assert!(is_own(Ipv4Addr::LOCALHOST.into()));
        // Documentation's own address: no machine has it.
        assert!(!is_own(Ipv4Addr::new(192, 0, 2, 1).into()));
        assert!(names().contains(&"lo".to_owned()));
        assert_eq!(ipv4_sysctl("lo", "no_such_sysctl"), None);
    }
}

//! Binding: everything at once, before anything runs, and each failure with its mend.

use std::io;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;

use socket2::Domain;
use socket2::Protocol;
use socket2::Socket;
use socket2::Type;
use thiserror::Error;
use tokio::net::TcpListener;

use crate::config::AdminListener;
use crate::config::Listener;
use crate::contract;

/// How many connections the kernel keeps until they are accepted.
const BACKLOG: i32 = 1024;
/// Linux's number for "address family not supported": a kernel without IPv6. The standard library has no name for it.
const EAFNOSUPPORT: i32 = 97;

/// An address that could not be had.
#[derive(Debug, Error)]
#[error("{setting}: cannot listen on {address}: {reason}")]
pub struct BindError {
    /// The setting to change.
    pub setting: &'static str,
    pub address: SocketAddr,
    pub reason: BindReason,
    #[source]
    source: io::Error,
}

/// Why, and what to do.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum BindReason {
    #[error(
        "another process or container of this pod already listens there; choose another port with {0}, or stop it"
    )]
    PortInUse(&'static str),
    #[error(
        "ports below {0} need a right; set the pod's sysctl net.ipv4.ip_unprivileged_port_start to {1} or lower \
         (securityContext: {{ sysctls: [{{ name: net.ipv4.ip_unprivileged_port_start, value: \"{1}\" }}] }} of the pod, a \
         safe sysctl), use a higher port on loopback, or, as uid 0 alone, add the capability NET_BIND_SERVICE"
    )]
    PortNotPermitted(u16, u16),
    #[error(
        "no network interface here has this address; claim a link-local address with `irsa-sidecar net-init` first, \
         which is an init container before this one, or use 127.0.0.1 or [::1]"
    )]
    AddressNotAvailable,
    #[error("there is no IPv6 in this pod; leave the address out")]
    NoIpv6,
    #[error("{0}")]
    Other(String),
}

impl BindError {
    /// Stable: for logs and scripts.
    pub fn code(&self) -> &'static str {
        match self.reason {
            BindReason::PortInUse(_) => "PortInUse",
            BindReason::PortNotPermitted(..) => "PortNotPermitted",
            BindReason::AddressNotAvailable => "AddressNotAvailable",
            BindReason::NoIpv6 => "NoIpv6",
            BindReason::Other(_) => "ListenFailed",
        }
    }

    fn new(setting: &'static str, address: SocketAddr, source: io::Error) -> Self {
        let reason = match source.kind() {
            io::ErrorKind::AddrInUse => BindReason::PortInUse(setting),
            io::ErrorKind::PermissionDenied => BindReason::PortNotPermitted(1024, address.port()),
            _ if is_address_missing(&source) && address.ip() == Ipv6Addr::LOCALHOST => BindReason::NoIpv6,
            _ if is_address_missing(&source) => BindReason::AddressNotAvailable,
            _ => BindReason::Other(source.to_string()),
        };
        Self { setting, address, reason, source }
    }
}

/// Bound listeners. Of the default addresses those are left out that this pod cannot give: one without IPv6 has no `[::1]`,
/// one with IPv6 alone may have no 127.0.0.1. With neither there is nothing to serve on.
pub(super) fn credentials(listeners: &[Listener]) -> Result<Vec<(Listener, TcpListener)>, BindError> {
    let mut bound = Vec::new();
    let mut left_out = None;
    for listener in listeners {
        let Listener { address, is_default, .. } = *listener;
        let setting = if is_default { contract::ENV_PORT } else { contract::ENV_LISTEN };
        let family = if address.is_ipv6() { "IPv6" } else { "IPv4" };
        match listen(address) {
            Ok(socket) => bound.push((*listener, socket)),
            Err(error) if is_default && is_address_missing(&error) => {
                tracing::info!(%address, "no {family} here: this default address is left out");
                left_out = Some(BindError::new(setting, address, error));
            }
            // `net-init` leaves it out as well: without IPv6 nobody can ask there.
            Err(error) if is_link_local_v6(address) && is_address_missing(&error) && !has_ipv6() => {
                tracing::info!(%address, "no {family} here: this address is left out");
            }
            Err(error) => return Err(BindError::new(setting, address, error)),
        }
    }
    match left_out {
        Some(error) if bound.is_empty() => Err(error),
        _ => Ok(bound),
    }
}

/// The admin listener; its IPv6 default falls back to IPv4.
pub(super) fn admin(listener: &AdminListener) -> Result<TcpListener, BindError> {
    let AdminListener { address, is_default } = *listener;
    let fallback = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port());
    let failed = |address, error| BindError::new(contract::ENV_ADMIN_LISTEN, address, error);
    match listen(address) {
        Ok(bound) => Ok(bound),
        Err(error) if is_default && address.is_ipv6() && is_address_missing(&error) => {
            tracing::info!(%address, %fallback, "no IPv6 here: the admin endpoint listens on IPv4 alone");
            listen(fallback).map_err(|error| failed(fallback, error))
        }
        Err(error) => Err(failed(address, error)),
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    // Linux hands both on to the accepted sockets, which saves a system call for each.
    socket.set_tcp_nodelay(true)?;
    match address.ip() {
        IpAddr::V4(ip) if ip.is_link_local() => socket.set_ttl_v4(1)?,
        IpAddr::V6(ip) if ip.is_unspecified() => socket.set_only_v6(false)?,
        IpAddr::V6(ip) if !ip.is_loopback() => socket.set_unicast_hops_v6(1)?,
        _ => {}
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn is_link_local_v6(address: SocketAddr) -> bool {
    address.is_ipv6() && !address.ip().is_loopback()
}

/// Whether this network namespace has IPv6 at all: its loopback address, that is.
fn has_ipv6() -> bool {
    std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

fn is_address_missing(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(EAFNOSUPPORT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Serves;

    /// Documentation's own addresses: no machine has them.
    const NOWHERE_V4: &str = "192.0.2.1:9911";
    const NOWHERE_V6: &str = "[2001:db8::1]:0";

    fn listener(address: &str, is_default: bool) -> Listener {
        Listener {
            address: address.parse().unwrap(),
            serves: Serves::Container,
            allow_unauthenticated: false,
            is_default,
        }
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_refused_with_a_mend() {
        for address in [NOWHERE_V4, NOWHERE_V6] {
            let error = credentials(&[listener(address, false)]).unwrap_err();
            assert_eq!((error.code(), error.setting), ("AddressNotAvailable", contract::ENV_LISTEN));
            assert!(error.to_string().contains(address), "{error}");
        }
    }

    #[tokio::test]
    async fn a_default_that_is_not_to_be_had_is_left_out_as_long_as_the_other_is() {
        for nowhere in [NOWHERE_V4, NOWHERE_V6] {
            let bound = credentials(&[listener(nowhere, true), listener("127.0.0.1:0", true)]).unwrap();
            assert_eq!(bound.len(), 1, "{nowhere}");
            assert_eq!(bound[0].0.address.to_string(), "127.0.0.1:0");
        }
        let error = credentials(&[listener(NOWHERE_V4, true), listener(NOWHERE_V6, true)]).unwrap_err();
        assert_eq!((error.code(), error.setting), ("AddressNotAvailable", contract::ENV_PORT));
    }

    #[tokio::test]
    async fn the_default_admin_listener_falls_back_to_ipv4() {
        let admin_at =
            |is_default| admin(&AdminListener { address: NOWHERE_V6.parse().unwrap(), is_default });
        assert!(admin_at(true).unwrap().local_addr().unwrap().ip().is_unspecified());
        assert_eq!(admin_at(false).unwrap_err().setting, contract::ENV_ADMIN_LISTEN);
    }

    #[test]
    fn a_privileged_port_names_the_sysctl_and_the_capability() {
        let address: SocketAddr = "169.254.170.2:80".parse().unwrap();
        let error = BindError::new(contract::ENV_LISTEN, address, io::ErrorKind::PermissionDenied.into());
        assert_eq!(error.code(), "PortNotPermitted");
        let text = error.to_string();
        for part in ["169.254.170.2:80", "net.ipv4.ip_unprivileged_port_start to 80", "NET_BIND_SERVICE"] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn a_kernel_without_ipv6_is_recognised() {
        assert!(is_address_missing(&io::Error::from_raw_os_error(EAFNOSUPPORT)));
        assert!(!is_address_missing(&io::ErrorKind::AddrInUse.into()));
    }

    #[tokio::test]
    async fn accepted_sockets_send_without_delay() {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let client = tokio::net::TcpStream::connect(listener.local_addr().unwrap());
        let (accepted, client) = tokio::join!(listener.accept(), client);
        assert!(accepted.unwrap().0.nodelay().unwrap());
        drop(client);
    }
}

//! Where to listen: the listeners that serve credentials, and the admin listener.
//!
//! Credentials are served on loopback addresses, and on the link-local addresses that SDKs have built in. Which address
//! serves what follows from the address: those of IMDS serve IMDS alone, those of ECS and EKS Pod Identity container
//! credentials alone, a loopback address container credentials, unless it is written `imds=127.0.0.1:PORT`. The admin
//! listener may be anywhere: it has no secret.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;

use crate::config::AdminListener;
use crate::config::ImdsMode;
use crate::config::Listener;
use crate::config::Serves;
use crate::config::mistake::Reason;
use crate::config::mistake::Spelling;
use crate::config::mistake::quoted;
use crate::config::parser::Given;
use crate::config::parser::Parser;
use crate::config::settings::ADMIN_LISTEN;
use crate::config::settings::ALLOW_UNAUTHENTICATED;
use crate::config::settings::IMDS;
use crate::config::settings::LISTEN;
use crate::config::settings::PORT;
use crate::config::settings::ROLES_FILE;
use crate::contract::CONTAINER_ADDRESSES;
use crate::contract::DEFAULT_ADMIN_PORT;
use crate::contract::DEFAULT_PORT;
use crate::contract::IMDS_ADDRESSES;
use crate::contract::LINK_LOCAL_PORT;

/// Before an entry that is to serve IMDS on loopback.
const IMDS_PREFIX: &str = "imds=";
const IMDS_EXAMPLE: &str = "imds=127.0.0.1:9913";
/// An entry, and what it serves.
type Entry = (SocketAddr, Serves);

/// The listeners of `--listen`, else the default ones on `--port`. Both together are a mistake: the port would be
/// ignored.
pub(super) fn listeners(parser: &mut Parser<'_>) -> Option<Vec<Listener>> {
    let list = parser.given(&LISTEN);
    let port = port(parser);
    let Some(list) = list else {
        let port = match port {
            Some((_, port)) => port?,
            None => DEFAULT_PORT,
        };
        let ips: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        return Some(ips.map(|ip| listener((SocketAddr::new(ip, port), Serves::Container), true)).to_vec());
    };
    if let Some((port, _)) = port {
        let reason = format!("it moves the default listeners, but {} names others", list.spelling);
        parser.conflict(&port, reason, format!("Leave it out, and write the port in {}", list.spelling));
    }
    let mut listeners: Vec<Listener> = Vec::new();
    for entry in entries(parser, &list, |entry| credentials_address(entry, list.spelling))? {
        let address = entry.0;
        if address.port() != 0 && listeners.iter().any(|listener| listener.address == address) {
            parser.mistake(&list, Reason::from(format!("it names {address} twice")).mend("Name it once"));
            return None;
        }
        listeners.push(listener(entry, false));
    }
    warn_of_half(parser, &listeners);
    Some(listeners)
}

/// Some SDKs ask one address of IMDS, some the other, and what is not claimed is the node's.
fn warn_of_half(parser: &mut Parser<'_>, listeners: &[Listener]) {
    let is_named = |ip: &IpAddr| listeners.iter().any(|listener| listener.address.ip() == *ip);
    let (named, missing): (Vec<_>, Vec<_>) = IMDS_ADDRESSES.into_iter().partition(is_named);
    if let ([named], [missing]) = (named.as_slice(), missing.as_slice()) {
        let message = format!(
            "{} names {named} and not {missing}, where the node's metadata service, and with it the node's role, stays \
             in reach; name both",
            LISTEN.variable
        );
        parser.warn("ImdsHalfClaimed", message);
    }
}

/// Any address: health and metrics are for the kubelet and for Prometheus.
pub(super) fn admin(parser: &mut Parser<'_>) -> Option<AdminListener> {
    let Some(given) = parser.given(&ADMIN_LISTEN) else {
        let address = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), DEFAULT_ADMIN_PORT);
        return Some(AdminListener { address, is_default: true });
    };
    let spelling = given.spelling;
    let address = parser.parse(&given, |text| {
        let mend = match text.strip_prefix([':', '*']).map(|port| port.trim_start_matches(':')) {
            Some(port) => format!("[::]:{port}"),
            None => ADMIN_LISTEN.example.to_owned(),
        };
        socket_address(text).map_err(|reason| reason.mend(format!("For example {}", spelling.assign(&mend))))
    })?;
    Some(AdminListener { address, is_default: false })
}

/// One port for both is refused even where the addresses differ: people and network policies go by the port.
pub(super) fn refuse_clash(parser: &mut Parser<'_>, listeners: &[Listener], admin: AdminListener) {
    let port = admin.address.port();
    if port == 0 || listeners.iter().all(|listener| listener.address.port() != port) {
        return;
    }
    let reason = format!("port {port} is the admin listener's as well as a credentials listener's");
    let (setting, given) = match admin.is_default {
        false => (&ADMIN_LISTEN, parser.given(&ADMIN_LISTEN)),
        true => (&LISTEN, parser.given(&LISTEN).or_else(|| parser.given(&PORT))),
    };
    let given = given.expect("two defaults must not clash");
    let free = if port == DEFAULT_ADMIN_PORT { DEFAULT_PORT } else { DEFAULT_ADMIN_PORT };
    let mend = format!("Give {} another port, or move the other; {free} is the usual one", setting.variable);
    parser.conflict(&given, reason, mend);
}

/// Marks the listeners that may answer without the authorization token, and refuses those that must: no metadata client
/// can send it, and one open door is the whole house.
pub(super) fn authorize(
    parser: &mut Parser<'_>,
    mut listeners: Option<&mut Vec<Listener>>,
    has_authorization: bool,
    imds: ImdsMode,
) {
    allow_unauthenticated(parser, listeners.as_deref_mut(), has_authorization);
    let Some(listeners) = listeners.filter(|_| has_authorization && imds != ImdsMode::Off) else {
        return;
    };
    let open = |listener: &&Listener| listener.serves_imds() && !listener.allow_unauthenticated;
    let open: Vec<String> =
        listeners.iter().filter(open).map(|listener| listener.address.to_string()).collect();
    if let (Some(given), false) = (parser.given(&LISTEN), open.is_empty()) {
        let open = open.join(",");
        let reason = format!(
            "an authorization token is set, and {open} would give the role's credentials to whoever asks without it: \
             the metadata service (IMDS) has no place for it"
        );
        let mend = format!(
            "Write {}={open} if that is meant, {}=off if nobody needs it, or leave the address out",
            ALLOW_UNAUTHENTICATED.variable, IMDS.variable
        );
        parser.conflict(&given, reason, mend);
    }
}

/// Marks the listeners that may answer without the authorization token.
fn allow_unauthenticated(
    parser: &mut Parser<'_>,
    listeners: Option<&mut Vec<Listener>>,
    has_authorization: bool,
) {
    let Some(given) = parser.given(&ALLOW_UNAUTHENTICATED) else {
        return;
    };
    let Some(named) = entries(parser, &given, allowed_address) else {
        return;
    };
    let Some(listeners) = listeners else { return };
    for (address, _) in named {
        match listeners.iter_mut().find(|listener| listener.address == address) {
            Some(listener) => listener.allow_unauthenticated = true,
            None => {
                let all: Vec<String> =
                    listeners.iter().map(|listener| listener.address.to_string()).collect();
                let reason = Reason::from(format!("{address} is not one of the listeners"));
                parser.mistake(&given, reason.mend(format!("The listeners are {}", all.join(","))));
            }
        }
    }
    if !has_authorization && parser.given(&ROLES_FILE).is_some() {
        // A role of the file may ask for a token of its own, which IMDS then gives it without.
    } else if !has_authorization {
        let message = format!("{} does nothing: no authorization token is set", given.spelling);
        parser.warn("AllowUnauthenticatedIdle", message);
    } else if listeners.iter().all(|listener| listener.allow_unauthenticated) {
        let message = format!(
            "the authorization token protects nothing: {} names every listener, so that any process in the pod is \
             given credentials without it",
            given.spelling
        );
        parser.warn("AuthorizationTokenIdle", message);
    }
}

/// The port and how it was given; `Some(None)` inside when it was wrong.
fn port(parser: &mut Parser<'_>) -> Option<(Given, Option<u16>)> {
    let given = parser.given(&PORT)?;
    if given.spelling == Spelling::Variable(PORT.variable) && parser.is_service_link(PORT.variable) {
        let message = format!(
            "{} was made by Kubernetes, for a Service named irsa-sidecar in this namespace, and is not used; set \
             enableServiceLinks: false in the pod to be rid of it, or give the port with --port",
            PORT.variable
        );
        parser.warn("ServiceLinkIgnored", message);
        return None;
    }
    let port = parser.parse(&given, |text| {
        text.parse()
            .map_err(|_| Reason::from("a port is a number from 1 to 65535, or 0 for any that is free"))
    });
    Some((given, port))
}

/// Each entry of a comma list; none when one is wrong, all that are wrong being kept.
fn entries(
    parser: &mut Parser<'_>,
    list: &Given,
    parse: impl Fn(&str) -> Result<Entry, Reason>,
) -> Option<Vec<Entry>> {
    let entries: Vec<_> =
        list.value.split(',').map(str::trim).map(|entry| parser.parse(list, |_| parse(entry))).collect();
    entries.into_iter().collect()
}

fn listener((address, serves): Entry, is_default: bool) -> Listener {
    Listener { address, serves, allow_unauthenticated: false, is_default }
}

fn credentials_address(entry: &str, spelling: Spelling) -> Result<Entry, Reason> {
    if let Some(entry) = link_local(entry) {
        return Ok(entry);
    }
    let (address, serves) = match entry.strip_prefix(IMDS_PREFIX) {
        Some(entry) if link_local(entry).is_some() => {
            return Err(Reason::from(format!("{IMDS_PREFIX} goes before a loopback address alone"))
                .mend(format!("Write {entry}: what a link-local address serves follows from the address")));
        }
        Some(entry) => (own_address(entry, IMDS_EXAMPLE, spelling)?, Serves::Imds),
        None => (own_address(entry, LISTEN.example, spelling)?, Serves::Container),
    };
    Ok((address, serves))
}

/// A loopback address. What is another machine's, or a slip in a link-local one, is told before a missing port.
fn own_address(entry: &str, example: &str, spelling: Spelling) -> Result<SocketAddr, Reason> {
    let bare = entry.trim_matches(['[', ']']).parse::<IpAddr>();
    let address = match bare {
        Ok(ip) if ip.is_ipv4() && !ip.is_loopback() => SocketAddr::new(ip, DEFAULT_PORT),
        Ok(_) if example == IMDS_EXAMPLE => {
            let mend = format!("For example {}", spelling.assign(example));
            return Err(Reason::from(format!("{} names no port", quoted(entry))).mend(mend));
        }
        _ => socket_address(entry)?,
    };
    if address.ip().is_loopback() {
        return Ok(address);
    }
    let known: Vec<String> =
        CONTAINER_ADDRESSES.iter().chain(&IMDS_ADDRESSES).map(ToString::to_string).collect();
    let why = format!(
        "{} is neither a loopback address nor one of AWS's link-local addresses ({}): whoever reaches it over the \
         network would be given the role's credentials",
        address.ip(),
        known.join(", ")
    );
    Err(Reason::from(why).mend(format!("For example {}", spelling.assign(example))))
}

/// A listener as `--allow-unauthenticated` names it: as `--listen` did, or by its address alone.
fn allowed_address(entry: &str) -> Result<Entry, Reason> {
    let address = entry.strip_prefix(IMDS_PREFIX).unwrap_or(entry);
    link_local(address).map_or_else(|| Ok((socket_address(address)?, Serves::Container)), Ok)
}

/// One of AWS's link-local addresses. They have a well-known port, and may be written without it.
fn link_local(entry: &str) -> Option<Entry> {
    let without_port =
        || Some(SocketAddr::new(entry.trim_matches(['[', ']']).parse().ok()?, LINK_LOCAL_PORT));
    let address = entry.parse().ok().or_else(without_port)?;
    let serves = match address.ip() {
        ip if IMDS_ADDRESSES.contains(&ip) => Serves::Imds,
        ip if CONTAINER_ADDRESSES.contains(&ip) => Serves::Container,
        _ => return None,
    };
    Some((address, serves))
}

/// `IP:PORT`, with every other form that people write refused for its own reason.
pub(super) fn socket_address(text: &str) -> Result<SocketAddr, Reason> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return match address {
            SocketAddr::V6(v6) if v6.scope_id() != 0 => {
                Err(format!("{} has a zone, which no listener needs", quoted(text)).into())
            }
            SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
                Some(v4) => Err(Reason::from(format!("{} is an IPv4 address in IPv6 clothes", v6.ip()))
                    .mend(format!("Write {v4}:{}", v6.port()))),
                None => Ok(address),
            },
            SocketAddr::V4(_) => Ok(address),
        };
    }
    let shown = quoted(text);
    let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
    if text.is_empty() {
        return Err("it has an empty entry".into());
    }
    if text.contains("://") {
        return Err(format!("{shown} is a URL; an address is IP:PORT").into());
    }
    if host.eq_ignore_ascii_case("localhost") {
        let port = if port.is_empty() { DEFAULT_PORT.to_string() } else { port.to_owned() };
        return Err(Reason::from("localhost is a name that may mean 127.0.0.1, [::1] or both")
            .mend(format!("Write 127.0.0.1:{port},[::1]:{port}")));
    }
    if let Ok(ip) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        let with_port = SocketAddr::new(ip, DEFAULT_PORT);
        return Err(match ip {
            IpAddr::V6(v6) if !v6.is_loopback() && !text.starts_with('[') => {
                format!("{shown} names no port, or is an IPv6 address without its brackets").into()
            }
            _ => Reason::from(format!("{shown} names no port")).mend(format!("Write {with_port}")),
        });
    }
    if host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
        return Err(format!("in {shown} the port is not a number from 0 to 65535").into());
    }
    if host.is_empty() || host == "*" || text.parse::<u16>().is_ok() {
        return Err(format!("{shown} names no address to listen on").into());
    }
    Err(format!("{shown} is not an IP address and a port; names are not looked up").into())
}

/// Where a listener on `admin` is reached from the same pod. An IPv6 wildcard may have fallen back to IPv4.
pub fn reachable(admin: SocketAddr) -> Vec<SocketAddr> {
    let loopback: &[IpAddr] = match admin.ip() {
        ip if !ip.is_unspecified() => &[ip],
        IpAddr::V4(_) => &[IpAddr::V4(Ipv4Addr::LOCALHOST)],
        IpAddr::V6(_) => &[IpAddr::V6(Ipv6Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::LOCALHOST)],
    };
    loopback.iter().map(|ip| SocketAddr::new(*ip, admin.port())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_is_asked_on_loopback() {
        for (admin, asked) in [
            ("[::]:9912", &["[::1]:9912", "127.0.0.1:9912"][..]),
            ("0.0.0.0:9912", &["127.0.0.1:9912"]),
            ("10.0.0.1:80", &["10.0.0.1:80"]),
        ] {
            let addresses: Vec<String> =
                reachable(admin.parse().unwrap()).iter().map(ToString::to_string).collect();
            assert_eq!(addresses, asked);
        }
    }
}

//! Where the node's own metadata service is, and which of its paths may be passed on.
//!
//! The address is `http://IP[%INTERFACE][:PORT]`: an IP address, since a name could lead anywhere, and with `%` the
//! interface through which it is reached, as in the zone of an IPv6 address. Whether it can be reached is looked at
//! before anything is bound, not here.

use std::net::IpAddr;
use std::net::SocketAddr;

use crate::config::Listener;
use crate::config::PathRule;
use crate::config::Upstream;
use crate::config::mistake::Reason;
use crate::config::mistake::quoted;
use crate::config::parser::Parser;
use crate::config::settings::IMDS_UPSTREAM;
use crate::config::settings::IMDS_UPSTREAM_ALLOW;
use crate::contract::DEFAULT_UPSTREAM_ALLOW;
use crate::contract::IMDS_ADDRESSES;
use crate::contract::NEVER_PASSED_ON;

/// In a list of one's own: the default list as well.
const DEFAULT: &str = "default";
/// What a path below a version begins with; a name alone is what people write for the path.
const BEGINNINGS: [&str; 2] = ["meta-data", "dynamic"];
const HTTP: u16 = 80;
/// Linux's own bound on the name of an interface, in bytes.
const LONGEST_INTERFACE: usize = 15;

pub(super) fn upstream(parser: &mut Parser<'_>, listeners: Option<&[Listener]>) -> Option<Upstream> {
    let place = parser.value(&IMDS_UPSTREAM, parse_place);
    let list = parser.given(&IMDS_UPSTREAM_ALLOW);
    let allow = match &list {
        Some(list) => parser.parse(list, parse_allow)?,
        None => default_rules(),
    };
    if let Some(list) = list
        && parser.given(&IMDS_UPSTREAM).is_none()
    {
        let message = format!("{} does nothing: {} is not set", list.spelling, IMDS_UPSTREAM.variable);
        parser.warn("ImdsUpstreamAllowIdle", message);
    }
    let (address, interface) = place?;
    if listeners.is_some_and(|listeners| !listeners.iter().any(Listener::serves_imds)) {
        let setting = IMDS_UPSTREAM.variable;
        let message = format!("{setting} does nothing: no listener serves the metadata service (IMDS)");
        parser.warn("ImdsUpstreamIdle", message);
    }
    if IMDS_ADDRESSES.contains(&address.ip()) && (interface.is_none() || address.is_ipv4()) {
        let message = format!(
            "what {} needs opens the node's metadata service to every process in the pod, its role included, past the \
             list of what is passed on (an unclaimed address to each, accept_local=1 to one that names the interface); \
             http://[fd00:ec2::254%eth0] with both addresses claimed, or a proxy on the node, does not",
            IMDS_UPSTREAM.variable
        );
        parser.warn("ImdsUpstreamOpensNode", message);
    }
    Some(Upstream { address, interface, allow })
}

impl PathRule {
    /// Whether `path`, below the version and without a slash at its end, is one of those that this admits.
    pub fn admits(&self, path: &str) -> bool {
        match path.strip_prefix(&self.path) {
            Some("") => true,
            Some(below) => self.is_tree && below.starts_with('/'),
            None => false,
        }
    }
}

/// What the paths of a metadata service are made of. Everything else, `%`, `;` and `\` among it, is somebody's trick.
pub(crate) fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/-._:@+=,".contains(&byte)
}

/// Whether a path that has this in it is refused, whatever the list says.
pub(crate) fn is_never_passed_on(segment: &str) -> bool {
    NEVER_PASSED_ON.iter().any(|never| segment.eq_ignore_ascii_case(never))
}

fn default_rules() -> Vec<PathRule> {
    DEFAULT_UPSTREAM_ALLOW.iter().map(|entry| rule(entry)).collect()
}

fn rule(entry: &str) -> PathRule {
    PathRule { path: entry.trim_end_matches('/').to_owned(), is_tree: entry.ends_with('/') }
}

fn parse_place(text: &str) -> Result<(SocketAddr, Option<String>), Reason> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err("it has no http:// before the address".into());
    };
    if !scheme.eq_ignore_ascii_case("http") {
        return Err("the metadata service speaks http:// alone".into());
    }
    if rest.contains('@') {
        return Err(Reason::from("it holds a user name or a password, which no metadata service asks for")
            .hide_value());
    }
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains(['/', '?', '#']) {
        return Err("it goes on after the address; the paths are the client's".into());
    }
    let (host, port) = split_port(authority)?;
    let (ip, interface) = match host.split_once('%') {
        Some((ip, interface)) => (ip, Some(check_interface(interface)?)),
        None => (host, None),
    };
    let ip: IpAddr = ip.parse().map_err(|_| match ip.is_empty() {
        true => Reason::from("it names no address"),
        false => format!("{} is not an IP address; names are not looked up", quoted(ip)).into(),
    })?;
    check_ip(ip)?;
    Ok((SocketAddr::new(ip, port), interface))
}

/// `IP[%INTERFACE]` and the port; an IPv6 address stands in brackets, its interface with it.
fn split_port(authority: &str) -> Result<(&str, u16), Reason> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, "")) => (host, None),
            Some((host, port)) => (host, Some(port.strip_prefix(':').unwrap_or(""))),
            None => return Err("its [ is not closed".into()),
        },
        None if authority.matches(':').count() > 1 => {
            return Err("an IPv6 address is written in brackets, as in http://[fd00:ec2::254]".into());
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    if host.contains(':') != authority.starts_with('[') {
        return Err("brackets are for an IPv6 address".into());
    }
    match port.map(str::parse) {
        None => Ok((host, HTTP)),
        Some(Ok(port)) if port > 0 => Ok((host, port)),
        Some(_) => Err("its port is not a number from 1 to 65535".into()),
    }
}

fn check_interface(name: &str) -> Result<String, Reason> {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"/:%[]".contains(&byte);
    let is_name = (1..=LONGEST_INTERFACE).contains(&name.len()) && !matches!(name, "." | "..");
    if is_name && name.bytes().all(is_plain) {
        return Ok(name.to_owned());
    }
    Err(format!("after %, {} is not the name of a network interface", quoted(name)).into())
}

fn check_ip(ip: IpAddr) -> Result<(), Reason> {
    if let IpAddr::V6(v6) = ip
        && let Some(v4) = v6.to_ipv4_mapped()
    {
        let reason = Reason::from(format!("{v6} is an IPv4 address in IPv6 clothes"));
        return Err(reason.mend(format!("Write {v4}")));
    }
    if ip.is_loopback() {
        return Err(format!("{ip} is this pod, and what is passed on is the node's").into());
    }
    if ip.is_unspecified() || ip.is_multicast() || ip == IpAddr::from([255; 4]) {
        return Err(format!("{ip} is no single machine's address").into());
    }
    Ok(())
}

fn parse_allow(text: &str) -> Result<Vec<PathRule>, Reason> {
    let mut rules = Vec::new();
    for entry in text.split(',').map(str::trim) {
        match entry {
            DEFAULT => rules.extend(default_rules()),
            entry => rules.push(parse_rule(entry)?),
        }
    }
    Ok(rules)
}

fn parse_rule(entry: &str) -> Result<PathRule, Reason> {
    let shown = quoted(entry);
    let path = entry.strip_prefix('/').unwrap_or(entry);
    let path = path.strip_prefix("latest/").unwrap_or(path);
    let mut segments = path.strip_suffix('/').unwrap_or(path).split('/');
    if entry.trim_matches('/').is_empty() {
        return Err("it has an empty entry".into());
    }
    if !path.bytes().all(is_path_byte) {
        return Err(format!("{shown} is not a plain path").into());
    }
    if segments.clone().any(|segment| matches!(segment, "" | "." | "..")) {
        return Err(format!("{shown} has a segment that is empty, . or ..").into());
    }
    if segments.clone().any(is_never_passed_on) {
        return Err(format!("{shown} is never passed on: it is the node's, not the pod's").into());
    }
    if segments.next().is_none_or(|first| !BEGINNINGS.contains(&first)) {
        return Err(Reason::from(format!("{shown} begins with neither meta-data/ nor dynamic/"))
            .mend(format!("Did you mean meta-data/{path}?")));
    }
    Ok(rule(path))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_is_an_address_perhaps_with_a_port_and_an_interface() {
        for (text, address, interface) in [
            ("http://169.254.169.254", "169.254.169.254:80", None),
            ("HTTP://169.254.169.254/", "169.254.169.254:80", None),
            ("http://10.0.0.1:8080", "10.0.0.1:8080", None),
            ("http://169.254.169.254%eth0", "169.254.169.254:80", Some("eth0")),
            ("http://169.254.169.254%eth0:8080", "169.254.169.254:8080", Some("eth0")),
            ("http://[fd00:ec2::254]", "[fd00:ec2::254]:80", None),
            ("http://[fd00:ec2::254]:81/", "[fd00:ec2::254]:81", None),
            ("http://[fd00:ec2::254%net1.42]:81", "[fd00:ec2::254]:81", Some("net1.42")),
        ] {
            let (place, through) = parse_place(text).map_err(|_| text).unwrap();
            assert_eq!((place.to_string().as_str(), through.as_deref()), (address, interface), "{text}");
        }
    }

    #[test]
    fn nothing_else_is_an_upstream() {
        for text in [
            "169.254.169.254",
            "https://169.254.169.254",
            "http://",
            "http://:80",
            "http://imds",
            "http://169.254.169.254:0",
            "http://169.254.169.254:http",
            "http://169.254.169.254:",
            "http://169.254.169.254/latest",
            "http://169.254.169.254?a",
            "http://me@169.254.169.254",
            "http://fd00:ec2::254",
            "http://[169.254.169.254]",
            "http://[fd00:ec2::254",
            "http://[fd00:ec2::254]80",
            "http://[fd00:ec2::254]%eth0",
            "http://169.254.169.254%",
            "http://169.254.169.254%a/b",
            "http://169.254.169.254%..",
            "http://169.254.169.254%sixteen-bytes-it",
            "http://127.0.0.1:8080",
            "http://127.9.9.9",
            "http://[::1]",
            "http://[::ffff:169.254.169.254]",
            "http://0.0.0.0",
            "http://[::]",
            "http://224.0.0.1",
            "http://255.255.255.255",
            "http://2852039166",
            "http://0xa9fea9fe",
        ] {
            assert!(parse_place(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_slash_at_the_end_admits_what_is_below() {
        let tree = rule("meta-data/placement/");
        for path in ["meta-data/placement", "meta-data/placement/region", "meta-data/placement/a/b"] {
            assert!(tree.admits(path), "{path}");
        }
        assert!(!tree.admits("meta-data/placements"));
        assert!(!tree.admits("meta-data"));
        let leaf = rule("meta-data/mac");
        assert!(leaf.admits("meta-data/mac"));
        assert!(!leaf.admits("meta-data/mac/x"));
        assert!(!leaf.admits("meta-data/macs"));
    }

    #[test]
    fn a_list_replaces_the_default_unless_it_names_it() {
        let paths = |text: &str| -> Vec<String> {
            parse_allow(text).map_err(|_| ()).unwrap().into_iter().map(|rule| rule.path).collect()
        };
        assert_eq!(paths("/latest/meta-data/tags/, dynamic"), ["meta-data/tags", "dynamic"]);
        let extended = paths("default,meta-data/tags/");
        assert_eq!(extended.len(), DEFAULT_UPSTREAM_ALLOW.len() + 1);
        assert!(parse_allow("instance-id").is_err());
    }

    /// Else the default list would hold what may not be written into one.
    #[test]
    fn the_default_list_could_have_been_written_by_hand() {
        assert!(parse_allow(&DEFAULT_UPSTREAM_ALLOW.join(",")).is_ok_and(|rules| rules == default_rules()));
    }
}

//! URLs as settings hold them: of an STS endpoint, of a proxy. Their form alone; nothing is resolved.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;

use crate::config::mistake::Reason;
use crate::config::mistake::quoted;

/// Where a URL leads, as far as settings care.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Target {
    pub(super) is_https: bool,
    host: String,
}

impl Target {
    /// Nobody on the network sees what is sent there.
    pub(super) fn is_loopback(&self) -> bool {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
    }
}

/// Where `http(s)://HOST[:PORT][/PATH]` leads, for who goes there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Place {
    pub(crate) is_https: bool,
    /// Without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// With its slash, and the query if there is one.
    pub(crate) path: String,
}

impl Place {
    pub(crate) fn of(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let is_https = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = authority(rest);
        let name = host(authority).ok()?;
        let port = authority[name.len()..].strip_prefix(':').and_then(|port| port.parse().ok());
        let path = &rest[authority.len()..];
        Some(Self {
            is_https,
            host: name.trim_matches(['[', ']']).to_owned(),
            port: port.unwrap_or(if is_https { 443 } else { 80 }),
            path: if path.is_empty() { "/".to_owned() } else { path.to_owned() },
        })
    }

    /// Without a user, a password or a query, whatever was written.
    pub(crate) fn shown(&self) -> String {
        let scheme = if self.is_https { "https" } else { "http" };
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let usual = if self.is_https { 443 } else { 80 };
        let port = if self.port == usual { String::new() } else { format!(":{}", self.port) };
        let path = self.path.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
        format!("{scheme}://{host}{port}{path}")
    }

    /// Whether what is sent there is read by nobody on the way: keys are sent to no other place.
    pub(crate) fn is_private(&self) -> bool {
        self.is_https || self.address().is_some_and(|address| address.ip().is_loopback())
    }

    /// None where the host is a name that would have to be looked up.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        let ip = match self.host.as_str() {
            "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
            host => host.parse().ok()?,
        };
        Some(SocketAddr::new(ip, self.port))
    }
}

/// Whether a URL may be an endpoint's, wherever it was written down: without a user, a password or a query.
pub(crate) fn is_endpoint(url: &str) -> bool {
    endpoint(url).is_ok()
}

/// `http(s)://HOST[:PORT][/PATH]`.
pub(super) fn parse_endpoint(text: &str) -> Result<Target, Reason> {
    endpoint(text).map_err(|reason| hide_password(text, reason))
}

/// `[http(s)://][USER:PASSWORD@]HOST[:PORT][/]`.
pub(super) fn parse_proxy(text: &str) -> Result<(), Reason> {
    proxy(text).map_err(|reason| hide_password(text, reason))
}

fn endpoint(text: &str) -> Result<Target, Reason> {
    check_characters(text)?;
    let (scheme, rest) =
        text.split_once("://").ok_or_else(|| Reason::from("it has no https:// before the host"))?;
    let is_https = match scheme.to_ascii_lowercase().as_str() {
        "https" => true,
        "http" => false,
        _ => return Err("it does not begin with https:// or http://".into()),
    };
    // Looked for in all of it: a password with a `/` would otherwise be taken for a port and a path.
    if rest.contains('@') {
        return Err("it holds a user name or a password, which would end up in logs and is not sent".into());
    }
    if rest.contains(['?', '#']) {
        return Err("it holds a query or a fragment, which no endpoint has".into());
    }
    let host = host(authority(rest))?.to_owned();
    Ok(Target { is_https, host })
}

fn proxy(text: &str) -> Result<(), Reason> {
    check_characters(text)?;
    let rest = match text.split_once("://") {
        Some((scheme, rest)) if ["http", "https"].iter().any(|s| scheme.eq_ignore_ascii_case(s)) => rest,
        Some(_) => {
            return Err("it does not begin with http:// or https://; no other proxies are supported".into());
        }
        None => text,
    };
    let (user, rest) = rest.rsplit_once('@').unwrap_or(("", rest));
    if user.contains(['/', '?', '#']) {
        return Err("its user name or password holds one of / ? #, to be written as %2F %3F %23".into());
    }
    let authority = authority(rest);
    if rest.len() > authority.len() + 1 {
        return Err("it goes on after the port, as no proxy's address does".into());
    }
    host(authority).map(|_| ())
}

fn check_characters(text: &str) -> Result<(), Reason> {
    match text.chars().find(|c| !c.is_ascii_graphic() || "\"'`<>{}".contains(*c)) {
        Some(strange) => Err(format!("it contains {strange:?}, which no URL does").into()),
        None => Ok(()),
    }
}

fn authority(rest: &str) -> &str {
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

/// The host of `HOST[:PORT]`, where HOST is a name, an IPv4 address or an IPv6 address in brackets.
fn host(authority: &str) -> Result<&str, Reason> {
    let (host, port) = match authority.rfind(']') {
        Some(end) => match authority.split_at(end + 1) {
            (host, "") => (host, None),
            (host, rest) => (host, Some(rest.strip_prefix(':').unwrap_or(""))),
        },
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    if let Some(port) = port
        && !port.parse().is_ok_and(|port: u16| port > 0)
    {
        return Err(match host.contains(':') || port.contains(':') {
            true => "an IPv6 address is written in brackets, as in https://[::1]:8443".into(),
            false => format!("its port {} is not a number from 1 to 65535", quoted(port)).into(),
        });
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let is_ipv6 = host
        .strip_prefix('[')
        .and_then(|h| h.strip_suffix(']'))
        .is_some_and(|h| h.parse::<Ipv6Addr>().is_ok());
    match host {
        "" => Err("it names no host".into()),
        host if is_ipv6 || host.chars().all(is_name) => Ok(host),
        host => Err(format!("its host {} is neither a name nor an address", quoted(host)).into()),
    }
}

/// Whatever is wrong with it, what stands before an `@` may be a password, and a query may hold a key.
fn hide_password(text: &str, reason: Reason) -> Reason {
    if text.contains(['@', '?', '#']) { reason.hide_value() } else { reason }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_a_host_a_port_and_a_path() {
        for (url, host, port, path, address) in [
            ("http://127.0.0.1:9911/v1/credentials", "127.0.0.1", 9911, "/v1/credentials", "127.0.0.1:9911"),
            ("http://[::1]/x?y", "::1", 80, "/x?y", "[::1]:80"),
            ("http://localhost:1", "localhost", 1, "/", "127.0.0.1:1"),
            ("https://sts.eu-west-1.amazonaws.com", "sts.eu-west-1.amazonaws.com", 443, "/", ""),
        ] {
            let place = Place::of(url).unwrap();
            assert_eq!((place.host.as_str(), place.port, place.path.as_str()), (host, port, path), "{url}");
            let shown = place.address().map(|address| address.to_string()).unwrap_or_default();
            assert_eq!(shown, address, "{url}");
        }
        let shown = |url: &str| Place::of(url).map(|place| place.shown());
        assert_eq!(shown("http://[::1]:80/x?key=1").as_deref(), Some("http://[::1]/x"));
        assert_eq!(shown("https://user:secret@host"), None);
        assert!(Place::of("sts.amazonaws.com").is_none() && Place::of("ftp://x").is_none());
    }

    #[test]
    fn keys_are_sent_to_loopback_or_over_https() {
        for (url, is_private) in [
            ("https://sts.amazonaws.com", true),
            ("http://localhost:9000", true),
            ("http://127.8.9.1:9000", true),
            ("http://[::1]:9000", true),
            ("http://sts.amazonaws.com", false),
            ("http://10.0.0.5:9000", false),
            ("http://0.0.0.0:9000", false),
            ("http://localhost.example", false),
        ] {
            assert_eq!(Place::of(url).unwrap().is_private(), is_private, "{url}");
        }
    }

    #[test]
    fn takes_what_an_sdk_takes() {
        for (text, is_https, is_loopback) in [
            ("https://sts.eu-central-1.amazonaws.com", true, false),
            ("https://vpce-1.sts.eu-central-1.vpce.amazonaws.com:443/", true, false),
            ("http://127.0.0.1:8080", false, true),
            ("HTTP://LOCALHOST:1", false, true),
            ("http://[::1]:8080/sts", false, true),
            ("https://[2001:db8::1]", true, false),
            ("http://minio.minio-system.svc:9000", false, false),
            ("http://under_score:9000", false, false),
        ] {
            let target = parse_endpoint(text).unwrap();
            assert_eq!((target.is_https, target.is_loopback()), (is_https, is_loopback), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_endpoint() {
        for text in [
            "sts.amazonaws.com",
            "ftp://sts.amazonaws.com",
            "https://",
            "https://:443",
            "https:///path",
            "https://host:0",
            "https://host:65536",
            "https://host:https",
            "https://::1:443",
            "https://[::1",
            "https://[::1]443",
            "https://[not-an-address]",
            "https://host?X-Amz-Security-Token=PLANTED",
            "https://host/#fragment",
            "https://user:PLANTED@host",
            "https://ho st",
            "\"https://host\"",
            "https://${HOST}",
        ] {
            assert!(parse_endpoint(text).is_err(), "{text}");
        }
    }

    #[test]
    fn takes_proxies_with_and_without_a_scheme_or_a_password() {
        for text in
            ["proxy:3128", "proxy", "http://proxy:3128/", "https://proxy", "http://me:pass@word@[::1]:1"]
        {
            assert!(parse_proxy(text).is_ok(), "{text}");
        }
        for text in [
            "socks5://proxy:1080",
            "http://",
            "http://proxy:port",
            "http://me:pa/ss@proxy",
            "proxy:3128/path",
            "http://a b",
            "::1",
        ] {
            assert!(parse_proxy(text).is_err(), "{text}");
        }
    }
}

//! URLs as settings hold them: of an STS endpoint, of a proxy. Their form alone; nothing is resolved.

use std::net::IpAddr;
use std::net::Ipv6Addr;

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

//! The proxy on the way to STS, and the hosts that are reached without it, as the AWS SDK's HTTP client reads them.

use std::net::IpAddr;

use crate::config::mistake::quoted;
use crate::config::parser::Parser;
use crate::config::settings::HTTPS_PROXY;
use crate::config::settings::NO_PROXY;
use crate::config::url::parse_proxy;

/// What it looks at; each has its name in lower case too.
pub(crate) const PROXIES: [&str; 6] =
    ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
const NO_PROXIES: [&str; 2] = ["NO_PROXY", "no_proxy"];

pub(super) fn check(parser: &mut Parser<'_>) {
    let mut is_proxied = false;
    for name in PROXIES {
        if let Some(given) = parser.variable(&HTTPS_PROXY, name) {
            parser.parse(&given, parse_proxy);
            is_proxied = true;
        }
    }
    for name in NO_PROXIES {
        let Some(given) = parser.variable(&NO_PROXY, name).filter(|_| is_proxied) else { continue };
        for (entry, why) in given.value.split(',').filter_map(|entry| Some((entry.trim(), misread(entry)?))) {
            let message = format!("{name} has {}, which matches no host: {why}", quoted(entry));
            parser.warn("NoProxyUnclear", message);
        }
    }
}

/// What is wrong with an entry that other programs understand, or that looks as if it were understood.
fn misread(entry: &str) -> Option<String> {
    let entry = entry.trim();
    let is_address = |text: &str| text.parse::<IpAddr>().is_ok();
    if entry.is_empty() || entry == "*" || is_address(entry) || is_network(entry) {
        return None;
    }
    let (host, port) = entry.rsplit_once(':').unwrap_or((entry, ""));
    let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if entry.contains("://") {
        Some("a host goes here, not a URL".to_owned())
    } else if entry.contains(|c: char| c.is_whitespace() || c == ';' || c == '|') {
        Some("between two hosts goes a comma".to_owned())
    } else if is_port {
        Some(format!("an entry has no port; write {bare}"))
    } else if is_address(entry.trim_start_matches('[').trim_end_matches(']')) {
        Some("an IPv6 address has no brackets here".to_owned())
    } else if let Some(domain) = entry.strip_prefix("*.").filter(|domain| !domain.contains('*')) {
        Some(format!("write .{domain}"))
    } else if entry.contains('*') {
        Some("* stands alone, for every host; a domain, as in .example.com, for all that is in it".to_owned())
    } else if entry.contains('/') {
        Some("a network is written as 10.0.0.0/8".to_owned())
    } else {
        None
    }
}

fn is_network(entry: &str) -> bool {
    let Some((address, length)) = entry.split_once('/') else { return false };
    let most = match address.parse() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    length.parse().is_ok_and(|length: u8| length <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_entries_that_match_no_host_and_what_was_meant() {
        for entry in [
            "",
            " 127.0.0.1 ",
            "::1",
            "10.0.0.0/8",
            "fd00::/8",
            "*",
            ".svc",
            "amazonaws.com",
            "localhost",
            "a_b",
            "10.0.0",
        ] {
            assert_eq!(misread(entry), None, "{entry}");
        }
        for (entry, word) in [
            ("*.amazonaws.com", "write .amazonaws.com"),
            ("10.*", "* stands alone"),
            ("sts.amazonaws.com:443", "write sts.amazonaws.com"),
            ("[::1]:443", "write ::1"),
            ("[::1]", "no brackets"),
            ("10.0.0.0/33", "10.0.0.0/8"),
            ("10.0.0.0/255.0.0.0", "10.0.0.0/8"),
            ("https://sts.amazonaws.com", "not a URL"),
            ("localhost .svc", "a comma"),
            ("localhost|.svc", "a comma"),
        ] {
            assert!(misread(entry).is_some_and(|why| why.contains(word)), "{entry}: {:?}", misread(entry));
        }
    }
}

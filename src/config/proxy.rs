//! The proxy on the way to STS, and the hosts that are reached without it, as the AWS SDK's HTTP client reads them.

use std::net::IpAddr;

use hyper::Uri;
use hyper_util::client::proxy::matcher::Matcher;

use crate::config::env::Strings;
use crate::config::mistake::quoted;
use crate::config::parser::Parser;
use crate::config::settings::HTTPS_PROXY;
use crate::config::settings::NO_PROXY;
use crate::config::url::parse_proxy;
use crate::contract::ENV_NO_PROXY;

const FOR_HTTPS: [&str; 2] = ["HTTPS_PROXY", "https_proxy"];
const FOR_HTTP: [&str; 2] = ["HTTP_PROXY", "http_proxy"];
const FOR_ALL: [&str; 2] = ["ALL_PROXY", "all_proxy"];

pub(super) fn check(parser: &mut Parser<'_>) {
    let mut is_proxied = false;
    for name in [FOR_HTTPS, FOR_HTTP, FOR_ALL].into_iter().flatten() {
        if let Some(given) = parser.variable(&HTTPS_PROXY, name) {
            parser.parse(&given, parse_proxy);
            is_proxied = true;
        }
    }
    for name in ENV_NO_PROXY {
        let Some(given) = parser.variable(&NO_PROXY, name).filter(|_| is_proxied) else { continue };
        for (entry, why) in given.value.split(',').filter_map(|entry| Some((entry.trim(), misread(entry)?))) {
            let message = format!("{name} has {}, which matches no host: {why}", quoted(entry));
            parser.warn("NoProxyUnclear", message);
        }
    }
}

/// The variable that names the proxy through which this URL is asked, if it is. Whether `NO_PROXY` excepts it is for the
/// client's own code to say.
pub(crate) fn on_the_way_to(url: &str, variables: &dyn Strings) -> Option<&'static str> {
    let first = |names: [&'static str; 2]| {
        names.into_iter().find_map(|name| Some((name, variables.var(name).ok()??)))
    };
    let url: Uri = url.parse().ok()?;
    let own = if url.scheme_str()?.eq_ignore_ascii_case("https") { FOR_HTTPS } else { FOR_HTTP };
    let is_given = |(_, proxy): &(_, String)| !proxy.is_empty();
    let (name, proxy) = first(own).filter(is_given).or_else(|| first(FOR_ALL).filter(is_given))?;
    let excepted = first(ENV_NO_PROXY).map(|(_, list)| list).unwrap_or_default();
    Matcher::builder().all(proxy).no(excepted).build().intercept(&url).map(|_| name)
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
    use std::ffi::OsString;

    use super::*;
    use crate::config::env::Variables;

    #[test]
    fn a_proxy_is_on_the_way_where_the_client_would_ask_it() {
        const STS: &str = "https://sts.eu-central-1.amazonaws.com";
        for (url, variables, expected) in [
            (STS, &[("HTTPS_PROXY", "http://proxy:3128")][..], Some("HTTPS_PROXY")),
            (STS, &[("https_proxy", "proxy:3128")], Some("https_proxy")),
            (STS, &[("ALL_PROXY", "http://proxy:3128")], Some("ALL_PROXY")),
            (STS, &[("HTTPS_PROXY", ""), ("all_proxy", "http://proxy:3128")], Some("all_proxy")),
            // What is for clear text alone.
            (STS, &[("HTTP_PROXY", "http://proxy:3128")], None),
            ("http://127.0.0.1:4566", &[("HTTP_PROXY", "http://proxy:3128")], Some("HTTP_PROXY")),
            (STS, &[("HTTPS_PROXY", "http://proxy:3128"), ("NO_PROXY", ".amazonaws.com")], None),
            (STS, &[("HTTPS_PROXY", "http://proxy:3128"), ("no_proxy", "*")], None),
            (
                STS,
                &[("HTTPS_PROXY", "http://proxy:3128"), ("NO_PROXY", ""), ("no_proxy", "*")],
                Some("HTTPS_PROXY"),
            ),
            ("http://10.0.0.5", &[("http_proxy", "http://proxy:3128"), ("NO_PROXY", "10.0.0.0/8")], None),
            (STS, &[("NO_PROXY", "127.0.0.1")], None),
        ] {
            let variables: Variables =
                variables.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value))).collect();
            assert_eq!(on_the_way_to(url, &variables), expected, "{url}, which {expected:?} is for");
        }
    }

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

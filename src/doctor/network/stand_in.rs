//! Whoever answers in STS's place: a proxy, a portal, a firewall's page.
//!
//! All that STS answers has a request's id. So has what MinIO and others answer that speak its language; what is asked by
//! somebody's own choice may have none.

use crate::doctor::finding::Check;
use crate::doctor::finding::Finding;
use crate::doctor::finding::Severity::Broken;
use crate::sts::client::Seen;
use crate::sts::given::shorten;

/// What proxies call themselves in Server.
const PROXIES: [&str; 8] =
    ["squid", "zscaler", "bluecoat", "blue coat", "mitmproxy", "tinyproxy", "fortinet", "mcafee web gateway"];

/// `is_own` where another STS than AWS's is asked; `proxy` is the variable that names one on the way.
pub(super) fn check(seen: &Seen, endpoint: &str, is_own: bool, proxy: Option<&str>) -> Option<Finding> {
    if seen.has_request_id {
        return None;
    }
    let server = seen.server.to_lowercase();
    let is_proxy = seen.is_proxys || seen.status == 407 || PROXIES.iter().any(|name| server.contains(name));
    let is_page = seen.body.trim_ascii_start().to_ascii_lowercase().starts_with(b"<!doctype html")
        || seen.body.trim_ascii_start().to_ascii_lowercase().starts_with(b"<html");
    let is_refusal = seen.status >= 400;
    let is_other = match is_own {
        true => is_refusal && (is_proxy || proxy.is_some()),
        false => is_proxy || is_page || is_refusal,
    };
    if !is_other {
        return None;
    }
    let who = if is_proxy || proxy.is_some() { "A proxy" } else { "Something else" };
    let server = match seen.server.is_empty() {
        true => String::new(),
        false => format!(" (Server: {})", shorten(&seen.server)),
    };
    let page = if is_page { " and a page of HTML" } else { "" };
    let found = format!("{who} answers in STS's place: HTTP status {}{page}{server}.", seen.status);
    let mend = match (proxy, seen.status) {
        (Some(proxy), 407) => {
            format!("Write a user and a password into {proxy}, as in http://USER:PASSWORD@HOST:PORT.")
        }
        (Some(proxy), _) => format!(
            "Allow STS's host in the proxy of {proxy}; or, where it is reached without one, name it in NO_PROXY."
        ),
        (None, _) => "Find out who is on the way: a transparent proxy, a firewall, or a name that leads elsewhere; have it let STS's \
                      host pass, or set HTTPS_PROXY."
            .to_owned(),
    };
    Some(Check::Network.finding(Broken, "ProxyAnswers", endpoint, found).mend(mend))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_a_proxys_answer_from_stss() {
        let seen = |status, server: &str, body: &str| Seen {
            status,
            server: server.to_owned(),
            body: body.as_bytes().to_vec(),
            ..Seen::default()
        };
        for (seen, is_own, proxy, expected) in [
            (
                seen(403, "squid/5.7", "<html>"),
                false,
                None,
                Some("HTTP status 403 and a page of HTML (Server: squid/5.7)"),
            ),
            (seen(407, "", ""), true, Some("HTTP_PROXY"), Some("A proxy answers")),
            (seen(403, "", ""), true, Some("HTTP_PROXY"), Some("A proxy answers")),
            (seen(200, "", "\n<!DOCTYPE html>"), false, None, Some("Something else answers")),
            (seen(503, "envoy", ""), false, None, Some("(Server: envoy)")),
            // An STS of one's own may answer this as it likes.
            (seen(404, "", "<html>"), true, None, None),
            (seen(200, "squid", ""), true, Some("HTTP_PROXY"), None),
            (Seen { has_request_id: true, ..seen(403, "squid", "<html>") }, false, None, None),
            (Seen { is_proxys: true, ..seen(502, "", "") }, true, None, Some("A proxy answers")),
        ] {
            let told = check(&seen, "sts", is_own, proxy).map(|finding| finding.found);
            match expected {
                None => assert_eq!(told, None, "{seen:?}"),
                Some(words) => {
                    assert!(told.as_ref().is_some_and(|told| told.contains(words)), "{seen:?}: {told:?}")
                }
            }
        }
    }
}

//! Who may ask for credentials: a pure function of the two ends of a connection and a request's head.
//!
//! In this order: the peer is in this pod; the request did not pass a proxy and does not come from a web page; its
//! `Host` (and an absolute target) names us, or else a page that rebinds its own name to 127.0.0.1 could read the
//! answer; it carries the authorization token, where one is asked for. Each refusal has a stable code.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;

use hyper::HeaderMap;
use hyper::Method;
use hyper::Version;
use hyper::header::HeaderValue;
use hyper::http::request::Parts;

use crate::authorization::Authorization;
use crate::serve::refusal::Refusal;

/// The two ends of a connection, with IPv4 addresses always written as such.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller {
    peer: IpAddr,
    local: IpAddr,
}

/// One listener, as its guards see it.
#[derive(Clone)]
#[allow(missing_debug_implementations)] // holds a secret
pub(super) struct Door {
    own: SocketAddr,
    /// `own` as clients write it into `Host`, nearly all of them: comparing is cheaper than parsing.
    usual_host: Option<String>,
    authorization: Option<Authorization>,
}

/// Which ports a `Host` may name.
#[derive(Clone, Copy)]
enum Port {
    Own,
    /// Behind `kubectl port-forward` the client's port is any.
    Any,
}

/// Whether a web page may ask.
#[derive(Clone, Copy)]
enum WebPage {
    Never,
    /// Ours, and what people type into their browser.
    Own,
}

/// The headers that decide.
#[derive(Default)]
struct Found<'a> {
    host: Option<&'a HeaderValue>,
    hosts: usize,
    authorization: Option<&'a HeaderValue>,
    authorizations: usize,
}

/// The authorization token that a request carries, if any.
pub(super) struct Carried<'a> {
    authorization: Option<&'a HeaderValue>,
    authorizations: usize,
}

/// A host and perhaps a port, of a `Host` header or of an absolute target.
struct Authority {
    host: Host,
    port: Option<u16>,
}

enum Host {
    Address(IpAddr),
    Localhost,
    Other,
}

impl Caller {
    pub(super) fn new(peer: IpAddr, local: IpAddr) -> Self {
        Self { peer: peer.to_canonical(), local: local.to_canonical() }
    }

    /// A client of a link-local address on `lo` has that very address; one that routes there has another.
    pub(super) fn is_local(self) -> bool {
        self.is_loopback() || self.peer == self.local
    }

    fn is_loopback(self) -> bool {
        self.peer.is_loopback()
    }
}

impl Door {
    /// Bound to `own`; `authorization` is what a request must carry, none where everyone in the pod may ask.
    pub(super) fn new(own: SocketAddr, authorization: Option<Authorization>) -> Self {
        // `0.0.0.0` and `[::]` are nobody's name.
        let usual_host = (!own.ip().is_unspecified()).then(|| own.to_string());
        Self { own, usual_host, authorization }
    }

    /// What a request must carry here, unless its role asks for something else.
    pub(super) fn authorization(&self) -> Option<&Authorization> {
        self.authorization.as_ref()
    }

    pub(super) fn own(&self) -> SocketAddr {
        self.own
    }

    fn is_usual(&self, host: &HeaderValue) -> bool {
        self.usual_host.as_deref().is_some_and(|usual| host == usual)
    }
}

/// The guards in front of every credential route.
pub(super) fn check(caller: Caller, door: &Door, head: &Parts) -> Result<(), Refusal> {
    let carried = check_origin(caller, door, head)?;
    door.authorization().map_or(Ok(()), |asked_for| carried.check(asked_for))
}

/// All of them but the authorization token, which may be another one for each role.
pub(super) fn check_origin<'a>(caller: Caller, door: &Door, head: &'a Parts) -> Result<Carried<'a>, Refusal> {
    if !caller.is_local() {
        return Err(Refusal::PeerNotLocal);
    }
    let found = find(&head.headers, WebPage::Never)?;
    check_host(&found, door, Port::Own, head)?;
    Ok(Carried { authorization: found.authorization, authorizations: found.authorizations })
}

impl Carried<'_> {
    /// Whether it is what is asked for.
    pub(super) fn check(&self, asked_for: &Authorization) -> Result<(), Refusal> {
        match self.authorization {
            None => Err(Refusal::AuthorizationTokenMissing),
            Some(value) if self.authorizations == 1 && asked_for.matches(value.as_bytes()) => Ok(()),
            Some(_) => Err(Refusal::AuthorizationTokenMismatch),
        }
    }
}

/// The guards in front of pages for people in the pod, or behind `kubectl port-forward`: in a browser, by themselves.
pub(super) fn check_page(caller: Caller, door: &Door, head: &Parts) -> Result<(), Refusal> {
    if !caller.is_loopback() {
        return Err(Refusal::PeerNotLoopback);
    }
    check_host(&find(&head.headers, WebPage::Own)?, door, Port::Any, head)
}

/// GET, and HEAD like it.
pub(super) fn check_method(method: &Method) -> Result<(), Refusal> {
    if method == Method::GET || method == Method::HEAD { Ok(()) } else { Err(Refusal::MethodNotAllowed) }
}

/// One pass over the headers: cheaper than a look-up for each name.
fn find(headers: &HeaderMap, web_page: WebPage) -> Result<Found<'_>, Refusal> {
    let mut found = Found::default();
    for (name, value) in headers {
        match name.as_str() {
            "host" => {
                found.host = Some(value);
                found.hosts += 1;
            }
            "authorization" => {
                found.authorization = Some(value);
                found.authorizations += 1;
            }
            "x-forwarded-for" => return Err(Refusal::Proxied("X-Forwarded-For")),
            "forwarded" => return Err(Refusal::Proxied("Forwarded")),
            "origin" => return Err(Refusal::FromWebPage("Origin")),
            "referer" => return Err(Refusal::FromWebPage("Referer")),
            name if name.starts_with("sec-fetch-") => match web_page {
                WebPage::Never => return Err(Refusal::FromWebPage("Sec-Fetch-*")),
                WebPage::Own if name == "sec-fetch-site" && !is_own_site(value) => {
                    return Err(Refusal::FromAnotherSite);
                }
                WebPage::Own => {}
            },
            _ => {}
        }
    }
    Ok(found)
}

/// By what the browser says. `same-site` is not enough: another port of localhost is another server.
fn is_own_site(value: &HeaderValue) -> bool {
    value == "same-origin" || value == "none"
}

fn check_host(found: &Found<'_>, door: &Door, port: Port, head: &Parts) -> Result<(), Refusal> {
    match found.host {
        None if head.version == Version::HTTP_10 => {}
        None => return Err(Refusal::HostMissing),
        Some(_) if found.hosts > 1 => return Err(Refusal::HostRepeated),
        Some(value) if door.is_usual(value) => {}
        Some(value) => check_authority(value.as_bytes(), door.own, port)?,
    }
    // An absolute target beats the header. CONNECT's target is no such thing; its method is refused later.
    match head.uri.authority() {
        Some(authority) if head.method != Method::CONNECT => {
            check_authority(authority.as_str().as_bytes(), door.own, port)
        }
        _ => Ok(()),
    }
}

fn check_authority(text: &[u8], own: SocketAddr, port: Port) -> Result<(), Refusal> {
    let authority = Authority::parse(text).ok_or(Refusal::HostInvalid)?;
    let port_is_ours = match port {
        Port::Own => authority.port.is_none_or(|port| port == own.port()),
        Port::Any => true,
    };
    let host_is_ours = match authority.host {
        Host::Localhost => true,
        // `0.0.0.0` reaches this machine too, but is nobody's name for it.
        Host::Address(address) if address.is_unspecified() => false,
        Host::Address(address) => {
            address == Ipv4Addr::LOCALHOST || address == Ipv6Addr::LOCALHOST || address == own.ip()
        }
        Host::Other => false,
    };
    if host_is_ours && port_is_ours { Ok(()) } else { Err(Refusal::HostNotAllowed) }
}

impl Authority {
    fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        if let Some(rest) = text.strip_prefix('[') {
            let (inside, after) = rest.split_once(']')?;
            let host = Host::Address(inside.parse::<Ipv6Addr>().ok()?.into());
            return Some(Self {
                host,
                port: if after.is_empty() { None } else { Some(port(after.strip_prefix(':')?)?) },
            });
        }
        let (name, port) = match text.split_once(':') {
            Some((name, digits)) => (name, Some(port(digits)?)),
            None => (text, None),
        };
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        if name.is_empty() || !name.bytes().all(is_name) {
            return None;
        }
        let host = match name.parse::<Ipv4Addr>() {
            Ok(address) => Host::Address(address.into()),
            Err(_) if name.eq_ignore_ascii_case("localhost") => Host::Localhost,
            Err(_) => Host::Other,
        };
        Some(Self { host, port })
    }
}

/// Digits alone: `parse` by itself would take a sign.
fn port(digits: &str) -> Option<u16> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests;

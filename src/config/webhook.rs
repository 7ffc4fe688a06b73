//! What the webhook itself runs on; what it injects is `inject::Settings`'.

use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::AdminListener;
use crate::config::Flags;
use crate::config::Log;
use crate::config::Parsed;
use crate::config::duration::parse_drain;
use crate::config::env::Strings;
use crate::config::listen;
use crate::config::parser::Parser;
use crate::config::settings::DRAIN;
use crate::config::settings::TLS_CERT_FILE;
use crate::config::settings::TLS_KEY_FILE;
use crate::config::settings::WEBHOOK_LISTEN;
use crate::contract::DEFAULT_WEBHOOK_DRAIN;
use crate::contract::DEFAULT_WEBHOOK_PORT;

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Webhook {
    pub listen: SocketAddr,
    pub admin: AdminListener,
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub drain: Duration,
    pub log: Log,
}

pub fn parse_webhook(flags: &Flags, strings: &dyn Strings) -> Parsed<Webhook> {
    let mut parser = Parser::new(flags, strings);
    let listen = parser.value(&WEBHOOK_LISTEN, listen::socket_address);
    let listen = listen.unwrap_or(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), DEFAULT_WEBHOOK_PORT));
    let admin = listen::admin(&mut parser);
    let certificate = parser.value(&TLS_CERT_FILE, |path| Ok(PathBuf::from(path)));
    let key = parser.value(&TLS_KEY_FILE, |path| Ok(PathBuf::from(path)));
    let drain = parser.value(&DRAIN, parse_drain).unwrap_or(DEFAULT_WEBHOOK_DRAIN);
    let log = Log::read(&mut parser);
    let webhook = admin.map(|admin| Webhook {
        listen,
        admin,
        certificate: certificate.unwrap_or(PathBuf::from(TLS_CERT_FILE.default)),
        key: key.unwrap_or(PathBuf::from(TLS_KEY_FILE.default)),
        drain,
        log,
    });
    parser.finish(webhook)
}

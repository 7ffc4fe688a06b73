//! What `exec` runs on: the roles as `serve` has them, and nothing of `serve`'s listeners.
//!
//! It is started in pods and shells whose variables may be another sidecar's. What they say of listeners, of
//! authorization, of IMDS, of a credentials file and of the drain is that one's business, and is not even read here.

use std::net::Ipv4Addr;
use std::time::Duration;

use tracing::level_filters::LevelFilter;

use crate::config::Authorization;
use crate::config::Config;
use crate::config::Flags;
use crate::config::Imds;
use crate::config::ImdsMode;
use crate::config::Listener;
use crate::config::Listeners;
use crate::config::Log;
use crate::config::Parsed;
use crate::config::Roles;
use crate::config::STATIC_KEYS_IGNORED;
use crate::config::Serves;
use crate::config::aws;
use crate::config::duration;
use crate::config::endpoint;
use crate::config::env::Strings;
use crate::config::parser::Parser;
use crate::config::roles_file::Surroundings;
use crate::config::settings::NO_AUTHORIZATION_TOKEN;
use crate::config::settings::WAIT;
use crate::contract::DEFAULT_EXEC_WAIT;

#[derive(Clone, Debug)]
pub struct Exec {
    pub roles: Roles,
    /// The one that the command is pointed at.
    pub role: String,
    /// For its first credentials.
    pub wait: Duration,
    pub has_authorization: bool,
    pub log: Log,
}

pub fn parse_exec(flags: &Flags, strings: &dyn Strings) -> Parsed<Exec> {
    let mut parser = Parser::new(flags, strings);
    endpoint::check(&mut parser);
    let roles =
        aws::roles(&mut parser, Surroundings { ignores_role_tokens: true, ..Surroundings::default() });
    let role = roles.as_ref().and_then(|roles| aws::chosen_role(&mut parser, roles));
    let wait = parser.value(&WAIT, duration::parse_wait).unwrap_or(DEFAULT_EXEC_WAIT);
    let has_authorization = parser.given(&NO_AUTHORIZATION_TOKEN).is_none();
    // The terminal, or the container's log, is the command's.
    let log = Log::read_or(&mut parser, LevelFilter::WARN);
    parser.refuse_unknown_variables();
    let exec = roles.zip(role).map(|(roles, role)| Exec { roles, role, wait, has_authorization, log });
    let (exec, mut warnings) = parser.finish(exec)?;
    // The command does not have them.
    warnings.retain(|warning| warning.code != STATIC_KEYS_IGNORED);
    Ok((exec, warnings))
}

impl Exec {
    /// Container credentials alone, on a port that is free, of the one loopback address that every SDK takes.
    pub fn into_config(self, authorization: Option<Authorization>) -> Config {
        let listener = Listener {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            serves: Serves::Container,
            allow_unauthenticated: false,
            is_default: false,
        };
        Config {
            roles: self.roles,
            listeners: Listeners { listeners: vec![listener], authorization },
            imds: Imds { mode: ImdsMode::Off, ..Imds::default() },
            admin: None,
            upstream: None,
            credentials_file: None,
            drain: Duration::ZERO,
            log: self.log,
        }
    }
}

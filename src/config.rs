//! Every setting, parsed and validated before anything starts.
//!
//! A flag beats its environment variable. All mistakes are found in one go and reported together, each with the
//! setting, the value (never a secret), the reason and an example. Empty never means insecure. Of AWS's own variables
//! an empty one counts as unset, as the SDKs have it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::env::Strings;
use crate::config::parser::Parser;
use crate::config::roles_file::Surroundings;
use crate::config::roles_file::absolute_path;

mod authorization;
mod aws;
mod duration;
mod endpoint;
pub mod env;
mod exec;
mod imds;
mod listen;
mod log;
mod mistake;
mod net_init;
mod parser;
mod pem;
mod pod_identity;
mod proxy;
mod role;
mod roles_file;
mod session_name;
pub mod settings;
#[cfg(test)]
mod tests;
pub mod types;
mod upstream;
mod url;
mod webhook;
mod yaml;

pub use authorization::Authorization;
pub use authorization::AuthorizationFile;
pub(crate) use aws::STATIC_KEYS_IGNORED;
pub(crate) use aws::TOKEN_FILE_RELATIVE;
pub(crate) use duration::check_session_duration;
pub(crate) use endpoint::in_clear;
pub use exec::Exec;
pub use exec::parse_exec;
pub use listen::reachable;
pub use log::Log;
pub use log::LogFormat;
pub use mistake::Mistake;
pub use mistake::Mistakes;
pub use mistake::Warning;
pub(crate) use mistake::quoted;
pub use net_init::NetInit;
pub use net_init::parse_net_init;
pub use parser::Flags;
pub(crate) use parser::nearest_of;
pub(crate) use proxy::on_the_way_to as proxy_on_the_way_to;
pub use role::Chain;
pub use role::CredentialsEndpoint;
pub use role::ExternalId;
pub use role::PodIdentity;
pub use role::Role;
pub use role::Session;
pub use role::SessionDuration;
pub use role::Source;
pub use role::Step;
pub use role::WebIdentity;
pub use roles_file::RolesFile;
pub use session_name::PodNames;
pub use session_name::SessionNameTemplate;
pub use settings::settings_table;
pub use types::RoleArn;
pub use types::SessionName;
pub(crate) use types::format_duration;
pub(crate) use upstream::is_never_passed_on;
pub(crate) use upstream::is_path_byte;
pub(crate) use url::Place;
pub(crate) use url::is_endpoint;
pub use webhook::Webhook;
pub use webhook::parse_webhook;

/// What `serve` runs on.
#[derive(Clone)]
#[allow(missing_debug_implementations)] // holds a secret
pub struct Config {
    pub roles: Roles,
    pub listeners: Listeners,
    pub imds: Imds,
    /// None where nobody asks for health and metrics.
    pub admin: Option<AdminListener>,
    /// The node's own metadata service; none where nothing is passed on.
    pub upstream: Option<Upstream>,
    /// A shared credentials file to be kept up to date; none unless it is named.
    pub credentials_file: Option<PathBuf>,
    pub drain: Duration,
    pub log: Log,
}

/// Whose credentials are kept.
#[derive(Clone, Debug)]
pub struct Roles {
    /// At least one, each with a name of its own.
    pub roles: Vec<Role>,
    /// Where they are written down, and may change.
    pub file: Option<RolesFile>,
    /// What the downward API tells, for session names.
    pub pod: PodNames,
    /// `AWS_CA_BUNDLE`
    pub ca_bundle: Option<PathBuf>,
}

/// Where credentials are served, and who may have them.
#[derive(Clone)]
#[allow(missing_debug_implementations)] // holds a secret
pub struct Listeners {
    pub listeners: Vec<Listener>,
    /// When set, every listener asks for it that does not say otherwise.
    pub authorization: Option<Authorization>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Listener {
    pub address: SocketAddr,
    pub serves: Serves,
    /// Named in `--allow-unauthenticated`.
    pub allow_unauthenticated: bool,
    /// Part of the default: what the pod cannot give of it is left out, said once.
    pub is_default: bool,
}

/// Which of the credential surfaces a listener has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Serves {
    /// Container credentials, as the ECS agent and the EKS Pod Identity Agent serve them.
    Container,
    /// The instance metadata service.
    Imds,
}

impl Listener {
    pub fn serves_imds(&self) -> bool {
        self.serves == Serves::Imds
    }
}

/// What the metadata service tells beside credentials. What is not known is 404, never invented.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Imds {
    pub mode: ImdsMode,
    pub region: Option<String>,
    pub availability_zone: Option<String>,
    pub instance_id: Option<String>,
    pub instance_type: Option<String>,
}

/// AWS's `HttpTokens`, and `HttpEndpoint` for `Off`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ImdsMode {
    /// Everything is answered with 403.
    Off,
    /// IMDSv1 and IMDSv2.
    #[default]
    Optional,
    /// IMDSv2 alone: 401 without a session token.
    Required,
}

impl ImdsMode {
    /// As the setting spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Optional => "optional",
            Self::Required => "required",
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AdminListener {
    pub address: SocketAddr,
    /// The default `[::]` falls back to `0.0.0.0` where there is no IPv6, said once.
    pub is_default: bool,
}

/// The metadata service of the node, to which what is on the list is passed on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Upstream {
    pub address: SocketAddr,
    /// Through which it is reached; else the routes decide.
    pub interface: Option<String>,
    pub allow: Vec<PathRule>,
}

/// What may be passed on, below the version.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PathRule {
    /// Without slashes around it.
    pub path: String,
    /// With everything below it.
    pub is_tree: bool,
}

/// What `healthcheck` runs on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Healthcheck {
    pub admin: SocketAddr,
    /// Without it one answer decides.
    pub wait: Option<Duration>,
}

/// A value, and what should be said about it once there is a log.
pub type Parsed<T> = Result<(T, Vec<Warning>), Mistakes>;

impl Config {
    /// All that `serve` needs.
    pub fn parse(flags: &Flags, strings: &dyn Strings) -> Parsed<Self> {
        let mut parser = Parser::new(flags, strings);
        endpoint::check(&mut parser);
        let mut listeners = listen::listeners(&mut parser);
        let admin = listen::admin(&mut parser);
        if let (Some(listeners), Some(admin)) = (&listeners, admin) {
            listen::refuse_clash(&mut parser, listeners, admin);
        }
        let imds = imds::imds(&mut parser, listeners.as_deref());
        let authorization = authorization::authorization(&mut parser);
        listen::authorize(&mut parser, listeners.as_mut(), authorization.is_some(), imds.mode);
        let surroundings = surroundings(listeners.as_deref().unwrap_or_default(), imds.mode);
        let roles = aws::roles(&mut parser, surroundings);
        let upstream = upstream::upstream(&mut parser, listeners.as_deref());
        let credentials_file = parser.value(&settings::CREDENTIALS_FILE, absolute_path);
        let drain = parser.value(&settings::DRAIN, duration::parse_drain).unwrap_or_default();
        let log = Log::read(&mut parser);
        parser.refuse_unknown_variables();
        let complete = || {
            let listeners = Listeners { listeners: listeners?, authorization };
            Some(Self {
                roles: roles?,
                listeners,
                imds,
                admin: Some(admin?),
                upstream,
                credentials_file,
                drain,
                log,
            })
        };
        parser.finish(complete())
    }
}

fn surroundings(listeners: &[Listener], imds: ImdsMode) -> Surroundings {
    let is_closed = |listener: &&Listener| listener.serves_imds() && !listener.allow_unauthenticated;
    let closed = listeners.iter().filter(is_closed).filter(|_| imds != ImdsMode::Off);
    Surroundings {
        listeners: listeners.iter().map(|listener| listener.address).collect(),
        closed_imds: closed.map(|listener| listener.address).collect(),
        ignores_role_tokens: false,
    }
}

/// All that obtaining one role's credentials needs, without a server: the roles, and the name of the one that is meant.
pub fn parse_roles(flags: &Flags, strings: &dyn Strings) -> Parsed<(Roles, String, Log)> {
    let mut parser = Parser::new(flags, strings);
    let roles = aws::roles(&mut parser, Surroundings::default());
    let role = roles.as_ref().and_then(|roles| aws::chosen_role(&mut parser, roles));
    endpoint::check(&mut parser);
    let log = Log::read(&mut parser);
    parser.refuse_unknown_variables();
    parser.finish(roles.zip(role).map(|(roles, role)| (roles, role, log)))
}

/// Where the token is.
pub fn parse_token_file(strings: &dyn Strings) -> Parsed<PathBuf> {
    let flags = Flags::default();
    let mut parser = Parser::new(&flags, strings);
    let token_file = aws::token_file(&mut parser);
    parser.finish(token_file)
}

/// Where health is told, and how long to wait for it.
pub fn parse_healthcheck(flags: &Flags, strings: &dyn Strings) -> Parsed<Healthcheck> {
    let mut parser = Parser::new(flags, strings);
    let admin = listen::admin(&mut parser);
    if let Some(admin) = admin
        && admin.address.port() == 0
        && let Some(given) = parser.given(&settings::ADMIN_LISTEN)
    {
        // It is right for the sidecar, which takes any port that is free; which one, cannot be known here.
        let reason = "port 0 does not say where the sidecar listens".to_owned();
        parser.conflict(&given, reason, "Give the port that the sidecar's log names".to_owned());
    }
    let wait = parser.value(&settings::WAIT, duration::parse_wait);
    parser.finish(admin.map(|admin| Healthcheck { admin: admin.address, wait }))
}

//! What every check goes by, read once.

use std::path::PathBuf;
use std::time::SystemTime;

use crate::clock::Clock;
use crate::config::Mistakes;
use crate::config::PodIdentity;
use crate::config::Role;
use crate::config::Roles;
use crate::config::Source;
use crate::config::Warning;
use crate::config::WebIdentity;
use crate::config::env::NotUnicode;
use crate::config::env::Strings;
use crate::config::env::Variables;
use crate::contract::ENV_CONTAINER_CREDENTIALS_FULL_URI;
use crate::contract::ENV_CONTAINER_CREDENTIALS_RELATIVE_URI;
use crate::contract::ENV_ENDPOINT_URL;
use crate::contract::ENV_ENDPOINT_URL_STS;
use crate::contract::ENV_ROLE_ARN;
use crate::contract::ENV_WEB_IDENTITY_TOKEN_FILE;
use crate::credentials::Credentials;
use crate::doctor::process::environment_of;
use crate::sts::ExchangeError;
use crate::sts::client::IamRole;
use crate::sts::client::ResolveError;
use crate::sts::client::Sts;
use crate::token::Claims;
use crate::token::ReadTokenError;
use crate::token::Token;
use crate::trust_policy::Document;
use crate::trust_policy::NoPolicy;

/// What a person wants to know.
#[allow(missing_debug_implementations)] // what it holds of the configuration may be secret
pub struct Asked {
    /// The roles and the name of the one that is meant; or what is wrong with the settings.
    pub roles: Result<((Roles, String), Vec<Warning>), Mistakes>,
    pub offline: bool,
    /// The role's trust policy, where one is given.
    pub trust_policy: Option<Policy>,
    /// Ask IAM for it.
    pub fetch_trust_policy: bool,
    /// `NAME/VERSION`, or a User-Agent.
    pub sdk: Option<String>,
    /// The process whose environment is held against this one's.
    pub against: Option<u32>,
    /// The process whose environment this is, where it is another's.
    pub pid: Option<u32>,
}

/// A trust policy, and where it is from.
#[derive(Debug)]
pub struct Policy {
    pub shown: String,
    pub document: Document,
}

/// How the exchange ended.
#[allow(missing_debug_implementations)] // holds secrets
pub enum Outcome {
    Held(Box<Credentials>),
    Refused {
        role: String,
        error: Box<ExchangeError>,
    },
    /// Something before it is broken, and is told there.
    NotTried,
}

pub(super) struct Facts<'a> {
    pub(super) asked: &'a Asked,
    pub(super) strings: &'a dyn Strings,
    pub(super) now: SystemTime,
    /// The environment of the application's process, where there is another that may be read.
    pub(super) other: Option<(u32, Variables)>,
    pub(super) token: Option<Result<Token, ReadTokenError>>,
}

/// The first process of a container.
const FIRST: u32 = 1;

impl<'a> Facts<'a> {
    pub(super) fn gather(asked: &'a Asked, strings: &'a dyn Strings, clock: &Clock) -> Self {
        let pid = asked.against.unwrap_or(FIRST);
        let is_other = pid != std::process::id() && asked.pid != Some(pid);
        // Where there is no such process, or its environment is nobody else's business, there is nothing to compare with.
        let other = is_other.then(|| environment_of(pid).ok()).flatten();
        let other = other.map(|variables| {
            let texts =
                variables.into_iter().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
            (pid, texts.collect())
        });
        let mut facts = Self { asked, strings, now: clock.wall(), other, token: None };
        facts.token = facts.token_file().map(|path| Token::read(&path));
        facts
    }

    /// A variable's value; empty is unset, as SDKs have it.
    pub(super) fn var(&self, name: &str) -> Option<String> {
        set(self.strings.var(name))
    }

    pub(super) fn other_var(&self, name: &str) -> Option<String> {
        set(self.other.as_ref()?.1.var(name))
    }

    /// The role that is meant.
    pub(super) fn role(&self) -> Option<&Role> {
        let ((roles, name), _) = self.asked.roles.as_ref().ok()?;
        roles.roles.iter().find(|role| role.name == *name)
    }

    /// What it starts from, at the beginning of the chain.
    fn origin(&self) -> Option<&Role> {
        let ((roles, _), _) = self.asked.roles.as_ref().ok()?;
        let mut role = self.role()?;
        while let Some(from) = role.from() {
            role = roles.roles.iter().find(|role| role.name == from)?;
        }
        Some(role)
    }

    pub(super) fn web_identity(&self) -> Option<&WebIdentity> {
        match &self.origin()?.source {
            Source::WebIdentity(web_identity) => Some(web_identity),
            Source::PodIdentity(_) | Source::Chain(_) => None,
        }
    }

    pub(super) fn pod_identity(&self) -> Option<&PodIdentity> {
        match &self.origin()?.source {
            Source::PodIdentity(pod_identity) => Some(pod_identity),
            Source::WebIdentity(_) | Source::Chain(_) => None,
        }
    }

    /// Where the token is, as far as that is known.
    pub(super) fn token_file(&self) -> Option<PathBuf> {
        if let Some(web_identity) = self.web_identity() {
            return Some(web_identity.token_file.clone());
        }
        self.var(ENV_WEB_IDENTITY_TOKEN_FILE).filter(|path| !path.starts_with("eyJ")).map(PathBuf::from)
    }

    pub(super) fn claims(&self) -> Option<&Claims> {
        Some(self.token.as_ref()?.as_ref().ok()?.claims())
    }

    /// Whether something names a token and a role, however wrong the rest is.
    pub(super) fn names_web_identity(&self) -> bool {
        let by_variables =
            self.var(ENV_ROLE_ARN).is_some() && self.var(ENV_WEB_IDENTITY_TOKEN_FILE).is_some();
        by_variables || self.web_identity().is_some()
    }

    /// Whether the application is pointed at an endpoint and nothing else: a container beside the sidecar.
    pub(super) fn is_client(&self) -> bool {
        let has_web_identity =
            self.var(ENV_ROLE_ARN).is_some() || self.var(ENV_WEB_IDENTITY_TOKEN_FILE).is_some();
        !has_web_identity && self.has_endpoint()
    }

    pub(super) fn has_endpoint(&self) -> bool {
        [ENV_CONTAINER_CREDENTIALS_FULL_URI, ENV_CONTAINER_CREDENTIALS_RELATIVE_URI]
            .iter()
            .any(|name| self.var(name).is_some())
    }

    /// Whether another STS than AWS's is asked.
    pub(super) fn has_own_sts(&self) -> bool {
        [ENV_ENDPOINT_URL_STS, ENV_ENDPOINT_URL].iter().any(|name| self.var(name).is_some())
    }

    pub(super) fn can_exchange(&self) -> bool {
        let has_token = self.web_identity().is_none() || matches!(self.token, Some(Ok(_)));
        self.asked.roles.is_ok() && has_token && !self.is_own_client()
    }

    /// Whether the endpoint that would be asked is the sidecar's own: then the sidecar has the credentials.
    pub(super) fn is_own_client(&self) -> bool {
        self.pod_identity().is_some_and(|pod_identity| pod_identity.endpoint.address.ip().is_loopback())
    }

    pub(super) async fn sts(&self, clock: &Clock) -> Result<Sts, ResolveError> {
        let ca_bundle = self.asked.roles.as_ref().ok().and_then(|((roles, _), _)| roles.ca_bundle.clone());
        Sts::resolve(ca_bundle, clock.clone()).await
    }
}

impl Policy {
    pub(super) fn of_iam(told: &IamRole) -> Result<Self, NoPolicy> {
        let mut document = Document::parse_encoded(&told.trust_policy)?;
        document.role_arn = Some(told.arn.clone());
        document.longest_session = told.longest_session;
        Ok(Self { shown: format!("iam:GetRole of {}", told.arn), document })
    }
}

fn set(value: Result<Option<String>, NotUnicode>) -> Option<String> {
    value.ok().flatten().filter(|value| !value.is_empty())
}

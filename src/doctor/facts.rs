//! What every check goes by, read once.

use std::path::PathBuf;
use std::time::SystemTime;

use crate::clock::Clock;
use crate::config::Mistakes;
use crate::config::Place;
use crate::config::PodIdentity;
use crate::config::Role;
use crate::config::Roles;
use crate::config::Source;
use crate::config::Warning;
use crate::config::WebIdentity;
use crate::config::env::NotUnicode;
use crate::config::env::Strings;
use crate::config::env::Variables;
use crate::contract::CONTAINER_ADDRESSES;
use crate::contract::ENV_ACCESS_KEY_ID;
use crate::contract::ENV_CONTAINER_CREDENTIALS_FULL_URI;
use crate::contract::ENV_CONTAINER_CREDENTIALS_RELATIVE_URI;
use crate::contract::ENV_EC2_METADATA_DISABLED;
use crate::contract::ENV_ROLE_ARN;
use crate::contract::ENV_WEB_IDENTITY_TOKEN_FILE;
use crate::credentials::Credentials;
use crate::doctor::partitions;
use crate::doctor::process::environment_of;
use crate::doctor::profile::Profile;
use crate::doctor::sdk::is_known;
use crate::sts::ExchangeError;
use crate::sts::client::IamRole;
use crate::sts::client::ResolveError;
use crate::sts::client::Sts;
use crate::token::Claims;
use crate::token::ReadTokenError;
use crate::token::Token;
use crate::trust_policy::Document;
use crate::trust_policy::ParsePolicyError;

/// What a person wants to know.
#[allow(missing_debug_implementations)] // what it holds of the configuration may be secret
pub struct Asked {
    /// The roles and the name of the one that is meant; or what is wrong with the settings.
    pub roles: Result<((Roles, String), Vec<Warning>), Mistakes>,
    /// Whether a roles file is named, by flag or by variable.
    pub has_roles_file: bool,
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
    /// Whether its paths are looked at from its root, which is not ours.
    pub is_below_root: bool,
    /// Of that process, as they were before it was become like.
    pub mounts: Option<String>,
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
    pub(super) profile: Profile,
    pub(super) sts: Result<Sts, ResolveError>,
}

/// The first process of a container.
const FIRST: u32 = 1;

impl<'a> Facts<'a> {
    pub(super) async fn gather(asked: &'a Asked, strings: &'a dyn Strings, clock: &Clock) -> Self {
        let ca_bundle = asked.roles.as_ref().ok().and_then(|((roles, _), _)| roles.ca_bundle.clone());
        let sts = Sts::resolve(ca_bundle, clock.clone()).await;
        let pid = asked.against.unwrap_or(FIRST);
        // With another process's variables there is nothing that they could have been taken from.
        let is_other = pid != std::process::id() && asked.pid.is_none();
        // Where there is no such process, or its environment is nobody else's business, there is nothing to compare with.
        let other = is_other.then(|| environment_of(pid).ok()).flatten();
        let other = other.map(|variables| {
            let texts =
                variables.into_iter().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
            (pid, texts.collect())
        });
        let profile = Profile::selected(strings).await;
        let mut facts = Self { asked, strings, now: clock.wall(), other, token: None, profile, sts };
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
        let ((_, name), _) = self.asked.roles.as_ref().ok()?;
        self.role_named(name)
    }

    pub(super) fn role_named(&self, name: &str) -> Option<&Role> {
        let ((roles, _), _) = self.asked.roles.as_ref().ok()?;
        roles.roles.iter().find(|role| role.name == name)
    }

    /// What it starts from, at the beginning of the chain.
    pub(super) fn origin(&self) -> Option<&Role> {
        let mut role = self.role()?;
        while let Some(from) = role.from() {
            role = self.role_named(from)?;
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

    /// A path of the pod's, as it is reached from here.
    pub(super) fn seen(&self, path: &str) -> PathBuf {
        match self.asked.is_below_root {
            true => PathBuf::from(path.trim_start_matches('/')),
            false => PathBuf::from(path),
        }
    }

    /// Where the token is, as far as that is known.
    pub(super) fn token_file(&self) -> Option<PathBuf> {
        if let Some(web_identity) = self.web_identity() {
            return Some(web_identity.token_file.clone());
        }
        // A token in the place of its path is not to be shown.
        let path = self.var(ENV_WEB_IDENTITY_TOKEN_FILE).filter(|path| !path.contains("eyJ"));
        path.map(PathBuf::from)
    }

    pub(super) fn claims(&self) -> Option<&Claims> {
        Some(self.token.as_ref()?.as_ref().ok()?.claims())
    }

    /// Whether it is asked what one SDK does, of which that is known.
    pub(super) fn knows_sdk(&self) -> bool {
        self.asked.sdk.as_deref().is_some_and(is_known)
    }

    /// Whether SDKs are told of a token and a role, however wrong the rest is.
    pub(super) fn names_web_identity(&self) -> bool {
        self.var(ENV_ROLE_ARN).is_some() && self.var(ENV_WEB_IDENTITY_TOKEN_FILE).is_some()
    }

    pub(super) fn has_endpoint(&self) -> bool {
        [ENV_CONTAINER_CREDENTIALS_FULL_URI, ENV_CONTAINER_CREDENTIALS_RELATIVE_URI]
            .iter()
            .any(|name| self.var(name).is_some())
    }

    /// Whether the endpoint is that of the EKS Pod Identity Agent.
    pub(super) fn endpoint_is_agents(&self) -> bool {
        let place = self.var(ENV_CONTAINER_CREDENTIALS_FULL_URI).as_deref().and_then(Place::of);
        let address = place.and_then(|place| place.address());
        address.is_some_and(|address| CONTAINER_ADDRESSES[1..].contains(&address.ip()))
    }

    /// Whether this is an application's container, which is pointed at an endpoint and at nothing else.
    pub(super) fn is_client(&self) -> bool {
        let has_source =
            [ENV_ROLE_ARN, ENV_WEB_IDENTITY_TOKEN_FILE].iter().any(|name| self.var(name).is_some());
        !has_source && !self.asked.has_roles_file && self.has_endpoint()
    }

    /// Whether the credentials come from STS, or begin there.
    pub(super) fn asks_sts(&self) -> bool {
        match self.origin().map(|role| &role.source) {
            Some(Source::PodIdentity(_)) => self.role().is_some_and(|role| role.from().is_some()),
            Some(Source::WebIdentity(_) | Source::Chain(_)) => true,
            None => !self.is_client(),
        }
    }

    /// Whether another STS than AWS's is asked.
    pub(super) fn has_own_sts(&self) -> bool {
        match &self.sts {
            Ok(sts) => Place::of(sts.endpoint()).and_then(|place| partitions::of_host(&place.host)).is_none(),
            Err(error) => *error == ResolveError::EndpointUrl,
        }
    }

    /// Keys in the environment are an operator's where IAM is to be asked with them, unless they are the application's own.
    pub(super) fn has_operators_keys(&self) -> bool {
        let keys = self.var(ENV_ACCESS_KEY_ID);
        let are_the_applications = self.asked.pid.is_some() || keys == self.other_var(ENV_ACCESS_KEY_ID);
        self.asked.fetch_trust_policy && keys.is_some() && !are_the_applications
    }

    /// Whether SDKs are told not to ask the metadata service; they take the word in any case.
    pub(super) fn imds_is_off(&self) -> bool {
        self.var(ENV_EC2_METADATA_DISABLED).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// An endpoint on loopback is the sidecar's: then it is the sidecar that has the credentials.
    pub(super) fn can_exchange(&self) -> bool {
        let has_token = self.web_identity().is_none() || matches!(self.token, Some(Ok(_)));
        let is_own = self.pod_identity().is_some_and(|agent| agent.endpoint.address.ip().is_loopback());
        self.asked.roles.is_ok() && has_token && !is_own
    }
}

impl Policy {
    pub(super) fn of_iam(told: &IamRole) -> Result<Self, ParsePolicyError> {
        let document = Document::of_role(&told.arn, told.longest_session, &told.trust_policy)?;
        Ok(Self { shown: format!("iam:GetRole of {}", told.arn), document })
    }
}

fn set(value: Result<Option<String>, NotUnicode>) -> Option<String> {
    value.ok().flatten().filter(|value| !value.is_empty())
}

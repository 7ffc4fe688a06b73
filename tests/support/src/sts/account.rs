//! What IAM knows: roles with their trust policies, and OIDC providers.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::random;
use crate::sts::arn::RoleArn;
use crate::sts::policy::TrustPolicy;

/// IAM's own bounds for `MaxSessionDuration`.
const SHORTEST_MAX: Duration = Duration::from_secs(3600);
const LONGEST_MAX: Duration = Duration::from_secs(43_200);

/// A role that can be assumed.
#[derive(Clone, Debug)]
pub struct Role {
    pub(crate) arn: RoleArn,
    /// `AROA…`, which stands before the session's name in a user id.
    pub(crate) id: String,
    pub(crate) max_session: Duration,
    pub(crate) trust: TrustPolicy,
}

/// Why something cannot be a role.
#[derive(Debug, PartialEq, Eq)]
pub enum RoleError {
    Arn(String),
    MaxSession(Duration),
}

/// An OIDC provider in one account.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) arn: String,
    pub(crate) host: String,
    pub(crate) client_ids: Vec<String>,
}

/// All accounts of the emulator's world.
#[derive(Debug, Default)]
pub(crate) struct Account {
    roles: RwLock<HashMap<String, Arc<Role>>>,
    /// By account and issuer URL.
    providers: RwLock<HashMap<(String, String), Arc<Provider>>>,
}

impl Role {
    /// A role with IAM's default `MaxSessionDuration` of an hour.
    pub fn new(arn: &str, trust: TrustPolicy) -> Result<Self, RoleError> {
        let arn = RoleArn::parse(arn).ok_or_else(|| RoleError::Arn(arn.to_owned()))?;
        Ok(Self { arn, id: random::aws_id("AROA"), max_session: SHORTEST_MAX, trust })
    }

    /// Sets `MaxSessionDuration`: one hour to twelve, as in IAM.
    pub fn with_max_session(self, max_session: Duration) -> Result<Self, RoleError> {
        if (SHORTEST_MAX..=LONGEST_MAX).contains(&max_session) {
            Ok(Self { max_session, ..self })
        } else {
            Err(RoleError::MaxSession(max_session))
        }
    }

    /// The ARN that an OIDC provider of this host has in the role's account.
    pub fn provider_arn(arn: &str, host: &str) -> Result<String, RoleError> {
        RoleArn::parse(arn).map(|arn| arn.provider(host)).ok_or_else(|| RoleError::Arn(arn.to_owned()))
    }
}

impl Account {
    pub(crate) fn put_role(&self, role: Role) {
        let mut roles = self.roles.write().unwrap_or_else(PoisonError::into_inner);
        roles.insert(role.arn.as_str().to_owned(), Arc::new(role));
    }

    /// Does nothing where there is no such role.
    pub(crate) fn change_max_session(&self, arn: &str, max_session: Duration) -> Result<(), RoleError> {
        let mut roles = self.roles.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(role) = roles.get_mut(arn) {
            *role = Arc::new(Role::clone(role).with_max_session(max_session)?);
        }
        Ok(())
    }

    pub(crate) fn remove_role(&self, arn: &str) {
        self.roles.write().unwrap_or_else(PoisonError::into_inner).remove(arn);
    }

    pub(crate) fn role(&self, arn: &RoleArn) -> Option<Arc<Role>> {
        self.roles.read().unwrap_or_else(PoisonError::into_inner).get(arn.as_str()).cloned()
    }

    /// As IAM knows it: by its account and its name.
    pub(crate) fn role_named(&self, account: &str, name: &str) -> Option<Arc<Role>> {
        let roles = self.roles.read().unwrap_or_else(PoisonError::into_inner);
        roles.values().find(|role| role.arn.account() == account && role.arn.name() == name).cloned()
    }

    /// Registers an issuer in the account (and the partition) of this role.
    pub(crate) fn put_provider(&self, beside: &RoleArn, issuer: &str, client_ids: &[&str]) {
        let host = issuer.split_once("://").map_or(issuer, |(_, host)| host).trim_end_matches('/');
        let provider = Provider {
            arn: beside.provider(host),
            host: host.to_owned(),
            client_ids: client_ids.iter().map(ToString::to_string).collect(),
        };
        let at = (beside.account().to_owned(), issuer.to_owned());
        self.providers.write().unwrap_or_else(PoisonError::into_inner).insert(at, Arc::new(provider));
    }

    pub(crate) fn provider(&self, account: &str, issuer: &str) -> Option<Arc<Provider>> {
        let providers = self.providers.read().unwrap_or_else(PoisonError::into_inner);
        providers.get(&(account.to_owned(), issuer.to_owned())).cloned()
    }
}

impl fmt::Display for RoleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arn(arn) => {
                write!(f, "{arn:?} is not a role ARN, such as arn:aws:iam::111122223333:role/app")
            }
            Self::MaxSession(max) => {
                write!(f, "MaxSessionDuration is 3600 to 43200 seconds in IAM, not {}", max.as_secs())
            }
        }
    }
}

impl std::error::Error for RoleError {}

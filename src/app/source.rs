//! How a role's credentials are obtained, whichever way it is.

use crate::clock::Clock;
use crate::config::PodNames;
use crate::config::Role;
use crate::config::Source as Configured;
use crate::pod_identity::PodIdentityClient;
use crate::sts::Basis;
use crate::sts::Exchange;
use crate::sts::ExchangeError;
use crate::sts::Exchanged;
use crate::sts::client::ChainClient;
use crate::sts::client::Sts;
use crate::sts::client::WebIdentityClient;

/// One role's.
#[derive(Debug)]
pub enum Source {
    WebIdentity(WebIdentityClient),
    Chain(ChainClient),
    PodIdentity(PodIdentityClient),
}

impl Source {
    /// `sts` must be there for what asks STS.
    pub fn new(role: &Role, sts: Option<&Sts>, pod: &PodNames, clock: &Clock) -> Self {
        let sts = || sts.expect("where STS is must be known before a role that asks it is obtained").clone();
        match &role.source {
            Configured::WebIdentity(settings) => Self::WebIdentity(WebIdentityClient::new(
                sts(),
                role.name.clone(),
                settings.clone(),
                pod.clone(),
            )),
            Configured::Chain(chain) => Self::Chain(ChainClient::new(sts(), chain.clone())),
            Configured::PodIdentity(settings) => {
                Self::PodIdentity(PodIdentityClient::new(settings.clone(), pod.clone(), clock.clone()))
            }
        }
    }

    /// Whether any of these asks STS: only then must it be known where that is.
    pub fn any_asks_sts(roles: &[Role]) -> bool {
        roles.iter().any(|role| !matches!(role.source, Configured::PodIdentity(_)))
    }
}

impl Exchange for Source {
    async fn exchange(&self, basis: &Basis) -> Result<Exchanged, ExchangeError> {
        match self {
            Self::WebIdentity(client) => client.exchange(basis).await,
            Self::Chain(client) => client.exchange(basis).await,
            Self::PodIdentity(client) => client.exchange(basis).await,
        }
    }
}

//! One role's credentials, obtained once and without a server: every link from its source on.

use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

use crate::app::source::Source;
use crate::clock::Clock;
use crate::clock::Timeline;
use crate::config::Role;
use crate::config::Roles;
use crate::config::Source as Configured;
use crate::credentials::Credentials;
use crate::sts::Basis;
use crate::sts::Exchange;
use crate::sts::ExchangeError;
use crate::sts::Handed;
use crate::sts::client::ResolveError;
use crate::sts::client::Sts;
use crate::token::ReadTokenError;
use crate::token::Token;

/// Why there are none.
#[derive(Debug, Error)]
pub enum ObtainError {
    #[error("no token in AWS_WEB_IDENTITY_TOKEN_FILE: {error}. {}", error.mend())]
    Token { path: PathBuf, error: ReadTokenError },
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    #[error("exchange failed: {error}. {}", error.mend())]
    Exchange { role: String, error: Box<ExchangeError> },
    #[error("there is no role {0}")]
    NoRole(String),
}

/// The credentials of the role that is called `name`.
pub async fn obtain(roles: Roles, name: &str, clock: Clock) -> Result<Credentials, ObtainError> {
    let Roles { roles, pod, ca_bundle, .. } = roles;
    let lineage = lineage(roles, name)?;
    let sts = match Source::any_asks_sts(&lineage) {
        true => Some(Sts::resolve(ca_bundle, clock.clone()).await?),
        false => None,
    };
    let mut handed: Option<Arc<Handed>> = None;
    for role in &lineage {
        let basis = match &handed {
            Some(handed) => Basis::Credentials(handed.clone()),
            None => first_basis(role)?,
        };
        let exchanged = Source::new(role, sts.as_ref(), &pod, &clock).exchange(&basis).await;
        let exchanged = exchanged.map_err(|error| {
            let (role, error) = (role.name.clone(), Box::new(error));
            ObtainError::Exchange { role, error }
        })?;
        let timeline = Timeline::since(exchanged.credentials.issued_at, clock.read());
        let (credentials, pod) = (exchanged.credentials, exchanged.pod);
        handed = Some(Arc::new(Handed { credentials, timeline, pod }));
    }
    let handed = handed.ok_or_else(|| ObtainError::NoRole(name.to_owned()))?;
    Ok(handed.credentials.clone())
}

/// The role, and before it those that it starts from.
fn lineage(mut roles: Vec<Role>, name: &str) -> Result<Vec<Role>, ObtainError> {
    let mut lineage: Vec<Role> = Vec::new();
    let mut next = Some(name.to_owned());
    while let Some(name) = next {
        let at = roles.iter().position(|role| role.name == name);
        let role = roles.swap_remove(at.ok_or(ObtainError::NoRole(name))?);
        next = role.from().map(str::to_owned);
        lineage.insert(0, role);
    }
    Ok(lineage)
}

fn first_basis(role: &Role) -> Result<Basis, ObtainError> {
    let Configured::WebIdentity(settings) = &role.source else {
        return Ok(Basis::Nothing);
    };
    let path = settings.token_file.clone();
    let token = Token::read(&path).map_err(|error| ObtainError::Token { path, error })?;
    Ok(Basis::Token(Arc::new(token)))
}

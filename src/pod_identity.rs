//! The EKS Pod Identity Agent as a source, or whatever else serves container credentials at an address that AWS's SDKs
//! would ask: it is asked as they ask, and its answer is served to those that refuse its address.
//!
//! `GET` its path with the authorization file's content as the whole of `Authorization`; the file is read anew each time,
//! since the kubelet rotates it. No proxy stands between, as with the SDKs. An answer is JSON with `AccessKeyId`,
//! `SecretAccessKey`, `Token` and `Expiration`, and perhaps `AccountId` and `RoleArn`; an error is plain text
//! (`[REQUEST ID]: (CODE): MESSAGE, fault: client`) or JSON with `code` and `message`.
//!
//! The agent gives the same credentials until it has renewed them itself, so they may be hours old when they come. What
//! counts is what is left of them: they are asked for again between 40 and 50 % of that.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::config::PodIdentity;
use crate::config::PodNames;
use crate::secret::Secret;
use crate::sts::Basis;
use crate::sts::ErrorKind;
use crate::sts::Exchange;
use crate::sts::ExchangeError;
use crate::sts::Exchanged;
use crate::sts::given::without_secret;
use crate::token::Token;

mod answer;
mod http;

pub use answer::mend;

const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// One role's.
#[derive(Debug)]
pub struct PodIdentityClient {
    settings: PodIdentity,
    pod: Arc<PodNames>,
    clock: Clock,
}

impl PodIdentityClient {
    pub fn new(settings: PodIdentity, pod: PodNames, clock: Clock) -> Self {
        Self { settings, pod: Arc::new(pod), clock }
    }

    /// What is to be sent, as the file has it at this moment.
    fn authorization(&self) -> Result<Option<Secret>, ExchangeError> {
        let Some(path) = &self.settings.authorization_token_file else {
            return Ok(None);
        };
        let unusable = |why: &dyn std::fmt::Display| {
            let message = format!("the authorization token in {}: {why}", path.display());
            ExchangeError::new(ErrorKind::AuthorizationTokenUnusable, message)
        };
        let token = Token::read_any(path).map_err(|error| unusable(&error))?;
        Ok(Some(token.secret().clone()))
    }

    async fn ask(&self, authorization: Option<&Secret>) -> Result<Exchanged, ExchangeError> {
        let endpoint = &self.settings.endpoint;
        let reply = http::get(endpoint, authorization).await;
        let reply = reply.map_err(|error| ExchangeError { mend: mend(error.kind), ..error })?;
        if reply.status == 200 {
            return answer::accept(&self.settings, &reply, self.pod.clone(), self.clock.read());
        }
        Err(answer::refusal(endpoint, &reply))
    }
}

impl Exchange for PodIdentityClient {
    async fn exchange(&self, _: &Basis) -> Result<Exchanged, ExchangeError> {
        let authorization = self.authorization()?;
        let result = self.ask(authorization.as_ref()).await;
        match &authorization {
            Some(secret) => result.map_err(|error| without_secret(error, secret)),
            None => result,
        }
    }
}

#[cfg(test)]
mod tests;

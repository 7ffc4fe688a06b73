//! The exchange of a web identity token, or of other credentials, for temporary credentials, as the rest of the house
//! sees it.
//!
//! An [`ExchangeError`] says who must act: [`Remedy`] is all that the refresh policy looks at. The classes follow STS's
//! API reference (AssumeRoleWithWebIdentity, "Errors" and "Common errors") and what the SDKs retry.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

use thiserror::Error;

use crate::clock::Timeline;
use crate::config::PodNames;
use crate::credentials::Credentials;
use crate::token::Token;

pub mod client;
pub(crate) mod given;
mod kind;

pub use kind::ErrorKind;
pub use kind::Remedy;

/// Something that gives credentials: STS in production, a script in the tests of the schedule.
pub trait Exchange: Send + Sync + 'static {
    fn exchange(&self, basis: &Basis) -> impl Future<Output = Result<Exchanged, ExchangeError>> + Send;
}

/// What an exchange starts from.
#[derive(Clone)]
#[allow(missing_debug_implementations)] // holds secrets
pub enum Basis {
    /// The web identity token.
    Token(Arc<Token>),
    /// What another role holds.
    Credentials(Arc<Handed>),
    /// Nothing that could be waited for: whoever is asked wants nothing, or a file that is read when it is asked.
    Nothing,
}

/// What a role hands to those that start from it.
#[allow(missing_debug_implementations)] // holds secrets
pub struct Handed {
    pub credentials: Credentials,
    /// STS's time, which signatures must bear, whatever the node's clock says.
    pub timeline: Timeline,
    /// What the token at the beginning of the chain says of the pod.
    pub pod: Arc<PodNames>,
}

/// A successful reply.
#[allow(missing_debug_implementations)] // holds secrets
pub struct Exchanged {
    pub credentials: Credentials,
    /// Who STS says we are now; other STS implementations leave it out.
    pub assumed_role_arn: Option<String>,
    /// What is known of the pod, for the session names of those that start from here.
    pub pod: Arc<PodNames>,
    pub reply: Reply,
}

/// What the reply said about itself.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    pub request_id: Option<String>,
    pub date: Option<SystemTime>,
    pub retry_after: Option<Duration>,
}

/// A failed exchange.
#[derive(Clone, Debug, Error)]
#[error("{message}")]
pub struct ExchangeError {
    pub kind: ErrorKind,
    /// One sentence, with STS's own words where it said any; never a secret.
    pub message: String,
    /// What to do about it, where that is not what is usually to be done.
    pub mend: Option<&'static str>,
    pub reply: Reply,
}

impl ExchangeError {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), mend: None, reply: Reply::default() }
    }

    /// What to do about it, in one sentence.
    pub fn mend(&self) -> &'static str {
        self.mend.unwrap_or_else(|| self.kind.mend())
    }

    pub fn code(&self) -> &'static str {
        self.kind.code()
    }

    pub fn remedy(&self) -> Remedy {
        self.kind.remedy()
    }
}

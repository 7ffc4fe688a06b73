//! What an endpoint is told to be.

use std::collections::HashSet;
use std::io;
use std::time::Duration;

use crate::clock::Clock;
use crate::sts::{Credentials, Vendor};

/// EKS gives the sessions of Pod Identity six hours.
pub(super) const SESSION_LIFE: Duration = Duration::from_secs(6 * 3600);

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) clock: Clock,
    pub(super) path: String,
    /// Empty where any will do.
    pub(super) hosts: Vec<String>,
    pub(super) taken: Taken,
    pub(super) shape: Shape,
    pub(super) account_id: Option<String>,
    pub(super) role_arn: String,
    pub(super) session_life: Duration,
    pub(super) caching: bool,
    pub(super) vendor: Option<Vendor>,
}

/// Which values of `Authorization` are good.
#[derive(Clone, Debug)]
pub(super) enum Taken {
    /// A request without one, and with any.
    Anything,
    /// An unexpired JWT for this audience.
    TokensOf(String),
    Only(HashSet<String>),
}

/// Whose answers it gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// The EKS Pod Identity Agent's: text for errors, nanoseconds, no role.
    Agent,
    /// The ECS agent's: JSON for errors, whole seconds, `RoleArn`.
    Container,
}

impl Settings {
    pub(super) fn fresh_credentials(&self) -> io::Result<Credentials> {
        match &self.vendor {
            Some(vendor) => vendor.credentials(self.session_life),
            None => Ok(Credentials::fresh(self.clock.now() + self.session_life)),
        }
    }
}

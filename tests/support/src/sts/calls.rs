//! The log of calls: what came, from whom, and what became of it; never a secret.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::Serialize;

use crate::journal::{Entry, Outcome, rfc3339};
use crate::sts::web_identity;

/// One request to the emulator.
#[derive(Clone, Debug, Serialize)]
pub struct Call {
    /// From 1.
    pub number: usize,
    #[serde(serialize_with = "rfc3339")]
    pub at: SystemTime,
    pub method: String,
    /// The `Host` header: whom the client believed that it was talking to.
    pub host: Option<String>,
    /// Whether it came over TLS.
    pub tls: bool,
    /// The name in the TLS handshake, by which the certificate was chosen and checked; absent for an address.
    pub server_name: Option<String>,
    pub action: Option<String>,
    pub role_arn: Option<String>,
    pub role_session_name: Option<String>,
    /// As it was sent; absent when it was not.
    pub duration_seconds: Option<String>,
    pub external_id: Option<String>,
    /// As it was sent with this request; one that is inherited is in the caller's own calls.
    pub source_identity: Option<String>,
    pub tags: BTreeMap<String, String>,
    pub transitive_tag_keys: Vec<String>,
    /// The session policy, as it was sent.
    pub policy: Option<String>,
    pub policy_arns: Vec<String>,
    pub token: Option<TokenSeen>,
    /// Whether the request carried a signature (an exchange must not).
    pub signed: bool,
    /// The key that the signature is said to be made with.
    pub access_key_id: Option<String>,
    /// Whose key that is, if it was given out here: `arn:aws:sts::111122223333:assumed-role/NAME/SESSION`.
    pub caller_arn: Option<String>,
    /// From the signature's credential scope.
    pub signing_region: Option<String>,
    pub signing_service: Option<String>,
    pub user_agent: Option<String>,
    pub request_id: String,
    pub outcome: Outcome,
    /// The HTTP status, when one was sent.
    pub status: Option<u16>,
}

/// Enough of a token to tell it from others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TokenSeen {
    pub jti: Option<String>,
    pub sha256: String,
}

impl Call {
    pub fn succeeded(&self) -> bool {
        self.outcome == Outcome::Ok
    }

    /// Whether it was this action, by its name in the API.
    pub fn is(&self, action: &str) -> bool {
        self.action.as_deref() == Some(action)
    }

    /// Whether it was for this role.
    pub fn is_for(&self, role_arn: &str) -> bool {
        self.role_arn.as_deref() == Some(role_arn)
    }
}

impl TokenSeen {
    /// What a log keeps of this token.
    pub fn of(token: &str) -> Self {
        web_identity::seen(token)
    }
}

impl Entry for Call {
    fn number(&mut self, number: usize) {
        self.number = number;
    }

    fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    fn settle(&mut self, outcome: Outcome, status: Option<u16>) {
        self.outcome = outcome;
        self.status = status;
    }
}

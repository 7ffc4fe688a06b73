//! The credentials that were given out, and what each stands for.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::random;
use crate::sts::account::Role;

/// What AWS's own tokens begin with; in Base64 the familiar `IQoJb3JpZ2luX2Vj`.
const TOKEN_PREFIX: &[u8] = b"!\n\torigin_ec";
/// With which a token has 960 characters, `=` padding at its end, and `+` and `/` within: all that URLs can break.
const TOKEN_BYTES: usize = 718;

/// Temporary credentials, in the shapes of AWS's.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub access_key_id: String,
    pub secret_access_key: String,
    pub session_token: String,
    pub expires_at: SystemTime,
}

/// Credentials and the role session that they stand for.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) credentials: Credentials,
    pub(crate) role: Arc<Role>,
    pub(crate) name: String,
}

#[derive(Default)]
pub(crate) struct Sessions {
    by_key: Mutex<HashMap<String, Arc<Session>>>,
}

impl Credentials {
    /// As a client holds them that does not mind when they expire.
    pub fn new(access_key_id: &str, secret_access_key: &str, session_token: &str) -> Self {
        Self {
            access_key_id: access_key_id.to_owned(),
            secret_access_key: secret_access_key.to_owned(),
            session_token: session_token.to_owned(),
            expires_at: SystemTime::UNIX_EPOCH,
        }
    }

    fn fresh(expires_at: SystemTime) -> Self {
        let mut token = [0; TOKEN_BYTES];
        random::fill(&mut token);
        token[..TOKEN_PREFIX.len()].copy_from_slice(TOKEN_PREFIX);
        Self {
            access_key_id: random::aws_id("ASIA"),
            secret_access_key: random::base64_text(40),
            session_token: STANDARD.encode(token),
            expires_at,
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

impl Session {
    pub(crate) fn arn(&self) -> String {
        self.role.arn.assumed_by(&self.name)
    }

    /// `AROA…:NAME`, which is `AssumedRoleId` in one answer and `UserId` in another.
    pub(crate) fn user_id(&self) -> String {
        format!("{}:{}", self.role.id, self.name)
    }
}

impl Sessions {
    pub(crate) fn open(&self, role: Arc<Role>, name: &str, expires_at: SystemTime) -> Arc<Session> {
        let credentials = Credentials::fresh(expires_at);
        let session = Arc::new(Session { credentials, role, name: name.to_owned() });
        let key = session.credentials.access_key_id.clone();
        self.by_key.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&session));
        session
    }

    pub(crate) fn of_key(&self, access_key_id: &str) -> Option<Arc<Session>> {
        self.by_key.lock().unwrap_or_else(PoisonError::into_inner).get(access_key_id).cloned()
    }

    /// Everything that was given out, the latest to expire last.
    pub(crate) fn issued(&self) -> Vec<Credentials> {
        let by_key = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = by_key.values().map(|session| session.credentials.clone()).collect();
        all.sort_by_key(|credentials| credentials.expires_at);
        all
    }
}

//! The credentials that were given out, and what each stands for.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::random;
use crate::sts::account::Role;
use crate::sts::policy::Context;
use crate::sts::tags::SessionTags;

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
    pub(crate) tags: SessionTags,
    /// Once set it goes down the whole chain, and never changes.
    pub(crate) source_identity: Option<String>,
}

/// A session that is about to begin.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) role: Arc<Role>,
    pub(crate) name: String,
    pub(crate) expires_at: SystemTime,
    pub(crate) tags: SessionTags,
    pub(crate) source_identity: Option<String>,
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

    pub(crate) fn fresh(expires_at: SystemTime) -> Self {
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

    /// What a trust policy can ask about the holder of these credentials.
    pub(crate) fn describe(&self, context: Context) -> Context {
        let role = &self.role.arn;
        let mut context = context
            .with("aws:PrincipalArn", role.as_str())
            .with("aws:PrincipalAccount", role.account())
            .with("aws:userid", &self.user_id());
        if let Some(identity) = &self.source_identity {
            context = context.with("aws:SourceIdentity", identity);
        }
        for (key, value) in self.tags.iter() {
            context = context.with(&format!("aws:PrincipalTag/{key}"), value);
        }
        context
    }

    /// Every name by which a policy may mean the holder.
    pub(crate) fn names(&self) -> Vec<String> {
        let role = &self.role.arn;
        vec![self.arn(), role.to_string(), role.root(), role.account().to_owned()]
    }
}

impl Sessions {
    pub(crate) fn open(&self, opening: Opening) -> Arc<Session> {
        let Opening { role, name, expires_at, tags, source_identity } = opening;
        let credentials = Credentials::fresh(expires_at);
        let session = Arc::new(Session { credentials, role, name, tags, source_identity });
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

//! Sessions that begin without a call, as those do that another service of AWS's hands out.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::sts::State;
use crate::sts::arn::RoleArn;
use crate::sts::sessions::{Credentials, Opening};
use crate::sts::tags::SessionTags;

/// Takes sessions of one role out of an emulator, which knows them as its own: they sign, and chains start from them.
#[derive(Clone, Debug)]
pub struct Vendor {
    state: Arc<State>,
    role_arn: String,
    session_name: String,
    tags: SessionTags,
}

impl Vendor {
    pub(super) fn new(state: Arc<State>, role_arn: &str) -> Self {
        let session_name = "vended".to_owned();
        Self { state, role_arn: role_arn.to_owned(), session_name, tags: SessionTags::default() }
    }

    pub fn session_name(self, name: &str) -> Self {
        Self { session_name: name.to_owned(), ..self }
    }

    /// A transitive session tag, as EKS Pod Identity's all are.
    pub fn tag(mut self, key: &str, value: &str) -> Self {
        self.tags.put(key, value, true);
        self
    }

    pub fn role_arn(&self) -> &str {
        &self.role_arn
    }

    pub fn credentials(&self, life: Duration) -> io::Result<Credentials> {
        let role = RoleArn::parse(&self.role_arn).and_then(|arn| self.state.account.role(&arn));
        let role = role.ok_or_else(|| io::Error::other(format!("there is no role {}", self.role_arn)))?;
        let session = self.state.sessions.open(Opening {
            role,
            name: self.session_name.clone(),
            expires_at: self.state.clock.now() + life,
            tags: self.tags.clone(),
            source_identity: None,
        });
        Ok(session.credentials.clone())
    }
}

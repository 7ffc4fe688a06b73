//! A link of a chain: a role that another role may assume, on what conditions.

use std::time::Duration;

use serde_json::{Value, json};

use crate::sts::account::{Role, RoleError};
use crate::sts::policy::TrustPolicy;

/// A role in the making, whose trust policy names its callers and what they must bring.
///
/// As it begins, whoever it trusts may assume it and do no more: tags and a source identity, new or inherited, are
/// refused until they are allowed.
#[derive(Clone, Debug)]
pub struct Link {
    role_arn: String,
    callers: Vec<String>,
    actions: Vec<&'static str>,
    conditions: Vec<(&'static str, String, Value)>,
    max_session: Duration,
}

impl Link {
    /// `caller` is the ARN of a role, of one session of it, or of an account's root.
    pub fn new(role_arn: &str, caller: &str) -> Self {
        Self {
            role_arn: role_arn.to_owned(),
            callers: vec![caller.to_owned()],
            actions: vec!["sts:AssumeRole"],
            conditions: Vec::new(),
            max_session: Duration::from_secs(3600),
        }
    }

    /// Trusts this caller too.
    pub fn and_trusting(mut self, caller: &str) -> Self {
        self.callers.push(caller.to_owned());
        self
    }

    /// `sts:ExternalId` must be this.
    pub fn external_id(self, id: &str) -> Self {
        self.condition("StringEquals", "sts:ExternalId", id)
    }

    /// Session tags may come, whichever they are.
    pub fn tag_session(mut self) -> Self {
        self.actions.push("sts:TagSession");
        self
    }

    /// Session tags may come, and no others than these.
    pub fn tag_session_with(self, keys: &[&str]) -> Self {
        self.tag_session().condition("ForAllValues:StringEquals", "aws:TagKeys", json!(keys))
    }

    /// A source identity may be set, or come with the caller's session.
    pub fn set_source_identity(mut self) -> Self {
        self.actions.push("sts:SetSourceIdentity");
        self
    }

    /// One more condition: operator, key, and a value or an array of them.
    pub fn condition(mut self, operator: &'static str, key: &str, value: impl Into<Value>) -> Self {
        self.conditions.push((operator, key.to_owned(), value.into()));
        self
    }

    /// The role's `MaxSessionDuration`, an hour to twelve; a chained session is an hour at most all the same.
    pub fn max_session(mut self, max_session: Duration) -> Self {
        self.max_session = max_session;
        self
    }

    pub fn role(&self) -> Result<Role, RoleError> {
        let trust = TrustPolicy::parse(&self.trust_policy().to_string())
            .expect("a policy made of these parts must be readable");
        Role::new(&self.role_arn, trust)?.with_max_session(self.max_session)
    }

    /// The role's trust policy, as IAM would show it.
    pub fn trust_policy(&self) -> Value {
        let mut conditions = json!({});
        for (operator, key, value) in &self.conditions {
            conditions[operator][key] = value.clone();
        }
        json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": { "AWS": self.callers },
                "Action": self.actions,
                "Condition": conditions,
            }],
        })
    }
}

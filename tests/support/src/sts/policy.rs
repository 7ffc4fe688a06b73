//! Trust policies: IAM's JSON, read strictly and evaluated as IAM does.
//!
//! An explicit Deny wins, then an Allow, and nothing means no. What is not understood here (an unknown operator,
//! `NotPrincipal`, `NotAction`) is refused when the policy is read: a witness that skips a condition is worse than none.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use crate::sts::policy::condition::Condition;

pub use crate::sts::policy::condition::Context;

mod condition;

/// A role's trust policy.
#[derive(Clone, Debug)]
pub struct TrustPolicy {
    statements: Vec<Statement>,
    source: String,
}

/// Why a document is not a trust policy.
#[derive(Debug)]
pub struct PolicyError(String);

/// Who asks: each name by which a statement may mean them.
#[derive(Clone, Debug)]
pub struct Principal {
    kind: PrincipalKind,
    names: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PrincipalKind {
    Federated,
    Aws,
}

#[derive(Clone, Debug)]
struct Statement {
    allows: bool,
    principals: Principals,
    actions: Vec<String>,
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug)]
enum Principals {
    Everyone,
    These { federated: Vec<String>, aws: Vec<String> },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct RawPolicy {
    #[serde(default)]
    version: Option<String>,
    #[serde(default, rename = "Id")]
    _id: Option<String>,
    statement: OneOrMany<RawStatement>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct RawStatement {
    #[serde(default, rename = "Sid")]
    _sid: Option<String>,
    effect: Effect,
    principal: RawPrincipal,
    action: OneOrMany<String>,
    #[serde(default)]
    condition: BTreeMap<String, BTreeMap<String, OneOrMany<String>>>,
}

#[derive(Deserialize, PartialEq, Eq)]
enum Effect {
    Allow,
    Deny,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawPrincipal {
    Star(String),
    Named(RawPrincipals),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPrincipals {
    #[serde(default, rename = "Federated")]
    federated: OneOrMany<String>,
    #[serde(default, rename = "AWS")]
    aws: OneOrMany<String>,
    /// Services never call the emulator, so their statements match nobody.
    #[serde(default, rename = "Service")]
    _service: OneOrMany<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl TrustPolicy {
    pub fn parse(json: &str) -> Result<Self, PolicyError> {
        let raw: RawPolicy = serde_json::from_str(json).map_err(|e| PolicyError(e.to_string()))?;
        if let Some(version) = raw.version.filter(|v| v != "2012-10-17" && v != "2008-10-17") {
            return Err(PolicyError(format!("Version {version:?} is not one of IAM's")));
        }
        let statements =
            raw.statement.into_vec().into_iter().map(Statement::read).collect::<Result<_, _>>()?;
        Ok(Self { statements, source: json.to_owned() })
    }

    /// As it was written.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// The usual policy for one ServiceAccount, as `eksctl` or the EKS documentation would write it.
    pub fn for_service_account(provider_arn: &str, host: &str, subject: &str, audience: &str) -> Self {
        let document = serde_json::json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": { "Federated": provider_arn },
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": { "StringEquals": {
                    format!("{host}:sub"): subject,
                    format!("{host}:aud"): audience,
                }},
            }],
        });
        Self::parse(&document.to_string()).expect("the usual trust policy must be readable")
    }

    /// Whether `principal` may do `action` here. Keys in `context` are compared without regard to letter case.
    pub fn allows(&self, principal: &Principal, action: &str, context: &Context) -> bool {
        let mut matching =
            self.statements.iter().filter(|s| s.applies(principal, action, context)).peekable();
        matching.peek().is_some() && matching.all(|statement| statement.allows)
    }
}

impl Principal {
    /// A user of the OIDC provider with this ARN.
    pub fn federated(provider_arn: &str) -> Self {
        Self { kind: PrincipalKind::Federated, names: vec![provider_arn.to_owned()] }
    }

    /// A caller with AWS credentials, by every name that a policy may use: its session, its role, its account.
    pub fn aws(names: Vec<String>) -> Self {
        Self { kind: PrincipalKind::Aws, names }
    }
}

impl Statement {
    fn read(raw: RawStatement) -> Result<Self, PolicyError> {
        let principals = match raw.principal {
            RawPrincipal::Star(star) if star == "*" => Principals::Everyone,
            RawPrincipal::Star(other) => return Err(PolicyError(format!("Principal {other:?}"))),
            RawPrincipal::Named(RawPrincipals { federated, aws, .. }) => {
                Principals::These { federated: federated.into_vec(), aws: aws.into_vec() }
            }
        };
        let conditions = raw
            .condition
            .into_iter()
            .flat_map(|(operator, keys)| {
                keys.into_iter().map(move |(key, values)| (operator.clone(), key, values))
            })
            .map(|(operator, key, values)| Condition::read(&operator, &key, values.into_vec()))
            .collect::<Result<_, _>>()
            .map_err(PolicyError)?;
        Ok(Self {
            allows: raw.effect == Effect::Allow,
            principals,
            actions: raw.action.into_vec(),
            conditions,
        })
    }

    fn applies(&self, principal: &Principal, action: &str, context: &Context) -> bool {
        let action = action.to_ascii_lowercase();
        self.principals.include(principal)
            && self.actions.iter().any(|pattern| condition::like(&pattern.to_ascii_lowercase(), &action))
            && self.conditions.iter().all(|condition| condition.holds(context))
    }
}

impl Principals {
    fn include(&self, principal: &Principal) -> bool {
        let Self::These { federated, aws } = self else {
            return true;
        };
        let named = match principal.kind {
            PrincipalKind::Federated => federated,
            PrincipalKind::Aws => aws,
        };
        // In a principal `*` stands for everyone or for nothing: IAM has no patterns here. `{"AWS":"*"}` is the same as `"*"`.
        aws.iter().any(|name| name == "*")
            || named.iter().any(|name| name == "*" || principal.names.contains(name))
    }
}

impl<T> OneOrMany<T> {
    fn into_vec(self) -> Vec<T> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a trust policy that can be evaluated: {}", self.0)
    }
}

impl std::error::Error for PolicyError {}

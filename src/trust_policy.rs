//! The trust policy that a role needs: who may assume it, as narrowly as the asker says; and whether one that a role has
//! lets a token in ([`verdict()`]). Pure.
//!
//! Where the rules are from: IAM's guide to OIDC federation ("Create a role for OpenID Connect federation": the issuer without
//! its scheme names the provider and prefixes the condition keys) and EKS's guide to IRSA (`sub` is the ServiceAccount, `aud`
//! is sts.amazonaws.com, and both are compared with StringEquals).

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;

use crate::config::RoleArn;
use crate::contract::DEFAULT_AUDIENCE;
use crate::contract::SERVICE_ACCOUNT_SUBJECT;

mod asked;
mod condition;
mod difference;
mod document;
mod issuer;
mod loosened;
mod operator;
mod principal;
mod render;
mod slip;
mod strict;
mod verdict;

pub use asked::Given;
pub use asked::Mistake;
pub use difference::Difference;
pub use document::Document;
pub use document::ParsePolicyError;
pub use render::FORMATS;
pub use render::Format;
pub use render::render;
pub use verdict::Answer;
pub use verdict::Caller;
pub use verdict::Evaluation;
pub use verdict::Line;
pub use verdict::Remark;
pub use verdict::Verdict;
pub use verdict::verdict;

/// Whom a role is to trust.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    pub role: RoleArn,
    pub who: Who,
    /// `sts:TagSession` too: without it STS refuses a call with session tags.
    pub session_tags: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Who {
    /// The ServiceAccounts of these names, in each of these clusters.
    ServiceAccounts { issuers: Vec<Issuer>, namespace: String, names: Vec<String>, audiences: Vec<String> },
    /// Another role, which is the one before in a chain.
    Role { from: RoleArn, external_id: Option<String>, source_identity: bool },
}

/// A cluster's issuer, as IAM writes it: without `https://`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Issuer(pub(crate) String);

/// The policy, in the order in which people write it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Policy {
    version: &'static str,
    statement: Vec<Statement>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    effect: &'static str,
    principal: BTreeMap<&'static str, String>,
    action: OneOrMore,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    condition: BTreeMap<&'static str, BTreeMap<String, OneOrMore>>,
}

/// IAM takes a list of one too; nobody writes it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

const VERSION: &str = "2012-10-17";
const WILDCARDS: [char; 2] = ['*', '?'];

/// The policy, and what about it is wider than it need be.
pub fn policy(asked: &Asked) -> (Policy, Vec<String>) {
    let statement = match &asked.who {
        Who::ServiceAccounts { issuers, namespace, names, audiences } => {
            let subjects: Vec<String> =
                names.iter().map(|name| format!("{SERVICE_ACCOUNT_SUBJECT}{namespace}:{name}")).collect();
            issuers.iter().map(|issuer| federated(asked, issuer, &subjects, audiences)).collect()
        }
        Who::Role { from, external_id, source_identity } => {
            vec![chained(asked, from, external_id.as_deref(), *source_identity)]
        }
    };
    (Policy { version: VERSION, statement }, loosened(asked))
}

fn federated(asked: &Asked, Issuer(issuer): &Issuer, subjects: &[String], audiences: &[String]) -> Statement {
    let mut condition: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    condition
        .entry("StringEquals")
        .or_default()
        .insert(format!("{issuer}:aud"), OneOrMore::of(audiences.to_vec()));
    // StringLike takes an exact text as it is; StringEquals takes a star for a star.
    let test = if subjects.iter().any(|subject| is_wild(subject)) { "StringLike" } else { "StringEquals" };
    condition.entry(test).or_default().insert(format!("{issuer}:sub"), OneOrMore::of(subjects.to_vec()));
    Statement {
        effect: "Allow",
        principal: BTreeMap::from([("Federated", provider(&asked.role, issuer))]),
        action: actions(asked, "sts:AssumeRoleWithWebIdentity", false),
        condition,
    }
}

fn chained(asked: &Asked, from: &RoleArn, external_id: Option<&str>, source_identity: bool) -> Statement {
    let mut condition = BTreeMap::new();
    if let Some(external_id) = external_id {
        let equals = BTreeMap::from([("sts:ExternalId".to_owned(), OneOrMore::One(external_id.to_owned()))]);
        condition.insert("StringEquals", equals);
    }
    Statement {
        effect: "Allow",
        principal: BTreeMap::from([("AWS", from.to_string())]),
        action: actions(asked, "sts:AssumeRole", source_identity),
        condition,
    }
}

fn actions(asked: &Asked, call: &str, source_identity: bool) -> OneOrMore {
    let more = [(asked.session_tags, "sts:TagSession"), (source_identity, "sts:SetSourceIdentity")];
    let more = more.iter().filter(|(is_asked, _)| *is_asked).map(|(_, action)| (*action).to_owned());
    OneOrMore::of([call.to_owned()].into_iter().chain(more).collect())
}

fn provider(role: &RoleArn, issuer: &str) -> String {
    let account = role.account().unwrap_or_default();
    format!("arn:{}:iam::{account}:oidc-provider/{issuer}", role.partition())
}

/// What the role before in a chain must be allowed, where a chain is asked for.
pub fn permission(asked: &Asked) -> Option<String> {
    let Who::Role { source_identity, .. } = &asked.who else { return None };
    let actions = actions(asked, "sts:AssumeRole", *source_identity);
    let statement = json!({ "Effect": "Allow", "Action": actions, "Resource": asked.role.as_str() });
    Some(json!({ "Version": VERSION, "Statement": [statement] }).to_string())
}

fn loosened(asked: &Asked) -> Vec<String> {
    let mut warnings = Vec::new();
    if asked.session_tags {
        warnings.push(
            "--session-tags: sts:TagSession lets the caller, or its token, choose the session's tags, which policies that compare \
             aws:PrincipalTag (ABAC) take for its own; conditions on aws:RequestTag/KEY narrow them"
                .to_owned(),
        );
    }
    let Who::ServiceAccounts { namespace, names, audiences, .. } = &asked.who else { return warnings };
    if is_wild(namespace) {
        warnings.push(format!(
            "namespace {namespace:?}: whoever may make pods in any namespace that matches has this role; name the namespace"
        ));
    }
    for name in names.iter().filter(|name| is_wild(name)) {
        warnings.push(format!(
            "service account {name:?}: every ServiceAccount that matches has this role, those to come included; name them"
        ));
    }
    for audience in audiences.iter().filter(|audience| *audience != DEFAULT_AUDIENCE) {
        warnings.push(format!(
            "audience {audience:?} is not {DEFAULT_AUDIENCE}: the identity provider in IAM must list it as a client id"
        ));
    }
    warnings
}

fn is_wild(text: &str) -> bool {
    text.contains(WILDCARDS)
}

impl OneOrMore {
    fn of(mut texts: Vec<String>) -> Self {
        match texts.len() {
            1 => Self::One(texts.remove(0)),
            _ => Self::More(texts),
        }
    }

    fn texts(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::More(texts) => texts,
        }
    }
}

#[cfg(test)]
mod tests;

//! The parameters of assuming a role: what is checked before anybody asks who is calling.

use serde_json::Value;

use crate::sts::arn::RoleArn;
use crate::sts::failure::Failure;
use crate::sts::form::{Constraints, Form};
use crate::sts::policy::Context;
use crate::sts::tags::{RequestedTags, SessionTags};

const DEFAULT_DURATION: u64 = 3600;
/// What `Policy`, `PolicyArns` and tags may come to together, in characters.
const POLICY_SPACE: usize = 2048;
pub(super) const NAME_PATTERN: &str = r"[\w+=,.@-]*";
const ARN_PATTERN: &str =
    r"[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD\u10000-\u10FFFF]+";

/// The parameters that every way of assuming a role has.
pub(super) struct Wanted {
    pub(super) role: RoleArn,
    pub(super) session_name: String,
    pub(super) duration: u64,
    /// How much of the space that session policies and tags share is used by policies.
    pub(super) policy_size: usize,
}

impl Wanted {
    /// Checks these parameters together with those that the action has of its own.
    pub(super) fn read(form: &Form, mut constraints: Constraints) -> Result<Self, Failure> {
        let role_arn = form.value("RoleArn");
        constraints.on("roleArn", role_arn).required().length(20, 2048).pattern(ARN_PATTERN, is_arn_text);
        let session_name = form.value("RoleSessionName");
        constraints
            .on("roleSessionName", session_name)
            .required()
            .length(2, 64)
            .pattern(NAME_PATTERN, is_name);
        let duration = constraints.on("durationSeconds", form.value("DurationSeconds")).number(900, 43_200);
        let policy = form.value("Policy");
        constraints.on("policy", policy).length(1, POLICY_SPACE);
        let policy_arns = form.members("PolicyArns", ".arn");
        if policy_arns.len() > 10 {
            constraints.too_long("policyArns", 10);
        }
        constraints.check()?;

        let role = RoleArn::parse(role_arn.unwrap_or_default())
            .ok_or_else(|| Failure::validation("Request ARN is invalid"))?;
        if let Some(bad) = policy_arns.iter().find(|arn| arn.len() < 20 || !arn.starts_with("arn:")) {
            return Err(Failure::validation(format!("ARN {bad} is not valid.")));
        }
        Ok(Self {
            role,
            session_name: session_name.unwrap_or_default().to_owned(),
            duration: duration.unwrap_or(DEFAULT_DURATION),
            policy_size: policy_size(policy, &policy_arns)?,
        })
    }
}

fn policy_size(policy: Option<&str>, policy_arns: &[&str]) -> Result<usize, Failure> {
    if let Some(text) = policy {
        let document: Value =
            serde_json::from_str(text).map_err(|_| Failure::named("MalformedPolicyDocument"))?;
        if document.get("Statement").is_none() {
            return Err(Failure::new("MalformedPolicyDocument", "Syntax errors in policy."));
        }
    }
    Ok(policy.map_or(0, str::len) + policy_arns.iter().map(|arn| arn.len()).sum::<usize>())
}

/// Percent of the space for session policies and tags, inherited ones too; absent without any.
pub(super) fn packed_size(policies: usize, tags: &SessionTags) -> Result<Option<usize>, Failure> {
    let percent = |used: usize| (used * 100).div_ceil(POLICY_SPACE);
    let (all, tags) = (percent(policies + tags.size()), percent(tags.size()));
    if all <= 100 {
        return Ok((all > 0).then_some(all));
    }
    let message = if tags > 100 {
        format!("Packed size of session tags consumes {tags}% of allotted space.")
    } else {
        format!("Packed policy consumes {all}% of allotted space, please use smaller policy.")
    };
    Err(Failure::new("PackedPolicyTooLarge", message))
}

/// What a trust policy can ask about an `AssumeRole`.
pub(super) fn chained_context(
    wanted: &Wanted,
    external_id: Option<&str>,
    source_identity: Option<&str>,
    tags: &RequestedTags<'_>,
) -> Context {
    let mut context = Context::default().with("sts:RoleSessionName", &wanted.session_name);
    if let Some(id) = external_id {
        context = context.with("sts:ExternalId", id);
    }
    if let Some(identity) = source_identity {
        context = context.with("sts:SourceIdentity", identity);
    }
    for (key, value) in tags.pairs() {
        context = context.with(&format!("aws:RequestTag/{key}"), value).with("aws:TagKeys", key);
    }
    for key in tags.transitive_keys() {
        context = context.with("sts:TransitiveTagKeys", key);
    }
    context
}

pub(super) fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_+=,.@-".contains(c)
}

fn is_arn_text(c: char) -> bool {
    !c.is_control() || matches!(c, '\t' | '\n' | '\r' | '\u{85}')
}

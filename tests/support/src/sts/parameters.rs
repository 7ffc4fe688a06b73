//! The parameters of assuming a role: what is checked before anybody asks who is calling.

use serde_json::Value;

use crate::sts::arn::RoleArn;
use crate::sts::failure::Failure;
use crate::sts::form::{Constraints, Form};
use crate::sts::policy::Context;

const DEFAULT_DURATION: u64 = 3600;
/// What `Policy` and `PolicyArns` may come to together, in characters.
const POLICY_SPACE: usize = 2048;
pub(super) const NAME_PATTERN: &str = r"[\w+=,.@-]*";
const ARN_PATTERN: &str =
    r"[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD\u10000-\u10FFFF]+";

/// The parameters that every way of assuming a role has.
pub(super) struct Wanted {
    pub(super) role: RoleArn,
    pub(super) session_name: String,
    pub(super) duration: u64,
    /// Percent of the space for session policies; absent without any.
    pub(super) packed_policy_size: Option<usize>,
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
            packed_policy_size: packed_size(policy, &policy_arns)?,
        })
    }
}

fn packed_size(policy: Option<&str>, policy_arns: &[&str]) -> Result<Option<usize>, Failure> {
    if let Some(text) = policy {
        let document: Value =
            serde_json::from_str(text).map_err(|_| Failure::named("MalformedPolicyDocument"))?;
        if document.get("Statement").is_none() {
            return Err(Failure::new("MalformedPolicyDocument", "Syntax errors in policy."));
        }
    }
    let used = policy.map_or(0, str::len) + policy_arns.iter().map(|arn| arn.len()).sum::<usize>();
    let percent = (used * 100).div_ceil(POLICY_SPACE);
    if percent > 100 {
        return Err(Failure::new(
            "PackedPolicyTooLarge",
            format!("Packed policy consumes {percent}% of allotted space, please use smaller policy."),
        ));
    }
    Ok((used > 0).then_some(percent))
}

/// What a trust policy can ask about an `AssumeRole`, and the actions that it must then allow.
pub(super) fn chained_request(
    form: &Form,
    wanted: &Wanted,
    external_id: Option<&str>,
    source_identity: Option<&str>,
) -> (Context, Vec<&'static str>) {
    let mut context = Context::default().with("sts:RoleSessionName", &wanted.session_name);
    let mut actions = vec!["sts:AssumeRole"];
    if let Some(id) = external_id {
        context = context.with("sts:ExternalId", id);
    }
    if let Some(identity) = source_identity {
        context = context.with("sts:SourceIdentity", identity);
        actions.push("sts:SetSourceIdentity");
    }
    let keys = form.members("Tags", ".Key");
    if !keys.is_empty() {
        actions.push("sts:TagSession");
    }
    for (key, value) in keys.into_iter().zip(form.members("Tags", ".Value")) {
        context = context.with(&format!("aws:RequestTag/{key}"), value).with("aws:TagKeys", key);
    }
    for key in form.members("TransitiveTagKeys", "") {
        context = context.with("sts:TransitiveTagKeys", key);
    }
    (context, actions)
}

pub(super) fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_+=,.@-".contains(c)
}

fn is_arn_text(c: char) -> bool {
    !c.is_control() || matches!(c, '\t' | '\n' | '\r' | '\u{85}')
}

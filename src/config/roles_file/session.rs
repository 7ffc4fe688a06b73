//! What STS is asked for: the fields that a role and a step of a chain have in common.

use std::rc::Rc;

use serde_json::Map;
use serde_json::Value as Json;

use crate::config::mistake::Reason;
use crate::config::roles_file::fields::Field;
use crate::config::roles_file::fields::Fields;
use crate::config::roles_file::fields::Report;
use crate::config::types::RoleArn;
use crate::config::yaml::Key;
use crate::config::yaml::Node;
use crate::config::yaml::Value;

/// STS's own bounds: on the ARNs of policies, and on them and the policy together.
const MAX_POLICY_ARNS: usize = 10;
const POLICY_SPACE: usize = 2048;

pub(super) const ROLE_ARN_EXAMPLE: &str = "role_arn: arn:aws:iam::111122223333:role/app";

pub(super) fn role_arn(fields: &mut Fields<'_>, report: &mut Report<'_>) -> Option<RoleArn> {
    let parse = |text: &str| text.parse::<RoleArn>().map_err(Reason::from);
    let arn = fields.parse("role_arn", ROLE_ARN_EXAMPLE, parse, report)?;
    if !arn.has_known_partition() {
        let message = format!(
            "{} has the partition {}, which is none of AWS's; right for another STS, else a typing mistake",
            report.label(&fields.place_of("role_arn")),
            arn.partition()
        );
        report.warn("PartitionUnknown", message);
    }
    Some(arn)
}

/// `policy` and `policy_arns`, which must fit together.
pub(super) fn policies(fields: &mut Fields<'_>, report: &mut Report<'_>) -> (Option<String>, Vec<String>) {
    let given = fields.take("policy", report);
    let policy = given.as_ref().and_then(|field| policy(field, report));
    let example = "policy_arns: [arn:aws:iam::aws:policy/ReadOnlyAccess]";
    let mut arns = Vec::new();
    if let Some(field) = fields.take("policy_arns", report) {
        let items = field.items(example, report);
        if items.len() > MAX_POLICY_ARNS {
            let why = format!("it has {} entries; STS takes {MAX_POLICY_ARNS}", items.len());
            report.wrong(&field.place, None, why.into(), example);
        }
        arns = items.iter().filter_map(|item| item.parse(example, policy_arn, report)).collect();
    }
    let used = policy.as_ref().map_or(0, |policy| policy.chars().count())
        + arns.iter().map(String::len).sum::<usize>();
    if used > POLICY_SPACE {
        let why = format!(
            "with policy_arns it comes to {used} characters; STS takes {POLICY_SPACE} for both together"
        );
        let place = given.map_or_else(|| fields.place().clone(), |field| field.place);
        let reason = Reason::from(why).mend("Shorten it, or make a managed policy of it");
        report.wrong(&place, None, reason, "");
    }
    (policy, arns)
}

/// JSON text, or the same written as YAML, in which every scalar is a string: IAM takes no other.
fn policy(field: &Field<'_>, report: &mut Report<'_>) -> Option<String> {
    let example = r#"policy: '{"Version":"2012-10-17","Statement":[…]}'"#;
    let document = match &field.node.value {
        Value::Map(_) => json(field.node),
        Value::Text(text) => match serde_json::from_str(text) {
            Ok(document) => document,
            Err(error) => {
                let why = format!("it is not JSON: {error}");
                report.wrong(&field.place, Some(text), why.into(), example);
                return None;
            }
        },
        other => {
            let why = format!("it is {}; a policy is JSON text, or a mapping", other.kind());
            report.wrong(&field.place, None, why.into(), example);
            return None;
        }
    };
    if document.get("Statement").is_none_or(|statement| !statement.is_array() && !statement.is_object()) {
        let why = "it has no Statement, as every policy has";
        report.wrong(&field.place, None, why.into(), example);
        return None;
    }
    Some(document.to_string())
}

fn json(node: &Node) -> Json {
    match &node.value {
        Value::Empty => Json::Null,
        Value::Text(text) => Json::String(text.clone()),
        Value::List(items) => Json::Array(items.iter().map(|item| json(item)).collect()),
        Value::Map(entries) => {
            let entry = |(key, node): &(Key, Rc<Node>)| (key.name.clone(), json(node));
            Json::Object(entries.iter().map(entry).collect::<Map<_, _>>())
        }
    }
}

fn policy_arn(text: &str) -> Result<String, Reason> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    match parts[..] {
        ["arn", _, "iam", "", _, resource] if resource.starts_with("policy/") && text.len() <= 2048 => {
            Ok(text.to_owned())
        }
        ["arn", ..] => Err("it is not the ARN of a policy, arn:PARTITION:iam::ACCOUNT:policy/NAME".into()),
        _ => Err("it is not an ARN; a policy's name alone does not say which account it is in".into()),
    }
}

//! A trust policy that somebody wrote, as IAM's grammar has it ("IAM JSON policy element reference"), read so that what it
//! says can be shown in its own words.
//!
//! Taken are the policy itself, what `aws iam get-role` prints, which tells the role's ARN and its longest session too,
//! and either with the document as percent-encoded text, as IAM's API has it.

use percent_encoding::percent_decode_str;
use serde_json::Map;
use serde_json::Value;
use thiserror::Error;

use crate::trust_policy::VERSION;
use crate::trust_policy::operator::Operator;
use crate::trust_policy::strict::Strict;

/// What was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    pub statements: Vec<Statement>,
    /// The role that it is the policy of, where that was told.
    pub role_arn: Option<String>,
    /// In seconds.
    pub longest_session: Option<u64>,
}

/// One statement, in its own words.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// `statement 2`, with its `Sid`.
    pub name: String,
    pub allows: bool,
    pub principals: Principals,
    pub actions: Actions,
    pub conditions: Vec<Condition>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Principals {
    Everyone,
    /// Kind and names: `Federated`, `AWS`, `Service`.
    These(Vec<(String, Vec<String>)>),
    /// `NotPrincipal`
    AllBut(Vec<(String, Vec<String>)>),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Actions {
    These(Vec<String>),
    /// `NotAction`
    AllBut(Vec<String>),
}

/// One line of a `Condition` block.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    pub operator: Operator,
    pub key: String,
    pub values: Vec<String>,
    /// Whether `${…}` in a value stands for what AWS puts there.
    pub fills_variables: bool,
}

/// Why a text is no trust policy, and what to do.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{0}")]
pub struct ParsePolicyError(String);

/// Policy variables came with the first; a policy without a Version is of the second.
const VERSIONS: [&str; 2] = [VERSION, "2008-10-17"];
/// Of a statement.
const ELEMENTS: [&str; 7] =
    ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Condition"];

impl Document {
    pub fn parse(text: &str) -> Result<Self, ParsePolicyError> {
        // An editor's mark of the encoding says nothing.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let Strict(value) = serde_json::from_str(text).map_err(|error| {
            ParsePolicyError(format!("it is not JSON: {error}. Take `aws iam get-role --role-name NAME`"))
        })?;
        let role = value.get("Role").unwrap_or(&value);
        let mut document = match role.get("AssumeRolePolicyDocument") {
            Some(Value::String(encoded)) => Self::of(&decoded(encoded)?)?,
            Some(policy) => Self::of(policy)?,
            None => Self::of(&value)?,
        };
        document.role_arn = role.get("Arn").and_then(Value::as_str).map(str::to_owned);
        document.longest_session = role.get("MaxSessionDuration").and_then(Value::as_u64);
        Ok(document)
    }

    /// What IAM's API gives: the policy is percent-encoded.
    pub fn of_role(arn: &str, longest_session: Option<u64>, encoded: &str) -> Result<Self, ParsePolicyError> {
        let policy = Self::of(&decoded(encoded)?)?;
        Ok(Self { role_arn: Some(arn.to_owned()), longest_session, ..policy })
    }

    fn of(policy: &Value) -> Result<Self, ParsePolicyError> {
        refuse_unknown("the policy", policy, &["Version", "Id", "Statement"])?;
        if let Some(version) =
            policy.get("Version").filter(|version| !VERSIONS.iter().any(|known| *version == known))
        {
            return Err(ParsePolicyError(format!("its Version {version} is none of IAM's")));
        }
        let statement = policy.get("Statement").ok_or_else(|| {
            ParsePolicyError("it has no Statement. A trust policy is what `aws iam get-role` prints as AssumeRolePolicyDocument".to_owned())
        })?;
        let statements = match statement {
            Value::Array(several) => several.iter().collect(),
            one => vec![one],
        };
        let fills_variables = policy.get("Version").is_some_and(|version| *version == VERSION);
        let statement = |(index, one)| Statement::of(index + 1, one, fills_variables);
        let statements = statements.into_iter().enumerate().map(statement);
        Ok(Self { statements: statements.collect::<Result<_, _>>()?, ..Self::default() })
    }
}

impl Statement {
    fn of(number: usize, value: &Value, fills_variables: bool) -> Result<Self, ParsePolicyError> {
        let sid = value.get("Sid").and_then(Value::as_str).filter(|sid| !sid.is_empty());
        let name = match sid {
            Some(sid) => format!("statement {number} ({sid})"),
            None => format!("statement {number}"),
        };
        let wrong = |what: &str| ParsePolicyError(format!("{name}: {what}"));
        refuse_unknown(&name, value, &ELEMENTS)?;
        for (one, other) in [("Principal", "NotPrincipal"), ("Action", "NotAction")] {
            if value.get(one).is_some() && value.get(other).is_some() {
                return Err(wrong(&format!("it has both {one} and {other}, which IAM does not take")));
            }
        }
        let allows = match value.get("Effect").and_then(Value::as_str) {
            Some("Allow") => true,
            Some("Deny") => false,
            _ => return Err(wrong("its Effect is neither Allow nor Deny")),
        };
        let named = |key: &str| value.get(key).map(kinds);
        let principals = match (value.get("Principal"), named("Principal"), named("NotPrincipal")) {
            (Some(Value::String(star)), ..) if star == "*" => Principals::Everyone,
            (_, Some(Some(these)), _) => Principals::These(these),
            (_, None, Some(Some(but))) => Principals::AllBut(but),
            _ => return Err(wrong("it has no Principal as IAM writes it, as in {\"Federated\": \"ARN\"}")),
        };
        let actions = match (value.get("Action"), value.get("NotAction")) {
            (Some(these), _) => Actions::These(texts(these)),
            (None, Some(but)) => Actions::AllBut(texts(but)),
            _ => return Err(wrong("it has no Action")),
        };
        let conditions = match value.get("Condition") {
            None => Vec::new(),
            Some(Value::Object(block)) if block.values().all(is_comparison) => {
                conditions(block, fills_variables)
            }
            Some(_) => return Err(wrong("its Condition is not of the form {OPERATOR: {KEY: VALUE}}")),
        };
        Ok(Self { name, allows, principals, actions, conditions })
    }
}

/// Keys, each with a text or several.
fn is_comparison(keys: &Value) -> bool {
    let is_text = |value: &Value| matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_));
    let are_texts =
        |value: &Value| value.as_array().map_or(is_text(value), |several| several.iter().all(is_text));
    keys.as_object().is_some_and(|keys| keys.values().all(are_texts))
}

/// What is not understood could change what the rest means.
fn refuse_unknown(of: &str, value: &Value, known: &[&str]) -> Result<(), ParsePolicyError> {
    let keys = value.as_object().into_iter().flat_map(Map::keys);
    match keys.into_iter().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(ParsePolicyError(format!("{of}: a trust policy has no element {key:?}"))),
        None => Ok(()),
    }
}

fn decoded(encoded: &str) -> Result<Value, ParsePolicyError> {
    let text = percent_decode_str(encoded).decode_utf8_lossy();
    serde_json::from_str(&text)
        .map(|Strict(value)| value)
        .map_err(|error| ParsePolicyError(format!("its AssumeRolePolicyDocument is not JSON: {error}")))
}

fn kinds(value: &Value) -> Option<Vec<(String, Vec<String>)>> {
    Some(value.as_object()?.iter().map(|(kind, names)| (kind.clone(), texts(names))).collect())
}

fn conditions(block: &Map<String, Value>, fills_variables: bool) -> Vec<Condition> {
    let lines = |(operator, keys): (&String, &Value)| -> Vec<Condition> {
        let keys = keys.as_object().into_iter().flatten();
        keys.map(|(key, values)| Condition {
            operator: Operator::of(operator),
            key: key.clone(),
            values: texts(values),
            fills_variables,
        })
        .collect()
    };
    block.iter().flat_map(lines).collect()
}

/// One text or several; IAM takes numbers and booleans for texts too.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(several) => several.iter().flat_map(texts).collect(),
        Value::String(text) => vec![text.clone()],
        Value::Null | Value::Object(_) => Vec::new(),
        other => vec![other.to_string()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"{"Statement":{"Sid":"One","Effect":"Allow","Principal":{"Federated":"arn:x"},
        "Action":["sts:AssumeRoleWithWebIdentity"],"Condition":{"StringEquals":{"a:sub":["b","c"],"a:aud":"d"}}}}"#;

    #[test]
    fn takes_a_policy_and_what_get_role_prints_either_way() {
        let bare = Document::parse(POLICY).unwrap();
        assert_eq!(Document::parse(&format!("\u{feff}{POLICY}")).unwrap(), bare);
        assert_eq!(bare.statements[0].name, "statement 1 (One)");
        assert_eq!(bare.statements[0].conditions.len(), 2);
        let encoded: String = POLICY.bytes().map(|byte| format!("%{byte:02X}")).collect();
        for document in [POLICY.to_owned(), format!("\"{encoded}\"")] {
            let role = format!(
                r#"{{"Role":{{"Arn":"arn:aws:iam::111122223333:role/a/b","MaxSessionDuration":3600,"AssumeRolePolicyDocument":{document}}}}}"#
            );
            let read = Document::parse(&role).unwrap();
            assert_eq!(read.statements, bare.statements);
            assert_eq!(read.role_arn.as_deref(), Some("arn:aws:iam::111122223333:role/a/b"));
            assert_eq!(read.longest_session, Some(3600));
        }
    }

    #[test]
    fn what_is_no_policy_is_told() {
        for (text, word) in [
            ("", "not JSON"),
            ("{}", "no Statement"),
            (r#"{"Statement":[{"Effect":"allow"}]}"#, "statement 1: its Effect"),
            (r#"{"Statement":[{"Effect":"Allow","Action":"*"}]}"#, "no Principal"),
            (r#"{"Statement":[{"Effect":"Deny","Principal":"*"}]}"#, "no Action"),
            (r#"{"Statement":[{"Effect":"Deny","Effect":"Allow"}]}"#, "\"Effect\" is there twice"),
            (r#"{"Statement":[],"Statement":[]}"#, "twice"),
            (r#"{"Statement":[{"Effect":"Allow","condition":{}}]}"#, "no element \"condition\""),
            (r#"{"Version":"2012","Statement":[]}"#, "Version"),
            (
                r#"{"Statement":[{"Effect":"Deny","Principal":"*","Action":"a","Condition":{"StringEquals":{"k":null}}}]}"#,
                "its Condition",
            ),
            (r#"{"Statement":[],"Statements":[]}"#, "no element \"Statements\""),
            (
                r#"{"Statement":[{"Effect":"Allow","Action":"a","NotAction":"b"}]}"#,
                "both Action and NotAction",
            ),
            (
                r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"a","Condition":[]}]}"#,
                "its Condition",
            ),
        ] {
            let said = Document::parse(text).unwrap_err().to_string();
            assert!(said.contains(word), "{text}: {said}");
        }
    }
}

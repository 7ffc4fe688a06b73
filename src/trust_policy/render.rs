//! The same policy for those who write IAM in different ways.

use std::fmt::Write as _;

use crate::config::RoleArn;
use crate::contract::DEFAULT_AUDIENCE;
use crate::shell;
use crate::trust_policy::Asked;
use crate::trust_policy::Policy;
use crate::trust_policy::Statement;
use crate::trust_policy::Who;
use crate::trust_policy::is_wild;
use crate::trust_policy::issuer::eks_region;

/// How it is printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    Json,
    Terraform,
    CloudFormation,
    Eksctl,
    AwsCli,
}

/// Their names, and what each gives; the first is the default.
pub const FORMATS: [(&str, Format, &str); 5] = [
    ("json", Format::Json, "IAM's own JSON"),
    ("terraform", Format::Terraform, "an aws_iam_policy_document and its aws_iam_role"),
    ("cloudformation", Format::CloudFormation, "an AWS::IAM::Role"),
    ("eksctl", Format::Eksctl, "a ClusterConfig with the role alone; eksctl makes the same policy"),
    ("aws-cli", Format::AwsCli, "commands that set it on the role"),
];

/// The text; or why this format cannot say it.
pub fn render(asked: &Asked, policy: &Policy, format: Format) -> Result<String, String> {
    Ok(match format {
        Format::Json => json(policy),
        Format::Terraform => terraform(&asked.role, policy),
        Format::CloudFormation => cloudformation(&asked.role, policy),
        Format::Eksctl => eksctl(asked)?,
        Format::AwsCli => aws_cli(&asked.role, policy),
    })
}

fn json(policy: &Policy) -> String {
    serde_json::to_string_pretty(policy).expect("a policy must serialize")
}

fn terraform(role: &RoleArn, policy: &Policy) -> String {
    let name = identifier(role.name(), '_');
    let mut text = format!("data \"aws_iam_policy_document\" \"{name}_trust\" {{\n");
    for (index, statement) in policy.statement.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        text.push_str(&terraform_statement(statement));
    }
    let path = role.path();
    let path = if path == "/" { String::new() } else { format!("  path               = {}\n", hcl(path)) };
    write!(
        text,
        "}}\n\nresource \"aws_iam_role\" \"{name}\" {{\n  name               = {}\n{path}  \
         assume_role_policy = data.aws_iam_policy_document.{name}_trust.json\n}}",
        hcl(role.name()),
    )
    .expect("writing to a String must succeed");
    text
}

fn terraform_statement(statement: &Statement) -> String {
    let mut text = format!("  statement {{\n    actions = {}\n", hcl_list(statement.action.texts()));
    let mut put = |line: String| text.push_str(&line);
    for (kind, identifier) in &statement.principal {
        put(format!(
            "\n    principals {{\n      type        = {}\n      identifiers = [{}]\n    }}\n",
            hcl(kind),
            hcl(identifier)
        ));
    }
    for (test, compared) in &statement.condition {
        for (variable, values) in compared {
            put(format!(
                "\n    condition {{\n      test     = {}\n      variable = {}\n      values   = {}\n    }}\n",
                hcl(test),
                hcl(variable),
                hcl_list(values.texts())
            ));
        }
    }
    put("  }\n".to_owned());
    text
}

fn cloudformation(role: &RoleArn, policy: &Policy) -> String {
    // JSON is YAML.
    let document = json(policy).replace('\n', "\n        ");
    let path = role.path();
    let path = if path == "/" { String::new() } else { format!("      Path: {}\n", yaml(path)) };
    format!(
        "Resources:\n  {}:\n    Type: AWS::IAM::Role\n    Properties:\n      RoleName: {}\n{path}      \
         AssumeRolePolicyDocument:\n        {document}",
        logical_id(role.name()),
        yaml(role.name()),
    )
}

fn eksctl(asked: &Asked) -> Result<String, String> {
    let Who::ServiceAccounts { issuers, namespace, names, audiences } = &asked.who else {
        return Err("eksctl makes no chains; take another format".to_owned());
    };
    let ([issuer], [name]) = (issuers.as_slice(), names.as_slice()) else {
        return Err(
            "eksctl writes a role for one ServiceAccount of one cluster; take another format".to_owned()
        );
    };
    if is_wild(namespace) || is_wild(name) || asked.session_tags {
        return Err("eksctl writes neither wildcards nor sts:TagSession; take another format".to_owned());
    }
    if *audiences != [DEFAULT_AUDIENCE] {
        return Err(format!("eksctl writes no other audience than {DEFAULT_AUDIENCE}; take another format"));
    }
    if asked.role.path() != "/" {
        let path = asked.role.path();
        return Err(format!(
            "eksctl makes roles without a path, and this one's is {path}; take another format"
        ));
    }
    let Some(region) = eks_region(&issuer.0) else {
        return Err(format!("eksctl knows clusters of EKS, and https://{} is another's issuer", issuer.0));
    };
    Ok(format!(
        "# eksctl create iamserviceaccount --config-file THIS --approve\n\
         # The cluster's name is not in the token: write it below, and the policies that the role is to have, one at least.\n\
         apiVersion: eksctl.io/v1alpha5\nkind: ClusterConfig\nmetadata:\n  name: CLUSTER\n  region: {}\niam:\n  \
         withOIDC: true\n  serviceAccounts:\n    - metadata:\n        name: {}\n        namespace: {}\n      \
         roleName: {}\n      roleOnly: true\n      attachPolicyARNs:\n        - arn:{}:iam::{}:policy/POLICY",
        yaml(region),
        yaml(name),
        yaml(namespace),
        yaml(asked.role.name()),
        asked.role.partition(),
        asked.role.account().unwrap_or_default(),
    ))
}

fn aws_cli(role: &RoleArn, policy: &Policy) -> String {
    let path = role.path();
    let path = if path == "/" { String::new() } else { format!(" --path {}", shell::quoted(path)) };
    format!(
        "policy={policy}\n\
         # A role that there is not yet:\n\
         # aws iam create-role --role-name {name}{path} --assume-role-policy-document \"$policy\"\n\
         # This replaces the role's whole trust policy. Where it has statements for others, add this one to them:\n\
         # aws iam get-role --role-name {name} --query Role.AssumeRolePolicyDocument\n\
         aws iam update-assume-role-policy --role-name {name} --policy-document \"$policy\"",
        policy = shell::quoted(&json(policy)),
        name = shell::quoted(role.name()),
    )
}

/// Of letters, digits and one sign; a letter first.
fn identifier(name: &str, sign: char) -> String {
    let text: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { sign }).collect();
    if text.starts_with(|c: char| c.is_ascii_alphabetic()) { text } else { format!("role{sign}{text}") }
}

/// Letters and digits alone, as CloudFormation has it.
fn logical_id(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let capital = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
    words.map(capital).chain(["Role".to_owned()]).collect()
}

fn hcl_list(texts: &[String]) -> String {
    format!("[{}]", texts.iter().map(|text| hcl(text)).collect::<Vec<_>>().join(", "))
}

/// Quoted whatever it is: a ServiceAccount may be called `true`, or `123`.
fn yaml(text: &str) -> String {
    // JSON is YAML.
    serde_json::Value::from(text).to_string()
}

/// A text in Terraform, where `${` and `%{` begin something.
fn hcl(text: &str) -> String {
    format!(
        "\"{}\"",
        text.replace('\\', "\\\\").replace('"', "\\\"").replace("${", "$${").replace("%{", "%%{")
    )
}

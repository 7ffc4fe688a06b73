use serde_json::Value;
use serde_json::json;

use super::*;
use crate::token::Claims;

const ROLE: &str = "arn:aws:iam::111122223333:role/teams/shop-app";
const ISSUER: &str = "https://oidc.eks.eu-west-1.amazonaws.com/id/AB12";

fn given(change: impl FnOnce(&mut Given)) -> Given {
    let mut given = Given { role_arn: Some(ROLE.to_owned()), ..Given::default() };
    change(&mut given);
    given
}

fn claims() -> Claims {
    let payload =
        json!({ "iss": ISSUER, "sub": "system:serviceaccount:shop:app", "aud": ["sts.amazonaws.com"] });
    let Value::Object(payload) = payload else { unreachable!() };
    Claims { payload, ..Claims::default() }
}

fn printed(given: &Given, format: Format) -> (String, Vec<String>) {
    let asked = given.resolve(Some(&claims())).unwrap();
    let (policy, warnings) = policy(&asked);
    (render(&asked, &policy, format).unwrap(), warnings)
}

fn as_json(given: &Given) -> (Value, Vec<String>) {
    let (text, warnings) = printed(given, Format::Json);
    (serde_json::from_str(&text).unwrap(), warnings)
}

#[test]
fn the_token_alone_gives_the_canonical_policy() {
    let (text, warnings) = printed(&given(|_| {}), Format::Json);
    assert_eq!(
        text,
        r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Principal": {
        "Federated": "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/AB12"
      },
      "Action": "sts:AssumeRoleWithWebIdentity",
      "Condition": {
        "StringEquals": {
          "oidc.eks.eu-west-1.amazonaws.com/id/AB12:aud": "sts.amazonaws.com",
          "oidc.eks.eu-west-1.amazonaws.com/id/AB12:sub": "system:serviceaccount:shop:app"
        }
      }
    }
  ]
}"#
    );
    assert_eq!(warnings, [""; 0]);
}

#[test]
fn each_cluster_has_a_statement_of_its_own() {
    let (policy, warnings) = as_json(&given(|given| {
        given.issuers = vec!["https://blue.example".to_owned(), "https://green.example/id/2".to_owned()];
        given.service_accounts = vec!["app".to_owned(), "worker".to_owned()];
    }));
    let statements = policy["Statement"].as_array().unwrap();
    assert_eq!(statements.len(), 2);
    assert_eq!(
        statements[1]["Principal"]["Federated"],
        "arn:aws:iam::111122223333:oidc-provider/green.example/id/2"
    );
    assert_eq!(
        statements[0]["Condition"]["StringEquals"]["blue.example:sub"],
        json!(["system:serviceaccount:shop:app", "system:serviceaccount:shop:worker"])
    );
    assert_eq!(warnings, [""; 0]);
}

#[test]
fn whatever_is_wider_is_told() {
    let (policy, warnings) = as_json(&given(|given| {
        given.namespace = Some("team-*".to_owned());
        given.service_accounts = vec!["*".to_owned()];
        given.audiences = vec!["minio".to_owned()];
        given.session_tags = true;
    }));
    let statement = &policy["Statement"][0];
    let key = |name: &str| format!("oidc.eks.eu-west-1.amazonaws.com/id/AB12:{name}");
    assert_eq!(statement["Condition"]["StringLike"][key("sub")], "system:serviceaccount:team-*:*");
    assert_eq!(statement["Condition"]["StringEquals"][key("aud")], "minio");
    assert_eq!(statement["Action"], json!(["sts:AssumeRoleWithWebIdentity", "sts:TagSession"]));
    for (warning, words) in
        warnings.iter().zip(["namespace \"team-*\"", "account \"*\"", "audience \"minio\""])
    {
        assert!(warning.contains(words), "{warning}");
    }
    assert_eq!(warnings.len(), 3);
}

#[test]
fn a_chain_trusts_the_role_before() {
    let given = given(|given| {
        given.from_role = Some("arn:aws:iam::444455556666:role/app".to_owned());
        given.external_id = Some("shop-1".to_owned());
        given.source_identity = true;
    });
    assert!(!given.needs_token());
    let asked = given.resolve(None).unwrap();
    let statement = serde_json::to_value(policy(&asked).0).unwrap()["Statement"][0].take();
    assert_eq!(statement["Principal"], json!({ "AWS": "arn:aws:iam::444455556666:role/app" }));
    assert_eq!(statement["Action"], json!(["sts:AssumeRole", "sts:SetSourceIdentity"]));
    assert_eq!(statement["Condition"], json!({ "StringEquals": { "sts:ExternalId": "shop-1" } }));
    let permission: Value = serde_json::from_str(&permission(&asked).unwrap()).unwrap();
    assert_eq!(permission["Statement"][0]["Resource"], ROLE);
    assert_eq!(permission["Statement"][0]["Action"], json!(["sts:AssumeRole", "sts:SetSourceIdentity"]));
}

#[test]
fn the_other_formats_say_the_same() {
    let given = given(|_| {});
    assert_eq!(
        printed(&given, Format::Terraform).0,
        r#"data "aws_iam_policy_document" "shop_app_trust" {
  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = ["arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/AB12"]
    }

    condition {
      test     = "StringEquals"
      variable = "oidc.eks.eu-west-1.amazonaws.com/id/AB12:aud"
      values   = ["sts.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "oidc.eks.eu-west-1.amazonaws.com/id/AB12:sub"
      values   = ["system:serviceaccount:shop:app"]
    }
  }
}

resource "aws_iam_role" "shop_app" {
  name               = "shop-app"
  path               = "/teams/"
  assume_role_policy = data.aws_iam_policy_document.shop_app_trust.json
}"#
    );
    let eksctl = printed(&given, Format::Eksctl).0;
    for words in
        ["region: eu-west-1\n", "        name: app\n        namespace: shop\n", "roleName: shop-app\n"]
    {
        assert!(eksctl.contains(words), "{eksctl}");
    }
    let shell = printed(&given, Format::AwsCli).0;
    assert!(shell.ends_with("--role-name 'shop-app' --policy-document \"$policy\""), "{shell}");
    assert!(shell.contains("--path '/teams/'"), "{shell}");
}

/// Its JSON must be a value of the YAML around it.
#[test]
fn cloudformation_is_yaml_with_the_same_policy() {
    let (text, _) = printed(&given(|_| {}), Format::CloudFormation);
    let found = crate::manifest::Manifest::parse(text.as_str()).unwrap().values();
    let role = &found[0]["Resources"]["ShopAppRole"];
    assert_eq!(role["Type"], "AWS::IAM::Role");
    assert_eq!(role["Properties"]["Path"], "/teams/");
    assert_eq!(role["Properties"]["AssumeRolePolicyDocument"], as_json(&given(|_| {})).0);
}

#[test]
fn a_format_that_cannot_say_it_says_so() {
    let two = given(|given| given.service_accounts = vec!["a".to_owned(), "b".to_owned()]);
    let asked = two.resolve(Some(&claims())).unwrap();
    assert!(render(&asked, &policy(&asked).0, Format::Eksctl).unwrap_err().contains("one ServiceAccount"));
}

#[test]
fn every_mistake_is_told_with_its_flag() {
    let wrong = Given {
        role_arn: Some("app".to_owned()),
        issuers: vec!["oidc.example".to_owned(), "https://a/.well-known/openid-configuration".to_owned()],
        namespace: Some("Shop".to_owned()),
        service_accounts: vec![String::new()],
        audiences: vec![" ".to_owned()],
        external_id: Some("x".to_owned()),
        ..Given::default()
    };
    let mistakes: Vec<String> = wrong.resolve(None).unwrap_err().iter().map(ToString::to_string).collect();
    let flags = [
        "--role-arn",
        "--external-id",
        "--issuer",
        "--issuer",
        "--namespace",
        "--service-account",
        "--audience",
    ];
    assert_eq!(mistakes.len(), flags.len(), "{mistakes:#?}");
    for (mistake, flag) in mistakes.iter().zip(flags) {
        assert!(mistake.starts_with(flag), "{mistake}");
    }
    let nothing = Given::default();
    assert!(nothing.needs_token());
    let missing =
        nothing.resolve(None).unwrap_err().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    for flag in ["--role-arn", "--issuer", "--namespace", "--service-account"] {
        assert!(missing.contains(flag), "{missing}");
    }
}

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
    let told = ["sts:TagSession lets", "namespace \"team-*\"", "account \"*\"", "audience \"minio\""];
    for (warning, words) in warnings.iter().zip(told) {
        assert!(warning.contains(words), "{warning}");
    }
    assert_eq!(warnings.len(), told.len());
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
    let shell = printed(&given, Format::AwsCli).0;
    assert!(shell.ends_with("--role-name 'shop-app' --policy-document \"$policy\""), "{shell}");
    assert!(shell.contains("--path '/teams/'"), "{shell}");
    assert!(shell.contains("replaces the role's whole trust policy"), "{shell}");
}

#[test]
fn eksctl_is_given_what_it_can_say_and_takes_nothing_for_another_type() {
    let given = given(|given| {
        given.role_arn = Some("arn:aws:iam::111122223333:role/123".to_owned());
        given.service_accounts = vec!["true".to_owned()];
    });
    let text = printed(&given, Format::Eksctl).0;
    let found = crate::manifest::Manifest::parse(text.as_str()).unwrap().values();
    assert_eq!(found[0]["metadata"]["region"], "eu-west-1");
    let account = &found[0]["iam"]["serviceAccounts"][0];
    assert_eq!(account["metadata"], json!({ "name": "true", "namespace": "shop" }));
    assert_eq!(account["roleName"], "123");
}

/// IAM takes every sign in a path that ASCII prints: none may mean anything to whoever reads the text.
#[test]
fn a_path_is_text_in_every_format() {
    let path = "/a'`id`;(id)\"\\:/#&|!%/";
    let given = given(|given| {
        given.from_role = Some(format!("arn:aws:iam::111122223333:role{path}from"));
        given.role_arn = Some(format!("arn:aws:iam::111122223333:role{path}app"));
    });
    let shell = printed(&given, Format::AwsCli).0;
    assert!(shell.contains(&format!("--path {}", crate::shell::quoted(path))), "{shell}");
    let document = printed(&given, Format::Json).0;
    assert!(shell.starts_with(&format!("policy={}\n", crate::shell::quoted(&document))), "{shell}");
    let stack = printed(&given, Format::CloudFormation).0;
    let found = crate::manifest::Manifest::parse(stack.as_str()).unwrap().values();
    assert_eq!(found[0]["Resources"]["AppRole"]["Properties"]["Path"], path);
    let terraform = printed(&given, Format::Terraform).0;
    let text = path.replace('\\', r"\\").replace('"', "\\\"");
    assert!(terraform.contains(&format!("path               = \"{text}\"\n")), "{terraform}");
}

#[test]
fn what_a_template_would_fill_in_is_refused() {
    for (issuer, audience) in [
        ("https://oidc.example/${id}", "sts.amazonaws.com"),
        ("https://oidc.example/$(id)", "sts.amazonaws.com"),
        ("https://oidc.example/'id'", "sts.amazonaws.com"),
        ("https://oidc.example/id", "${aws:username}"),
        ("https://oidc.example/id", "{{resolve:ssm:name}}"),
        ("https://oidc.example/id", "a\u{1b}b"),
        ("https://oidc.example/id", "a\u{202e}b"),
    ] {
        let Value::Object(payload) =
            json!({ "iss": issuer, "sub": "system:serviceaccount:shop:app", "aud": audience })
        else {
            unreachable!()
        };
        let claims = Claims { payload, ..Claims::default() };
        let mistakes = given(|_| {}).resolve(Some(&claims)).unwrap_err();
        assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    }
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
    let of = |change: &dyn Fn(&mut Given)| {
        let asked = given(change).resolve(Some(&claims())).unwrap();
        render(&asked, &policy(&asked).0, Format::Eksctl).unwrap_err()
    };
    let two = of(&|given| given.service_accounts = vec!["a".to_owned(), "b".to_owned()]);
    assert!(two.contains("one ServiceAccount"), "{two}");
    let audience = of(&|given| given.audiences = vec!["minio".to_owned()]);
    assert!(audience.contains("no other audience"), "{audience}");
    let path = of(&|_| {});
    assert!(path.contains("without a path"), "{path}");
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

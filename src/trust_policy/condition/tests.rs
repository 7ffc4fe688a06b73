use super::*;
use crate::trust_policy::operator::Operator;

/// What IAM's guide says, a row each: operator, values of the policy, values of the call (`None` where the key is not there),
/// and whether the line is fulfilled. From "IAM JSON policy elements: Condition operators", "Multivalued context keys", "Set
/// operators for multivalued context keys" and "Single-valued vs. multivalued context keys".
type Row = (&'static str, &'static [&'static str], Option<&'static [&'static str]>, bool);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    // Exact matching, case sensitive; several values are one or the other.
    ("StringEquals", &["BlackCat"], Some(&["BlackCat"]), true),
    ("StringEquals", &["BlackCat"], Some(&["blackcat"]), false),
    ("StringEquals", &["BlackCat", "WhiteCat"], Some(&["WhiteCat"]), true),
    ("StringEquals", &["Black*"], Some(&["BlackCat"]), false),
    ("StringEquals", &["Black*"], Some(&["Black*"]), true),
    ("StringEquals", &["BlackCat"], None, false),
    ("StringEquals", &[], Some(&["BlackCat"]), false),
    // Negated matching: several values are neither the one nor the other, and an absent key is none of them.
    ("StringNotEquals", &["BlackCat"], Some(&["BlackCat"]), false),
    ("StringNotEquals", &["BlackCat"], Some(&["blackcat"]), true),
    ("StringNotEquals", &["BlackCat", "WhiteCat"], Some(&["WhiteCat"]), false),
    ("StringNotEquals", &["BlackCat", "WhiteCat"], Some(&["GreyCat"]), true),
    ("StringNotEquals", &["BlackCat"], None, true),
    // Ignoring case.
    ("StringEqualsIgnoreCase", &["BLACKCAT"], Some(&["blackcat"]), true),
    ("StringEqualsIgnoreCase", &["BLACKCAT"], Some(&["whitecat"]), false),
    ("StringEqualsIgnoreCase", &["BLACKCAT"], None, false),
    ("StringNotEqualsIgnoreCase", &["BLACKCAT"], Some(&["blackcat"]), false),
    ("StringNotEqualsIgnoreCase", &["BLACKCAT"], Some(&["whitecat"]), true),
    ("StringNotEqualsIgnoreCase", &["BLACKCAT"], None, true),
    // * is a run of characters, also of none; ? is exactly one. Case counts.
    ("StringLike", &["Black*"], Some(&["BlackCat"]), true),
    ("StringLike", &["BlackCat*"], Some(&["BlackCat"]), true),
    ("StringLike", &["*Cat"], Some(&["BlackCat"]), true),
    ("StringLike", &["B*C*t"], Some(&["BlackCat"]), true),
    ("StringLike", &["BlackC?t"], Some(&["BlackCat"]), true),
    ("StringLike", &["BlackCat?"], Some(&["BlackCat"]), false),
    ("StringLike", &["black*"], Some(&["BlackCat"]), false),
    ("StringLike", &["BlackCat"], Some(&["BlackCat"]), true),
    ("StringLike", &["*"], Some(&[""]), true),
    ("StringLike", &["*"], None, false),
    ("StringLike", &["system:serviceaccount:*:app"], Some(&["system:serviceaccount:a:b:app"]), true),
    ("StringNotLike", &["Black*"], Some(&["BlackCat"]), false),
    ("StringNotLike", &["Black*"], Some(&["WhiteCat"]), true),
    ("StringNotLike", &["Black*"], None, true),
    // ARNs: each of the six parts by itself; Equals and Like are the same.
    ("ArnLike", &["arn:aws:iam::*:role/app"], Some(&["arn:aws:iam::111122223333:role/app"]), true),
    ("ArnEquals", &["arn:aws:iam::*:role/app"], Some(&["arn:aws:iam::111122223333:role/app"]), true),
    ("ArnLike", &["arn:*:role/app"], Some(&["arn:aws:iam::111122223333:role/app"]), false),
    ("ArnLike", &["arn:aws:iam::111122223333:role/*"], Some(&["arn:aws:iam::111122223333:role/a/b"]), true),
    ("ArnLike", &["arn:aws:iam::*:role/app"], None, false),
    ("ArnNotLike", &["arn:aws:iam::*:role/app"], Some(&["arn:aws:iam::111122223333:role/app"]), false),
    ("ArnNotEquals", &["arn:aws:iam::*:role/app"], None, true),
    // Booleans.
    ("Bool", &["true"], Some(&["true"]), true),
    ("Bool", &["true"], Some(&["false"]), false),
    ("Bool", &["false"], Some(&["false"]), true),
    ("Bool", &["true"], None, false),
    ("Bool", &["false"], None, false),
    ("BoolIfExists", &["true"], None, true),
    ("BoolIfExists", &["true"], Some(&["false"]), false),
    // IfExists: where the key is there, as without; where it is not, fulfilled.
    ("StringEqualsIfExists", &["BlackCat"], Some(&["BlackCat"]), true),
    ("StringEqualsIfExists", &["BlackCat"], Some(&["WhiteCat"]), false),
    ("StringEqualsIfExists", &["BlackCat"], None, true),
    ("StringLikeIfExists", &["Black*"], None, true),
    ("StringNotEqualsIfExists", &["BlackCat"], Some(&["BlackCat"]), false),
    ("StringNotEqualsIfExists", &["BlackCat"], None, true),
    ("ArnLikeIfExists", &["arn:aws:iam::*:role/app"], None, true),
    // Null true: the key is not there. Null false: it is.
    ("Null", &["true"], None, true),
    ("Null", &["true"], Some(&["x"]), false),
    ("Null", &["false"], None, false),
    ("Null", &["false"], Some(&["x"]), true),
    // ForAnyValue: one of the call's values at least; of none, none.
    ("ForAnyValue:StringEquals", &["PostDate", "Message"], Some(&["Message", "UserName"]), true),
    ("ForAnyValue:StringEquals", &["PostDate", "Message"], Some(&["UserName"]), false),
    ("ForAnyValue:StringEquals", &["PostDate"], Some(&[]), false),
    ("ForAnyValue:StringEquals", &["PostDate"], None, false),
    ("ForAnyValue:StringLike", &["Post*"], Some(&["Message", "PostDate"]), true),
    ("ForAnyValue:StringNotEquals", &["PostDate"], Some(&["PostDate", "Message"]), true),
    ("ForAnyValue:StringNotEquals", &["PostDate"], Some(&["PostDate"]), false),
    ("ForAnyValue:StringNotEquals", &["PostDate"], None, false),
    ("ForAnyValue:StringEqualsIfExists", &["PostDate"], None, true),
    // ForAllValues: every one of the call's values; of none, all of them.
    ("ForAllValues:StringEquals", &["PostDate", "Message"], Some(&["Message", "PostDate"]), true),
    ("ForAllValues:StringEquals", &["PostDate", "Message"], Some(&["Message", "UserName"]), false),
    ("ForAllValues:StringEquals", &["PostDate"], Some(&[]), true),
    ("ForAllValues:StringEquals", &["PostDate"], None, true),
    ("ForAllValues:StringLike", &["Post*"], Some(&["PostDate", "Posting"]), true),
    ("ForAllValues:StringNotEquals", &["PostDate"], Some(&["Message", "UserName"]), true),
    ("ForAllValues:StringNotEquals", &["PostDate"], Some(&["PostDate", "Message"]), false),
    ("ForAllValues:StringNotEquals", &["PostDate"], None, true),
];

fn condition(operator: &str, key: &str, values: &[&str], fills_variables: bool) -> Condition {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    Condition { operator: Operator::of(operator), key: key.to_owned(), values, fills_variables }
}

#[test]
fn each_operator_does_what_iams_guide_says() {
    for (operator, wanted, got, is_fulfilled) in ROWS {
        let had = got.map_or(Had::Absent, |values| Had::Values(values.to_vec()));
        let answer = condition(operator, "k", wanted, true).answer(&had);
        assert_eq!(answer, Answer::of(*is_fulfilled), "{operator} {wanted:?} {got:?}");
    }
}

#[test]
fn what_only_aws_knows_is_unknown_unless_another_value_decides() {
    const TAG: &str = "${aws:PrincipalTag/team}";
    for (operator, wanted, got, fills_variables, answer) in [
        ("StringEquals", &[TAG][..], "a", true, Answer::Unknown),
        ("StringEquals", &[TAG, "a"], "a", true, Answer::Yes),
        ("StringNotEquals", &[TAG, "a"], "a", true, Answer::No),
        ("StringNotEquals", &[TAG, "b"], "a", true, Answer::Unknown),
        // In a policy of the older Version it is text.
        ("StringEquals", &[TAG], "a", false, Answer::No),
        ("StringEquals", &[TAG], TAG, false, Answer::Yes),
        ("StringNotEquals", &[TAG], "a", false, Answer::Yes),
        // IAM has no variable without a colon.
        ("StringLike", &["${NAMESPACE}*"], "a", true, Answer::No),
        ("StringEqual", &["a"], "a", true, Answer::Unknown),
        ("IpAddress", &["203.0.113.0/24"], "a", true, Answer::Unknown),
    ] {
        let condition = condition(operator, "k", wanted, fills_variables);
        assert_eq!(condition.answer(&Had::Values(vec![got])), answer, "{operator} {wanted:?} {got}");
    }
    assert_eq!(condition("StringEquals", "k", &["a"], true).answer(&Had::Unknown), Answer::Unknown);
}

#[test]
fn keys_are_found_whatever_their_case() {
    let caller = Caller {
        provider: "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/AB12"
            .to_owned(),
        issuer: "oidc.eks.eu-west-1.amazonaws.com/id/AB12".to_owned(),
        subject: "system:serviceaccount:shop:app".to_owned(),
        audience: "sts.amazonaws.com".to_owned(),
        session_name: "shop".to_owned(),
    };
    for (key, value, answer) in [
        ("oidc.eks.eu-west-1.amazonaws.com/id/AB12:sub", "system:serviceaccount:shop:app", Answer::Yes),
        ("OIDC.eks.eu-west-1.amazonaws.com/id/ab12:SUB", "system:serviceaccount:shop:app", Answer::Yes),
        ("oidc.eks.eu-west-1.amazonaws.com/id/AB12:Aud", "sts.amazonaws.com", Answer::Yes),
        ("STS:rolesessionname", "shop", Answer::Yes),
        ("aws:federatedProvider", "shop", Answer::No),
        ("oidc.eks.eu-west-1.amazonaws.com/id/AB12:amr", "x", Answer::No),
        ("oidc.eks.eu-west-1.amazonaws.com/id/CD34:sub", "system:serviceaccount:shop:app", Answer::No),
        ("${OIDC}:sub", "system:serviceaccount:shop:app", Answer::No),
        ("$OIDC:sub", "system:serviceaccount:shop:app", Answer::No),
        ("AWS:SourceVpce", "vpce-1", Answer::Unknown),
    ] {
        let line = judge(&condition("StringEquals", key, &[value], true), &caller);
        assert_eq!(line.answer, answer, "{key}");
    }
}

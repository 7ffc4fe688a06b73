//! The likeliest slip behind a line that is not fulfilled. Where a line has several values, the one that is shown and the one
//! that is spoken of are the same.

use std::cmp::Reverse;

use crate::contract::SERVICE_ACCOUNT_SUBJECT;
use crate::trust_policy::condition::Had;
use crate::trust_policy::condition::has_variable;
use crate::trust_policy::difference::Difference;
use crate::trust_policy::difference::Reading;
use crate::trust_policy::difference::matches;
use crate::trust_policy::document::Condition;
use crate::trust_policy::is_wild;
use crate::trust_policy::issuer::is_placeholder;
use crate::trust_policy::issuer::same_kind_of_cluster;
use crate::trust_policy::operator::Test;
use crate::trust_policy::verdict::Caller;
use crate::trust_policy::verdict::Remark;

/// What is said, and where the texts part.
pub(super) struct Slip {
    pub(super) remark: Remark,
    pub(super) difference: Option<Difference>,
}

/// A slip in one of the values; what is smaller is likelier to be the one.
type Ranked = (u8, Remark);

impl Slip {
    pub(super) fn behind(condition: &Condition, had: &Had<'_>, caller: &Caller) -> Self {
        let bare = |remark| Self { remark, difference: None };
        let Had::Values(values) = had else { return bare(absent(&condition.key, caller)) };
        if condition.operator.test == Test::Null {
            let text = "Null true wants the call to have no such key, and it has one";
            return bare(Remark::new("ConditionExcludes", text));
        }
        if condition.operator.is_negated {
            return bare(Remark::new("ConditionExcludes", "this is what the statement excludes"));
        }
        let got = values.first().copied().unwrap_or_default();
        let reading = match condition.operator.test {
            Test::EqualsIgnoreCase | Test::Bool => Reading::IgnoringCase,
            Test::Like | Test::Arn => Reading::Pattern,
            _ => Reading::Exact,
        };
        let slips = condition
            .values
            .iter()
            .map(|wanted| (in_value(condition, wanted, got), Difference::between(wanted, got, reading)));
        match slips.min_by_key(|((rank, _), difference)| (*rank, Reverse(difference.alike()))) {
            Some(((_, remark), difference)) => Self { remark, difference: Some(difference) },
            None => bare(Remark::new("ValueDiffers", "no value is wanted, which nothing is")),
        }
    }
}

fn in_value(condition: &Condition, wanted: &str, got: &str) -> Ranked {
    let operator = &condition.operator;
    let small = |text: &str| text.trim().to_ascii_lowercase();
    if !operator.is_like() && is_wild(wanted) && matches(wanted, got) {
        let text = format!("{} takes * for a star; StringLike takes it for any text", operator.written);
        return (0, Remark::new("WildcardInStringEquals", text));
    }
    if small(wanted) == small(got) || (operator.is_like() && matches(&small(wanted), &small(got))) {
        return (1, Remark::new("CaseDiffers", "only upper and lower case differ, or a space"));
    }
    if has_variable(wanted) {
        let text = "Version 2012-10-17 alone fills variables in; in a policy of Version 2008-10-17, or of none, this is text";
        return (2, Remark::new("VariableInOldVersion", text));
    }
    if is_placeholder(wanted) {
        return (3, not_filled_in(wanted));
    }
    match condition.key.to_ascii_lowercase().rsplit(':').next() {
        Some("aud") => {
            let text = format!("the token is meant for {got}; the policy wants another audience");
            (4, Remark::new("AudienceDiffers", text))
        }
        Some("rolesessionname") => {
            let text = format!(
                "the session's name is {got}; AWS_ROLE_SESSION_NAME, or session_name in the roles file, sets it"
            );
            (4, Remark::new("SessionNameDiffers", text))
        }
        _ => in_subject(condition, wanted, got),
    }
}

fn in_subject(condition: &Condition, wanted: &str, got: &str) -> Ranked {
    let parts = |subject: &str| -> Option<(String, String)> {
        let (namespace, name) = subject.strip_prefix(SERVICE_ACCOUNT_SUBJECT)?.split_once(':')?;
        Some((namespace.to_owned(), name.to_owned()))
    };
    let Some((namespace, name)) = parts(got) else {
        return (4, Remark::new("ValueDiffers", "none of the values that are wanted is here"));
    };
    let Some((wanted_namespace, wanted_name)) = parts(wanted) else {
        if condition.operator.is_like() && is_wild(wanted) {
            return (6, Remark::new("ValueDiffers", "the pattern does not match"));
        }
        let form = "a ServiceAccount's subject is system:serviceaccount:NAMESPACE:NAME; the policy wants another form";
        return (6, Remark::new("SubjectForm", form));
    };
    if matches(&wanted_name, &name) {
        let text = format!("the pod's namespace is {namespace}; the policy wants another");
        return (4, Remark::new("NamespaceDiffers", text));
    }
    if matches(&wanted_namespace, &namespace) {
        let is_of_a_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.*?".contains(c);
        let never = wanted_name
            .chars()
            .find(|c| !is_of_a_name(*c))
            .map(|c| format!(", which no ServiceAccount has: no name holds {c:?}"))
            .unwrap_or_default();
        let text = format!("the pod's ServiceAccount is {name}; the policy wants another{never}");
        return (4, Remark::new("ServiceAccountDiffers", text));
    }
    let text = format!(
        "the pod's ServiceAccount is {name} in {namespace}; the policy wants another, of another namespace"
    );
    (5, Remark::new("ServiceAccountDiffers", text))
}

/// Nothing is there under this key.
fn absent(key: &str, caller: &Caller) -> Remark {
    let issuer = key.rsplit_once(':').map_or("", |(issuer, _)| issuer);
    if is_placeholder(key) {
        return not_filled_in(key);
    }
    if let Some(bare) = issuer.strip_prefix("https://").or_else(|| issuer.strip_prefix("http://")) {
        let text = format!("a condition key has no scheme: write {bare}:…");
        return Remark::new("SchemeInConditionKey", text);
    }
    if issuer.eq_ignore_ascii_case(&caller.issuer) {
        return Remark::new("UnknownConditionKey", "of a ServiceAccount's token IAM knows sub and aud alone");
    }
    if issuer.trim_end_matches('/').eq_ignore_ascii_case(caller.issuer.trim_end_matches('/')) {
        return Remark::new("TrailingSlash", "only the slash at the end differs");
    }
    if same_kind_of_cluster(issuer, &caller.issuer) {
        let text = format!("it is another cluster's; this token's issuer is {}", caller.issuer);
        return Remark::new("ConditionOfAnotherCluster", text);
    }
    Remark::new(
        "ConditionKeyAbsent",
        format!("the call has no such key; this token's are {}:sub and :aud", caller.issuer),
    )
}

pub(super) fn not_filled_in(text: &str) -> Remark {
    let text = format!("{text} is a template's: nobody has filled in its placeholder");
    Remark::new("PlaceholderNotFilled", text)
}

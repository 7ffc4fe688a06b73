//! One line of a `Condition` block, held against what a call brings along.
//!
//! The rules are those of IAM's "Condition operators" and "Multivalued context keys": what is not there fulfils a
//! negation, `…IfExists` and `ForAllValues`, and nothing else.

use crate::trust_policy::difference::Difference;
use crate::trust_policy::difference::matches;
use crate::trust_policy::document::Condition;
use crate::trust_policy::issuer::same_kind_of_cluster;
use crate::trust_policy::verdict::Answer;
use crate::trust_policy::verdict::Caller;
use crate::trust_policy::verdict::Line;
use crate::trust_policy::verdict::Remark;

const OPERATORS: [&str; 11] = [
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
    "ArnEquals",
    "ArnNotEquals",
    "ArnLike",
    "ArnNotLike",
    "Null",
];

/// An operator, taken apart.
struct Operator<'a> {
    name: &'a str,
    quantifier: &'a str,
    if_exists: bool,
}

/// What a call has under a key.
enum Had<'a> {
    Values(Vec<&'a str>),
    Absent,
    /// Only AWS knows, in the moment of the call.
    Unknown,
}

pub(super) fn judge(condition: &Condition, caller: &Caller) -> Line {
    let operator = Operator::of(&condition.operator);
    let had = caller.value(&condition.key);
    let answer = operator.answer(condition, &had);
    let got = match &had {
        Had::Values(values) => Some(values.join(", ")),
        Had::Absent | Had::Unknown => None,
    };
    let difference = match (&answer, &had) {
        (Answer::No, Had::Values(values)) if !operator.is_negated() => {
            values.first().and_then(|value| Difference::nearest(&condition.values, value))
        }
        _ => None,
    };
    let remark = match answer {
        Answer::Yes => None,
        Answer::No => Some(why_not(condition, &operator, &had, caller)),
        Answer::Unknown => Some(Remark::new(
            "ConditionNotEvaluated",
            "only AWS can tell what this is at the time of the call",
        )),
    };
    let what = format!("{} {}", condition.operator, condition.key);
    Line { what, wanted: condition.values.clone(), got, answer, remark, difference }
}

/// Whether a line is fulfilled when the key is not there at all.
pub(super) fn passes_when_absent(condition: &Condition) -> bool {
    let operator = Operator::of(&condition.operator);
    operator.if_exists || operator.quantifier == "ForAllValues"
}

/// Whether it lets in only what it names.
pub(super) fn restricts(condition: &Condition) -> bool {
    let operator = Operator::of(&condition.operator);
    OPERATORS.contains(&operator.name) && operator.name != "Null" && !operator.is_negated()
}

/// Whether it compares with patterns.
pub(super) fn is_like(condition: &Condition) -> bool {
    matches!(Operator::of(&condition.operator).name, "StringLike" | "ArnLike" | "ArnEquals")
}

impl<'a> Operator<'a> {
    fn of(written: &'a str) -> Self {
        let (quantifier, rest) = written.split_once(':').unwrap_or(("", written));
        let (name, if_exists) = rest.strip_suffix("IfExists").map_or((rest, false), |name| (name, true));
        Self { name, quantifier, if_exists }
    }

    fn is_negated(&self) -> bool {
        self.name.contains("Not")
    }

    fn answer(&self, condition: &Condition, had: &Had<'_>) -> Answer {
        let is_known =
            OPERATORS.contains(&self.name) && ["", "ForAnyValue", "ForAllValues"].contains(&self.quantifier);
        // A policy variable stands for what AWS puts there.
        let has_variable = condition.values.iter().any(|value| value.contains("${"));
        let values = match had {
            _ if !is_known || has_variable => return Answer::Unknown,
            Had::Unknown => return Answer::Unknown,
            Had::Absent => &[][..],
            Had::Values(values) => values,
        };
        if self.name == "Null" {
            let wants_absent = condition.values.iter().any(|value| value.eq_ignore_ascii_case("true"));
            return Answer::of(wants_absent == values.is_empty());
        }
        if values.is_empty() {
            let passes = passes_when_absent(condition) || (self.is_negated() && self.quantifier.is_empty());
            return Answer::of(passes);
        }
        let fits = |value: &&str| {
            condition.values.iter().any(|wanted| self.fits(wanted, value)) != self.is_negated()
        };
        Answer::of(match self.quantifier {
            "ForAllValues" => values.iter().all(fits),
            _ => values.iter().any(fits),
        })
    }

    fn fits(&self, wanted: &str, value: &str) -> bool {
        match self.name {
            "StringEquals" | "StringNotEquals" => wanted == value,
            "StringEqualsIgnoreCase" | "StringNotEqualsIgnoreCase" => wanted.eq_ignore_ascii_case(value),
            "StringLike" | "StringNotLike" => matches(wanted, value),
            _ => arn_matches(wanted, value),
        }
    }
}

/// To IAM, ArnEquals and ArnLike are one: both are ARNs, and each of the six parts is matched by itself.
fn arn_matches(wanted: &str, value: &str) -> bool {
    let (wanted, value): (Vec<&str>, Vec<&str>) =
        (wanted.splitn(6, ':').collect(), value.splitn(6, ':').collect());
    let are_arns = wanted.len() == 6 && value.len() == 6 && value[0] == "arn";
    are_arns && wanted.iter().zip(&value).all(|(wanted, value)| matches(wanted, value))
}

impl Caller {
    fn value<'a>(&'a self, key: &str) -> Had<'a> {
        let key = key.to_ascii_lowercase();
        let of_provider = key.strip_prefix(&format!("{}:", self.issuer.to_ascii_lowercase()));
        match (of_provider, key.as_str()) {
            (Some("sub"), _) => Had::Values(vec![&self.subject]),
            (Some("aud"), _) => Had::Values(vec![&self.audience]),
            (Some(_), _) => Had::Absent,
            (None, "sts:rolesessionname") => Had::Values(vec![&self.session_name]),
            (None, "aws:federatedprovider") => Had::Values(vec![&self.provider]),
            (None, key) if is_of_aws(key) => Had::Unknown,
            // Another provider's, or what a call of another kind would bring along.
            (None, _) => Had::Absent,
        }
    }
}

/// `aws:SourceIp`, `iam:ResourceTag/…`: no issuer's, whose name has a dot, and not of the call itself.
fn is_of_aws(key: &str) -> bool {
    let prefix = key.split(':').next().unwrap_or_default();
    !key.contains("://") && !prefix.contains(['.', '/']) && !["sts", "saml"].contains(&prefix)
}

/// The likeliest slip behind a line that is not fulfilled.
fn why_not(condition: &Condition, operator: &Operator<'_>, had: &Had<'_>, caller: &Caller) -> Remark {
    let Had::Values(values) = had else { return absent(&condition.key, caller) };
    let got = values.first().copied().unwrap_or_default();
    if operator.is_negated() {
        return Remark::new("ConditionExcludes", "this is what the statement excludes");
    }
    let wanted = |test: &dyn Fn(&str) -> bool| condition.values.iter().any(|wanted| test(wanted));
    if !is_like(condition) && wanted(&|wanted| wanted.contains('*') && matches(wanted, got)) {
        let text = format!("{} takes * for a star; StringLike takes it for any text", operator.name);
        return Remark::new("WildcardInStringEquals", text);
    }
    if wanted(&|wanted| wanted.trim().eq_ignore_ascii_case(got)) {
        return Remark::new("CaseDiffers", "only upper and lower case differ, or a space");
    }
    if condition.key.to_ascii_lowercase().ends_with(":aud") {
        let text = format!("the token is meant for {got}; the policy wants another audience");
        return Remark::new("AudienceDiffers", text);
    }
    subject_differs(&condition.values, got)
}

fn subject_differs(wanted: &[String], got: &str) -> Remark {
    let parts = |subject: &str| -> Option<(String, String)> {
        let (namespace, name) =
            subject.strip_prefix(crate::contract::SERVICE_ACCOUNT_SUBJECT)?.split_once(':')?;
        Some((namespace.to_owned(), name.to_owned()))
    };
    let Some((namespace, name)) = parts(got) else {
        return Remark::new("ValueDiffers", "none of the values that are wanted is here");
    };
    let wanted: Vec<_> = wanted.iter().filter_map(|subject| parts(subject)).collect();
    if wanted.is_empty() {
        let form = "a ServiceAccount's subject is system:serviceaccount:NAMESPACE:NAME; the policy wants another form";
        return Remark::new("SubjectForm", form);
    }
    if wanted.iter().any(|(_, wanted)| matches(wanted, &name)) {
        return Remark::new(
            "NamespaceDiffers",
            format!("the pod's namespace is {namespace}; the policy wants another"),
        );
    }
    if wanted.iter().any(|(wanted, _)| matches(wanted, &namespace)) {
        let is_of_a_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.*?".contains(c);
        let strange = wanted.iter().find_map(|(_, wanted)| wanted.chars().find(|c| !is_of_a_name(*c)));
        let never = strange
            .map(|c| format!(", which no ServiceAccount has: no name holds {c:?}"))
            .unwrap_or_default();
        let text = format!("the pod's ServiceAccount is {name}; the policy wants another{never}");
        return Remark::new("ServiceAccountDiffers", text);
    }
    let text = format!(
        "the pod's ServiceAccount is {name} in {namespace}; the policy wants another, of another namespace"
    );
    Remark::new("ServiceAccountDiffers", text)
}

/// Nothing is there under this key.
fn absent(key: &str, caller: &Caller) -> Remark {
    let issuer = key.rsplit_once(':').map_or("", |(issuer, _)| issuer);
    if let Some(bare) = issuer.strip_prefix("https://").or_else(|| issuer.strip_prefix("http://")) {
        let text = format!("a condition key has no scheme: write {bare}:…");
        return Remark::new("SchemeInConditionKey", text);
    }
    if issuer.trim_end_matches('/') == caller.issuer && issuer != caller.issuer {
        return Remark::new("TrailingSlash", "only the slash at the end differs");
    }
    if issuer == caller.issuer {
        return Remark::new("UnknownConditionKey", "of a ServiceAccount's token IAM knows sub and aud alone");
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

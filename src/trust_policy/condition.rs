//! One line of a `Condition` block, held against what a call brings along.
//!
//! The rules are those of IAM's "Condition operators" and "Multivalued context keys": what is not there fulfils a
//! negation, `…IfExists` and `ForAllValues`, and nothing else.

use crate::trust_policy::difference::matches;
use crate::trust_policy::document::Condition;
use crate::trust_policy::operator::Quantifier;
use crate::trust_policy::operator::Test;
use crate::trust_policy::slip::Slip;
use crate::trust_policy::verdict::Answer;
use crate::trust_policy::verdict::Caller;
use crate::trust_policy::verdict::Line;
use crate::trust_policy::verdict::Remark;

/// What a call has under a key.
pub(super) enum Had<'a> {
    Values(Vec<&'a str>),
    Absent,
    /// Only AWS knows, in the moment of the call.
    Unknown,
}

pub(super) fn judge(condition: &Condition, caller: &Caller) -> Line {
    let had = caller.value(&condition.key);
    let answer = condition.answer(&had);
    let got = match &had {
        Had::Values(values) => Some(values.join(", ")),
        Had::Absent | Had::Unknown => None,
    };
    let (remark, difference) = match answer {
        Answer::Yes => (None, None),
        Answer::No => {
            let Slip { remark, difference } = Slip::behind(condition, &had, caller);
            (Some(remark), difference)
        }
        Answer::Unknown => (Some(condition.why_unknown()), None),
    };
    let what = format!("{} {}", condition.operator.written, condition.key);
    Line { what, wanted: condition.values.clone(), got, answer, remark, difference }
}

/// Whether no call of this provider's tokens can fulfil it, whoever's they are.
pub(super) fn never_holds(condition: &Condition, caller: &Caller) -> bool {
    let had = caller.value(&condition.key);
    matches!(had, Had::Absent) && condition.answer(&had) == Answer::No
}

impl Condition {
    pub(super) fn answer(&self, had: &Had<'_>) -> Answer {
        let operator = &self.operator;
        let values = match had {
            _ if matches!(operator.test, Test::NotOfTexts | Test::Unknown) => return Answer::Unknown,
            Had::Unknown => return Answer::Unknown,
            Had::Absent => &[][..],
            Had::Values(values) => values,
        };
        if operator.test == Test::Null {
            let wants = |wanted: &String| wanted.eq_ignore_ascii_case("true") == values.is_empty();
            return Answer::of(self.values.iter().any(wants));
        }
        if values.is_empty() {
            let passes = operator.is_negated && operator.quantifier == Quantifier::One;
            return Answer::of(passes || operator.passes_when_absent());
        }
        let answers = values.iter().map(|value| self.answer_to(value));
        match operator.quantifier {
            Quantifier::AllValues => answers.fold(Answer::Yes, Answer::and),
            Quantifier::One | Quantifier::AnyValue => answers.fold(Answer::No, Answer::or),
        }
    }

    fn answer_to(&self, value: &str) -> Answer {
        let fits = |wanted: &&String| !self.is_variable(wanted) && self.operator.test.fits(wanted, value);
        if self.values.iter().any(|wanted| fits(&wanted)) {
            return Answer::of(!self.operator.is_negated);
        }
        if self.values.iter().any(|wanted| self.is_variable(wanted)) {
            return Answer::Unknown;
        }
        Answer::of(self.operator.is_negated)
    }

    /// A policy variable, for which AWS puts what it knows: `${aws:PrincipalTag/team}`. In a policy of the older Version it is
    /// text.
    pub(super) fn is_variable(&self, wanted: &str) -> bool {
        self.fills_variables && has_variable(wanted)
    }

    fn why_unknown(&self) -> Remark {
        if self.operator.test == Test::Unknown {
            let text =
                format!("IAM's guide has no operator {}; it is not evaluated here", self.operator.written);
            return Remark::new("OperatorUnknown", text);
        }
        let text = "only AWS can tell what this is at the time of the call";
        Remark::new("ConditionNotEvaluated", text)
    }
}

/// Every variable of IAM's has a colon in its name; what has none was a template's.
pub(super) fn has_variable(text: &str) -> bool {
    let mut names = text.split("${").skip(1).filter_map(|rest| rest.split_once('}'));
    names.any(|(name, _)| name.contains(':'))
}

impl Test {
    fn fits(self, wanted: &str, value: &str) -> bool {
        match self {
            Self::Equals => wanted == value,
            Self::EqualsIgnoreCase | Self::Bool => wanted.eq_ignore_ascii_case(value),
            Self::Like => matches(wanted, value),
            Self::Arn => arn_matches(wanted, value),
            Self::Null | Self::NotOfTexts | Self::Unknown => false,
        }
    }
}

/// Both are ARNs, and each of the six parts is matched by itself.
fn arn_matches(wanted: &str, value: &str) -> bool {
    let (wanted, value): (Vec<&str>, Vec<&str>) =
        (wanted.splitn(6, ':').collect(), value.splitn(6, ':').collect());
    let are_arns = wanted.len() == 6 && value.len() == 6 && value[0] == "arn";
    are_arns && wanted.iter().zip(&value).all(|(wanted, value)| matches(wanted, value))
}

impl Caller {
    /// Keys are compared without regard to case, the issuer in them too ("IAM JSON policy elements: Condition").
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

/// `aws:SourceIp`, `iam:ResourceTag/…`: no issuer's, whose name has a dot, not of the call itself, and no placeholder.
fn is_of_aws(key: &str) -> bool {
    let prefix = key.split(':').next().unwrap_or_default();
    let is_name = !prefix.is_empty() && prefix.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    is_name && !key.contains("://") && !["sts", "saml"].contains(&prefix)
}

#[cfg(test)]
mod tests;

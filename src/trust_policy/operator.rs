//! A condition operator, taken apart once, when the policy is read: `ForAnyValue:StringLikeIfExists`.

/// One of IAM's ("IAM JSON policy elements: Condition operators"), or what stands in the place of one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Operator {
    /// As the policy has it.
    pub written: String,
    pub test: Test,
    pub is_negated: bool,
    pub quantifier: Quantifier,
    /// Fulfilled where the key is not there.
    pub if_exists: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Test {
    Equals,
    EqualsIgnoreCase,
    Like,
    /// To IAM, ArnEquals and ArnLike are one.
    Arn,
    Bool,
    Null,
    /// Of numbers, dates, addresses and bytes, none of which a token brings along.
    NotOfTexts,
    /// None of IAM's.
    Unknown,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Quantifier {
    /// None: the key has one value.
    One,
    AnyValue,
    AllValues,
}

const NOT_OF_TEXTS: &str = "BinaryEquals IpAddress NotIpAddress \
    NumericEquals NumericNotEquals NumericLessThan NumericLessThanEquals NumericGreaterThan NumericGreaterThanEquals \
    DateEquals DateNotEquals DateLessThan DateLessThanEquals DateGreaterThan DateGreaterThanEquals";

impl Operator {
    pub fn of(written: &str) -> Self {
        let (quantifier, rest) = match written.split_once(':') {
            Some(("ForAnyValue", rest)) => (Quantifier::AnyValue, rest),
            Some(("ForAllValues", rest)) => (Quantifier::AllValues, rest),
            // With a colon in it, it is none of the names below.
            _ => (Quantifier::One, written),
        };
        let (name, if_exists) = rest.strip_suffix("IfExists").map_or((rest, false), |name| (name, true));
        let (test, is_negated) = match name {
            "StringEquals" => (Test::Equals, false),
            "StringNotEquals" => (Test::Equals, true),
            "StringEqualsIgnoreCase" => (Test::EqualsIgnoreCase, false),
            "StringNotEqualsIgnoreCase" => (Test::EqualsIgnoreCase, true),
            "StringLike" => (Test::Like, false),
            "StringNotLike" => (Test::Like, true),
            "ArnEquals" | "ArnLike" => (Test::Arn, false),
            "ArnNotEquals" | "ArnNotLike" => (Test::Arn, true),
            "Bool" => (Test::Bool, false),
            // The one that takes no IfExists.
            "Null" if !if_exists => (Test::Null, false),
            name if NOT_OF_TEXTS.split(' ').any(|known| known == name) => (Test::NotOfTexts, false),
            _ => (Test::Unknown, false),
        };
        Self { written: written.to_owned(), test, is_negated, quantifier, if_exists }
    }

    /// Whether it compares with patterns.
    pub(super) fn is_like(&self) -> bool {
        matches!(self.test, Test::Like | Test::Arn)
    }

    /// Whether a line is fulfilled when the key is not there at all, though it says nothing of a negation.
    pub(super) fn passes_when_absent(&self) -> bool {
        self.if_exists || self.quantifier == Quantifier::AllValues
    }

    /// Whether it lets in only what it names.
    pub(super) fn restricts(&self) -> bool {
        let is_of_texts =
            matches!(self.test, Test::Equals | Test::EqualsIgnoreCase | Test::Like | Test::Arn | Test::Bool);
        is_of_texts && !self.is_negated
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_taken_apart() {
        let operator = Operator::of("ForAllValues:StringNotLikeIfExists");
        assert_eq!(operator.test, Test::Like);
        assert_eq!(operator.quantifier, Quantifier::AllValues);
        assert!(operator.is_negated && operator.if_exists);
        for (written, test) in [
            ("StringEqual", Test::Unknown),
            ("ForSomeValues:StringEquals", Test::Unknown),
            ("NullIfExists", Test::Unknown),
            ("IpAddress", Test::NotOfTexts),
            ("NumericLessThanEqualsIfExists", Test::NotOfTexts),
        ] {
            assert_eq!(Operator::of(written).test, test, "{written}");
        }
    }
}

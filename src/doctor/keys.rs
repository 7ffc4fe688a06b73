//! Keys in the environment, which stand before everything else with nearly every SDK.

use crate::contract::ENV_ACCESS_KEY_ID;
use crate::contract::ENV_SECRET_ACCESS_KEY;
use crate::doctor::facts::Facts;
use crate::doctor::finding::Check;
use crate::doctor::finding::Finding;
use crate::doctor::finding::Severity::Broken;
use crate::doctor::finding::Severity::Note;
use crate::doctor::finding::Severity::Warning;

/// How much of a pair there is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Keys {
    Whole,
    /// One of the two.
    Half {
        missing: &'static str,
    },
    /// Under names that some SDKs know besides.
    Old(OldPair),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct OldPair {
    id: &'static str,
    secret: &'static str,
    known_to: &'static str,
}

const PAIR: [&str; 2] = [ENV_ACCESS_KEY_ID, ENV_SECRET_ACCESS_KEY];
const OLD_PAIRS: [OldPair; 2] = [
    OldPair { id: "AWS_ACCESS_KEY", secret: "AWS_SECRET_KEY", known_to: "Java v1, Go and Ruby, and s3cmd," },
    OldPair {
        id: "AMAZON_ACCESS_KEY_ID",
        secret: "AMAZON_SECRET_ACCESS_KEY",
        known_to: "JavaScript v2 and Ruby",
    },
];
const UNSET: &str = "Unset AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN for the application: in the pod's env and \
                     envFrom, its image, its start script.";

pub(super) const UNSET_ONE: &str =
    "Unset AWS_ACCESS_KEY_ID for the application: in the pod's env and envFrom, its image, its start script.";

impl Keys {
    pub(super) fn of(facts: &Facts<'_>) -> Option<Self> {
        let has = |name: &str| facts.var(name).is_some();
        match PAIR.map(has) {
            [true, true] => Some(Self::Whole),
            [true, false] => Some(Self::Half { missing: PAIR[1] }),
            [false, true] => Some(Self::Half { missing: PAIR[0] }),
            [false, false] => {
                OLD_PAIRS.into_iter().find(|pair| has(pair.id) && has(pair.secret)).map(Self::Old)
            }
        }
    }
}

pub(super) fn check(facts: &Facts<'_>) -> Option<Finding> {
    let finding =
        |severity, code, name: &str, found: String| Check::Environment.finding(severity, code, name, found);
    Some(match Keys::of(facts)? {
        Keys::Whole if facts.has_operators_keys() => {
            let found = "The keys in the environment are taken for an operator's, with which IAM is asked (--fetch-trust-policy).";
            finding(Note, "StaticKeysUsed", ENV_ACCESS_KEY_ID, found.to_owned())
        }
        Keys::Whole => {
            let found = "AWS_ACCESS_KEY_ID is set. SDKs take the keys in the environment first: the role is never asked for.";
            finding(Broken, "StaticKeysShadow", ENV_ACCESS_KEY_ID, found.to_owned()).mend(UNSET)
        }
        Keys::Half { missing: ENV_ACCESS_KEY_ID } => {
            let found =
                format!("{ENV_SECRET_ACCESS_KEY} is set without {ENV_ACCESS_KEY_ID}: SDKs pass it by.");
            finding(Note, "StaticKeysHalf", ENV_ACCESS_KEY_ID, found)
        }
        Keys::Half { .. } if facts.knows_sdk() => return None,
        Keys::Half { missing } => {
            let found = format!(
                "{ENV_ACCESS_KEY_ID} is set, and {missing} is not: boto3, the AWS CLI and s3cmd fail at that, other SDKs pass it by."
            );
            finding(Broken, "StaticKeysHalf", ENV_ACCESS_KEY_ID, found).mend(UNSET_ONE)
        }
        Keys::Old(OldPair { id, secret, known_to }) => {
            let found = format!(
                "{id} and {secret} are set, which the SDKs for {known_to} take for keys: they never ask for the role."
            );
            finding(Warning, "StaticKeysShadow", id, found)
                .mend(format!("Unset {id} and {secret} for the application."))
        }
    })
}

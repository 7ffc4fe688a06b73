//! What an SDK with these variables and files takes, by its default chain.

use crate::contract::ENV_CONTAINER_CREDENTIALS_FULL_URI;
use crate::contract::ENV_CONTAINER_CREDENTIALS_RELATIVE_URI;
use crate::doctor::facts::Facts;
use crate::doctor::finding::Check;
use crate::doctor::finding::Finding;
use crate::doctor::finding::Severity::Broken;
use crate::doctor::finding::Severity::Note;
use crate::doctor::finding::Severity::Warning;
use crate::doctor::keys::Keys;
use crate::doctor::profile::Source;
use crate::doctor::sdk::families::FAMILIES;
use crate::doctor::sdk::families::Family;
use crate::doctor::sdk::families::known;
use crate::doctor::sdk::one::One;

mod families;
mod one;

/// One link of a default credential chain.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Link {
    /// `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`.
    Keys,
    /// The profile, where a variable names it.
    NamedProfile,
    /// The profile, where it has a role that is assumed with another profile's credentials.
    ProfileRole,
    /// The profile, whatever it has.
    Profile,
    /// The variables of a role and of a token's file.
    WebIdentity,
    Container,
}

const LOOKED_AT: &str = "the default credential chain of AWS's SDKs";
const NO_FILES: &str = "Take the profile away, or have the application read no such file: AWS_SHARED_CREDENTIALS_FILE=/dev/null and \
                        AWS_CONFIG_FILE=/dev/null (JavaScript's v2 obeys with AWS_SDK_LOAD_CONFIG=1 beside them).";

pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    vec![match &facts.asked.sdk {
        Some(named) => match One::named(facts, named) {
            Some(one) => one.judged(),
            None => unknown(named),
        },
        None => in_general(facts),
    }]
}

pub(super) fn is_known(named: &str) -> bool {
    known(named).is_some()
}

fn in_general(facts: &Facts<'_>) -> Finding {
    if Keys::of(facts) == Some(Keys::Whole) {
        let found = "SDKs take the keys in the environment; what comes after them is not asked.";
        return Check::SdkChain.finding(Note, "ChainEndsAtKeys", LOOKED_AT, found);
    }
    if let Some(shadowed) = shadowed(facts) {
        return shadowed;
    }
    let last = if !facts.imds_is_off() { "ask IMDS, which may be the node's role" } else { "find nothing" };
    let endpoint = [ENV_CONTAINER_CREDENTIALS_RELATIVE_URI, ENV_CONTAINER_CREDENTIALS_FULL_URI]
        .into_iter()
        .find(|name| facts.var(name).is_some());
    let (code, found) = match (facts.names_web_identity(), endpoint) {
        (true, None) => (
            Some("OldSdksLeftOut"),
            format!(
                "SDKs of September 2019 and later take the web identity variables. Older ones ignore them and {last}: \
                 --sdk NAME/VERSION checks yours."
            ),
        ),
        (true, Some(endpoint)) => (
            None,
            format!(
                "SDKs of September 2019 and later take the web identity variables, older ones, and JavaScript's v2, the \
                 endpoint in {endpoint}."
            ),
        ),
        (false, Some(endpoint)) => (None, format!("SDKs take the endpoint in {endpoint}.")),
        (false, None) if facts.profile.source.is_some() => {
            (Some("ChainEndsAtProfile"), format!("SDKs take {}.", facts.profile.shown()))
        }
        (false, None) => (
            Some("ChainEmpty"),
            format!("No variable and no profile names a source that SDKs know; they {last}."),
        ),
    };
    match code {
        Some(code) => Check::SdkChain.finding(Note, code, LOOKED_AT, found),
        None => Check::SdkChain.fine(LOOKED_AT, found),
    }
}

/// A profile that comes before what the variables say, with all SDKs or with some.
fn shadowed(facts: &Facts<'_>) -> Option<Finding> {
    let source = facts.profile.source.as_ref()?.source;
    let what = facts.profile.shown();
    let before = |instead: Link| {
        let is_first = |family: &&Family| {
            let at = |link| family.newest_chain().iter().position(|it| *it == link);
            let of_role = at(Link::ProfileRole).filter(|_| source == Source::Role);
            let named = at(Link::NamedProfile).filter(|_| facts.profile.named_by.is_some());
            let profile = named.or(of_role).or(at(Link::Profile));
            let instead = at(instead).unwrap_or(usize::MAX);
            family.takes_profile(facts) && profile.is_some_and(|profile| profile < instead)
        };
        let mut names: Vec<&str> = FAMILIES.iter().filter(is_first).map(|family| family.name).collect();
        names.dedup();
        names
    };
    if facts.names_web_identity() {
        let names = before(Link::WebIdentity);
        let found = format!("Before the web identity variables, {what} is taken by {}.", names.join(", "));
        let finding = Check::SdkChain.finding(Warning, "ProfileShadows", LOOKED_AT, found);
        return Some(finding.mend(NO_FILES));
    }
    facts.has_endpoint().then(|| {
        let found = format!("SDKs take {what} before the container's endpoint: the role is never asked for.");
        Check::SdkChain.finding(Broken, "ProfileShadows", LOOKED_AT, found).mend(NO_FILES)
    })
}

fn unknown(named: &str) -> Finding {
    let found = format!(
        "--sdk {named}: not known here. Known are {}, each as NAME/VERSION.",
        Family::all_names().join(", ")
    );
    let looked_at = format!("the default credential chain of {named}");
    let finding = Check::SdkChain.finding(Warning, "SdkUnknown", looked_at, found);
    finding.mend("Give it as in botocore/1.12.199, or its whole User-Agent.")
}

pub(super) fn mend_of_missing(named_by: &str) -> String {
    format!("Unset {named_by} for the application, or write the profile into ~/.aws/config.")
}

//! What an SDK with these variables and files takes, by its default chain.

use crate::contract::ENV_CONTAINER_AUTHORIZATION_TOKEN;
use crate::contract::ENV_CONTAINER_AUTHORIZATION_TOKEN_FILE;
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
use crate::doctor::sdk::families::numbers;

mod families;

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
const MEND: &str =
    "Put irsa-sidecar beside it (label irsa-sidecar/inject: enabled): it gives old SDKs this role.";
const MEND_IMDS: &str = "Put irsa-sidecar beside it and ask for the endpoint imds (annotation irsa-sidecar/endpoints: imds), which \
                         every SDK knows.";
const NO_FILES: &str = "Take the profile away, or have the application read no such file: AWS_SHARED_CREDENTIALS_FILE=/dev/null and \
                        AWS_CONFIG_FILE=/dev/null.";

pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    vec![match &facts.asked.sdk {
        Some(named) => of_sdk(facts, named),
        None => in_general(facts),
    }]
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
    let (source, _) = facts.profile.source.as_ref()?;
    let (what, role_only) = (facts.profile.shown(), *source == Source::Role);
    let before = |instead: Link| {
        let is_first = |family: &&Family| {
            let at = |link| family.chain.iter().position(|it| *it == link);
            let profile =
                if role_only { at(Link::ProfileRole).or(at(Link::Profile)) } else { at(Link::Profile) };
            let named = at(Link::NamedProfile).filter(|_| facts.profile.named_by.is_some());
            let instead = at(instead).unwrap_or(usize::MAX);
            named.or(profile).is_some_and(|profile| profile < instead)
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

fn of_sdk(facts: &Facts<'_>, named: &str) -> Finding {
    let looked_at = format!("the default credential chain of {named}");
    let Some((family, version)) = known(named) else {
        let found = format!(
            "--sdk {named}: not known here. Known are {}, each as NAME/VERSION.",
            Family::all_names().join(", ")
        );
        let finding = Check::SdkChain.finding(Warning, "SdkUnknown", looked_at, found);
        return finding.mend("Give it as in boto3/1.9.199, or its whole User-Agent.");
    };
    let name = family.name;
    let broken = |code, found: String| Check::SdkChain.finding(Broken, code, looked_at.clone(), found);
    let profile = &facts.profile;
    if family.needs_named_profile
        && let Some(named_by) = profile.named_by.filter(|_| !profile.exists)
    {
        let found =
            format!("{name} fails at once: {named_by}={}, and no such profile is there.", profile.name);
        return broken("ProfileMissing", found).mend(mend_of_missing(named_by));
    }
    let knows = |since: Option<&str>| since.is_some_and(|since| numbers(since) <= version);
    let takes =
        |what: &str| Check::SdkChain.fine(looked_at.clone(), format!("This version of {name} takes {what}."));
    for link in family.chain {
        let has_profile = match (link, &profile.source) {
            (Link::NamedProfile, Some(_)) => profile.named_by.is_some(),
            (Link::ProfileRole, Some((source, _))) => *source == Source::Role,
            (Link::Profile, Some(_)) => true,
            _ => false,
        };
        let has_others = facts.names_web_identity() || facts.has_endpoint();
        match link {
            _ if has_profile && has_others => {
                let found = format!("This version of {name} takes {} first.", profile.shown());
                return broken("ProfileShadows", found).mend(NO_FILES);
            }
            _ if has_profile => {
                let found = format!("This version of {name} takes {}.", profile.shown());
                return Check::SdkChain.finding(Note, "ChainEndsAtProfile", looked_at.clone(), found);
            }
            Link::Keys if Keys::of(facts) == Some(Keys::Whole) => {
                let found =
                    format!("{name} takes the keys in the environment; what comes after them is not asked.");
                return Check::SdkChain.finding(Note, "ChainEndsAtKeys", looked_at.clone(), found);
            }
            Link::WebIdentity if facts.names_web_identity() && knows(family.web_identity) => {
                return takes("the web identity variables");
            }
            Link::Container => {
                if let Some(finding) = container(facts, family, &knows, &looked_at) {
                    return finding;
                }
            }
            _ => {}
        }
    }
    too_old(facts, family, &knows, &looked_at)
}

/// What it makes of the container's variables; none where it passes them by.
fn container(
    facts: &Facts<'_>,
    family: &Family,
    knows: &dyn Fn(Option<&str>) -> bool,
    looked_at: &str,
) -> Option<Finding> {
    let has = |variable: &str| facts.var(variable).is_some();
    let (name, uri) = (family.name, ENV_CONTAINER_CREDENTIALS_FULL_URI);
    if has(uri) && knows(family.full_uri) {
        let of_agent = facts.endpoint_is_agents() || !has(ENV_CONTAINER_AUTHORIZATION_TOKEN);
        let needs_file = has(ENV_CONTAINER_AUTHORIZATION_TOKEN_FILE) && of_agent;
        let (what, since) = match (needs_file, has(ENV_CONTAINER_AUTHORIZATION_TOKEN)) {
            (true, _) => (ENV_CONTAINER_AUTHORIZATION_TOKEN_FILE, family.token_file),
            (false, true) => (ENV_CONTAINER_AUTHORIZATION_TOKEN, family.token),
            (false, false) => (uri, family.full_uri),
        };
        return Some(match since {
            Some(since) if !knows(Some(since)) => {
                let found = format!(
                    "This version of {name} takes {uri}, and is too old for {what} ({since} is the first): it is refused."
                );
                let mend = if needs_file && facts.endpoint_is_agents() { MEND } else { MEND_IMDS };
                Check::SdkChain.finding(Broken, "SdkTooOld", looked_at, found).mend(mend)
            }
            _ => Check::SdkChain.fine(looked_at, format!("This version of {name} takes {uri}.")),
        });
    }
    has(ENV_CONTAINER_CREDENTIALS_RELATIVE_URI).then(|| {
        let found = format!(
            "{name} takes {ENV_CONTAINER_CREDENTIALS_RELATIVE_URI}, if it knows container credentials at all."
        );
        Check::SdkChain.finding(Note, "SdkPerhaps", looked_at, found)
    })
}

fn too_old(
    facts: &Facts<'_>,
    family: &Family,
    knows: &dyn Fn(Option<&str>) -> bool,
    looked_at: &str,
) -> Finding {
    let (name, has_uri) = (family.name, facts.var(ENV_CONTAINER_CREDENTIALS_FULL_URI).is_some());
    let (what, pronoun, since) = match (facts.names_web_identity(), has_uri) {
        (true, _) => ("the web identity variables", "them", family.web_identity),
        (false, true) => (ENV_CONTAINER_CREDENTIALS_FULL_URI, "it", family.full_uri),
        (false, false) => {
            let found = format!("No variable and no profile names a source that {name} could take.");
            return Check::SdkChain.finding(Note, "ChainEmpty", looked_at, found);
        }
    };
    let since = since.map_or("no version knows them".to_owned(), |since| format!("{since} is the first"));
    let found = format!("This version of {name} is too old for {what} ({since}): it ignores {pronoun}.");
    let mend = if knows(family.full_uri) { MEND } else { MEND_IMDS };
    Check::SdkChain.finding(Broken, "SdkTooOld", looked_at, found).mend(mend)
}

pub(super) fn mend_of_missing(named_by: &str) -> String {
    format!("Unset {named_by} for the application, or write the profile into ~/.aws/config.")
}

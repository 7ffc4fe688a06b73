//! What one SDK of one version takes.

use super::Link;
use super::NO_FILES;
use super::families::Family;
use super::families::known;
use super::families::numbers;
use super::mend_of_missing;
use crate::contract::ENV_ACCESS_KEY_ID;
use crate::contract::ENV_CONTAINER_AUTHORIZATION_TOKEN;
use crate::contract::ENV_CONTAINER_AUTHORIZATION_TOKEN_FILE;
use crate::contract::ENV_CONTAINER_CREDENTIALS_FULL_URI;
use crate::contract::ENV_CONTAINER_CREDENTIALS_RELATIVE_URI;
use crate::contract::ENV_SECRET_ACCESS_KEY;
use crate::doctor::endpoint::is_unusable;
use crate::doctor::facts::Facts;
use crate::doctor::finding::Check;
use crate::doctor::finding::Finding;
use crate::doctor::finding::Severity;
use crate::doctor::finding::Severity::Broken;
use crate::doctor::finding::Severity::Note;
use crate::doctor::keys::Keys;
use crate::doctor::keys::UNSET_ONE;
use crate::doctor::profile::Source;

/// The SDK of `--sdk`, in this environment.
pub(super) struct One<'a> {
    facts: &'a Facts<'a>,
    family: &'static Family,
    version: Vec<u64>,
    looked_at: String,
}

const MEND: &str =
    "Put irsa-sidecar beside it (label irsa-sidecar/inject: enabled): it gives old SDKs this role.";
const MEND_IMDS: &str = "Put irsa-sidecar beside it and ask for the endpoint imds (annotation irsa-sidecar/endpoints: imds), which \
                         every SDK knows.";

/// boto3 from here on allows any botocore of 1.12, the later of which know web identity.
const MAY_HAVE_NEWER: &str = "1.9.0";

impl<'a> One<'a> {
    pub(super) fn named(facts: &'a Facts<'a>, named: &str) -> Option<Self> {
        let (family, version) = known(named)?;
        let looked_at = format!("the default credential chain of {named}");
        Some(Self { facts, family, version, looked_at })
    }

    pub(super) fn judged(&self) -> Finding {
        self.without_its_profile().or_else(|| self.at_first_link()).unwrap_or_else(|| self.too_old())
    }

    fn without_its_profile(&self) -> Option<Finding> {
        let profile = &self.facts.profile;
        let needs_it = self.knows(self.family.needs_named_profile);
        let named_by = profile.named_by.filter(|_| needs_it && !profile.exists)?;
        let name = self.family.name;
        let found =
            format!("{name} fails at once: {named_by}={}, and no such profile is there.", profile.name);
        Some(self.finding(Broken, "ProfileMissing", found).mend(mend_of_missing(named_by)))
    }

    /// Where its chain ends; none where it ends nowhere.
    fn at_first_link(&self) -> Option<Finding> {
        self.family.chain(&self.version).iter().find_map(|link| match link {
            Link::NamedProfile | Link::ProfileRole | Link::Profile => self.profile(*link),
            Link::Keys => self.keys(),
            Link::WebIdentity => {
                let takes = self.facts.names_web_identity() && self.knows(self.family.web_identity);
                takes.then(|| self.takes("the web identity variables"))
            }
            Link::Container => self.container(),
        })
    }

    fn profile(&self, link: Link) -> Option<Finding> {
        let source =
            self.facts.profile.source.as_ref().filter(|_| self.family.takes_profile(self.facts))?.source;
        let is_here = match link {
            Link::NamedProfile => self.facts.profile.named_by.is_some(),
            Link::ProfileRole => source == Source::Role,
            _ => true,
        };
        let shown = self.facts.profile.shown();
        let has_others = self.facts.names_web_identity() || self.facts.has_endpoint();
        is_here.then(|| match has_others {
            true => {
                let found = format!("This version of {} takes {shown} first.", self.family.name);
                self.finding(Broken, "ProfileShadows", found).mend(NO_FILES)
            }
            false => {
                let found = format!("This version of {} takes {shown}.", self.family.name);
                self.finding(Note, "ChainEndsAtProfile", found)
            }
        })
    }

    fn keys(&self) -> Option<Finding> {
        if self.family.needs_both_keys
            && matches!(Keys::of(self.facts), Some(Keys::Half { missing: ENV_SECRET_ACCESS_KEY }))
        {
            let name = self.family.name;
            let found =
                format!("{name} fails: {ENV_ACCESS_KEY_ID} is set, and {ENV_SECRET_ACCESS_KEY} is not.");
            return Some(self.finding(Broken, "StaticKeysHalf", found).mend(UNSET_ONE));
        }
        (Keys::of(self.facts) == Some(Keys::Whole)).then(|| {
            let name = self.family.name;
            let found =
                format!("{name} takes the keys in the environment; what comes after them is not asked.");
            self.finding(Note, "ChainEndsAtKeys", found)
        })
    }

    /// What it makes of the container's variables; none where it passes them by.
    fn container(&self) -> Option<Finding> {
        let (family, uri) = (self.family, ENV_CONTAINER_CREDENTIALS_FULL_URI);
        if self.has(uri) && self.knows(family.full_uri) {
            let has_token = self.has(ENV_CONTAINER_AUTHORIZATION_TOKEN);
            let of_agent = self.facts.endpoint_is_agents() || !has_token;
            let needs_file = self.has(ENV_CONTAINER_AUTHORIZATION_TOKEN_FILE) && of_agent;
            let (what, since) = match (needs_file, has_token) {
                (true, _) => (ENV_CONTAINER_AUTHORIZATION_TOKEN_FILE, family.token_file),
                (false, true) => (ENV_CONTAINER_AUTHORIZATION_TOKEN, family.token),
                (false, false) => (uri, family.full_uri),
            };
            let Some(since) = since.filter(|since| !self.knows(Some(since))) else {
                return Some(match is_unusable(self.facts) {
                    true => {
                        let found = format!(
                            "This version of {} takes {uri}, and fails at what it is set to.",
                            family.name
                        );
                        self.finding(Note, "ChainEndsAtEndpoint", found)
                    }
                    false => self.takes(uri),
                });
            };
            let found = format!(
                "This version of {} takes {uri}, and is too old for {what} ({since} is the first): it is refused.",
                family.name
            );
            let mend = if needs_file && self.facts.endpoint_is_agents() { MEND } else { MEND_IMDS };
            return Some(self.finding(Broken, "SdkTooOld", found).mend(mend));
        }
        self.has(ENV_CONTAINER_CREDENTIALS_RELATIVE_URI).then(|| {
            let found = format!(
                "{} takes {ENV_CONTAINER_CREDENTIALS_RELATIVE_URI}, if it knows container credentials at all.",
                family.name
            );
            self.finding(Note, "SdkPerhaps", found)
        })
    }

    fn too_old(&self) -> Finding {
        let (family, has_uri) = (self.family, self.has(ENV_CONTAINER_CREDENTIALS_FULL_URI));
        let (what, pronoun, since) = match (self.facts.names_web_identity(), has_uri) {
            (true, _) => ("the web identity variables", "them", family.web_identity),
            (false, true) => (ENV_CONTAINER_CREDENTIALS_FULL_URI, "it", family.full_uri),
            (false, false) => {
                let found =
                    format!("No variable and no profile names a source that {} could take.", family.name);
                return self.finding(Note, "ChainEmpty", found);
            }
        };
        let is_of_web_identity = self.facts.names_web_identity();
        if let Some(package) =
            family.decided_by.filter(|_| is_of_web_identity && self.knows(Some(MAY_HAVE_NEWER)))
        {
            let found = format!(
                "This version of {} may have come with a {package} that knows {what}, or with one that does not.",
                family.name
            );
            let mend = format!(
                "Find {package}'s version (pip show {package}) and give it: --sdk {package}/VERSION."
            );
            return self.finding(Severity::Warning, "SdkPerhaps", found).mend(mend);
        }
        let since =
            since.map_or(format!("no version knows {pronoun}"), |since| format!("{since} is the first"));
        let found =
            format!("This version of {} is too old for {what} ({since}): it ignores {pronoun}.", family.name);
        let mend = if self.knows(family.full_uri) { MEND } else { MEND_IMDS };
        self.finding(Broken, "SdkTooOld", found).mend(mend)
    }

    fn has(&self, variable: &str) -> bool {
        self.facts.var(variable).is_some()
    }

    /// Whether this version has what came with that one.
    fn knows(&self, since: Option<&str>) -> bool {
        since.is_some_and(|since| numbers(since) <= self.version)
    }

    fn takes(&self, what: &str) -> Finding {
        Check::SdkChain
            .fine(self.looked_at.clone(), format!("This version of {} takes {what}.", self.family.name))
    }

    fn finding(&self, severity: Severity, code: &'static str, found: String) -> Finding {
        Check::SdkChain.finding(severity, code, self.looked_at.clone(), found)
    }
}

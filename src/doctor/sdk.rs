//! What an SDK with these variables takes, by its default chain.
//!
//! The versions are those in which each SDK's own source, or the SDK itself when it was run, has the link of the chain
//! first; for C++, PHP and .NET those that AWS's SDK reference guide names.

use crate::contract::ENV_ACCESS_KEY_ID;
use crate::contract::ENV_CONTAINER_CREDENTIALS_FULL_URI;
use crate::contract::ENV_CONTAINER_CREDENTIALS_RELATIVE_URI;
use crate::doctor::facts::Facts;
use crate::doctor::finding::Check;
use crate::doctor::finding::Finding;
use crate::doctor::finding::Severity::Broken;
use crate::doctor::finding::Severity::Note;
use crate::doctor::finding::Severity::Warning;

/// One family of SDKs.
struct Family {
    /// For people.
    name: &'static str,
    /// As they call themselves in a User-Agent, or in a package registry; in lower case.
    names: &'static [&'static str],
    major: u64,
    /// The first version with each; none has what no version has.
    web_identity: Option<&'static str>,
    full_uri: Option<&'static str>,
}

const fn family(
    name: &'static str,
    names: &'static [&'static str],
    major: u64,
    web_identity: Option<&'static str>,
    full_uri: Option<&'static str>,
) -> Family {
    Family { name, names, major, web_identity, full_uri }
}

const FAMILIES: [Family; 18] = [
    family("boto 2", &["boto"], 2, None, None),
    family("boto3", &["boto3"], 1, Some("1.9.200"), Some("1.4.4")),
    family("botocore", &["botocore"], 1, Some("1.12.200"), Some("1.5.27")),
    family("the AWS CLI v1", &["aws-cli", "awscli"], 1, Some("1.16.210"), Some("1.11.64")),
    family("the AWS CLI v2", &["aws-cli", "awscli"], 2, Some("2.0.0"), Some("2.0.0")),
    family(
        "the AWS SDK for JavaScript v2",
        &["aws-sdk", "aws-sdk-nodejs", "aws-sdk-js"],
        2,
        Some("2.517.0"),
        Some("2.63.0"),
    ),
    family("the AWS SDK for JavaScript v3", &["aws-sdk-js", "aws-sdk"], 3, Some("3.27.0"), Some("3.0.0")),
    family("the AWS SDK for Java v1", &["aws-sdk-java"], 1, Some("1.11.617"), Some("1.11.238")),
    family("the AWS SDK for Java v2", &["aws-sdk-java"], 2, Some("2.10.11"), Some("2.0.0")),
    family("the AWS SDK for Go v1", &["aws-sdk-go"], 1, Some("1.21.0"), Some("1.8.13")),
    family("the AWS SDK for Go v2", &["aws-sdk-go-v2"], 1, Some("0.0.0"), Some("0.0.0")),
    family("the AWS SDK for Ruby v1", &["aws-sdk-ruby", "aws-sdk-v1"], 1, None, None),
    family("the AWS SDK for Ruby v2", &["aws-sdk-ruby2", "aws-sdk-core"], 2, None, None),
    family("the AWS SDK for Ruby v3", &["aws-sdk-ruby3", "aws-sdk-core"], 3, Some("3.58.0"), Some("3.171.0")),
    family("the AWS SDK for PHP v3", &["aws-sdk-php"], 3, Some("3.110.7"), Some("3.287.1")),
    family(
        "the AWS SDK for .NET",
        &["aws-sdk-dotnet", "aws-sdk-dotnet-coreclr", "aws-sdk-dotnet-45", "aws-sdk-dotnet-35"],
        3,
        Some("3.3.659.1"),
        Some("3.7.734.0"),
    ),
    family("the AWS SDK for C++", &["aws-sdk-cpp"], 1, Some("1.7.174"), Some("1.7.174")),
    family("s3cmd", &["s3cmd"], 2, Some("2.4.0"), None),
];
const LOOKED_AT: &str = "the default credential chain of AWS's SDKs";
const MEND: &str =
    "Put irsa-sidecar beside it (label irsa-sidecar/inject: enabled): it gives old SDKs this role.";
const MEND_IMDS: &str = "Put irsa-sidecar beside it and ask for the endpoint imds (annotation irsa-sidecar/endpoints: imds), which \
                         every SDK knows.";

pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    if facts.var(ENV_ACCESS_KEY_ID).is_some() {
        let found = "Every SDK takes the keys in the environment; what comes after them is not asked.";
        return vec![Check::SdkChain.finding(Note, "ChainEndsAtKeys", LOOKED_AT, found)];
    }
    let has_web_identity = facts.names_web_identity();
    match &facts.asked.sdk {
        Some(named) => vec![of_sdk(facts, named, has_web_identity)],
        None => vec![in_general(facts, has_web_identity)],
    }
}

fn in_general(facts: &Facts<'_>, has_web_identity: bool) -> Finding {
    let last = if !facts.imds_is_off() { "ask IMDS, which may be the node's role" } else { "find nothing" };
    let endpoint = [ENV_CONTAINER_CREDENTIALS_RELATIVE_URI, ENV_CONTAINER_CREDENTIALS_FULL_URI]
        .into_iter()
        .find(|name| facts.var(name).is_some());
    let found = match (has_web_identity, endpoint) {
        (true, None) => format!(
            "SDKs of September 2019 and later take the web identity variables. Older ones ignore them and {last}: \
             --sdk NAME/VERSION checks yours."
        ),
        (true, Some(endpoint)) => format!(
            "SDKs of September 2019 and later take the web identity variables, older ones the endpoint in {endpoint}."
        ),
        (false, Some(endpoint)) => format!("SDKs take the endpoint in {endpoint}."),
        (false, None) => format!("No variable names a source that SDKs know; they {last}."),
    };
    match (has_web_identity, endpoint) {
        (true, None) => Check::SdkChain.finding(Note, "OldSdksLeftOut", LOOKED_AT, found),
        (false, None) => Check::SdkChain.finding(Note, "ChainEmpty", LOOKED_AT, found),
        _ => Check::SdkChain.fine(LOOKED_AT, found),
    }
}

fn of_sdk(facts: &Facts<'_>, named: &str, has_web_identity: bool) -> Finding {
    let looked_at = format!("the default credential chain of {named}");
    let Some((family, version)) = known(named) else {
        let mut names: Vec<&str> = FAMILIES.iter().map(|family| family.names[0]).collect();
        names.dedup();
        let found =
            format!("--sdk {named}: not known here. Known are {}, each as NAME/VERSION.", names.join(", "));
        let finding = Check::SdkChain.finding(Warning, "SdkUnknown", looked_at, found);
        return finding.mend("Give it as in boto3/1.9.199, or its whole User-Agent.");
    };
    let knows = |since: Option<&str>| since.is_some_and(|since| numbers(since) <= version);
    let (name, has) = (family.name, |variable: &str| facts.var(variable).is_some());
    let takes =
        |what: &str| Check::SdkChain.fine(looked_at.clone(), format!("This version of {name} takes {what}."));
    if has_web_identity && knows(family.web_identity) {
        return takes("the web identity variables");
    }
    if has(ENV_CONTAINER_CREDENTIALS_FULL_URI) && knows(family.full_uri) {
        return takes(ENV_CONTAINER_CREDENTIALS_FULL_URI);
    }
    if has(ENV_CONTAINER_CREDENTIALS_RELATIVE_URI) {
        let found = format!(
            "{name} takes {ENV_CONTAINER_CREDENTIALS_RELATIVE_URI}, if it knows container credentials at all."
        );
        return Check::SdkChain.finding(Note, "SdkPerhaps", looked_at, found);
    }
    let (what, pronoun, since) = match (has_web_identity, has(ENV_CONTAINER_CREDENTIALS_FULL_URI)) {
        (true, _) => ("the web identity variables", "them", family.web_identity),
        (false, true) => (ENV_CONTAINER_CREDENTIALS_FULL_URI, "it", family.full_uri),
        (false, false) => {
            let found = format!("No variable names a source that {name} could take.");
            return Check::SdkChain.finding(Note, "ChainEmpty", looked_at, found);
        }
    };
    let since = since.map_or("no version knows them".to_owned(), |since| format!("{since} is the first"));
    let found = format!("This version of {name} is too old for {what} ({since}): it ignores {pronoun}.");
    let mend = if knows(family.full_uri) { MEND } else { MEND_IMDS };
    Check::SdkChain.finding(Broken, "SdkTooOld", looked_at, found).mend(mend)
}

/// The first `NAME/VERSION` of a User-Agent, or the one that was given. Of a name that several families have, the major
/// version says whose it is.
fn known(named: &str) -> Option<(&'static Family, Vec<u64>)> {
    named.split_whitespace().find_map(|product| {
        let (name, version) = product.split_once('/')?;
        let (name, version) = (name.to_ascii_lowercase(), numbers(version));
        let major = *version.first()?;
        let of_name = || FAMILIES.iter().filter(|family| family.names.contains(&name.as_str()));
        let family = of_name().find(|family| family.major == major).or_else(|| of_name().next())?;
        Some((family, version))
    })
}

fn numbers(version: &str) -> Vec<u64> {
    version.trim_start_matches('v').split('.').map_while(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_an_sdk_by_its_name_or_its_user_agent() {
        for (named, wanted) in [
            ("boto3/1.9.199", "boto3"),
            ("Boto3/1.9.199 Python/3.7.4 Linux/5.4 Botocore/1.12.199", "boto3"),
            ("aws-cli/1.16.209 Python/3.7", "the AWS CLI v1"),
            ("aws-cli/2.9.19", "the AWS CLI v2"),
            ("aws-sdk-go/1.20.21 (go1.12; linux; amd64)", "the AWS SDK for Go v1"),
            ("aws-sdk-java/2.10.0 Linux", "the AWS SDK for Java v2"),
            ("aws-sdk-nodejs/2.516.0", "the AWS SDK for JavaScript v2"),
            ("aws-sdk-js/3.1.0", "the AWS SDK for JavaScript v3"),
            ("aws-sdk-ruby3/3.168.1", "the AWS SDK for Ruby v3"),
            ("aws-sdk-go-v2/1.17.1 os/linux lang/go/1.19", "the AWS SDK for Go v2"),
            ("aws-sdk-dotnet-coreclr/3.3.0 .NET_Core/3.1", "the AWS SDK for .NET"),
        ] {
            assert_eq!(known(named).map(|(family, _)| family.name), Some(wanted), "{named}");
        }
        for unknown in ["", "boto3", "curl/8.0", "boto3/latest"] {
            assert!(known(unknown).is_none(), "{unknown}");
        }
    }

    #[test]
    fn compares_versions_as_numbers() {
        assert!(numbers("1.9.200") > numbers("1.9.199"));
        assert!(numbers("1.12.200") > numbers("1.9.200"));
    }
}

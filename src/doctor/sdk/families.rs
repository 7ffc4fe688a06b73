//! The families of SDKs: what each is called, its default credential chain, and since which version it knows what.
//!
//! The versions are those in which each SDK's own source, or the SDK itself when it was run, has the link of the chain
//! first; for C++, PHP and .NET those that AWS's SDK reference guide names. So is the order: botocore/credentials.py
//! (create_credential_resolver), lib/node_loader.js and credential-provider-node of JavaScript, DefaultAWSCredentialsProviderChain
//! of Java, aws/session/credentials.go and config/resolve_credentials.go of Go, credential_provider_chain.rb of Ruby,
//! CredentialProvider.php, FallbackCredentialsFactory.cs, AWSCredentialsProviderChain.cpp, default_provider/credentials.rs.

use super::Link;
use super::Link::Container;
use super::Link::Keys;
use super::Link::NamedProfile;
use super::Link::Profile;
use super::Link::ProfileRole;
use super::Link::WebIdentity;
use crate::contract::ENV_LOAD_CONFIG;
use crate::doctor::facts::Facts;
use crate::doctor::profile::Source;

/// One family of SDKs.
pub(super) struct Family {
    /// For people.
    pub(super) name: &'static str,
    /// As they call themselves in a User-Agent, or in a package registry; in lower case.
    names: &'static [&'static str],
    major: u64,
    /// Its chain, and the versions that changed it, newest last.
    chains: &'static [(&'static str, &'static [Link])],
    /// The first version with each; none has what no version has.
    pub(super) web_identity: Option<&'static str>,
    pub(super) full_uri: Option<&'static str>,
    /// That sends `AWS_CONTAINER_AUTHORIZATION_TOKEN`, where that came later than the URI.
    pub(super) token: Option<&'static str>,
    /// `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE`, and with it the address of the EKS Pod Identity Agent, where that is known.
    pub(super) token_file: Option<&'static str>,
    /// Since when it fails at once where the profile that a variable names is in neither file.
    pub(super) needs_named_profile: Option<&'static str>,
    /// Whether it fails at an access key id without its secret.
    pub(super) needs_both_keys: bool,
    /// What of a profile it takes in the place that the chain has for it.
    profiles: &'static [Source],
    /// What it makes of `~/.aws/config`.
    config: ConfigFile,
    /// The package that decides in its place.
    pub(super) decided_by: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ConfigFile {
    Read,
    /// With `AWS_SDK_LOAD_CONFIG` alone.
    IfAsked,
    Ignored,
}

type Chains = &'static [(&'static str, &'static [Link])];

/// boto and Ruby's first, which know no other.
const KEYS_AND_FILE: Chains = &[("0", &[Keys, Profile])];
const BOTOCORE: Chains = &[("0", &[Keys, ProfileRole, WebIdentity, Profile, Container])];
const CONTAINER_FIRST: &[Link] = &[Keys, Profile, Container, WebIdentity];
const PROFILE_FIRST: &[Link] = &[Keys, Profile, WebIdentity, Container];
const WEB_IDENTITY_FIRST: &[Link] = &[Keys, WebIdentity, Profile, Container];
/// A profile that is named beats all else.
const NAMED_FIRST: &[Link] = &[NamedProfile, Keys, WebIdentity, Profile, Container];
const JAVA_1: Chains =
    &[("0", CONTAINER_FIRST), ("1.11.620", PROFILE_FIRST), ("1.11.704", WEB_IDENTITY_FIRST)];
const JAVA_2: Chains = &[("0", PROFILE_FIRST), ("2.10.46", WEB_IDENTITY_FIRST)];
const GO_1: Chains = &[("0", NAMED_FIRST), ("1.22.0", WEB_IDENTITY_FIRST)];
const GO_2: Chains = &[("0", NAMED_FIRST), ("1.2.0", WEB_IDENTITY_FIRST)];
/// The files before the variables.
const NET_3: Chains = &[("0", &[WebIdentity, Profile, Keys, Container])];
const ALL: &[Source] = &[Source::Keys, Source::Process, Source::Role, Source::WebIdentity, Source::Sso];
const KEYS: &[Source] = &[Source::Keys];

impl Family {
    const fn of(name: &'static str, names: &'static [&'static str], major: u64, chains: Chains) -> Self {
        let never = None;
        Self {
            name,
            names,
            major,
            chains,
            web_identity: never,
            full_uri: never,
            token: never,
            token_file: never,
            needs_named_profile: never,
            needs_both_keys: false,
            profiles: ALL,
            config: ConfigFile::Read,
            decided_by: None,
        }
    }

    const fn web_identity(self, since: &'static str) -> Self {
        Self { web_identity: Some(since), ..self }
    }

    const fn full_uri(self, since: &'static str) -> Self {
        Self { full_uri: Some(since), token: Some(since), ..self }
    }

    const fn token(self, since: &'static str) -> Self {
        Self { token: Some(since), ..self }
    }

    const fn token_file(self, since: &'static str) -> Self {
        Self { token_file: Some(since), ..self }
    }

    const fn needs_named_profile(self, since: &'static str) -> Self {
        Self { needs_named_profile: Some(since), ..self }
    }

    const fn needs_both_keys(self) -> Self {
        Self { needs_both_keys: true, ..self }
    }

    const fn profiles(self, profiles: &'static [Source]) -> Self {
        Self { profiles, ..self }
    }

    const fn config(self, config: ConfigFile) -> Self {
        Self { config, ..self }
    }

    const fn decided_by(self, package: &'static str) -> Self {
        Self { decided_by: Some(package), ..self }
    }

    /// The chain of this version.
    pub(super) fn chain(&self, version: &[u64]) -> &'static [Link] {
        let known = self.chains.iter().rev().find(|(since, _)| numbers(since).as_slice() <= version);
        known.map_or(&[], |(_, chain)| *chain)
    }

    pub(super) fn newest_chain(&self) -> &'static [Link] {
        self.chains.last().map_or(&[], |(_, chain)| *chain)
    }

    /// Whether it takes this profile at all.
    pub(super) fn takes_profile(&self, facts: &Facts<'_>) -> bool {
        let reads = match self.config {
            ConfigFile::Read => true,
            ConfigFile::IfAsked => facts.var(ENV_LOAD_CONFIG).is_some(),
            ConfigFile::Ignored => false,
        };
        let Some(source) = facts.profile.source.as_ref() else { return false };
        self.profiles.contains(&source.source) && (reads || !source.is_in_config)
    }

    /// Each by the first of its names.
    pub(super) fn all_names() -> Vec<&'static str> {
        let mut names: Vec<&str> = FAMILIES.iter().map(|family| family.names[0]).collect();
        names.dedup();
        names
    }
}

pub(super) const FAMILIES: [Family; 20] = [
    Family::of("boto 2", &["boto"], 2, KEYS_AND_FILE).profiles(KEYS).config(ConfigFile::Ignored),
    Family::of("boto3", &["boto3"], 1, BOTOCORE)
        .web_identity("1.9.200")
        .full_uri("1.4.4")
        .token_file("1.29.0")
        .needs_named_profile("0")
        .needs_both_keys()
        .decided_by("botocore"),
    Family::of("botocore", &["botocore"], 1, BOTOCORE)
        .web_identity("1.12.200")
        .full_uri("1.5.27")
        .token_file("1.32.0")
        .needs_named_profile("0")
        .needs_both_keys(),
    Family::of("the AWS CLI v1", &["aws-cli", "awscli"], 1, BOTOCORE)
        .web_identity("1.16.210")
        .full_uri("1.11.64")
        .token_file("1.30.0")
        .needs_named_profile("0")
        .needs_both_keys(),
    Family::of("the AWS CLI v2", &["aws-cli", "awscli"], 2, BOTOCORE)
        .web_identity("2.0.0")
        .full_uri("2.0.0")
        .token_file("2.15.0")
        .needs_named_profile("0")
        .needs_both_keys(),
    Family::of(
        "the AWS SDK for JavaScript v2",
        &["aws-sdk", "aws-sdk-nodejs", "aws-sdk-js"],
        2,
        &[("0", CONTAINER_FIRST)],
    )
    .web_identity("2.517.0")
    .full_uri("2.63.0")
    .token_file("2.1550.0")
    // The others come after the container.
    .profiles(&[Source::Keys, Source::Role, Source::Sso])
    .config(ConfigFile::IfAsked),
    Family::of(
        "the AWS SDK for JavaScript v3",
        &["aws-sdk-js", "aws-sdk"],
        3,
        &[("0", &[NamedProfile, Keys, Profile, WebIdentity, Container])],
    )
    .web_identity("3.18.0")
    .full_uri("3.0.0")
    .token_file("3.503.1"),
    Family::of("the AWS SDK for Java v1", &["aws-sdk-java"], 1, JAVA_1)
        .web_identity("1.11.617")
        .full_uri("1.11.198")
        .token_file("1.12.746"),
    Family::of("the AWS SDK for Java v2", &["aws-sdk-java"], 2, JAVA_2)
        .web_identity("2.10.11")
        .full_uri("2.0.0")
        .token_file("2.21.26"),
    Family::of("the AWS SDK for Go v1", &["aws-sdk-go"], 1, GO_1)
        .web_identity("1.21.0")
        .full_uri("1.8.13")
        .token("1.15.41")
        .token_file("1.47.11")
        .config(ConfigFile::IfAsked),
    Family::of("the AWS SDK for Go v2", &["aws-sdk-go-v2"], 1, GO_2)
        .web_identity("0.0.0")
        .full_uri("0.0.0")
        .token_file("1.23.0")
        .needs_named_profile("1.21.2"),
    Family::of("the AWS SDK for Rust", &["aws-sdk-rust"], 1, &[("0", PROFILE_FIRST)])
        .web_identity("0.0.0")
        .full_uri("0.0.0")
        .token_file("1.1.8"),
    Family::of("the AWS SDK for Ruby v1", &["aws-sdk-ruby", "aws-sdk-v1"], 1, KEYS_AND_FILE)
        .profiles(KEYS)
        .config(ConfigFile::Ignored),
    Family::of(
        "the AWS SDK for Ruby v2",
        &["aws-sdk-ruby2", "aws-sdk-core"],
        2,
        &[("0", WEB_IDENTITY_FIRST)],
    ),
    Family::of(
        "the AWS SDK for Ruby v3",
        &["aws-sdk-ruby3", "aws-sdk-core"],
        3,
        &[("0", WEB_IDENTITY_FIRST)],
    )
    .web_identity("3.58.0")
    .full_uri("3.171.0")
    .token_file("3.188.0"),
    Family::of("the AWS SDK for PHP v3", &["aws-sdk-php"], 3, &[("0", WEB_IDENTITY_FIRST)])
        .web_identity("3.110.7")
        .full_uri("3.287.1")
        .token_file("3.287.1"),
    // By the version of its core, which a User-Agent has beside that of the service's package.
    Family::of("the AWS SDK for .NET v3", &["aws-sdk-dotnet-core", "awssdk.core"], 3, NET_3)
        .web_identity("3.3.104.7")
        .full_uri("3.7.302.0")
        .token_file("3.7.302.0"),
    Family::of(
        "the AWS SDK for .NET v4",
        &["aws-sdk-dotnet-core", "awssdk.core"],
        4,
        &[("0", WEB_IDENTITY_FIRST)],
    )
    .web_identity("4.0.0")
    .full_uri("4.0.0")
    .token_file("4.0.0"),
    Family::of("the AWS SDK for C++", &["aws-sdk-cpp"], 1, &[("0", PROFILE_FIRST)])
        .web_identity("1.7.174")
        .full_uri("1.7.174")
        .token_file("1.11.263")
        .profiles(&[Source::Keys, Source::Process]),
    Family::of("s3cmd", &["s3cmd"], 2, &[("0", &[NamedProfile, Keys, WebIdentity])])
        .web_identity("2.2.0")
        .needs_both_keys()
        .profiles(KEYS)
        .config(ConfigFile::Ignored),
];

/// The first `NAME/VERSION` of a User-Agent that decides, or the one that was given, as package managers write it too. Of a
/// name that several families have, the major version says whose it is.
pub(super) fn known(named: &str) -> Option<(&'static Family, Vec<u64>)> {
    // "boto3 1.9.199", "boto3==1.9.199", "aws-sdk@2.516.0"
    let named = named.trim();
    let single = ["==", "@", " "].into_iter().find_map(|between| named.split_once(between));
    let single = single.filter(|(name, version)| !format!("{name}{version}").contains([' ', '/']));
    let single = single.map(|(name, version)| format!("{name}/{version}"));
    let mut found = single.as_deref().unwrap_or(named).split_whitespace().filter_map(|product| {
        let (name, version) = product.split_once('/')?;
        let (name, version) = (name.to_ascii_lowercase(), numbers(version));
        let major = *version.first()?;
        let of_name = || FAMILIES.iter().filter(|family| family.names.contains(&name.as_str()));
        let family = of_name().find(|family| family.major == major).or_else(|| of_name().next())?;
        Some((family, version))
    });
    let first = found.next()?;
    let decides = |family: &Family| first.0.decided_by.is_some_and(|by| family.names.contains(&by));
    Some(found.find(|(family, _)| decides(family)).unwrap_or(first))
}

pub(super) fn numbers(version: &str) -> Vec<u64> {
    version.trim_start_matches('v').split('.').map_while(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_an_sdk_by_its_name_or_its_user_agent() {
        for (named, wanted) in [
            ("boto3/1.9.199", "boto3"),
            ("Boto3/1.9.199 Python/3.7.4 Linux/5.4 Botocore/1.12.253", "botocore"),
            ("aws-cli/1.16.209 Python/3.7", "the AWS CLI v1"),
            ("aws-cli/2.9.19", "the AWS CLI v2"),
            ("boto3 1.9.199", "boto3"),
            ("boto3==1.9.199", "boto3"),
            ("aws-sdk@2.516.0", "the AWS SDK for JavaScript v2"),
            ("aws-sdk-go/1.20.21 (go1.12; linux; amd64)", "the AWS SDK for Go v1"),
            ("aws-sdk-java/2.10.0 Linux", "the AWS SDK for Java v2"),
            ("aws-sdk-nodejs/2.516.0", "the AWS SDK for JavaScript v2"),
            ("aws-sdk-js/3.1.0", "the AWS SDK for JavaScript v3"),
            ("aws-sdk-ruby3/3.168.1", "the AWS SDK for Ruby v3"),
            ("aws-sdk-go-v2/1.17.1 os/linux lang/go/1.19", "the AWS SDK for Go v2"),
            (
                "aws-sdk-dotnet-coreclr/3.7.305.17 aws-sdk-dotnet-core/3.7.302.0 .NET_Core/6.0",
                "the AWS SDK for .NET v3",
            ),
            ("AWSSDK.Core 4.0.1", "the AWS SDK for .NET v4"),
            ("aws-sdk-rust/1.3.4 ua/2.1 api/sts/1.60.0", "the AWS SDK for Rust"),
        ] {
            assert_eq!(known(named).map(|(family, _)| family.name), Some(wanted), "{named}");
        }
        for unknown in ["", "boto3", "curl/8.0", "boto3/latest"] {
            assert!(known(unknown).is_none(), "{unknown}");
        }
    }

    #[test]
    fn has_the_chain_of_the_version() {
        for (named, first, second) in [
            ("aws-sdk-java/1.11.617", Profile, Container),
            ("aws-sdk-java/1.11.632", Profile, WebIdentity),
            ("aws-sdk-java/1.12.1", WebIdentity, Profile),
            ("aws-sdk-go/1.21.5", WebIdentity, Profile),
            ("aws-sdk-go-v2/1.17.1", WebIdentity, Profile),
        ] {
            let (family, version) = known(named).unwrap();
            let at = |link| family.chain(&version).iter().position(|it| *it == link).unwrap();
            assert!(at(first) < at(second), "{named}");
        }
        let (go, version) = known("aws-sdk-go/1.21.5").unwrap();
        assert_eq!(go.chain(&version)[0], NamedProfile);
    }

    #[test]
    fn compares_versions_as_numbers() {
        assert!(numbers("1.9.200") > numbers("1.9.199"));
        assert!(numbers("1.12.200") > numbers("1.9.200"));
    }
}

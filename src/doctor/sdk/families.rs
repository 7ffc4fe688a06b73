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

/// One family of SDKs.
pub(super) struct Family {
    /// For people.
    pub(super) name: &'static str,
    /// As they call themselves in a User-Agent, or in a package registry; in lower case.
    names: &'static [&'static str],
    major: u64,
    pub(super) chain: &'static [Link],
    /// The first version with each; none has what no version has.
    pub(super) web_identity: Option<&'static str>,
    pub(super) full_uri: Option<&'static str>,
    /// That sends `AWS_CONTAINER_AUTHORIZATION_TOKEN`, where that came later than the URI.
    pub(super) token: Option<&'static str>,
    /// `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE`, and with it the address of the EKS Pod Identity Agent, where that is known.
    pub(super) token_file: Option<&'static str>,
    /// Whether it fails at once where the profile that a variable names is in neither file.
    pub(super) needs_named_profile: bool,
}

/// boto, which knows no other.
const KEYS_AND_FILE: &[Link] = &[Keys, Profile];
const BOTOCORE: &[Link] = &[Keys, ProfileRole, WebIdentity, Profile, Container];
const CONTAINER_FIRST: &[Link] = &[Keys, Profile, Container, WebIdentity];
const PROFILE_FIRST: &[Link] = &[Keys, Profile, WebIdentity, Container];
const WEB_IDENTITY_FIRST: &[Link] = &[Keys, WebIdentity, Profile, Container];
/// A profile that is named beats all else.
const GO_2: &[Link] = &[NamedProfile, Keys, WebIdentity, Profile, Container];
/// Of version 3: the files before the variables.
const NET: &[Link] = &[WebIdentity, Profile, Keys, Container];

impl Family {
    const fn of(
        name: &'static str,
        names: &'static [&'static str],
        major: u64,
        chain: &'static [Link],
    ) -> Self {
        let never = None;
        let needs_named_profile = false;
        Self {
            name,
            names,
            major,
            chain,
            web_identity: never,
            full_uri: never,
            token: never,
            token_file: never,
            needs_named_profile,
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

    const fn needs_named_profile(self) -> Self {
        Self { needs_named_profile: true, ..self }
    }

    /// Each by the first of its names.
    pub(super) fn all_names() -> Vec<&'static str> {
        let mut names: Vec<&str> = FAMILIES.iter().map(|family| family.names[0]).collect();
        names.dedup();
        names
    }
}

pub(super) const FAMILIES: [Family; 19] = [
    Family::of("boto 2", &["boto"], 2, KEYS_AND_FILE),
    Family::of("boto3", &["boto3"], 1, BOTOCORE)
        .web_identity("1.9.200")
        .full_uri("1.4.4")
        .token_file("1.29.0")
        .needs_named_profile(),
    Family::of("botocore", &["botocore"], 1, BOTOCORE)
        .web_identity("1.12.200")
        .full_uri("1.5.27")
        .token_file("1.32.0")
        .needs_named_profile(),
    Family::of("the AWS CLI v1", &["aws-cli", "awscli"], 1, BOTOCORE)
        .web_identity("1.16.210")
        .full_uri("1.11.64")
        .token_file("1.30.0")
        .needs_named_profile(),
    Family::of("the AWS CLI v2", &["aws-cli", "awscli"], 2, BOTOCORE)
        .web_identity("2.0.0")
        .full_uri("2.0.0")
        .token_file("2.15.0")
        .needs_named_profile(),
    Family::of(
        "the AWS SDK for JavaScript v2",
        &["aws-sdk", "aws-sdk-nodejs", "aws-sdk-js"],
        2,
        CONTAINER_FIRST,
    )
    .web_identity("2.517.0")
    .full_uri("2.63.0")
    .token_file("2.1550.0"),
    Family::of("the AWS SDK for JavaScript v3", &["aws-sdk-js", "aws-sdk"], 3, PROFILE_FIRST)
        .web_identity("3.27.0")
        .full_uri("3.0.0")
        .token_file("3.503.1"),
    Family::of("the AWS SDK for Java v1", &["aws-sdk-java"], 1, WEB_IDENTITY_FIRST)
        .web_identity("1.11.617")
        .full_uri("1.11.238")
        .token_file("1.12.746"),
    Family::of("the AWS SDK for Java v2", &["aws-sdk-java"], 2, WEB_IDENTITY_FIRST)
        .web_identity("2.10.11")
        .full_uri("2.0.0")
        .token_file("2.21.30"),
    Family::of("the AWS SDK for Go v1", &["aws-sdk-go"], 1, WEB_IDENTITY_FIRST)
        .web_identity("1.21.0")
        .full_uri("1.8.13")
        .token("1.15.41")
        .token_file("1.47.11"),
    Family::of("the AWS SDK for Go v2", &["aws-sdk-go-v2"], 1, GO_2)
        .web_identity("0.0.0")
        .full_uri("0.0.0")
        .token_file("1.23.0")
        .needs_named_profile(),
    Family::of("the AWS SDK for Rust", &["aws-sdk-rust"], 1, PROFILE_FIRST)
        .web_identity("0.0.0")
        .full_uri("0.0.0"),
    Family::of("the AWS SDK for Ruby v1", &["aws-sdk-ruby", "aws-sdk-v1"], 1, KEYS_AND_FILE),
    Family::of("the AWS SDK for Ruby v2", &["aws-sdk-ruby2", "aws-sdk-core"], 2, WEB_IDENTITY_FIRST),
    Family::of("the AWS SDK for Ruby v3", &["aws-sdk-ruby3", "aws-sdk-core"], 3, WEB_IDENTITY_FIRST)
        .web_identity("3.58.0")
        .full_uri("3.171.0")
        .token_file("3.188.0"),
    Family::of("the AWS SDK for PHP v3", &["aws-sdk-php"], 3, WEB_IDENTITY_FIRST)
        .web_identity("3.110.7")
        .full_uri("3.287.1")
        .token_file("3.287.1"),
    Family::of(
        "the AWS SDK for .NET",
        &["aws-sdk-dotnet", "aws-sdk-dotnet-coreclr", "aws-sdk-dotnet-45", "aws-sdk-dotnet-35"],
        3,
        NET,
    )
    .web_identity("3.3.659.1")
    .full_uri("3.7.734.0")
    .token_file("3.7.734.0"),
    Family::of("the AWS SDK for C++", &["aws-sdk-cpp"], 1, PROFILE_FIRST)
        .web_identity("1.7.174")
        .full_uri("1.7.174")
        .token_file("1.11.263"),
    Family::of("s3cmd", &["s3cmd"], 2, &[Keys, WebIdentity]).web_identity("2.4.0"),
];

/// The first `NAME/VERSION` of a User-Agent, or the one that was given, as package managers write it too. Of a name that
/// several families have, the major version says whose it is.
pub(super) fn known(named: &str) -> Option<(&'static Family, Vec<u64>)> {
    // "boto3 1.9.199", "boto3==1.9.199", "aws-sdk@2.516.0"
    let named = named.trim();
    let single = ["==", "@", " "].into_iter().find_map(|between| named.split_once(between));
    let single = single.filter(|(name, version)| !format!("{name}{version}").contains([' ', '/']));
    let single = single.map(|(name, version)| format!("{name}/{version}"));
    single.as_deref().unwrap_or(named).split_whitespace().find_map(|product| {
        let (name, version) = product.split_once('/')?;
        let (name, version) = (name.to_ascii_lowercase(), numbers(version));
        let major = *version.first()?;
        let of_name = || FAMILIES.iter().filter(|family| family.names.contains(&name.as_str()));
        let family = of_name().find(|family| family.major == major).or_else(|| of_name().next())?;
        Some((family, version))
    })
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
            ("Boto3/1.9.199 Python/3.7.4 Linux/5.4 Botocore/1.12.199", "boto3"),
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
            ("aws-sdk-dotnet-coreclr/3.3.0 .NET_Core/3.1", "the AWS SDK for .NET"),
            ("aws-sdk-rust/1.3.4 ua/2.1 api/sts/1.60.0", "the AWS SDK for Rust"),
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

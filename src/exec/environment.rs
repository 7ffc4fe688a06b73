//! The command's environment: ours, pointed at the endpoint, without what an SDK would take in its place.

use std::process::Command;

use crate::config::env::Strings;
use crate::contract::ENV_AUTHORIZATION_TOKEN;
use crate::contract::ENV_CONTAINER_AUTHORIZATION_TOKEN;
use crate::contract::ENV_CONTAINER_CREDENTIALS_FULL_URI;
use crate::contract::ENV_CREDENTIALS_FILES;
use crate::contract::ENV_DEFAULT_REGION;
use crate::contract::ENV_EC2_METADATA_DISABLED;
use crate::contract::ENV_NO_PROXY;
use crate::contract::ENV_REGION;
use crate::contract::NO_CREDENTIALS_FILE;
use crate::contract::SHADOWING;
use crate::inject::longer_no_proxy;
use crate::secret::Secret;

/// Where the command finds its credentials.
#[allow(missing_debug_implementations)] // holds a secret
pub struct Served {
    pub url: String,
    /// The host in it.
    pub host: String,
    /// None where none is asked for.
    pub token: Option<Secret>,
    /// What the environment or the profile says.
    pub region: Option<String>,
}

/// Gives it what it needs, and takes from it what would shadow that.
///
/// The file with AWS's settings (`~/.aws/config`) stays, with whatever it says of regions, endpoints and retries; the one
/// with keys does not, since most SDKs ask it first. The variables of ours that name no secret stay as well.
pub fn dress(command: &mut Command, served: &Served, strings: &dyn Strings) {
    for name in SHADOWING.iter().chain(&[ENV_AUTHORIZATION_TOKEN]) {
        command.env_remove(name);
    }
    for name in ENV_CREDENTIALS_FILES {
        command.env(name, NO_CREDENTIALS_FILE);
    }
    command.env(ENV_CONTAINER_CREDENTIALS_FULL_URI, &served.url);
    if let Some(token) = &served.token {
        command.env(ENV_CONTAINER_AUTHORIZATION_TOKEN, token.expose());
    }
    command.env(ENV_EC2_METADATA_DISABLED, "true");
    let value = |name: &str| strings.var(name).ok().flatten();
    if let Some(region) = &served.region {
        // Some SDKs read the one, some the other; the profile that may have named it is not the command's.
        for name in [ENV_REGION, ENV_DEFAULT_REGION] {
            if value(name).is_none_or(|value| value.is_empty()) {
                command.env(name, region);
            }
        }
    }
    let proxied: Vec<(&str, String)> =
        ENV_NO_PROXY.into_iter().filter_map(|name| Some((name, value(name)?))).collect();
    for (name, list) in &proxied {
        if let Some(longer) = longer_no_proxy(list, std::slice::from_ref(&served.host)) {
            command.env(name, longer);
        }
    }
    // One of the two alone: a second one of ours would hide the first from whoever reads it first.
    if proxied.is_empty() {
        for name in ENV_NO_PROXY {
            command.env(name, &served.host);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::env::Variables;

    /// What is changed: a value, or none for what is taken away.
    fn changes(
        variables: &[(&str, &str)],
        token: Option<&str>,
        region: Option<&str>,
    ) -> BTreeMap<String, Option<String>> {
        let strings: Variables = variables.iter().map(|(name, value)| (*name, *value)).collect();
        let served = Served {
            url: "http://127.0.0.1:4711/v1/credentials".to_owned(),
            host: "127.0.0.1".to_owned(),
            token: token.map(|token| Secret::new(token.to_owned())),
            region: region.map(str::to_owned),
        };
        let mut command = Command::new("true");
        dress(&mut command, &served, &strings);
        let text = |text: &std::ffi::OsStr| text.to_str().unwrap().to_owned();
        command.get_envs().map(|(name, value)| (text(name), value.map(text))).collect()
    }

    #[test]
    fn points_at_the_endpoint_and_takes_away_what_shadows_it() {
        let changes = changes(&[], Some("token"), Some("eu-west-1"));
        for (name, value) in [
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:4711/v1/credentials"),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "token"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
            ("AWS_CREDENTIAL_PROFILES_FILE", "/dev/null"),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_DEFAULT_REGION", "eu-west-1"),
            ("NO_PROXY", "127.0.0.1"),
            ("no_proxy", "127.0.0.1"),
        ] {
            assert_eq!(changes[name].as_deref(), Some(value), "{name}");
        }
        for name in ["AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_ROLE_ARN", "IRSA_SIDECAR_AUTHORIZATION_TOKEN"] {
            assert_eq!(changes[name], None, "{name}");
        }
        assert!(!changes.contains_key("AWS_CONFIG_FILE"));
    }

    #[test]
    fn without_a_token_an_inherited_one_goes_too() {
        let changes = changes(&[("AWS_CONTAINER_AUTHORIZATION_TOKEN", "another's")], None, None);
        assert_eq!(changes["AWS_CONTAINER_AUTHORIZATION_TOKEN"], None);
        assert!(!changes.contains_key("AWS_REGION"));
    }

    #[test]
    fn appends_to_the_no_proxy_that_is_there_and_leaves_the_region_that_is() {
        let variables =
            [("no_proxy", "corp.example,"), ("AWS_REGION", "eu-central-1"), ("AWS_DEFAULT_REGION", "")];
        let changes = changes(&variables, None, Some("eu-central-1"));
        assert_eq!(changes["no_proxy"].as_deref(), Some("corp.example,127.0.0.1"));
        assert!(!changes.contains_key("NO_PROXY") && !changes.contains_key("AWS_REGION"));
        assert_eq!(changes["AWS_DEFAULT_REGION"].as_deref(), Some("eu-central-1"));
    }
}

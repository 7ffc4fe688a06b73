//! What a cluster's administrator decides for all pods.

use serde_json::Value;
use serde_json::json;

use crate::contract::DEFAULT_AUDIENCE;
use crate::contract::DEFAULT_TOKEN_EXPIRATION;
use crate::contract::DEFAULT_USER;
use crate::contract::ENV_ENDPOINT_URL_STS;
use crate::contract::ENV_POD_NAME;
use crate::contract::ENV_POD_NAMESPACE;
use crate::contract::ENV_REGION;
use crate::contract::ENV_ROLE_ARN;
use crate::contract::ENV_WEB_IDENTITY_TOKEN_FILE;
use crate::contract::MIN_TOKEN_EXPIRATION;
use crate::contract::NATIVE_SIDECARS_SINCE;

/// How sidecars look in this cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub image: String,
    /// `Always`, `IfNotPresent` or `Never`; none leaves it to Kubernetes.
    pub image_pull_policy: Option<String>,
    /// As in a manifest.
    pub resources: Value,
    /// More variables for the sidecar's container.
    pub env: Vec<(String, String)>,
    /// None leaves it to the image or the namespace, as OpenShift wants it.
    pub user: Option<u32>,
    /// Where a pod says none.
    pub region: Option<String>,
    pub audience: String,
    /// In seconds.
    pub token_expiration: u64,
    /// Kubernetes 1.29 and newer.
    pub native_sidecars: bool,
}

/// A flag of `inject` and `webhook`.
#[derive(Debug)]
pub struct Flag {
    /// Without its dashes.
    pub name: &'static str,
    pub value: &'static str,
    /// For people; empty for none.
    pub default: &'static str,
    pub meaning: &'static str,
    /// Whether it may be given more than once.
    pub repeats: bool,
}

const POLICIES: [&str; 3] = ["Always", "IfNotPresent", "Never"];
/// A variable with one of these is set by the injection itself, from what the pod says.
const TAKEN: [&str; 5] =
    [ENV_ROLE_ARN, ENV_WEB_IDENTITY_TOKEN_FILE, ENV_REGION, ENV_POD_NAME, ENV_POD_NAMESPACE];
/// The only ones of ours that are one matter for all pods.
const OURS: [&str; 2] = ["IRSA_SIDECAR_LOG", "IRSA_SIDECAR_LOG_FORMAT"];

pub static FLAGS: [Flag; 9] = [
    flag("sidecar-image", "IMAGE", "", "the sidecar's image, with its tag or digest; required"),
    flag(
        "sidecar-image-pull-policy",
        "Always|IfNotPresent|Never",
        "",
        "when the sidecar's image is pulled; Kubernetes decides where it is left out",
    ),
    flag(
        "sidecar-resources",
        "JSON",
        r#"{"requests":{"cpu":"5m","memory":"8Mi"},"limits":{"memory":"32Mi"}}"#,
        "requests and limits of the injected containers, as in a manifest",
    ),
    Flag {
        repeats: true,
        ..flag(
            "sidecar-env",
            "NAME=VALUE",
            "",
            "a further variable for the sidecar, for example AWS_ENDPOINT_URL_STS, HTTPS_PROXY or IRSA_SIDECAR_LOG",
        )
    },
    flag(
        "sidecar-user",
        "UID",
        "65532",
        "the sidecar's user and group; none leaves them to the namespace, as on OpenShift",
    ),
    flag("region", "REGION", "", "the AWS region of pods that have no annotation irsa-sidecar/region"),
    flag(
        "token-audience",
        "AUDIENCE",
        DEFAULT_AUDIENCE,
        "the token's audience, where the ServiceAccount says none",
    ),
    flag(
        "token-expiration",
        "SECONDS",
        "86400",
        "how long a token lasts, where the ServiceAccount says nothing",
    ),
    flag(
        "kubernetes-version",
        "1.NN",
        "",
        "the cluster's version: before 1.29 the sidecar is an ordinary container; a new one where it is left out",
    ),
];

const fn flag(name: &'static str, value: &'static str, default: &'static str, meaning: &'static str) -> Flag {
    Flag { name, value, default, meaning, repeats: false }
}

impl Settings {
    pub fn new(image: impl Into<String>) -> Self {
        Self {
            image: image.into(),
            image_pull_policy: None,
            resources: json!({ "requests": { "cpu": "5m", "memory": "8Mi" }, "limits": { "memory": "32Mi" } }),
            env: Vec::new(),
            user: Some(DEFAULT_USER),
            region: None,
            audience: DEFAULT_AUDIENCE.to_owned(),
            token_expiration: DEFAULT_TOKEN_EXPIRATION,
            native_sidecars: true,
        }
    }

    /// From flags, each by its name; all mistakes at once.
    pub fn from_flags<'a>(given: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, Vec<String>> {
        let mut settings = Self::new("");
        let mut mistakes = Vec::new();
        for (name, value) in given {
            if let Err(why) = settings.take(name, value) {
                mistakes.push(format!("--{name} \"{value}\": {why}"));
            }
        }
        if settings.image.is_empty() && !mistakes.iter().any(|mistake| mistake.contains("sidecar-image ")) {
            mistakes.push(
                "--sidecar-image is missing. Name the image that runs beside the application, for example \
                 --sidecar-image registry.example/irsa-sidecar:0.1.0"
                    .to_owned(),
            );
        }
        if mistakes.is_empty() { Ok(settings) } else { Err(mistakes) }
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "sidecar-image" if value.is_empty() || value.contains(char::is_whitespace) => {
                return Err("it is no image. For example registry.example/irsa-sidecar:0.1.0".to_owned());
            }
            "sidecar-image" => self.image = value.to_owned(),
            "sidecar-image-pull-policy" if POLICIES.contains(&value) => {
                self.image_pull_policy = Some(value.to_owned());
            }
            "sidecar-image-pull-policy" => return Err(format!("it is none of {}", POLICIES.join(", "))),
            "sidecar-resources" => self.resources = resources(value)?,
            "sidecar-env" => self.env.push(variable(value)?),
            "sidecar-user" => self.user = user(value)?,
            "region" => self.region = Some(region(value)?),
            "token-audience" if value.is_empty() => {
                return Err(format!("it is empty. For AWS it is {DEFAULT_AUDIENCE}"));
            }
            "token-audience" => self.audience = value.to_owned(),
            "token-expiration" => {
                let seconds = value.parse().ok().filter(|seconds| *seconds >= MIN_TOKEN_EXPIRATION);
                self.token_expiration = seconds.ok_or_else(|| {
                    format!("Kubernetes takes a number of seconds, {MIN_TOKEN_EXPIRATION} or more. For example 86400")
                })?;
            }
            "kubernetes-version" => self.native_sidecars = version(value)? >= NATIVE_SIDECARS_SINCE,
            _ => return Err("there is no such flag".to_owned()),
        }
        Ok(())
    }
}

fn resources(text: &str) -> Result<Value, String> {
    let example = r#"For example {"limits":{"memory":"32Mi"}}"#;
    let value: Value =
        serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}. {example}"))?;
    let known = ["requests", "limits", "claims"];
    match value.as_object().map(|map| map.keys().find(|key| !known.contains(&key.as_str()))) {
        Some(None) => Ok(value),
        Some(Some(key)) => Err(format!("it has \"{key}\", and there are {}. {example}", known.join(", "))),
        None => Err(format!("it is no JSON object. {example}")),
    }
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| format!("it has no =. For example {ENV_ENDPOINT_URL_STS}=https://sts.example"))?;
    let is_name = |name: &str| {
        !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    if !is_name(name) {
        return Err(format!("\"{name}\" is no name of a variable"));
    }
    if TAKEN.contains(&name) || (name.starts_with("IRSA_SIDECAR_") && !OURS.contains(&name)) {
        return Err(format!(
            "{name} is set for each pod from its annotations and its ServiceAccount. Leave it out"
        ));
    }
    Ok((name.to_owned(), value.to_owned()))
}

fn user(text: &str) -> Result<Option<u32>, String> {
    if text == "none" {
        return Ok(None);
    }
    let user: Option<u32> = text.parse().ok().filter(|user| *user > 0 && i32::try_from(*user).is_ok());
    user.map(Some).ok_or_else(|| "it is no user id but root's. For example 65532, or none".to_owned())
}

/// What a region looks like; which there are, only AWS knows.
pub(super) fn region(text: &str) -> Result<String, String> {
    let is_fine = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if is_fine && !text.is_empty() {
        return Ok(text.to_owned());
    }
    Err("it is no region. For example eu-west-1".to_owned())
}

/// Of `1.29`, `v1.29.3` and `1.29+`, as clusters tell it, the first two numbers.
pub fn version(text: &str) -> Result<(u32, u32), String> {
    let mut parts = text.trim_start_matches('v').split('.');
    let mut number = || {
        let part = parts.next()?;
        part.trim_end_matches(|c: char| !c.is_ascii_digit()).parse().ok()
    };
    let both = number().zip(number());
    both.ok_or_else(|| "it is no version of Kubernetes. For example 1.29".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_mistakes_come_at_once() {
        let given = [
            ("sidecar-image-pull-policy", "always"),
            ("sidecar-resources", r#"{"limit":{}}"#),
            ("sidecar-resources", "5m"),
            ("sidecar-env", "AWS_REGION=eu-west-1"),
            ("sidecar-env", "IRSA_SIDECAR_PORT=1"),
            ("sidecar-env", "A-B=1"),
            ("sidecar-user", "0"),
            ("region", "eu west"),
            ("token-expiration", "1h"),
            ("kubernetes-version", "new"),
        ];
        let mistakes = Settings::from_flags(given).unwrap_err();
        assert_eq!(mistakes.len(), given.len() + 1, "{mistakes:#?}");
        for (mistake, (name, value)) in mistakes.iter().zip(given) {
            assert!(mistake.starts_with(&format!("--{name} \"{value}\": ")), "{mistake}");
        }
        assert!(mistakes[10].starts_with("--sidecar-image is missing"));
    }

    #[test]
    fn versions_as_clusters_tell_them() {
        for (text, expected) in
            [("1.29", (1, 29)), ("v1.28.15-eks-abc", (1, 28)), ("1.29+", (1, 29)), ("1.30+.2", (1, 30))]
        {
            assert_eq!(version(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn the_defaults_that_help_shows_are_those_that_hold() {
        let defaults =
            FLAGS.iter().filter(|flag| !flag.default.is_empty()).map(|flag| (flag.name, flag.default));
        let given = Settings::from_flags(defaults.chain([("sidecar-image", "x")])).unwrap();
        assert_eq!(given, Settings::new("x"));
    }
}

//! What the application's containers get: variables that point their SDKs at the sidecar, and away from the node.
//!
//! What a container sets itself is never changed, but for `NO_PROXY`, which is appended to. Where that leaves the SDK
//! going elsewhere, a warning says so.

use serde_json::Value;

use crate::contract::ENV_ACCESS_KEY_ID;
use crate::contract::ENV_CONTAINER_AUTHORIZATION_TOKEN;
use crate::contract::ENV_CONTAINER_AUTHORIZATION_TOKEN_FILE;
use crate::contract::ENV_CONTAINER_CREDENTIALS_FULL_URI;
use crate::contract::ENV_CONTAINER_CREDENTIALS_RELATIVE_URI;
use crate::contract::ENV_DEFAULT_REGION;
use crate::contract::ENV_EC2_METADATA_DISABLED;
use crate::contract::ENV_REGION;
use crate::contract::ENV_ROLE_ARN;
use crate::contract::PATH_CREDENTIALS;
use crate::inject::Settings;
use crate::inject::asked::Asked;
use crate::inject::endpoints::Imds;
use crate::inject::identity::Identity;
use crate::inject::no_proxy;
use crate::inject::placement;
use crate::inject::pod::Container;
use crate::inject::pod::Pod;
use crate::inject::sidecar::from_secret;
use crate::inject::sidecar::variable;
use crate::patch::Op;

pub(super) struct Application<'a> {
    pub(super) asked: &'a Asked<'a>,
    pub(super) identity: &'a Identity,
    pub(super) settings: &'a Settings,
}

impl Application<'_> {
    pub(super) fn equip(&self, pod: &Pod<'_>, patch: &mut Vec<Op>, warnings: &mut Vec<String>) {
        let without = placement::without_credentials(pod, self.settings);
        for container in pod.others().filter(|container| !self.asked.skips(container)) {
            if without.contains(&container.name()) {
                continue;
            }
            let mut missing = self.variables(&container, warnings);
            missing.extend(no_proxy::exempt(&container, &self.asked.endpoints.addresses(), patch, warnings));
            self.warn_of_shadows(&container, warnings);
            add(&container, missing, patch);
        }
    }

    /// Those that the container does not have.
    fn variables(&self, container: &Container<'_>, warnings: &mut Vec<String>) -> Vec<Value> {
        let name = container.name();
        let mut missing = Vec::new();
        for wanted in self.wanted() {
            let variable_name = wanted["name"].as_str().unwrap_or_default();
            match container.variable(variable_name) {
                None => missing.push(wanted),
                Some((_, present)) if is_same(present, &wanted) || is_our_path(present, &wanted) => {}
                Some(_) => warnings.push(format!(
                    "container {name} sets {variable_name} itself, to something else than injection would, and it was left; \
                     its SDK may {}",
                    match variable_name {
                        ENV_EC2_METADATA_DISABLED => "go to the node's metadata service",
                        _ => "not find the sidecar",
                    }
                )),
            }
        }
        // As the EKS webhook does: one that is there shows that somebody has thought of it.
        let regions = [ENV_REGION, ENV_DEFAULT_REGION];
        let has_region = regions.iter().any(|region| container.variable(region).is_some());
        if !has_region && !container.takes_env_from() {
            missing.extend(regions.map(|region| variable(region, &self.identity.region)));
        }
        missing
    }

    fn wanted(&self) -> Vec<Value> {
        let Self { asked, .. } = self;
        let mut wanted = Vec::new();
        if asked.endpoints.container {
            let uri = format!("http://127.0.0.1:{}{PATH_CREDENTIALS}", asked.port);
            wanted.push(variable(ENV_CONTAINER_CREDENTIALS_FULL_URI, uri));
        }
        if asked.endpoints.ecs {
            wanted.push(variable(ENV_CONTAINER_CREDENTIALS_RELATIVE_URI, PATH_CREDENTIALS));
        }
        wanted.extend(
            asked
                .authorization
                .map(|secret_and_key| from_secret(ENV_CONTAINER_AUTHORIZATION_TOKEN, secret_and_key)),
        );
        if asked.endpoints.imds != Imds::Served {
            wanted.push(variable(ENV_EC2_METADATA_DISABLED, "true"));
        }
        wanted
    }

    /// What SDKs take before they ask the sidecar.
    fn warn_of_shadows(&self, container: &Container<'_>, warnings: &mut Vec<String>) {
        let name = container.name();
        let mut warn = |variable: &str, effect: &str| {
            warnings.push(format!("container {name} sets {variable}{effect}"));
        };
        if container.variable(ENV_ACCESS_KEY_ID).is_some() {
            warn(ENV_ACCESS_KEY_ID, ": SDKs take those keys and never ask the sidecar; remove it");
        }
        if let (Some(theirs), Some(ours)) = (container.literal(ENV_ROLE_ARN), &self.identity.role_arn)
            && theirs != ours
        {
            let effect = format!(
                " to {theirs}, the sidecar has {ours}: a new SDK assumes the first by itself, an old one gets the second"
            );
            warn(ENV_ROLE_ARN, &effect);
        }
        if !self.asked.endpoints.ecs && container.variable(ENV_CONTAINER_CREDENTIALS_RELATIVE_URI).is_some() {
            warn(
                ENV_CONTAINER_CREDENTIALS_RELATIVE_URI,
                ": SDKs take it before the sidecar's address; remove it, or ask for the endpoint ecs",
            );
        }
        if self.asked.endpoints.imds == Imds::Served
            && container
                .literal(ENV_EC2_METADATA_DISABLED)
                .is_some_and(|value| value.eq_ignore_ascii_case("true"))
        {
            warn(ENV_EC2_METADATA_DISABLED, ": its SDK will not ask the endpoint imds; remove it");
        }
        if self.asked.authorization.is_some()
            && container.variable(ENV_CONTAINER_AUTHORIZATION_TOKEN_FILE).is_some()
        {
            warn(
                ENV_CONTAINER_AUTHORIZATION_TOKEN_FILE,
                ": SDKs take that file's content and not the token of irsa-sidecar/authorization; remove it",
            );
        }
    }
}

/// With what the API server fills in left out of account.
fn is_same(present: &Value, wanted: &Value) -> bool {
    let secret = |variable: &Value| {
        let reference = &variable["valueFrom"]["secretKeyRef"];
        (reference["name"].clone(), reference["key"].clone())
    };
    match wanted.get("value") {
        Some(value) => present.get("value") == Some(value),
        None => secret(present) == secret(wanted),
    }
}

/// Another role of the roles file: `…/v1/credentials/NAME`.
fn is_our_path(present: &Value, wanted: &Value) -> bool {
    let value = |variable: &Value| variable["value"].as_str().map(str::to_owned);
    let (Some(present), Some(wanted)) = (value(present), value(wanted)) else { return false };
    present.strip_prefix(&wanted).is_some_and(|rest| rest.starts_with('/'))
}

fn add(container: &Container<'_>, missing: Vec<Value>, patch: &mut Vec<Op>) {
    let env = container.at.field("env");
    if missing.is_empty() {
        return;
    }
    if container.env().is_empty() {
        patch.push(Op::Add { path: env, value: missing.into() });
        return;
    }
    patch.extend(missing.into_iter().map(|value| Op::Add { path: env.end(), value }));
}

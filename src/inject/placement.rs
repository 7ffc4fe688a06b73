//! Where things go: the containers first, the volumes, the pod's sysctl.
//!
//! What is there already is not moved. The order that is wanted: `net-init`, the sidecar, then everyone else.

use serde_json::Value;
use serde_json::json;

use crate::contract::DEFAULT_CONTAINER;
use crate::contract::NET_INIT_CONTAINER;
use crate::contract::PORT_SYSCTL;
use crate::contract::ROLES_NAME;
use crate::contract::ROLES_VOLUME;
use crate::contract::SIDECAR_CONTAINER;
use crate::contract::TOKEN_NAME;
use crate::contract::TOKEN_VOLUME;
use crate::inject::Refusal;
use crate::inject::Settings;
use crate::inject::asked::Asked;
use crate::inject::identity::Identity;
use crate::inject::pod::Container;
use crate::inject::pod::Pod;
use crate::inject::sidecar::Sidecar;
use crate::patch::Op;
use crate::patch::Pointer;

/// The container that Istio's node agent (CNI) has put there in place of one that sets up the redirection.
const ISTIO_VALIDATION: &str = "istio-validation";
const LINK_LOCAL_PORT: u64 = crate::contract::LINK_LOCAL_PORT as u64;

pub(super) fn place(
    pod: &Pod<'_>,
    namespace: &str,
    asked: &Asked<'_>,
    identity: &Identity,
    settings: &Settings,
    patch: &mut Vec<Op>,
    warnings: &mut Vec<String>,
) -> Result<(), Refusal> {
    let sidecar = Sidecar { asked, identity, settings };
    let ours = Ours::of(pod);
    volumes(pod, asked, identity, patch)?;
    if asked.endpoints.claims() {
        sysctl(pod, patch)?;
        let namespace =
            if namespace.is_empty() { "its namespace".to_owned() } else { format!("namespace {namespace}") };
        warnings.push(format!(
            "{NET_INIT_CONTAINER} needs NET_ADMIN to claim addresses; {namespace} must allow more than the Pod Security \
             level baseline, or the pod is not admitted"
        ));
    }
    let has_inits = pod.init_containers().next().is_some();
    let mut first = Vec::new();
    if asked.endpoints.claims() && ours.net_init.is_none() {
        first.push(sidecar.net_init());
    }
    if !ours.has_sidecar && settings.native_sidecars {
        first.push(sidecar.native());
    }
    if !first.is_empty() {
        let list = spec("initContainers");
        // A net-init that is there is not moved, and the sidecar comes after it.
        let index = if first.len() == 1 { ours.net_init.map_or(0, |at| at + 1) } else { 0 };
        match has_inits {
            true => {
                patch.extend(first.into_iter().rev().map(|value| Op::Add { path: list.index(index), value }))
            }
            false => patch.push(Op::Add { path: list, value: first.into() }),
        }
    }
    if !settings.native_sidecars {
        ordinary(pod, &ours, &sidecar, patch, warnings);
    }
    warn_of_order(pod, settings, warnings);
    Ok(())
}

/// Those of our containers that are there.
struct Ours {
    net_init: Option<usize>,
    has_sidecar: bool,
}

impl Ours {
    fn of(pod: &Pod<'_>) -> Self {
        let is_sidecar = |container: Container<'_>| container.name() == SIDECAR_CONTAINER;
        Self {
            net_init: pod.init_containers().position(|container| container.name() == NET_INIT_CONTAINER),
            has_sidecar: pod.init_containers().any(is_sidecar) || pod.containers().any(is_sidecar),
        }
    }
}

/// Which containers run before there are credentials, so that variables would only lead them astray.
pub(super) fn without_credentials<'a>(pod: &Pod<'a>, settings: &Settings) -> Vec<&'a str> {
    let inits: Vec<&str> = pod.init_containers().map(|container| container.name()).collect();
    match inits.iter().position(|name| *name == SIDECAR_CONTAINER) {
        Some(at) => inits[..at].to_vec(),
        None if settings.native_sidecars => Vec::new(),
        None => inits,
    }
}

/// Kubernetes before 1.29.
fn ordinary(
    pod: &Pod<'_>,
    ours: &Ours,
    sidecar: &Sidecar<'_>,
    patch: &mut Vec<Op>,
    warnings: &mut Vec<String>,
) {
    if !ours.has_sidecar {
        let value = sidecar.ordinary(pod.grace_seconds());
        patch.push(Op::Add { path: spec("containers").index(0), value });
        keep_default_container(pod, patch);
    }
    if pod.ends() {
        warnings.push(format!(
            "Kubernetes before 1.29 has no native sidecars: {SIDECAR_CONTAINER} goes on when the others have ended, and a \
             Job's pod never completes; give the Job an activeDeadlineSeconds, or use Kubernetes 1.29"
        ));
    }
}

/// Ours is the first container then, which `kubectl logs` and `kubectl exec` would take.
fn keep_default_container(pod: &Pod<'_>, patch: &mut Vec<Op>) {
    let Some(application) = pod.containers().find(|container| !container.is_ours()) else { return };
    if pod.annotation(DEFAULT_CONTAINER).is_some() {
        return;
    }
    let annotations = Pointer::root().field("metadata").field("annotations");
    patch.push(match pod.has("/metadata/annotations") {
        true => Op::Add { path: annotations.field(DEFAULT_CONTAINER), value: json!(application.name()) },
        false => Op::Add { path: annotations, value: json!({ DEFAULT_CONTAINER: application.name() }) },
    });
}

fn warn_of_order(pod: &Pod<'_>, settings: &Settings, warnings: &mut Vec<String>) {
    let early = without_credentials(pod, settings);
    let early: Vec<&str> = early.into_iter().filter(|name| *name != NET_INIT_CONTAINER).collect();
    if !early.is_empty() {
        let why = match settings.native_sidecars {
            true => format!("before {SIDECAR_CONTAINER}"),
            false => "before any container, as Kubernetes before 1.29 has it".to_owned(),
        };
        warnings
            .push(format!("init container {} runs {why}, and has no credentials from it", early.join(", ")));
    }
    if pod.init_containers().any(|container| container.name() == ISTIO_VALIDATION) {
        warnings.push(format!(
            "Istio's CNI plugin redirects this pod's traffic before its proxy runs, and {SIDECAR_CONTAINER} must reach STS \
             before that; exempt STS, for example with the annotation traffic.sidecar.istio.io/excludeOutboundPorts: \"443\""
        ));
    }
}

fn volumes(
    pod: &Pod<'_>,
    asked: &Asked<'_>,
    identity: &Identity,
    patch: &mut Vec<Op>,
) -> Result<(), Refusal> {
    let mut missing = Vec::new();
    match pod.volume(TOKEN_VOLUME) {
        None => missing.push(token_volume(identity)),
        // The EKS webhook's, or an earlier one of ours.
        Some(volume) if holds_token(volume) => {}
        Some(_) => {
            return Err(Refusal(format!(
                "volume {TOKEN_VOLUME} is there and has no ServiceAccount token at the path {TOKEN_NAME}; give it another \
                 name"
            )));
        }
    }
    if let Some(name) = asked.roles_config_map {
        match pod.volume(ROLES_VOLUME) {
            None => missing.push(json!({ "name": ROLES_VOLUME, "configMap": { "name": name } })),
            Some(volume) if volume["configMap"]["name"] == name => {}
            // Secrets of chains may lie beside it.
            Some(volume) if volume["projected"].is_object() => {}
            Some(_) => {
                return Err(Refusal(format!(
                    "volume {ROLES_VOLUME} is there and is not the ConfigMap {name} with the key {ROLES_NAME}; give it \
                     another name"
                )));
            }
        }
    }
    let list = spec("volumes");
    if missing.is_empty() {
        return Ok(());
    }
    match pod.list("volumes").is_empty() {
        true => patch.push(Op::Add { path: list, value: missing.into() }),
        false => patch.extend(missing.into_iter().map(|value| Op::Add { path: list.end(), value })),
    }
    Ok(())
}

fn token_volume(identity: &Identity) -> Value {
    let token = json!({
        "audience": identity.audience,
        "expirationSeconds": identity.token_expiration,
        "path": TOKEN_NAME,
    });
    json!({ "name": TOKEN_VOLUME, "projected": { "sources": [{ "serviceAccountToken": token }] } })
}

fn holds_token(volume: &Value) -> bool {
    let sources = volume["projected"]["sources"].as_array();
    sources.is_some_and(|sources| {
        sources.iter().any(|source| source["serviceAccountToken"]["path"] == TOKEN_NAME)
    })
}

fn sysctl(pod: &Pod<'_>, patch: &mut Vec<Op>) -> Result<(), Refusal> {
    let wanted = json!({ "name": PORT_SYSCTL, "value": LINK_LOCAL_PORT.to_string() });
    let context = spec("securityContext");
    let Some(sysctls) = pod.spec("securityContext").and_then(|context| context.get("sysctls")) else {
        patch.push(match pod.spec("securityContext") {
            Some(_) => Op::Add { path: context.field("sysctls"), value: json!([wanted]) },
            None => Op::Add { path: context, value: json!({ "sysctls": [wanted] }) },
        });
        return Ok(());
    };
    let sysctls = sysctls.as_array().map_or(&[][..], Vec::as_slice);
    match sysctls.iter().find(|sysctl| sysctl["name"] == PORT_SYSCTL) {
        None if sysctls.is_empty() => {
            patch.push(Op::Add { path: context.field("sysctls"), value: json!([wanted]) });
            Ok(())
        }
        None => {
            patch.push(Op::Add { path: context.field("sysctls").end(), value: wanted });
            Ok(())
        }
        Some(sysctl) => {
            let value = sysctl["value"].as_str().unwrap_or_default();
            match value.parse::<u64>() {
                Ok(port) if port <= LINK_LOCAL_PORT => Ok(()),
                _ => Err(Refusal(format!(
                    "the pod sets the sysctl {PORT_SYSCTL} to \"{value}\", and the sidecar must listen on port \
                     {LINK_LOCAL_PORT}; set it to {LINK_LOCAL_PORT} or less, or ask for the endpoint container alone"
                ))),
            }
        }
    }
}

fn spec(field: &str) -> Pointer {
    Pointer::root().field("spec").field(field)
}

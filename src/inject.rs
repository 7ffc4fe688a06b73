//! What a pod must be given so that its old SDKs have the role of their ServiceAccount: JSON in, a JSON patch out.
//!
//! The webhook and `irsa-sidecar inject` do the same by this one function. It touches only what it must, and what it
//! has done once it finds done the second time: other webhooks cause a pod to be seen again, with containers that
//! were not there before. It reads the pod as JSON and never as a type, so that no field is lost that it does not
//! know. What cannot work is refused, in one sentence that says what to do; what works, but hardly as it was meant, is
//! a warning, which `kubectl` shows.
//!
//! Order of reading: `asked` (the annotations) and `identity` (the role, the token, the region) say what is wanted;
//! `sidecar` and `application` say what containers get; `placement` says where.

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Display;
use std::fmt::Formatter;

use serde_json::Value;

use crate::contract::INJECT_DISABLED;
use crate::contract::INJECT_ENABLED;
use crate::contract::LABEL_INJECT;
use crate::patch::Op;

mod application;
mod asked;
mod endpoints;
mod identity;
mod no_proxy;
mod placement;
mod pod;
mod settings;
mod sidecar;

pub(crate) use no_proxy::longer as longer_no_proxy;
pub use settings::FLAGS;
pub use settings::Flag;
pub use settings::Settings;
pub use settings::version;

use application::Application;
use asked::Asked;
use identity::Identity;
use pod::Pod;

/// What is known of the pod's ServiceAccount: its annotations, of which those of `eks.amazonaws.com` matter.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ServiceAccount {
    pub annotations: BTreeMap<String, String>,
}

/// What is to be done to a pod.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Injection {
    /// Empty where the pod has everything already, or asks for nothing.
    pub patch: Vec<Op>,
    /// One sentence each.
    pub warnings: Vec<String>,
}

/// Why a pod that asks for the sidecar cannot have it, and what to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal(pub String);

impl Display for Refusal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

/// Whether the pod says anything of injection; one with another value than `enabled` has made a mistake, and is told.
pub fn wants(pod: &Value) -> bool {
    pod.pointer("/metadata/labels")
        .and_then(|labels| labels.get(LABEL_INJECT))
        .is_some_and(|value| value != INJECT_DISABLED)
}

/// Whose annotations count.
pub fn service_account_name(pod: &Value) -> &str {
    let named = |field: &str| pod.pointer("/spec").and_then(|spec| spec.get(field)).and_then(Value::as_str);
    let given = |field| named(field).filter(|name| !name.is_empty());
    given("serviceAccountName").or_else(|| given("serviceAccount")).unwrap_or("default")
}

/// What is to be done to this pod, or why it cannot be.
pub fn inject(
    pod: &Value,
    namespace: &str,
    service_account: Option<&ServiceAccount>,
    settings: &Settings,
) -> Result<Injection, Refusal> {
    if !wants(pod) {
        return Ok(Injection::default());
    }
    let pod = Pod::of(pod)?;
    refuse_label(&pod)?;
    pod.refuse_impossible()?;
    let mut warnings = Vec::new();
    let asked = Asked::of(&pod, &mut warnings)?;
    let identity = Identity::of(&pod, namespace, service_account, &asked, settings, &mut warnings)?;
    let mut patch = Vec::new();
    Application { asked: &asked, identity: &identity, settings }.equip(&pod, &mut patch, &mut warnings);
    placement::place(&pod, namespace, &asked, &identity, settings, &mut patch, &mut warnings)?;
    Ok(Injection { patch, warnings })
}

fn refuse_label(pod: &Pod<'_>) -> Result<(), Refusal> {
    match pod.label(LABEL_INJECT) {
        Some(INJECT_ENABLED) => Ok(()),
        other => {
            let value = other.unwrap_or_default();
            Err(Refusal(format!(
                "label {LABEL_INJECT} is \"{value}\", which means nothing; write {INJECT_ENABLED}, or {INJECT_DISABLED} to be left alone"
            )))
        }
    }
}

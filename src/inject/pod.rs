//! A pod as JSON, looked at and never rebuilt.

use serde_json::Value;

use crate::contract::NET_INIT_CONTAINER;
use crate::contract::SIDECAR_CONTAINER;
use crate::inject::Refusal;
use crate::inject::service_account_name;
use crate::patch::Pointer;

/// A pod, or a workload's template of one.
#[derive(Clone, Copy)]
pub(super) struct Pod<'a> {
    value: &'a Value,
}

/// One of its containers, and where it stands.
#[derive(Clone)]
pub(super) struct Container<'a> {
    value: &'a Value,
    pub(super) at: Pointer,
}

const NONE: &[Value] = &[];
/// Kubernetes' own default, in seconds.
const DEFAULT_GRACE: u64 = 30;

impl<'a> Pod<'a> {
    pub(super) fn of(value: &'a Value) -> Result<Self, Refusal> {
        let pod = Self { value };
        if pod.list("containers").is_empty() {
            return Err(Refusal("the pod has no spec.containers; nothing can be injected".to_owned()));
        }
        Ok(pod)
    }

    /// Where no sidecar can do its work.
    pub(super) fn refuse_impossible(&self) -> Result<(), Refusal> {
        if self.spec("hostNetwork") == Some(&Value::Bool(true)) {
            return Err(Refusal(
                "hostNetwork is true: the sidecar would serve the role's credentials to every process of the node; \
                 remove hostNetwork, or give the application its credentials by web identity or EKS Pod Identity"
                    .to_owned(),
            ));
        }
        if self.is_windows() {
            return Err(Refusal(
                "the pod is for Windows, and irsa-sidecar is a Linux image; remove the label irsa-sidecar/inject"
                    .to_owned(),
            ));
        }
        Ok(())
    }

    fn is_windows(&self) -> bool {
        let os = self.value.pointer("/spec/os/name");
        let selected = |key| self.spec("nodeSelector").and_then(|selector| selector.get(key));
        let selected = selected("kubernetes.io/os").or_else(|| selected("beta.kubernetes.io/os"));
        os.or(selected).is_some_and(|os| os == "windows")
    }

    pub(super) fn label(&self, name: &str) -> Option<&'a str> {
        self.value.pointer("/metadata/labels")?.get(name)?.as_str()
    }

    pub(super) fn annotation(&self, name: &str) -> Option<&'a str> {
        self.annotations().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    pub(super) fn annotations(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let annotations = self.value.pointer("/metadata/annotations").and_then(Value::as_object);
        annotations.into_iter().flatten().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
    }

    pub(super) fn spec(&self, field: &str) -> Option<&'a Value> {
        self.value.get("spec")?.get(field).filter(|value| !value.is_null())
    }

    pub(super) fn has(&self, pointer: &str) -> bool {
        self.value.pointer(pointer).is_some_and(|value| !value.is_null())
    }

    pub(super) fn list(&self, field: &str) -> &'a [Value] {
        self.spec(field).and_then(Value::as_array).map_or(NONE, Vec::as_slice)
    }

    pub(super) fn service_account(&self) -> &'a str {
        service_account_name(self.value)
    }

    pub(super) fn grace_seconds(&self) -> u64 {
        self.spec("terminationGracePeriodSeconds").and_then(Value::as_u64).unwrap_or(DEFAULT_GRACE)
    }

    /// Whether it is to end by itself, as a Job's pods are.
    pub(super) fn ends(&self) -> bool {
        self.spec("restartPolicy").and_then(Value::as_str).is_some_and(|policy| policy != "Always")
    }

    pub(super) fn volume(&self, name: &str) -> Option<&'a Value> {
        self.list("volumes").iter().find(|volume| volume["name"] == name)
    }

    /// The init containers, in the order in which they run.
    pub(super) fn init_containers(&self) -> impl Iterator<Item = Container<'a>> {
        self.containers_of("initContainers")
    }

    pub(super) fn containers(&self) -> impl Iterator<Item = Container<'a>> {
        self.containers_of("containers")
    }

    /// All but ours.
    pub(super) fn others(&self) -> impl Iterator<Item = Container<'a>> {
        self.init_containers().chain(self.containers()).filter(|container| !container.is_ours())
    }

    fn containers_of(&self, field: &str) -> impl Iterator<Item = Container<'a>> {
        let list = Pointer::root().field("spec").field(field);
        let containers = self.list(field).iter().enumerate();
        containers.map(move |(index, value)| Container { value, at: list.index(index) })
    }
}

impl<'a> Container<'a> {
    pub(super) fn name(&self) -> &'a str {
        self.value["name"].as_str().unwrap_or_default()
    }

    pub(super) fn is_ours(&self) -> bool {
        [SIDECAR_CONTAINER, NET_INIT_CONTAINER].contains(&self.name())
    }

    /// What is set in `env` under this name; of several the last, as Kubernetes has it.
    pub(super) fn variable(&self, name: &str) -> Option<(usize, &'a Value)> {
        self.env().iter().enumerate().rev().find(|(_, variable)| variable["name"] == name)
    }

    /// The same, where it is written there and not taken from elsewhere.
    pub(super) fn literal(&self, name: &str) -> Option<&'a str> {
        literal(self.variable(name)?.1)
    }

    pub(super) fn env(&self) -> &'a [Value] {
        self.value["env"].as_array().map_or(NONE, Vec::as_slice)
    }

    pub(super) fn takes_env_from(&self) -> bool {
        self.value["envFrom"].as_array().is_some_and(|sources| !sources.is_empty())
    }

    pub(super) fn declares_port(&self, port: u16) -> bool {
        let ports = self.value["ports"].as_array().map_or(NONE, Vec::as_slice);
        ports.iter().any(|declared| declared["containerPort"] == port)
    }
}

/// A variable without a value has the empty one.
pub(super) fn literal(variable: &Value) -> Option<&str> {
    match (&variable["value"], &variable["valueFrom"]) {
        (Value::String(value), Value::Null) => Some(value),
        (Value::Null, Value::Null) => Some(""),
        _ => None,
    }
}

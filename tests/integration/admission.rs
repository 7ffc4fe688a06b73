//! What pods are given: every case under `tests/data/admission` is a pod with its expected result.
//!
//! The cluster tests put the same pods through a real API server.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use irsa_sidecar::inject::Injection;
use irsa_sidecar::inject::Refusal;
use irsa_sidecar::inject::ServiceAccount;
use irsa_sidecar::inject::Settings;
use irsa_sidecar::inject::inject;
use irsa_sidecar::manifest::Manifest;
use irsa_sidecar::patch::Op;
use irsa_sidecar::patch::apply;
use serde_json::Value;
use serde_json::json;

struct Case {
    name: String,
    text: String,
    settings: Settings,
    expected: Value,
    warnings: Vec<String>,
    account: Option<ServiceAccount>,
    pod: Value,
    /// Which document the pod is.
    document: usize,
}

impl Case {
    fn result(&self) -> Result<Injection, Refusal> {
        self.inject(&self.pod)
    }

    fn inject(&self, pod: &Value) -> Result<Injection, Refusal> {
        inject(pod, "shop", self.account.as_ref(), &self.settings)
    }

    fn injected(&self) -> Option<Value> {
        let mut pod = self.pod.clone();
        apply(&mut pod, &self.result().ok()?.patch).unwrap();
        Some(pod)
    }
}

fn cases() -> Vec<Case> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/admission");
    let mut paths: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 40);
    paths.iter().map(|path| case(path)).collect()
}

fn case(path: &Path) -> Case {
    let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
    let text = fs::read_to_string(path).unwrap();
    let manifest = Manifest::parse(text.as_str()).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut documents = manifest.values();
    let document = documents.len() - 1;
    let head = documents.remove(0);
    let pod = documents.pop().unwrap();
    for (key, _) in head.as_object().unwrap() {
        assert!(["case", "settings", "expect", "warnings"].contains(&key.as_str()), "{name}: {key}");
    }
    Case {
        settings: settings(&head["settings"]),
        expected: head["expect"].clone(),
        warnings: serde_json::from_value(head.get("warnings").cloned().unwrap_or(json!([]))).unwrap(),
        account: documents.first().map(account),
        name,
        text,
        pod,
        document,
    }
}

fn settings(given: &Value) -> Settings {
    let mut flags = vec![("sidecar-image", "registry.example/irsa-sidecar:1")];
    for (name, value) in given.as_object().into_iter().flatten() {
        match value {
            Value::Array(values) => {
                flags.extend(values.iter().map(|value| (name.as_str(), value.as_str().unwrap())))
            }
            value => flags.push((name, value.as_str().unwrap())),
        }
    }
    Settings::from_flags(flags).unwrap()
}

fn account(document: &Value) -> ServiceAccount {
    assert_eq!(document["kind"], "ServiceAccount");
    let annotations = document["metadata"].get("annotations").cloned().unwrap_or(json!({}));
    ServiceAccount { annotations: serde_json::from_value::<BTreeMap<_, _>>(annotations).unwrap() }
}

/// What of `expected` is not in `actual`: objects by key, lists whose items have names by name and in this order.
fn missing(expected: &Value, actual: &Value, at: &str, found: &mut Vec<String>) {
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => {
            for (key, expected) in expected {
                missing(expected, actual.get(key).unwrap_or(&Value::Null), &format!("{at}/{key}"), found);
            }
        }
        (Value::Array(wanted), Value::Array(given)) if wanted.iter().all(|item| item["name"].is_string()) => {
            let mut last = 0;
            for item in wanted {
                let name = item["name"].as_str().unwrap();
                match given.iter().position(|given| given["name"] == name) {
                    None => found.push(format!("{at}: no {name}")),
                    Some(index) if index < last => found.push(format!("{at}: {name} comes too early")),
                    Some(index) => {
                        last = index;
                        missing(item, &given[index], &format!("{at}/{name}"), found);
                    }
                }
            }
        }
        (expected, actual) if expected == actual => {}
        (expected, actual) => found.push(format!("{at}: {actual} and not {expected}")),
    }
}

#[test]
fn every_pod_is_given_what_its_case_says() {
    let mut wrong = Vec::new();
    for case in cases() {
        let found = &mut Vec::new();
        let warnings = match (case.result(), case.expected.get("refused")) {
            (Err(refusal), Some(expected)) if *expected == refusal.0 => Vec::new(),
            (Err(refusal), _) => {
                found.push(format!("refused: {refusal}"));
                Vec::new()
            }
            (Ok(_), Some(_)) => {
                found.push("not refused".to_owned());
                Vec::new()
            }
            (Ok(Injection { patch, warnings }), None) => {
                let untouched = case.expected.get("untouched") == Some(&json!(true));
                match untouched {
                    true if patch.is_empty() => {}
                    true => found.push(format!("touched: {patch:?}")),
                    false => missing(&case.expected["pod"], &case.injected().unwrap(), "", found),
                }
                warnings
            }
        };
        if warnings != case.warnings {
            found.push(format!("warnings: {warnings:#?}"));
        }
        if !found.is_empty() {
            wrong.push(format!("{}: {found:#?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Other webhooks cause a pod to be seen again.
#[test]
fn what_is_done_is_found_done_the_second_time() {
    for case in cases() {
        let Some(pod) = case.injected() else { continue };
        let again = case.inject(&pod).unwrap();
        assert_eq!(again.patch, [], "{}", case.name);
    }
}

/// A container that another injector adds after ours is given what the others have.
#[test]
fn a_container_that_comes_later_is_given_the_variables() {
    for case in cases() {
        let Some(mut pod) = case.injected().filter(|pod| *pod != case.pod) else { continue };
        pod["spec"]["containers"].as_array_mut().unwrap().push(json!({ "name": "late", "image": "late" }));
        let patch = case.inject(&pod).unwrap().patch;
        assert_eq!(patch.len(), 1, "{}: {patch:?}", case.name);
        let path =
            format!("/spec/containers/{}/env", pod["spec"]["containers"].as_array().unwrap().len() - 1);
        assert_eq!(patch[0].path().as_str(), path, "{}", case.name);
    }
}

/// Nothing is taken away, and nothing moved but by what comes before it.
#[test]
fn all_that_a_pod_had_it_keeps() {
    for case in cases() {
        let Some(pod) = case.injected() else { continue };
        let mut before = case.pod.clone();
        for container in containers(&mut before) {
            for variable in container.get_mut("env").and_then(Value::as_array_mut).into_iter().flatten() {
                if ["NO_PROXY", "no_proxy"].contains(&variable["name"].as_str().unwrap()) {
                    variable.as_object_mut().unwrap().remove("value");
                }
            }
        }
        let found = &mut Vec::new();
        missing(&before, &pod, "", found);
        assert!(found.is_empty(), "{}: {found:#?}", case.name);
        let paths = case.result().unwrap().patch;
        for path in paths.iter().map(Op::path) {
            let allowed = [
                "/spec/volumes",
                "/spec/initContainers",
                "/spec/containers",
                "/spec/securityContext",
                "/metadata/annotations",
            ];
            assert!(allowed.iter().any(|start| path.as_str().starts_with(start)), "{}: {path}", case.name);
        }
    }
}

fn containers(pod: &mut Value) -> impl Iterator<Item = &mut Value> {
    let lists = pod["spec"].as_object_mut().unwrap().iter_mut();
    let lists = lists.filter(|(name, _)| name.ends_with("ontainers"));
    lists.filter_map(|(_, list)| list.as_array_mut()).flatten()
}

/// What people keep in Git is edited, and says the same as what the webhook makes of it.
#[test]
fn a_manifest_is_edited_in_place_to_say_the_same() {
    for case in cases() {
        let Ok(Injection { patch, .. }) = case.result() else { continue };
        let mut manifest = Manifest::parse(case.text.as_str()).unwrap();
        assert_eq!(manifest.edit(case.document, &patch), None, "{}", case.name);
        assert_eq!(manifest.values()[case.document], case.injected().unwrap(), "{}", case.name);
        let mut after = manifest.text().lines();
        let changes = |line: &str| line.contains("NO_PROXY") || line.contains("sysctls: [");
        for line in case.text.lines().filter(|line| !changes(line)) {
            assert!(after.any(|kept| kept == line), "{}: {line:?} is gone\n{}", case.name, manifest.text());
        }
    }
}

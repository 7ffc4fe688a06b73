//! `irsa-sidecar inject`, run as a person or a pipeline would.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Output;

use support::scratch::Scratch;

const IMAGE: [&str; 4] = ["--sidecar-image", "registry.example/irsa-sidecar:1", "--region", "eu-west-1"];

fn inject(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_irsa-sidecar"))
        .arg("inject")
        .args(arguments)
        .args(IMAGE)
        .output()
        .unwrap()
}

fn data(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/inject").join(name).display().to_string()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Every file `NAME.yaml` has beside it `NAME.injected.yaml`; with UPDATE_EXPECTED set, that is written anew.
#[test]
fn manifests_are_edited_as_a_person_would() {
    for name in ["workloads", "helm", "list.json"] {
        let before = data(if name.contains('.') { name.to_owned() } else { format!("{name}.yaml") }.as_str());
        let after = before.replace(".yaml", ".injected.yaml").replace(".json", ".injected.json");
        let output = inject(&["-f", &before]);
        assert_eq!(text(&output.stderr), "", "{name}");
        assert_eq!(output.status.code(), Some(0), "{name}");
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            fs::write(&after, &output.stdout).unwrap();
        }
        assert_eq!(text(&output.stdout), fs::read_to_string(&after).unwrap(), "{name}");
        let again = inject(&["-f", &after]);
        assert_eq!(text(&again.stdout), text(&output.stdout), "{name}: the second time");
        assert_eq!(inject(&["--check", "-f", &before]).status.code(), Some(1), "{name}");
        let check = inject(&["--check", "-f", &after]);
        assert_eq!((check.status.code(), check.stdout.len()), (Some(0), 0), "{name}");
    }
}

#[test]
fn what_cannot_be_injected_is_told_all_at_once_and_nothing_is_printed() {
    let scratch = Scratch::new("inject").unwrap();
    let file = scratch.path().join("two.yaml");
    let pod = |name: &str, more: &str| {
        format!(
            "kind: Pod\nmetadata:\n  name: {name}\n  labels: {{irsa-sidecar/inject: enabled}}\nspec:\n  {more}\n  containers: [{{name: app}}]\n"
        )
    };
    fs::write(&file, [pod("a", "hostNetwork: true"), pod("b", "x: y")].join("---\n")).unwrap();
    let output = inject(&["-f", file.to_str().unwrap(), "-f", "/nowhere.yaml"]);
    assert_eq!(output.status.code(), Some(64));
    assert_eq!(output.stdout.len(), 0);
    let told = text(&output.stderr);
    for part in ["/nowhere.yaml", "Pod a: hostNetwork is true", "Pod b: no role: ServiceAccount default"] {
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn a_file_that_asks_for_nothing_passes_through_and_is_told() {
    let file = data("unlabelled.yaml");
    let output = inject(&["-f", &file]);
    assert_eq!(text(&output.stdout), fs::read_to_string(&file).unwrap());
    assert!(text(&output.stderr).contains("no pod has the label irsa-sidecar/inject: enabled"));
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn wrong_flags_are_told_all_at_once() {
    let output = Command::new(env!("CARGO_BIN_EXE_irsa-sidecar"))
        .args(["inject", "-f", "-", "--sidecar-user", "root", "--region", "EU"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(64));
    let told = text(&output.stderr);
    for part in ["--sidecar-user \"root\"", "--region \"EU\"", "--sidecar-image is missing"] {
        assert!(told.contains(part), "{told}");
    }
}

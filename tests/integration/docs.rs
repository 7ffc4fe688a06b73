//! What the README says, held against what the program says of itself.

use std::fs;

use irsa_sidecar::config::settings_table;
use irsa_sidecar::sts::ErrorKind;
use irsa_sidecar::upstream::PassError;

#[test]
fn the_readme_has_the_settings_as_the_program_knows_them() {
    let readme = readme();
    let table = between(&readme, "<!-- settings -->\n", "<!-- /settings -->");
    assert_eq!(
        table.trim(),
        settings_table().trim(),
        "put what `right` shows between the markers of README.md"
    );
}

#[test]
fn the_readme_explains_every_code_of_a_failed_exchange() {
    let readme = readme();
    for kind in ErrorKind::ALL {
        assert!(readme.contains(&format!("`{}`", kind.code())), "{} is not in README.md", kind.code());
    }
}

#[test]
fn the_readme_explains_every_code_of_what_could_not_be_passed_on() {
    let readme = readme();
    for error in [
        PassError::Timeout,
        PassError::Unreachable(String::new()),
        PassError::Busy,
        PassError::TooLarge,
        PassError::SessionRefused,
        PassError::Failed(500),
        PassError::Unintelligible(""),
        PassError::Ending,
    ] {
        assert!(readme.contains(&format!("`{}`", error.code())), "{} is not in README.md", error.code());
    }
}

#[test]
fn the_readme_names_every_metric() {
    let metrics = irsa_sidecar::metrics::Metrics::new(&[]);
    metrics.role_added("default");
    let readme = readme();
    for line in metrics.text().lines().filter_map(|line| line.strip_prefix("# TYPE irsa_sidecar_")) {
        let family = line.split(' ').next().unwrap();
        assert!(readme.contains(&format!("`{family}")), "{family} is not in README.md");
    }
}

/// The conformance run writes both: the README has a line for each client of the long table, with ✔ where every column
/// of the endpoint's row has one.
#[test]
fn the_readme_has_the_conformance_table_as_the_run_wrote_it() {
    let run =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conformance/README.md")).unwrap();
    let long = between(&run, "<!-- table: begin -->\n", "<!-- table: end -->");
    let endpoints = ["container", "ecs", "imds"];
    let mut wanted: Vec<(String, [&str; 3])> = Vec::new();
    for row in long.lines().skip(2) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let client = format!("| {} | {} |", cells[0], cells[1]);
        if wanted.last().is_none_or(|(last, _)| *last != client) {
            wanted.push((client, ["—"; 3]));
        }
        let endpoint = endpoints.iter().position(|endpoint| *endpoint == cells[2]).unwrap();
        let mark = if cells[3..8].contains(&"✗") { "✗" } else { "✔" };
        wanted.last_mut().unwrap().1[endpoint] = mark;
    }
    let wanted: Vec<String> =
        wanted.into_iter().map(|(client, marks)| format!("{client} {} |", marks.join(" | "))).collect();
    assert!(!wanted.is_empty(), "the long table must have rows");
    let readme = readme();
    let shown: Vec<&str> =
        between(&readme, "<!-- conformance -->\n", "<!-- /conformance -->").trim().lines().skip(2).collect();
    assert_eq!(shown, wanted);
}

/// By the text, so that it holds in a build without the feature too.
#[test]
fn the_documents_have_every_code_and_every_metric_of_the_webhook() {
    let (install, troubleshooting) = (text("docs/install.md"), text("docs/troubleshooting.md"));
    let mut codes = 0;
    for file in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/webhook")).unwrap() {
        for line in fs::read_to_string(file.unwrap().path()).unwrap().lines() {
            if let Some(code) = line.split("code = \"").nth(1).and_then(|rest| rest.split('"').next()) {
                codes += 1;
                assert!(
                    troubleshooting.contains(&format!("`{code}`")),
                    "{code} is not in docs/troubleshooting.md"
                );
            }
        }
    }
    assert!(codes > 5, "the codes must be found");
    let mut metrics = 0;
    let source = text("src/webhook/metrics.rs");
    for registered in source.split("registry.register(").skip(1) {
        let name = registered.split('"').nth(1).unwrap();
        metrics += 1;
        assert!(install.contains(&format!("`{name}")), "{name} is not in docs/install.md");
    }
    assert!(metrics > 5, "the metrics must be found");
}

fn readme() -> String {
    text("README.md")
}

fn text(path: &str) -> String {
    fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    text.split(start).nth(1).unwrap().split(end).next().unwrap()
}

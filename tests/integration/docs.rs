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
    let metrics = irsa_sidecar::metrics::Metrics::new("default", &[]);
    let readme = readme();
    for line in metrics.text().lines().filter_map(|line| line.strip_prefix("# TYPE irsa_sidecar_")) {
        let family = line.split(' ').next().unwrap();
        assert!(readme.contains(&format!("`{family}")), "{family} is not in README.md");
    }
}

/// The conformance run writes its own table; the README shows it without the last column.
#[test]
fn the_readme_has_the_conformance_table_as_the_run_wrote_it() {
    let run =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conformance/README.md")).unwrap();
    let full = between(&run, "<!-- table: begin -->\n", "<!-- table: end -->");
    let cut = |row: &str| format!("{}|", row.trim_end_matches('|').rsplit_once('|').unwrap().0);
    let short: Vec<String> = full.lines().map(cut).collect();
    let readme = readme();
    let shown = between(&readme, "<!-- conformance -->\n", "<!-- /conformance -->");
    assert_eq!(shown.trim(), short.join("\n"));
}

fn readme() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap()
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    text.split(start).nth(1).unwrap().split(end).next().unwrap()
}

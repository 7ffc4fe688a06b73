//! What the documents say, held against what the program says of itself.

use std::fs;
use std::path::Path;

use irsa_sidecar::config::settings_table;
use irsa_sidecar::upstream::PassError;

use crate::committed;

#[test]
fn the_document_has_the_settings_as_committed() {
    let document = text("docs/settings.md");
    let (before, rest) = document.split_once("<!-- settings -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- /settings -->").unwrap();
    let wanted = format!("{before}<!-- settings -->\n{}<!-- /settings -->{after}", settings_table());
    committed::hold_file("docs/settings.md", &wanted);
}

/// Files and headings, as GitHub names them.
#[test]
fn every_link_of_the_documents_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let documents = docs.filter(|path| path.extension().is_some_and(|end| end == "md"));
    let mut links = 0;
    for document in documents.chain([root.join("README.md"), root.join("ARCHITECTURE.md")]) {
        let text = fs::read_to_string(&document).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            links += 1;
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let place = if file.is_empty() { document.clone() } else { document.with_file_name(file) };
            assert!(place.exists(), "{link} of {} leads nowhere", document.display());
            if !heading.is_empty() {
                let there = headings(&fs::read_to_string(&place).unwrap());
                assert!(
                    there.iter().any(|known| known == heading),
                    "{link} of {}: {there:?}",
                    document.display()
                );
            }
        }
    }
    assert!(links > 30, "the links must be found");
}

fn headings(text: &str) -> Vec<String> {
    let titles = text.lines().filter_map(|line| Some(line.strip_prefix('#')?.trim_start_matches('#').trim()));
    let kept = |c: char| c.is_alphanumeric() || "-_ ".contains(c);
    titles
        .map(|title| title.to_lowercase().chars().filter(|c| kept(*c)).collect::<String>().replace(' ', "-"))
        .collect()
}

#[test]
fn the_document_explains_every_code_of_what_could_not_be_passed_on() {
    let document = text("docs/answers.md");
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
        assert!(
            document.contains(&format!("`{}`", error.code())),
            "{} is not in docs/answers.md",
            error.code()
        );
    }
}

#[test]
fn the_document_names_every_metric() {
    let metrics = irsa_sidecar::metrics::Metrics::new(&[]);
    metrics.role_added("default");
    let document = text("docs/status.md");
    for line in metrics.text().lines().filter_map(|line| line.strip_prefix("# TYPE irsa_sidecar_")) {
        let family = line.split(' ').next().unwrap();
        assert!(document.contains(&format!("`{family}")), "{family} is not in docs/status.md");
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
    let readme = text("README.md");
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

fn text(path: &str) -> String {
    fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    text.split(start).nth(1).unwrap().split(end).next().unwrap()
}

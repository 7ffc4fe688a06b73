//! What is made of the program and committed: `make manual` writes it, a test holds it against the program.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// Set by `make manual`.
const WRITE: &str = "WRITE_MANUAL";
/// How the names of the tests end that `make manual` runs.
const NAMED: &str = "_as_committed";

/// The directory has these files and no others.
pub(crate) fn hold(directory: &str, wanted: &BTreeMap<PathBuf, String>) {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    if is_written() {
        let _ = fs::remove_dir_all(&place);
        fs::create_dir_all(&place).unwrap();
    }
    let found: BTreeSet<PathBuf> =
        fs::read_dir(&place).into_iter().flatten().map(|entry| entry.unwrap().file_name().into()).collect();
    let unknown: Vec<&PathBuf> = found.iter().filter(|file| !wanted.contains_key(*file)).collect();
    assert!(unknown.is_empty(), "{unknown:?} in {directory} is of nothing that there is; run `make manual`");
    for (file, text) in wanted {
        hold_file(&format!("{directory}/{}", file.display()), text);
    }
}

/// The file is this text.
pub(crate) fn hold_file(file: &str, wanted: &str) {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if is_written() {
        fs::write(&place, wanted).unwrap();
    }
    let is = fs::read_to_string(&place).unwrap_or_default();
    let line = is.lines().zip(wanted.lines()).position(|(is, wanted)| is != wanted).map_or(0, |at| at + 1);
    assert!(is == wanted, "{file} is not what the program says (line {line}); run `make manual`");
}

fn is_written() -> bool {
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    // The one thread of `--test-threads=1` is `main`.
    assert!(
        test.ends_with(NAMED) || test == "main",
        "{test} must be named so that `make manual` finds it: …{NAMED}"
    );
    std::env::var_os(WRITE).is_some()
}

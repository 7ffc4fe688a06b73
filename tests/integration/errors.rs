//! docs/errors.md against the program: every code of the source is in it and no other, and where the program has a mend
//! for a code, the document has the program's words. `make manual` writes them; what a code means is written by hand.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::path::Path;

use irsa_sidecar::claim::ClaimError;
use irsa_sidecar::claim::NetlinkError;
use irsa_sidecar::pod_identity;
use irsa_sidecar::serve::Refusal;
use irsa_sidecar::sts::ErrorKind;
use irsa_sidecar::sts::Remedy;
use irsa_sidecar::sts::client::mend_of_chain;
use irsa_sidecar::token::ReadTokenError;
use irsa_sidecar::token::wrapping::Document;
use irsa_sidecar::token::wrapping::Wrapping;
use irsa_sidecar::upstream::PassError;

use crate::committed;

mod source;

use source::is_code;

const DOCUMENT: &str = "docs/errors.md";

#[test]
fn the_document_has_the_codes_as_committed() {
    let mut text = document();
    for Table { name, head, rows } in [exchanges(), tokens(), claims(), refusals(), passing()] {
        let (start, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
        let (before, rest) =
            text.split_once(&start).unwrap_or_else(|| panic!("{start} is not in {DOCUMENT}"));
        let (was, after) = rest.split_once(&end).unwrap_or_else(|| panic!("{end} is not in {DOCUMENT}"));
        text = format!("{before}{start}{}{end}{after}", table(head, &rows, &meanings(was)));
    }
    committed::hold_file(DOCUMENT, &text);
    assert!(!text.contains(UNEXPLAINED), "say in {DOCUMENT} what each code means");
}

#[test]
fn the_document_has_every_code_of_the_source_and_no_other() {
    let known = source::codes();
    assert!(known.len() > 100, "the codes must be found");
    let told = codes_of_the_document();
    let files: BTreeSet<&str> =
        known.iter().filter(|(code, _)| !told.contains(*code)).map(|(_, file)| file.as_str()).collect();
    let missing: Vec<&String> = known.keys().filter(|code| !told.contains(*code)).collect();
    assert!(
        missing.is_empty(),
        "{missing:?} of {files:?} are not in the first column of a table of {DOCUMENT}"
    );
    let gone: Vec<&String> = told.iter().filter(|code| !known.contains_key(*code)).collect();
    assert!(gone.is_empty(), "{gone:?} of {DOCUMENT} are nowhere in src/");
}

// ---- What the program says ----

/// Each row: the code, whether its meaning is written by hand, and what the program says of it.
struct Table {
    name: &'static str,
    head: &'static [&'static str],
    rows: Vec<Row>,
}

struct Row {
    code: &'static str,
    is_explained_by_hand: bool,
    says: Vec<String>,
}

const UNEXPLAINED: &str = "(not written yet)";

fn exchanges() -> Table {
    let row = |kind: ErrorKind| {
        let again = match kind.remedy() {
            Remedy::Retry => "soon",
            Remedy::RetryWhileStarting => "soon for 2 min, then slowly",
            Remedy::WaitForToken => "with another token, or after 5 min",
            Remedy::FixSetup => "slowly",
        };
        let mut mend = kind.mend().to_owned();
        for (whose, other) in
            [("In a chain", mend_of_chain(kind)), ("From the Pod Identity Agent", pod_identity::mend(kind))]
        {
            if let Some(other) = other {
                mend.push_str(&format!(" *{whose}:* {other}"));
            }
        }
        Row { code: kind.code(), is_explained_by_hand: true, says: vec![again.to_owned(), mend] }
    };
    Table {
        name: "exchanges",
        head: &["code", "means", "tried again", "mend"],
        rows: ErrorKind::ALL.map(row).into(),
    }
}

fn tokens() -> Table {
    let every = [
        ReadTokenError::Missing,
        ReadTokenError::NotAFile,
        ReadTokenError::PermissionDenied,
        ReadTokenError::Unreadable(String::new()),
        ReadTokenError::Empty,
        ReadTokenError::NotUtf8,
        ReadTokenError::TooLong,
        ReadTokenError::NotThreeParts,
        ReadTokenError::Truncated,
        ReadTokenError::Wrapped(Wrapping::Base64),
        ReadTokenError::Wrapped(Wrapping::Bearer),
        ReadTokenError::Wrapped(Wrapping::Json(Document::Other)),
        ReadTokenError::Wrapped(Wrapping::Quotes),
    ];
    let row = |error: ReadTokenError| by_hand(error.code(), error.mend());
    Table { name: "tokens", head: &["code", "means", "mend"], rows: every.map(row).into() }
}

fn claims() -> Table {
    let (address, text) = (IpAddr::from(Ipv4Addr::LOCALHOST), String::new);
    let every = [
        ClaimError::NodeNamespace { evidence: text() },
        ClaimError::UnknownNamespace { why: text() },
        ClaimError::OnAnotherInterface(Vec::new()),
        ClaimError::NoIpv6OnLo(address),
        ClaimError::NotEffective(address),
        ClaimError::NotPermitted(text()),
        ClaimError::Failed { what: text(), why: NetlinkError::Unsteady },
        ClaimError::Netlink(NetlinkError::Unsteady),
    ];
    let row = |error: ClaimError| by_hand(error.code(), error.mend());
    Table { name: "claims", head: &["code", "means", "mend"], rows: every.map(row).into() }
}

/// Their messages say what is wrong and what to do.
fn refusals() -> Table {
    let row = |refusal: Refusal| {
        says(refusal.code(), vec![refusal.status().as_u16().to_string(), refusal.to_string()])
    };
    Table { name: "refusals", head: &["code", "status", "message"], rows: Refusal::ALL.map(row).into() }
}

fn passing() -> Table {
    let every = [
        PassError::Timeout,
        PassError::Unreachable("…".to_owned()),
        PassError::Busy,
        PassError::TooLarge,
        PassError::SessionRefused,
        PassError::Failed(500),
        PassError::Unintelligible("…"),
        PassError::Ending,
    ];
    let row = |error: PassError| says(error.code(), vec![error.to_string()]);
    Table { name: "passing", head: &["code", "message"], rows: every.map(row).into() }
}

fn by_hand(code: &'static str, mend: &str) -> Row {
    Row { code, is_explained_by_hand: true, says: vec![mend.to_owned()] }
}

fn says(code: &'static str, says: Vec<String>) -> Row {
    Row { code, is_explained_by_hand: false, says }
}

fn table(head: &[&str], rows: &[Row], meanings: &BTreeMap<String, String>) -> String {
    let mut text = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for Row { code, is_explained_by_hand, says } in rows {
        let meaning = meanings.get(*code).map_or(UNEXPLAINED, String::as_str);
        let cells = [format!("`{code}`")]
            .into_iter()
            .chain(is_explained_by_hand.then(|| meaning.to_owned()))
            .chain(says.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")));
        text.push_str(&format!("| {} |\n", cells.collect::<Vec<_>>().join(" | ")));
    }
    text
}

// ---- What the document says ----

fn document() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(DOCUMENT)).unwrap()
}

/// The second cell, by the code in the first.
fn meanings(table: &str) -> BTreeMap<String, String> {
    let cells = |row: &str| -> Option<(String, String)> {
        let mut cells = row.strip_prefix("| `")?.split(" | ");
        Some((cells.next()?.trim_end_matches('`').to_owned(), cells.next()?.to_owned()))
    };
    table.lines().filter_map(cells).collect()
}

/// What stands as code in the first column of a table.
fn codes_of_the_document() -> BTreeSet<String> {
    let text = document();
    let first = text.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    first
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .filter(|code| is_code(code))
        .map(str::to_owned)
        .collect()
}

//! What the source says are codes, by its text.
//!
//! A code is what `fn code` gives, what is written as `code = "…"`, `code: "…"` or `.warn("…", …)`, and a constant that
//! says `/// The code of …`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// What the container's body says when all is well, as AWS's does.
const NO_CODE: &str = "Success";

/// Each with a file that has it.
pub(super) fn codes() -> BTreeMap<String, String> {
    let mut codes = BTreeMap::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut directories = vec![source];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if !path.ends_with("tests.rs") {
                let text = fs::read_to_string(&path).unwrap();
                let program = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
                let found = codes_in(program).into_iter().map(|code| (code, path.display().to_string()));
                codes.extend(found.filter(|(code, _)| code != NO_CODE));
            }
        }
    }
    codes
}

fn codes_in(program: &str) -> Vec<String> {
    let mut codes = Vec::new();
    for before in ["code = ", "code: ", ".warn("] {
        codes.extend(program.split(before).skip(1).filter_map(|rest| literal(rest.trim_start())));
    }
    for constant in program.split("/// The code of ").skip(1) {
        codes.extend(constant.split_once(": &str = ").and_then(|(_, value)| literal(value)));
    }
    for (at, _) in program.match_indices("fn code(") {
        // To the brace below its own first letter.
        let indent = &program[program[..at].rfind('\n').map_or(0, |newline| newline + 1)..at];
        let indent: String = indent.chars().take_while(|character| *character == ' ').collect();
        let body = program[at..].split(&format!("\n{indent}}}")).next().unwrap();
        codes.extend(body.split('"').skip(1).step_by(2).filter(|text| is_code(text)).map(str::to_owned));
    }
    codes
}

fn literal(text: &str) -> Option<String> {
    let inside = text.strip_prefix('"')?.split('"').next()?;
    is_code(inside).then(|| inside.to_owned())
}

/// One word of letters and digits, with a capital first and small letters in it: `Other`, `NoIpv6`.
pub(super) fn is_code(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.chars().all(|character| character.is_ascii_alphanumeric())
        && text.contains(|character: char| character.is_ascii_lowercase())
}

//! What the source says are codes, by its text.
//!
//! A code is what `fn code` gives, what is written as `code = "…"`, `code: "…"` or `.warn("…", …)`, and a constant that
//! says `/// The code of …`. Where doctor finds out what is wrong, it is every word that looks like one and is none of AWS's.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// What the container's body says when all is well, as AWS's does.
const NO_CODE: &str = "Success";
/// Where a code may stand anywhere.
const OF_DOCTOR: [&str; 3] = ["src/doctor", "src/trust_policy/", "src/token/doubt.rs"];
/// What these rooms have of AWS's own words.
const OF_AWS: [&str; 45] = [
    "AccessKeyId",
    "Action",
    "Allow",
    "Arn",
    "ArnEquals",
    "ArnLike",
    "ArnNotEquals",
    "ArnNotLike",
    "AssumeRole",
    "AssumeRolePolicyDocument",
    "AssumeRoleWithWebIdentity",
    "Bool",
    "Condition",
    "Deny",
    "DurationSeconds",
    "Effect",
    "Expiration",
    "Federated",
    "ForAllValues",
    "ForAnyValue",
    "GetCallerIdentity",
    "Id",
    "IfExists",
    "MaxSessionDuration",
    "Not",
    "NotAction",
    "NotPrincipal",
    "Null",
    "Principal",
    "Role",
    "RoleArn",
    "SecretAccessKey",
    "Sid",
    "Statement",
    "String",
    "StringEquals",
    "StringEqualsIgnoreCase",
    "StringLike",
    "StringNotEquals",
    "StringNotEqualsIgnoreCase",
    "StringNotLike",
    "Token",
    "Version",
    // Not a failure.
    "Fine",
    "Skipped",
];

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
                let program = text.split("\nmod tests {").next().unwrap();
                let mut found = codes_in(program);
                if OF_DOCTOR.iter().any(|room| path.to_string_lossy().contains(room)) {
                    found.extend(words_in(program));
                }
                let found = found.into_iter().map(|code| (code, path.display().to_string()));
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

/// Every literal that is one word like a code, but for those in comments and those of AWS's.
fn words_in(program: &str) -> Vec<String> {
    let code = program.lines().filter(|line| !line.trim_start().starts_with("//"));
    let literals = code.flat_map(|line| line.split('"').skip(1).step_by(2));
    literals.filter(|word| is_code(word) && !OF_AWS.contains(word)).map(str::to_owned).collect()
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

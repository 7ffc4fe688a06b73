//! The authorization token: the value that requests for credentials must carry, from a file or a variable.
//!
//! It is compared byte for byte with what a client sends, so whatever cannot stand in an HTTP header is a mistake:
//! control characters, bytes outside ASCII, spaces at the ends (which HTTP drops). A trailing newline, which editors
//! and `echo` leave in a file, is dropped with a warning.

use std::path::Path;
use std::path::PathBuf;

use crate::config::mistake::Reason;
use crate::config::parser::Given;
use crate::config::parser::Parser;
use crate::config::settings::AUTHORIZATION_TOKEN;
use crate::config::settings::AUTHORIZATION_TOKEN_FILE;
use crate::file::read_bounded;
use crate::secret::Secret;

/// Longer than any token needs, and well within what a request's head may hold.
const MAX_BYTES: usize = 4096;
/// Below this it could be guessed by trying.
const COMFORTABLE_BYTES: usize = 16;

pub(super) fn authorization(parser: &mut Parser<'_>) -> Option<Secret> {
    let file = parser.given(&AUTHORIZATION_TOKEN_FILE);
    let value = parser.given(&AUTHORIZATION_TOKEN);
    if let (Some(file), Some(value)) = (&file, &value) {
        let reason = format!("{} is set too, and only one of them can be right", value.spelling);
        parser.conflict(file, reason, "Unset one of them".to_owned());
    }
    let from_file = file.and_then(|given| from_file(parser, &given));
    let from_value = value.and_then(|given| {
        parser.parse(&given, |text| check(text.as_bytes()).map_err(|why| Reason::from(why).hide_value()))
    });
    let secret = from_file.or(from_value)?;
    if secret.len() < COMFORTABLE_BYTES {
        let message = format!(
            "the authorization token has only {} bytes and can be guessed; `openssl rand -hex 32` makes a better one",
            secret.len()
        );
        parser.warn("AuthorizationTokenShort", message);
    }
    Some(secret)
}

fn from_file(parser: &mut Parser<'_>, given: &Given) -> Option<Secret> {
    let path = parser.parse(given, path)?;
    let content = match read_bounded(&path, MAX_BYTES) {
        Ok(content) => content,
        Err(error) => {
            parser.mistake(given, Reason::of_file(error, "The file must hold the token alone"));
            return None;
        }
    };
    let (content, had_newline) = without_newline(&content);
    if had_newline {
        let message = format!(
            "the file of {} ends with a newline, which is not part of the token; some SDKs fail on it when they read \
             the same file (`printf %s` writes none)",
            given.spelling
        );
        parser.warn("AuthorizationTokenNewline", message);
    }
    parser.parse(given, |_| {
        check(content).map_err(|why| {
            let why = format!("the file's content ({} bytes, not shown) is no token: {why}", content.len());
            Reason::from(why).mend("Write it with `printf %s TOKEN > FILE`")
        })
    })
}

/// A path, and not the token itself, which is easily put in its place and must not be shown then.
fn path(text: &str) -> Result<PathBuf, Reason> {
    if ["/", "./", "../"].iter().any(|start| text.starts_with(start)) {
        return Ok(Path::new(text).to_owned());
    }
    Err(Reason::from("it does not begin with / or ./ as a path does")
        .mend(format!("A path goes here; the token itself goes into {}", AUTHORIZATION_TOKEN.variable))
        .hide_value())
}

fn without_newline(content: &[u8]) -> (&[u8], bool) {
    match content.strip_suffix(b"\n") {
        Some(content) => (content.strip_suffix(b"\r").unwrap_or(content), true),
        None => (content, false),
    }
}

fn check(bytes: &[u8]) -> Result<Secret, String> {
    if bytes.is_empty() {
        return Err("it is empty".to_owned());
    }
    if bytes.len() > MAX_BYTES {
        return Err(format!("it is longer than {MAX_BYTES} bytes"));
    }
    let is_visible = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
    if let Some(at) = bytes.iter().position(|byte| !is_visible(byte)) {
        let what = match bytes[at] {
            b'\n' | b'\r' => "a line break",
            byte if byte.is_ascii() => "a control character",
            _ => "a byte outside ASCII",
        };
        return Err(format!("byte {} is {what}, which an HTTP header cannot carry", at + 1));
    }
    if bytes.starts_with(b" ") || bytes.ends_with(b" ") {
        return Err("it begins or ends with a space, which HTTP drops from a header".to_owned());
    }
    let text = str::from_utf8(bytes).expect("visible ASCII must be UTF-8");
    Ok(Secret::new(text.to_owned()))
}

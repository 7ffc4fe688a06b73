//! The authorization token: the value that requests for credentials must carry, from a file or a variable.
//!
//! It is compared byte for byte with what a client sends, so whatever cannot stand in an HTTP header is a mistake:
//! control characters, bytes outside ASCII, spaces at the ends (which HTTP drops). A trailing newline, which editors
//! and `echo` leave in a file, is dropped with a warning. A file may change later, and is then read by the same rules.

use std::path::Path;
use std::path::PathBuf;

use crate::config::mistake::Mistake;
use crate::config::mistake::Reason;
use crate::config::mistake::Warning;
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

/// What requests for credentials must carry.
#[derive(Clone)]
#[allow(missing_debug_implementations)] // holds a secret
pub struct Authorization {
    pub token: Secret,
    /// Where it came from; none for a variable, which never changes.
    pub file: Option<AuthorizationFile>,
}

/// A file with an authorization token, to be read again.
#[derive(Clone, Debug)]
pub struct AuthorizationFile {
    /// Who names it: a setting, or a field of the roles file.
    named_by: String,
    path: PathBuf,
    /// What is said of its content at the start, and need not be said again.
    pub told: Vec<Warning>,
}

impl From<Secret> for Authorization {
    fn from(token: Secret) -> Self {
        Self { token, file: None }
    }
}

pub(super) fn authorization(parser: &mut Parser<'_>) -> Option<Authorization> {
    let file = parser.given(&AUTHORIZATION_TOKEN_FILE);
    let value = parser.given(&AUTHORIZATION_TOKEN);
    if let (Some(file), Some(value)) = (&file, &value) {
        let reason = format!("{} is set too, and only one of them can be right", value.spelling);
        parser.conflict(file, reason, "Unset one of them".to_owned());
    }
    let from_file = file.and_then(|given| from_file(parser, &given));
    let from_value = value.and_then(|given| from_value(parser, &given));
    from_file.or(from_value)
}

fn from_value(parser: &mut Parser<'_>, given: &Given) -> Option<Authorization> {
    let token =
        parser.parse(given, |text| check(text.as_bytes()).map_err(|why| Reason::from(why).hide_value()))?;
    if let Some(Warning { code, message }) = too_short(&token) {
        parser.warn(code, message);
    }
    Some(token.into())
}

fn from_file(parser: &mut Parser<'_>, given: &Given) -> Option<Authorization> {
    let path = parser.parse(given, path)?;
    let mut file = AuthorizationFile::at(path, given.spelling.to_string());
    match file.try_read() {
        Ok((token, warnings)) => {
            for Warning { code, message } in warnings.clone() {
                parser.warn(code, message);
            }
            file.told = warnings;
            Some(Authorization { token, file: Some(file) })
        }
        Err(reason) => {
            parser.mistake(given, reason);
            None
        }
    }
}

impl AuthorizationFile {
    pub fn at(path: PathBuf, named_by: String) -> Self {
        Self { named_by, path, told: Vec::new() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it holds now, and what should be said about it.
    pub fn read(&self) -> Result<(Secret, Vec<Warning>), Mistake> {
        let path = self.path.display().to_string();
        self.try_read().map_err(|reason| Mistake::at(self.named_by.clone(), Some(&path), reason, ""))
    }

    fn try_read(&self) -> Result<(Secret, Vec<Warning>), Reason> {
        let content = read_bounded(&self.path, MAX_BYTES)
            .map_err(|error| Reason::of_file(error, "The file must hold the token alone"))?;
        let (content, had_newline) = without_newline(&content);
        let token = check(content).map_err(|why| {
            let why = format!("the file's content ({} bytes, not shown) is no token: {why}", content.len());
            Reason::from(why).mend("Write it with `printf %s TOKEN > FILE`")
        })?;
        let newline = had_newline.then(|| Warning {
            code: "AuthorizationTokenNewline",
            message: format!(
                "the file of {} ends with a newline, which is not part of the token; some SDKs fail on it when they \
                 read the same file (`printf %s` writes none)",
                self.named_by
            ),
        });
        let warnings = newline.into_iter().chain(too_short(&token)).collect();
        Ok((token, warnings))
    }
}

fn too_short(token: &Secret) -> Option<Warning> {
    (token.len() < COMFORTABLE_BYTES).then(|| Warning {
        code: "AuthorizationTokenShort",
        message: format!(
            "the authorization token has only {} bytes and can be guessed; `openssl rand -hex 32` makes a better one",
            token.len()
        ),
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

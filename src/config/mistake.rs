//! What is wrong with the settings, in words that tell a person what to do.
//!
//! A [`Mistake`] names the setting as it was given (flag or variable), the value, the reason and an example of a right
//! one. A value that is, or may be, a secret is never shown, only its length.

use std::error::Error;
use std::fmt;
use std::fmt::Display;
use std::fmt::Formatter;

use crate::config::settings::Setting;
use crate::file::ReadFileError;

/// Longer values are cut: a message must be readable.
const SHOWN_CHARACTERS: usize = 160;

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mistake {
    /// `--port` or `IRSA_SIDECAR_PORT`, whichever was used.
    pub setting: String,
    /// Ready to be shown; none when the setting is missing.
    pub value: Option<String>,
    pub reason: String,
    pub mend: String,
}

/// All that is wrong; never empty.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mistakes(Vec<Mistake>);

/// Something that works, but hardly as it was meant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Warning {
    /// Stable: a log field.
    pub code: &'static str,
    pub message: String,
}

/// Why a value cannot be used, before it is known under which name it was given.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Reason {
    why: String,
    /// What to do; an example of the setting when there is nothing better to say.
    mend: Option<String>,
    hides_value: bool,
}

/// The name under which a value was given.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Spelling {
    Flag(&'static str),
    Variable(&'static str),
}

impl Reason {
    pub(super) fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into());
        self
    }

    /// For values that hold a secret, or may.
    pub(super) fn hide_value(mut self) -> Self {
        self.hides_value = true;
        self
    }
}

impl Reason {
    /// Without its mend, for who has a better one.
    pub(super) fn why(&self) -> &str {
        &self.why
    }

    /// Why a file that a setting names cannot be used, and what it should hold.
    pub(super) fn of_file(error: ReadFileError, should: &str) -> Self {
        let mend = match error {
            ReadFileError::Missing | ReadFileError::NotAFile => {
                "Check the path and the volume that is mounted there"
            }
            ReadFileError::PermissionDenied => "Let this user read it, for example with the pod's fsGroup",
            ReadFileError::TooLong(_) | ReadFileError::Unreadable(_) => should,
        };
        Self::from(error).mend(mend)
    }
}

impl<T: Display> From<T> for Reason {
    fn from(why: T) -> Self {
        Self { why: why.to_string(), mend: None, hides_value: false }
    }
}

impl Spelling {
    pub(super) fn assign(self, value: &str) -> String {
        match self {
            Self::Flag(flag) => format!("--{flag} {value}"),
            Self::Variable(variable) => format!("{variable}={value}"),
        }
    }
}

impl Display for Spelling {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "--{flag}"),
            Self::Variable(variable) => f.write_str(variable),
        }
    }
}

impl Mistake {
    pub(super) fn wrong(setting: &Setting, spelling: Spelling, value: &str, reason: Reason) -> Self {
        Self::at(spelling.to_string(), Some(value), reason, &spelling.assign(setting.example))
    }

    /// Wherever it stands.
    pub(super) fn at(setting: String, value: Option<&str>, reason: Reason, example: &str) -> Self {
        let Reason { why, mend, hides_value } = reason;
        let value = value.map(|value| if hides_value { hidden(value) } else { quoted(value) });
        let mend = mend.unwrap_or_else(|| format!("For example {example}"));
        Self { setting, value, reason: why, mend }
    }

    /// There is no value, or none that could be shown.
    pub(super) fn without_value(
        setting: impl Display,
        reason: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self { setting: setting.to_string(), value: None, reason: reason.into(), mend: mend.into() }
    }
}

impl Display for Mistake {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.setting)?;
        if let Some(value) = &self.value {
            write!(f, " {value}")?;
        }
        write!(f, ": {}. {}", self.reason, self.mend)?;
        if self.mend.ends_with(['.', '?']) { Ok(()) } else { f.write_str(".") }
    }
}

impl Mistakes {
    /// None when there is nothing wrong. A setting that is read for two purposes is wrong once.
    pub(super) fn new(mistakes: Vec<Mistake>) -> Option<Self> {
        let mut each: Vec<Mistake> = Vec::new();
        for mistake in mistakes {
            if !each.contains(&mistake) {
                each.push(mistake);
            }
        }
        (!each.is_empty()).then_some(Self(each))
    }

    pub fn iter(&self) -> impl Iterator<Item = &Mistake> {
        self.0.iter()
    }
}

impl Display for Mistakes {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => writeln!(f, "1 mistake in the settings:")?,
            several => writeln!(f, "{several} mistakes in the settings:")?,
        }
        for mistake in &self.0 {
            write!(f, "\n  {}", mistake.setting)?;
            if let Some(value) = &mistake.value {
                write!(f, " {value}")?;
            }
            write!(f, "\n    why:   {}\n    mend:  {}\n", mistake.reason, mistake.mend)?;
        }
        Ok(())
    }
}

impl Error for Mistakes {}

impl Display for Warning {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// A value in quotes, for a message: no control characters, not too long, and not a token or password that somebody
/// put in the wrong place.
pub(crate) fn quoted(value: &str) -> String {
    if looks_secret(value) {
        return hidden(value);
    }
    let mut shown: String = value.chars().take(SHOWN_CHARACTERS).flat_map(char::escape_debug).collect();
    if value.chars().nth(SHOWN_CHARACTERS).is_some() {
        shown.push('…');
    }
    format!("\"{shown}\"")
}

fn hidden(value: &str) -> String {
    format!("({} bytes, not shown)", value.len())
}

/// Three things have this look: a JSON Web Token (`{"` in base64), the session token that AWS gives, and a URL with a
/// password.
fn looks_secret(value: &str) -> bool {
    let has_password = value.find("://").is_some_and(|at| value[at..].contains('@'));
    has_password || value.contains("eyJ") || value.contains("IQoJ") || value.contains("FwoG")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_play_with_the_terminal() {
        assert_eq!(quoted("a\u{1b}[2J\n\"b\""), r#""a\u{1b}[2J\n\"b\"""#);
    }

    #[test]
    fn a_long_value_is_cut() {
        assert_eq!(quoted(&"ä".repeat(161)), format!("\"{}…\"", "ä".repeat(160)));
        assert_eq!(quoted(&"ä".repeat(160)), format!("\"{}\"", "ä".repeat(160)));
    }

    #[test]
    fn a_token_in_the_wrong_place_is_not_shown() {
        for secret in ["eyJhbGciOiJSUzI1NiJ9.e30.c2ln", "http://user:hunter2@proxy:3128", "IQoJb3JpZ2luX2Vj"]
        {
            assert_eq!(quoted(secret), format!("({} bytes, not shown)", secret.len()));
        }
    }
}

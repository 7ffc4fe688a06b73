//! Where variables come from: the process's environment, or a map in a test.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::io;
use std::io::IsTerminal;

use rustix::system::uname;
use thiserror::Error;

use crate::contract::ENV_HOSTNAME;

/// The strings from which a configuration is made.
pub trait Strings {
    fn var(&self, name: &str) -> Result<Option<String>, NotUnicode>;

    /// Every name that is set, so that a misspelt one can be found.
    fn names(&self) -> Vec<String>;

    /// Whether a person sees what goes to stderr.
    fn is_terminal(&self) -> bool {
        false
    }

    /// What this machine, or this pod, is called.
    fn host_name(&self) -> Option<String> {
        self.var(ENV_HOSTNAME).ok().flatten().filter(|name| !name.is_empty())
    }
}

#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("its value is not UTF-8 text")]
pub struct NotUnicode;

/// The environment of this process.
#[derive(Clone, Copy, Debug)]
pub struct Environment;

/// Variables that somebody wrote down.
#[derive(Clone, Default)]
#[allow(missing_debug_implementations)] // a variable may hold a secret
pub struct Variables(BTreeMap<String, OsString>);

impl Strings for Environment {
    #[allow(clippy::disallowed_methods)] // this is the door
    fn var(&self, name: &str) -> Result<Option<String>, NotUnicode> {
        match env::var(name) {
            Ok(value) => Ok(Some(value)),
            Err(env::VarError::NotPresent) => Ok(None),
            Err(env::VarError::NotUnicode(_)) => Err(NotUnicode),
        }
    }

    #[allow(clippy::disallowed_methods)] // this is the door
    fn names(&self) -> Vec<String> {
        env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect()
    }

    fn is_terminal(&self) -> bool {
        io::stderr().is_terminal()
    }

    /// A container runtime sets `HOSTNAME`; a shell often has it without exporting it.
    fn host_name(&self) -> Option<String> {
        let from_kernel = || uname().nodename().to_str().ok().map(str::to_owned);
        let name =
            self.var(ENV_HOSTNAME).ok().flatten().filter(|name| !name.is_empty()).or_else(from_kernel)?;
        Some(name.trim().to_owned())
    }
}

impl Strings for Variables {
    fn var(&self, name: &str) -> Result<Option<String>, NotUnicode> {
        let value = self.0.get(name).cloned();
        value.map(OsString::into_string).transpose().map_err(|_| NotUnicode)
    }

    fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}

impl Variables {
    /// The same with one more, or with another value for it.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.0.remove(name);
        self
    }
}

impl<N: Into<String>, V: Into<OsString>> FromIterator<(N, V)> for Variables {
    fn from_iter<T: IntoIterator<Item = (N, V)>>(pairs: T) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

//! The profile's files, read once and handed to the SDK: it would read them itself without a bound, and wait for a FIFO for
//! ever, and what was looked at before could be another file by then.

use std::path::Path;

use aws_runtime::env_config::file::EnvConfigFileKind;
use aws_runtime::env_config::file::EnvConfigFiles;

use crate::config::env::Environment;
use crate::config::env::Strings;
use crate::contract::ENV_CONFIG_FILE;
use crate::contract::ENV_CREDENTIALS_FILES;
use crate::contract::ENV_HOME;
use crate::contract::NO_CREDENTIALS_FILE;
use crate::file::ReadFileError;
use crate::file::read_bounded;
use crate::harmless::harmless;
use crate::sts::client::endpoint::ResolveError;

pub(crate) const MAX_BYTES: usize = 1024 * 1024;
/// The variable that names it, and its place below the home directory.
pub(crate) const CONFIG: (&str, &str) = (ENV_CONFIG_FILE, ".aws/config");
pub(crate) const CREDENTIALS: (&str, &str) = (ENV_CREDENTIALS_FILES[0], ".aws/credentials");

/// In the order in which the SDK takes them.
pub(super) fn read() -> Result<EnvConfigFiles, ResolveError> {
    let config = contents(CONFIG)?;
    let credentials = contents(CREDENTIALS)?;
    Ok(EnvConfigFiles::builder()
        .with_contents(EnvConfigFileKind::Config, config)
        .with_contents(EnvConfigFileKind::Credentials, credentials)
        .build())
}

/// Where a file of profiles is, as SDKs have it, and the variable that says so.
pub(crate) fn place(
    strings: &dyn Strings,
    named_by: &'static str,
    usual: &str,
) -> Option<(String, &'static str)> {
    let set = |name: &str| strings.var(name).ok().flatten().filter(|value| !value.is_empty());
    let home = set(ENV_HOME);
    let Some(path) = set(named_by) else { return Some((format!("{}/{usual}", home?), ENV_HOME)) };
    let path = match (path.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => format!("{home}/{rest}"),
        _ => path,
    };
    Some((path, named_by))
}

/// Nothing, where there is no file.
fn contents((variable, usual): (&'static str, &str)) -> Result<String, ResolveError> {
    let Some((path, named_by)) = place(&Environment, variable, usual) else { return Ok(String::new()) };
    if path == NO_CREDENTIALS_FILE {
        return Ok(String::new());
    }
    match read_bounded(Path::new(&path), MAX_BYTES) {
        // What is no text, the SDK passes by.
        Ok(bytes) => Ok(String::from_utf8(bytes.to_vec()).unwrap_or_default()),
        // What is not there, or not ours to read, is no profile.
        Err(ReadFileError::Missing | ReadFileError::PermissionDenied) => Ok(String::new()),
        Err(why) => Err(ResolveError::ProfileFile { path: harmless(&path), named_by, why }),
    }
}

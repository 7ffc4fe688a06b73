//! The profile's files, read once and handed to the SDK: it would read them itself without a bound, and wait for a FIFO for
//! ever, and what was looked at before could be another file by then.

use std::path::Path;

use aws_runtime::env_config::file::EnvConfigFileKind;
use aws_runtime::env_config::file::EnvConfigFiles;

use crate::contract::ENV_CONFIG_FILE;
use crate::contract::ENV_CREDENTIALS_FILES;
use crate::contract::ENV_HOME;
use crate::contract::NO_CREDENTIALS_FILE;
use crate::file::ReadFileError;
use crate::file::read_bounded;
use crate::harmless::harmless;
use crate::sts::client::endpoint::ResolveError;
use crate::sts::client::endpoint::variable;

const MAX_BYTES: usize = 1024 * 1024;

/// In the order in which the SDK takes them.
pub(super) fn read() -> Result<EnvConfigFiles, ResolveError> {
    let config = contents(ENV_CONFIG_FILE, ".aws/config")?;
    let credentials = contents(ENV_CREDENTIALS_FILES[0], ".aws/credentials")?;
    Ok(EnvConfigFiles::builder()
        .with_contents(EnvConfigFileKind::Config, config)
        .with_contents(EnvConfigFileKind::Credentials, credentials)
        .build())
}

/// Nothing, where there is no file.
fn contents(named_by: &'static str, usual: &str) -> Result<String, ResolveError> {
    let home = variable(ENV_HOME);
    let of_home = || home.as_ref().map(|home| (format!("{home}/{usual}"), ENV_HOME));
    let Some((path, named_by)) = variable(named_by).map(|path| (path, named_by)).or_else(of_home) else {
        return Ok(String::new());
    };
    // As the SDK reads it.
    let path = match (path.strip_prefix("~/"), &home) {
        (Some(rest), Some(home)) => format!("{home}/{rest}"),
        _ => path,
    };
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

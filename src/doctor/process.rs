//! Another process: its variables, and how its files are reached from here.
//!
//! `/proc/PID/environ` is what the process was started with. A process in another container, as an ephemeral one sees it,
//! has its files below `/proc/PID/root` (proc(5)); that takes the same user, or root.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::file::ReadFileError;
use crate::file::read_bounded;

const MAX_ENVIRONMENT: usize = 2 * 1024 * 1024;
/// Variables that are paths.
const PATHS: [&str; 7] = [
    "AWS_CA_BUNDLE",
    "AWS_CONFIG_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "HOME",
    "IRSA_SIDECAR_ROLES_FILE",
];

/// What the process has in its environment.
pub fn environment_of(pid: u32) -> Result<Vec<(OsString, OsString)>, ReadFileError> {
    let bytes = read_bounded(Path::new(&format!("/proc/{pid}/environ")), MAX_ENVIRONMENT)?;
    let pair = |pair: &[u8]| -> Option<(OsString, OsString)> {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        let text = |bytes: &[u8]| OsStr::from_bytes(bytes).to_owned();
        Some((text(&pair[..at]), text(&pair[at + 1..])))
    };
    Ok(bytes.split(|byte| *byte == 0).filter_map(pair).collect())
}

/// The same, with the paths in it as they are reached from here.
pub fn environment_from_here(pid: u32) -> Result<Vec<(OsString, OsString)>, ReadFileError> {
    let mut variables = environment_of(pid)?;
    let mounts = |of: &str| fs::read_link(format!("/proc/{of}/ns/mnt")).ok();
    if mounts(&pid.to_string()) != mounts("self") {
        for (name, value) in &mut variables {
            if PATHS.iter().any(|path| name.as_os_str() == *path) && value.as_bytes().starts_with(b"/") {
                let mut path = OsString::from(format!("/proc/{pid}/root"));
                path.push(&*value);
                *value = path;
            }
        }
    }
    Ok(variables)
}

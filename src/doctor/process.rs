//! Another process: its variables, its user, and how its files are reached from here.
//!
//! `/proc/PID/environ` is what the process was started with. A process in another container, as an ephemeral one sees it,
//! has its files below `/proc/PID/root` (proc(5)).
//!
//! Whoever can choose that process's variables must gain nothing by being looked at: only those that say where credentials
//! come from are taken over, and root becomes the process's user first, so that no file is read, and nothing sent, that
//! the process could not read itself. Of a process in another container nothing is sent anywhere at all, since a link in its
//! file system leads out of it. One whose user has changed (set-uid) is not looked at: its variables are another's.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::process::Gid;
use rustix::process::Uid;
use rustix::process::getuid;
use rustix::thread::set_thread_groups;
use rustix::thread::set_thread_res_gid;
use rustix::thread::set_thread_res_uid;

use crate::file::ReadFileError;
use crate::file::read_bounded;

/// What a process is looked at as.
#[allow(missing_debug_implementations)] // what variables hold may be secret
pub struct Target {
    pub variables: Vec<(OsString, OsString)>,
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
    /// Whether its files are others than ours.
    is_elsewhere: bool,
}

const MAX_ENVIRONMENT: usize = 2 * 1024 * 1024;
const MAX_STATUS: usize = 64 * 1024;
/// The beginnings of the names that are taken over.
const TAKEN: [&str; 5] = ["AWS_", "IRSA_SIDECAR_", "KUBERNETES_", "POD_", "HTTP"];
const TAKEN_WHOLE: [&str; 11] = [
    "ALL_PROXY",
    "HOME",
    "HOSTNAME",
    "NODE_NAME",
    "NO_COLOR",
    "NO_PROXY",
    "SERVICE_ACCOUNT",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];
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
pub(super) fn environment_of(pid: u32) -> Result<Vec<(OsString, OsString)>, ReadFileError> {
    let bytes = read_bounded(Path::new(&format!("/proc/{pid}/environ")), MAX_ENVIRONMENT)?;
    let pair = |pair: &[u8]| -> Option<(OsString, OsString)> {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        let text = |bytes: &[u8]| OsStr::from_bytes(bytes).to_owned();
        Some((text(&pair[..at]), text(&pair[at + 1..])))
    };
    Ok(bytes.split(|byte| *byte == 0).filter_map(pair).collect())
}

impl Target {
    pub fn of(pid: u32) -> Result<Self, ReadFileError> {
        let all = environment_of(pid)?;
        let mut variables = all.clone();
        variables.retain(|(name, _)| is_taken(name));
        let status = read_bounded(Path::new(&format!("/proc/{pid}/status")), MAX_STATUS)?;
        let status = String::from_utf8_lossy(&status).into_owned();
        let numbers = |field: &str| -> Vec<u32> {
            let line = status.lines().find_map(|line| line.strip_prefix(field));
            line.unwrap_or_default().split_whitespace().filter_map(|number| number.parse().ok()).collect()
        };
        // Real, effective, saved, and that of the file system.
        let only = |field| match numbers(field)[..] {
            [one, other, saved, of_files] if [other, saved, of_files] == [one; 3] => Ok(one),
            _ => Err(ReadFileError::Unreadable(io::ErrorKind::PermissionDenied)),
        };
        let (uid, gid, groups) = (only("Uid:")?, only("Gid:")?, numbers("Groups:"));
        // Meanwhile it may have become another program, or its number another process's.
        if environment_of(pid)? != all {
            return Err(ReadFileError::Unreadable(io::ErrorKind::Interrupted));
        }
        let mounts = |of: &str| fs::read_link(format!("/proc/{of}/ns/mnt")).ok();
        let theirs = mounts(&pid.to_string());
        let is_elsewhere = theirs.is_none() || theirs != mounts("self");
        if is_elsewhere {
            let home = variables.iter().find(|(name, _)| name == "HOME").map(|(_, home)| home.clone());
            variables.iter_mut().for_each(|(name, value)| seen_from_here(pid, home.as_deref(), name, value));
        }
        Ok(Self { variables, uid, gid, groups, is_elsewhere })
    }

    /// In another container: a link in its file system leads out of it and to our own files, so nothing that is read by its
    /// paths may be sent anywhere.
    pub fn is_elsewhere(&self) -> bool {
        self.is_elsewhere
    }

    /// Where this is root, it is so no more. Before any other thread is started. Who is neither root nor that user, and may
    /// look at others all the same (CAP_SYS_PTRACE), could read what the process cannot.
    pub fn become_its_user(&self) -> io::Result<()> {
        if getuid().as_raw() == self.uid {
            return Ok(());
        }
        if !getuid().is_root() {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        let groups: Vec<Gid> = self.groups.iter().map(|group| Gid::from_raw(*group)).collect();
        set_thread_groups(&groups)?;
        set_thread_res_gid(gid, gid, gid)?;
        set_thread_res_uid(uid, uid, uid)?;
        Ok(())
    }
}

fn is_taken(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| {
        TAKEN.iter().any(|beginning| name.starts_with(beginning)) || TAKEN_WHOLE.contains(&name)
    })
}

fn seen_from_here(pid: u32, home: Option<&OsStr>, name: &OsStr, value: &mut OsString) {
    if !PATHS.iter().any(|path| name == *path) || value.is_empty() {
        return;
    }
    // As SDKs read it; below its root, `~` would be ours.
    if let (Some(home), Some(rest)) = (home, value.as_bytes().strip_prefix(b"~/")) {
        *value = Path::new(home).join(OsStr::from_bytes(rest)).into_os_string();
    }
    // A relative path begins where the process is.
    let root = if value.as_bytes().starts_with(b"/") { "root" } else { "cwd/" };
    let mut path = OsString::from(format!("/proc/{pid}/{root}"));
    path.push(&*value);
    *value = path;
}

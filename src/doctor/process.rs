//! Another process: its variables, its user, and how its files are reached from here.
//!
//! `/proc/PID/environ` is what the process was started with. A process in another container, as an ephemeral one sees it,
//! has its files below `/proc/PID/root` (proc(5)).
//!
//! Whoever can choose that process's variables must gain nothing by being looked at: only those that say where credentials
//! come from are taken over, and root becomes the process's user first, so that no file is read, and nothing sent, that
//! the process could not read itself. Of a process in another container nothing is sent anywhere at all, since a link in its
//! file system leads out of it. One that was started as another user than its starter (set-uid, or with capabilities of its
//! file) is not looked at: its variables are the starter's.
//!
//! The program starts itself anew for this, as root, and becomes that user only then: between the one and the other, a
//! process of that user could seize it.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::fmt;
use std::fmt::Display;
use std::fs;
use std::io;
use std::num::ParseIntError;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::str::FromStr;

use rustix::process::DumpableBehavior;
use rustix::process::Gid;
use rustix::process::Uid;
use rustix::process::getuid;
use rustix::process::set_dumpable_behavior;
use rustix::thread::set_thread_groups;
use rustix::thread::set_thread_res_gid;
use rustix::thread::set_thread_res_uid;

use crate::file::ReadFileError;
use crate::file::read_bounded;

/// What a process is looked at as.
#[allow(missing_debug_implementations)] // what variables hold may be secret
pub struct Target {
    pub variables: Vec<(OsString, OsString)>,
    user: User,
    /// Whether its files are others than ours.
    is_elsewhere: bool,
}

/// Whom a process runs as. Written as `UID:GID:GROUP,GROUP`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct User {
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
}

const MAX_ENVIRONMENT: usize = 2 * 1024 * 1024;
const MAX_STATUS: usize = 64 * 1024;
const MAX_AUXILIARY: usize = 64 * 1024;
/// getauxval(3): whether the program was started with more rights than whoever started it had.
const AT_SECURE: usize = 23;
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
        if has_grown(pid)? {
            return Err(ReadFileError::Unreadable(io::ErrorKind::PermissionDenied));
        }
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
        Ok(Self { variables, user: User { uid, gid, groups }, is_elsewhere })
    }

    /// In another container: a link in its file system leads out of it and to our own files, so nothing that is read by its
    /// paths may be sent anywhere.
    pub fn is_elsewhere(&self) -> bool {
        self.is_elsewhere
    }

    /// Whom root must become. Who is neither root nor that user, and may look at others all the same (CAP_SYS_PTRACE), could
    /// read what the process cannot.
    pub fn user_to_become(&self) -> io::Result<Option<&User>> {
        let own = getuid();
        match own.as_raw() == self.user.uid {
            true => Ok(None),
            false if own.is_root() => Ok(Some(&self.user)),
            false => Err(io::ErrorKind::PermissionDenied.into()),
        }
    }
}

impl User {
    /// This process runs as that user from here on, and cannot be seized by it. Before any other thread is started.
    pub fn take_on(&self) -> io::Result<()> {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        let groups: Vec<Gid> = self.groups.iter().map(|group| Gid::from_raw(*group)).collect();
        set_thread_groups(&groups)?;
        set_thread_res_gid(gid, gid, gid)?;
        set_thread_res_uid(uid, uid, uid)?;
        // A change of user sets it to whatever fs.suid_dumpable says.
        set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
        Ok(())
    }
}

impl Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups: Vec<String> = self.groups.iter().map(u32::to_string).collect();
        write!(f, "{}:{}:{}", self.uid, self.gid, groups.join(","))
    }
}

impl FromStr for User {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        let mut parts = text.splitn(3, ':');
        let mut part = || parts.next().unwrap_or_default();
        let (uid, gid, groups) = (part().parse()?, part().parse()?, part());
        let groups = groups.split(',').filter(|group| !group.is_empty()).map(str::parse);
        Ok(Self { uid, gid, groups: groups.collect::<Result<_, _>>()? })
    }
}

/// Whether its program had more rights than its starter: then its variables were chosen by somebody who has less. A program
/// of another word size has a vector of another form, and is not looked at either.
fn has_grown(pid: u32) -> Result<bool, ReadFileError> {
    let vector = read_bounded(Path::new(&format!("/proc/{pid}/auxv")), MAX_AUXILIARY)?;
    let (words, _) = vector.as_chunks::<{ size_of::<usize>() }>();
    let words: Vec<usize> = words.iter().map(|word| usize::from_ne_bytes(*word)).collect();
    let mut pairs = words.chunks_exact(2);
    Ok(pairs.find(|pair| pair[0] == AT_SECURE).is_none_or(|pair| pair[1] != 0))
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

//! Another process: its variables, its user, and how its files are reached from here.
//!
//! `/proc/PID/environ` is what the process was started with. A process in another container, as an ephemeral one sees it,
//! has its files below `/proc/PID/root` (proc(5)).
//!
//! Whoever can choose that process's variables must gain nothing by being looked at: only those that say where credentials
//! come from are taken over, and root becomes like the process first ([`User`]): in its root and its directory, with its user,
//! groups and no more capabilities, so that no file is read, and nothing sent, that the process could not read itself. (What
//! seccomp, Landlock or an LSM takes from it is not taken from us.) For a process in another container, or with another network,
//! nothing is asked at all: a name would be looked up with libraries of its, and elsewhere than where it is. One that was started
//! as another user than its starter (set-uid, or with capabilities of its file) is not looked at: its variables are the starter's.
//!
//! The program starts itself anew for this, as root, and becomes that user only then: between the one and the other, a
//! process of that user could seize it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::fmt;
use std::fmt::Display;
use std::fs;
use std::io;
use std::num::ParseIntError;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::str::FromStr;

use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::process::chdir;
use rustix::process::chroot;
use rustix::process::fchdir;
use rustix::process::getuid;
use rustix::thread::CapabilitySet;

use crate::file::ReadFileError;
use crate::file::read_bounded;

mod paths;
mod user;

pub use user::User;

/// One process and no other that comes to have its number. Written as `PID:STARTED`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Process {
    pub pid: u32,
    started: u64,
}

/// What a process is looked at as.
#[allow(missing_debug_implementations)] // what variables hold may be secret
pub struct Target {
    pub variables: Vec<(OsString, OsString)>,
    pub process: Process,
    /// Its `mountinfo`, which tells a volume from a copy of one.
    pub mounts: String,
    user: User,
    /// The rights that it has beside its user's.
    capabilities: CapabilitySet,
    /// Whether its files, or its network, are others than ours.
    is_elsewhere: bool,
    /// Whether it has another root among our mounts (chroot(2)), out of which a relative link may lead.
    is_below_ours: bool,
}

const MAX_ENVIRONMENT: usize = 2 * 1024 * 1024;
const MAX_STATUS: usize = 64 * 1024;
const MAX_MOUNTS: usize = 4 * 1024 * 1024;
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
/// What the process has in its environment.
pub(super) fn environment_of(pid: u32) -> Result<Vec<(OsString, OsString)>, ReadFileError> {
    let bytes = read_bounded(Path::new(&format!("/proc/{pid}/environ")), MAX_ENVIRONMENT)?;
    let pair = |pair: &[u8]| -> Option<(OsString, OsString)> {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        let text = |bytes: &[u8]| OsStr::from_bytes(bytes).to_owned();
        Some((text(&pair[..at]), text(&pair[at + 1..])))
    };
    // Of two, getenv(3) gives the first.
    let mut names = BTreeSet::new();
    let pairs = bytes.split(|byte| *byte == 0).filter_map(pair);
    Ok(pairs.filter(|(name, _)| names.insert(name.clone())).collect())
}

impl Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.pid, self.started)
    }
}

impl FromStr for Process {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        let (pid, started) = text.split_once(':').unwrap_or((text, ""));
        Ok(Self { pid: pid.parse()?, started: started.parse()? })
    }
}

impl Target {
    pub fn of(pid: u32) -> Result<Self, ReadFileError> {
        let all = environment_of(pid)?;
        let mut variables = all.clone();
        variables.retain(|(name, _)| is_taken(name));
        let status = read_bounded(Path::new(&format!("/proc/{pid}/status")), MAX_STATUS)?;
        let status = String::from_utf8_lossy(&status).into_owned();
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        let numbers = |name: &str| -> Vec<u32> {
            field(name).split_whitespace().filter_map(|number| number.parse().ok()).collect()
        };
        // Real, effective, saved, and that of the file system.
        let only = |name| match numbers(name)[..] {
            [one, other, saved, of_files] if [other, saved, of_files] == [one; 3] => Ok(one),
            _ => Err(ReadFileError::Unreadable(io::ErrorKind::PermissionDenied)),
        };
        let user = User { uid: only("Uid:")?, gid: only("Gid:")?, groups: numbers("Groups:") };
        // Those of another user namespace are worth nothing in this one.
        let effective = u64::from_str_radix(field("CapEff:").trim(), 16).unwrap_or_default();
        let effective = if shares(pid, "user") { effective } else { 0 };
        let has_our_root = has_our_root(pid)?;
        let is_elsewhere = !["mnt", "net", "user"].iter().all(|kind| shares(pid, kind)) || !has_our_root;
        let is_below_ours = shares(pid, "mnt") && !has_our_root;
        let mounts = read_bounded(Path::new(&format!("/proc/{pid}/mountinfo")), MAX_MOUNTS)?;
        let mounts = String::from_utf8_lossy(&mounts).into_owned();
        let process = Process { pid, started: start_of(pid)? };
        if has_grown(pid)? {
            return Err(ReadFileError::Unreadable(io::ErrorKind::PermissionDenied));
        }
        // Meanwhile it may have become another program, or its number another process's.
        if environment_of(pid)? != all {
            return Err(ReadFileError::Unreadable(io::ErrorKind::Interrupted));
        }
        let capabilities = CapabilitySet::from_bits_retain(effective);
        Ok(Self { variables, process, mounts, user, capabilities, is_elsewhere, is_below_ours })
    }

    /// In another container, or with another network: nothing is asked for it.
    pub fn is_elsewhere(&self) -> bool {
        self.is_elsewhere
    }

    /// Whom root must become. Who is neither root nor that user, and may look at others all the same (CAP_SYS_PTRACE), could
    /// read what the process cannot.
    pub fn user_to_become(&self) -> io::Result<Option<&User>> {
        let own = getuid();
        match own.is_root() {
            true => Ok(Some(&self.user)),
            false if own.as_raw() == self.user.uid => Ok(None),
            false => Err(io::ErrorKind::PermissionDenied.into()),
        }
    }

    /// The variables as they are read from here, where it is root that looks, or somebody who cannot change its root.
    pub fn variables_from_here(&self) -> Vec<(OsString, OsString)> {
        let is_mapped = self.is_elsewhere && !getuid().is_root();
        if is_mapped { paths::from_here(self.process.pid, &self.variables) } else { self.variables.clone() }
    }

    /// Goes where the process is: its root and its directory, and, for root, its user and rights. Before any other thread is
    /// started. `user` is who it was a moment ago.
    pub fn become_like(&self, user: Option<&User>) -> io::Result<()> {
        let pid = self.process.pid;
        // Held, so that it is this process's and no other's of the same number.
        let place = if self.is_elsewhere { "root" } else { "cwd" };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(format!("/proc/{pid}/{place}"), flags, Mode::empty())?;
        let below_root = paths::directory_in_root(pid);
        if start_of(pid).ok() != Some(self.process.started) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let Some(user) = user else {
            // Where it has another root, paths are relative to that ([`paths`]).
            return if self.is_below_ours {
                Err(io::ErrorKind::PermissionDenied.into())
            } else {
                Ok(fchdir(directory)?)
            };
        };
        if *user != self.user {
            return Err(io::ErrorKind::Interrupted.into());
        }
        fchdir(directory)?;
        if self.is_elsewhere {
            chroot(".")?;
            // Its directory may be gone, or outside of its root: then it is the root.
            let _ = below_root.map(chdir);
        }
        user.take_on(self.capabilities)
    }
}

/// In ticks since the machine was (proc_pid_stat(5)).
fn start_of(pid: u32) -> Result<u64, ReadFileError> {
    let stat = read_bounded(Path::new(&format!("/proc/{pid}/stat")), MAX_STATUS)?;
    let stat = String::from_utf8_lossy(&stat).into_owned();
    // Behind the program's name, which may hold anything, the third field and those after it.
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let started = after_name.split_whitespace().nth(19).and_then(|started| started.parse().ok());
    started.ok_or(ReadFileError::Unreadable(io::ErrorKind::InvalidData))
}

/// Whether it is in the namespace of this kind that we are in.
fn shares(pid: u32, kind: &str) -> bool {
    let namespace = |of: &str| fs::read_link(format!("/proc/{of}/ns/{kind}")).ok();
    let theirs = namespace(&pid.to_string());
    theirs.is_some() && theirs == namespace("self")
}

/// It may have been given another one by chroot(2).
fn has_our_root(pid: u32) -> io::Result<bool> {
    let (ours, theirs) = (fs::metadata("/")?, fs::metadata(format!("/proc/{pid}/root/"))?);
    Ok((ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino()))
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

//! Whom a process runs as, and how root becomes that user for good.

use std::fmt;
use std::fmt::Display;
use std::io;
use std::str::FromStr;

use rustix::process::DumpableBehavior;
use rustix::process::Gid;
use rustix::process::Uid;
use rustix::process::getegid;
use rustix::process::geteuid;
use rustix::process::getgid;
use rustix::process::getuid;
use rustix::process::set_dumpable_behavior;
use rustix::thread::CapabilitySet;
use rustix::thread::CapabilitySets;
use rustix::thread::capabilities;
use rustix::thread::set_capabilities;
use rustix::thread::set_no_new_privs;
use rustix::thread::set_thread_groups;
use rustix::thread::set_thread_res_gid;
use rustix::thread::set_thread_res_uid;
use thiserror::Error;

/// Written as `UID:GID:GROUP,GROUP`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) groups: Vec<u32>,
}

#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("it is not UID:GID:GROUP,GROUP in numbers")]
pub struct ParseUserError;

/// To the kernel it means that nothing is to change.
const NOBODY: u32 = u32::MAX;

impl User {
    /// This process runs as that user from here on, with those of its capabilities that it has been left, and cannot be seized by it.
    pub(super) fn take_on(&self, allowed: CapabilitySet) -> io::Result<()> {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        let groups: Vec<Gid> = self.groups.iter().map(|group| Gid::from_raw(*group)).collect();
        set_thread_groups(&groups)?;
        set_thread_res_gid(gid, gid, gid)?;
        set_thread_res_uid(uid, uid, uid)?;
        // The change of user takes them all, unless it has been told not to (SECBIT_NO_SETUID_FIXUP), or is none.
        let left = capabilities(None)?.permitted & allowed;
        let none = CapabilitySet::empty();
        set_capabilities(None, CapabilitySets { effective: left, permitted: left, inheritable: none })?;
        set_no_new_privs(true)?;
        // A change of user sets it to whatever fs.suid_dumpable says.
        set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
        let is_done = [getuid(), geteuid()] == [uid; 2]
            && [getgid(), getegid()] == [gid; 2]
            && capabilities(None)?.permitted == left;
        if is_done { Ok(()) } else { Err(io::ErrorKind::PermissionDenied.into()) }
    }
}

impl Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups: Vec<String> = self.groups.iter().map(u32::to_string).collect();
        write!(f, "{}:{}:{}", self.uid, self.gid, groups.join(","))
    }
}

impl FromStr for User {
    type Err = ParseUserError;

    fn from_str(text: &str) -> Result<Self, ParseUserError> {
        let mut parts = text.splitn(3, ':');
        let mut part = || parts.next().unwrap_or_default();
        let number = |text: &str| text.parse().ok().filter(|number| *number != NOBODY).ok_or(ParseUserError);
        let (uid, gid, groups) = (number(part())?, number(part())?, part());
        let groups = groups.split(',').filter(|group| !group.is_empty()).map(number);
        Ok(Self { uid, gid, groups: groups.collect::<Result<_, _>>()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_and_no_number_that_means_nobody() {
        for text in ["0:0:", "1000:1000:1000,65534"] {
            assert_eq!(text.parse::<User>().unwrap().to_string(), text);
        }
        for text in ["", "0", "0:x:", "4294967295:0:", "0:4294967295:", "0:0:4294967295", "-1:0:"] {
            assert_eq!(text.parse::<User>(), Err(ParseUserError), "{text}");
        }
    }
}

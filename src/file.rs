//! Files, read without surprises: bounded, never waiting, and every way in which it can fail told apart.

use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;

use rustix::fs::CWD;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::ResolveFlags;
use rustix::fs::openat2;
use rustix::fs::stat;
use rustix::io::Errno;
use thiserror::Error;
use zeroize::Zeroizing;

pub mod watch;

/// Why a file cannot be used.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum ReadFileError {
    #[error("there is no such file")]
    Missing,
    #[error("it is not a file")]
    NotAFile,
    #[error("this user may not read it")]
    PermissionDenied,
    #[error("it is longer than {0} bytes")]
    TooLong(usize),
    #[error("it could not be read: {0}")]
    Unreadable(io::ErrorKind),
}

/// What the file holds; at most `limit` bytes, so that `/dev/zero` cannot fill the memory.
pub fn read_bounded(path: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>, ReadFileError> {
    let file = open(path)?;
    if !file.metadata()?.is_file() {
        return Err(ReadFileError::NotAFile);
    }
    all_of(file, limit)
}

/// The rest of what is open already, such as standard input.
pub fn all_of(input: impl Read, limit: usize) -> Result<Zeroizing<Vec<u8>>, ReadFileError> {
    // One byte more than allowed tells "just fits" from "too long".
    let mut content = Zeroizing::new(Vec::with_capacity(limit.min(64 * 1024) + 1));
    input.take(limit as u64 + 1).read_to_end(&mut content)?;
    if content.len() > limit {
        return Err(ReadFileError::TooLong(limit));
    }
    Ok(content)
}

/// Some devices do something when they are opened (a watchdog), so it is looked at first. Of what this process was given
/// by its starter, or holds open, nothing is read by the kernel's links in /proc, whatever the path leads to.
fn open(path: &Path) -> io::Result<File> {
    if FileType::from_raw_mode(stat(path)?.st_mode) != FileType::RegularFile {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    // Without NONBLOCK, opening a FIFO that somebody has put there by now would wait for a writer for ever.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    match openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_MAGICLINKS) {
        // A kernel before 5.6, or a sandbox: by the path that the kernel shows for its link, with the rights that that takes.
        Err(Errno::NOSYS | Errno::PERM) => {
            Ok(rustix::fs::open(fs::canonicalize(path)?, flags, Mode::empty())?.into())
        }
        opened => Ok(opened?.into()),
    }
}

impl From<io::Error> for ReadFileError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::Missing,
            io::ErrorKind::PermissionDenied => Self::PermissionDenied,
            io::ErrorKind::IsADirectory => Self::NotAFile,
            other => Self::Unreadable(other),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn never_waits_and_never_reads_without_end() {
        assert_eq!(read_bounded(Path::new("/dev/zero"), 10).err(), Some(ReadFileError::NotAFile));
        assert_eq!(read_bounded(Path::new("/"), 10).err(), Some(ReadFileError::NotAFile));
        assert_eq!(read_bounded(Path::new("/nowhere/at/all"), 10).err(), Some(ReadFileError::Missing));
    }

    #[test]
    fn what_is_open_already_is_read_within_bounds_too() {
        assert_eq!(all_of(&b"abc"[..], 3).unwrap().as_slice(), b"abc");
        assert_eq!(all_of(io::repeat(b'a'), 3).err(), Some(ReadFileError::TooLong(3)));
    }

    /// What a starter has left open is nobody's to name.
    #[test]
    fn follows_no_link_of_the_kernels() {
        let held = File::open("Cargo.toml").unwrap();
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&held));
        assert!(fs::read(&path).is_ok());
        assert!(read_bounded(Path::new(&path), 1 << 20).is_err());
        assert!(read_bounded(Path::new("/proc/self/status"), 1 << 20).is_ok());
    }

    #[test]
    fn tells_a_lack_of_rights_from_a_lack_of_the_file() {
        let denied = ReadFileError::from(io::Error::from(io::ErrorKind::PermissionDenied));
        assert_eq!(denied, ReadFileError::PermissionDenied);
    }
}

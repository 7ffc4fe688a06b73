//! Files, read without surprises: bounded, never waiting, and every way in which it can fail told apart.

use std::fs::OpenOptions;
use std::io;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

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
    // Without O_NONBLOCK, opening a FIFO that somebody put there would wait for a writer for ever.
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(nonblocking).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(ReadFileError::NotAFile);
    }
    // One byte more than allowed tells "just fits" from "too long".
    let mut content = Zeroizing::new(Vec::with_capacity(limit.min(64 * 1024) + 1));
    file.take(limit as u64 + 1).read_to_end(&mut content)?;
    if content.len() > limit {
        return Err(ReadFileError::TooLong(limit));
    }
    Ok(content)
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
mod tests {
    use super::*;

    #[test]
    fn never_waits_and_never_reads_without_end() {
        assert_eq!(read_bounded(Path::new("/dev/zero"), 10).err(), Some(ReadFileError::NotAFile));
        assert_eq!(read_bounded(Path::new("/"), 10).err(), Some(ReadFileError::NotAFile));
        assert_eq!(read_bounded(Path::new("/nowhere/at/all"), 10).err(), Some(ReadFileError::Missing));
    }

    #[test]
    fn tells_a_lack_of_rights_from_a_lack_of_the_file() {
        let denied = ReadFileError::from(io::Error::from(io::ErrorKind::PermissionDenied));
        assert_eq!(denied, ReadFileError::PermissionDenied);
    }
}

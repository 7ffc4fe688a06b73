//! Files that settings name, read once at start.

use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;

use thiserror::Error;
use zeroize::Zeroizing;

/// Why a file that a setting names cannot be used.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub(super) enum ReadFileError {
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
pub(super) fn read_bounded(path: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>, ReadFileError> {
    // Asked before it is opened: opening a FIFO waits for a writer, for ever if there is none.
    if !fs::metadata(path)?.is_file() {
        return Err(ReadFileError::NotAFile);
    }
    let mut content = Zeroizing::new(Vec::with_capacity(limit.min(64 * 1024) + 1));
    File::open(path)?.take(limit as u64 + 1).read_to_end(&mut content)?;
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

//! The key of IMDSv2's session tokens, kept in the pod's shared memory so that a restarted container finds it again.
//!
//! EC2's sessions never end before their time, and two current SDKs rely on it: those for Rust and Go v1 keep a token for
//! its six hours, whatever is answered. With a key of its own each restart of the sidecar would leave them without
//! credentials for as long. `/dev/shm` belongs to the pod's sandbox: all of its containers share it, it outlives each of
//! them, it is memory, and it is writable under a read-only root. Where there is none, or something is amiss with what lies
//! there, the key is good for this process alone.
//!
//! The key opens nothing by itself. A session's token shows that a client can send a PUT, which a request that was forged
//! on the way cannot; whoever can read the key runs in the pod as the same user and can send one as well.

use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Write;
use std::path::Path;

use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::process::geteuid;
use rustix::rand::GetRandomFlags;
use rustix::rand::getrandom;
use zeroize::Zeroizing;

pub const BYTES: usize = 32;
const DIRECTORY: &str = "/dev/shm";
const NAME: &str = "irsa-sidecar-imds-session-key";
const NAMES: usize = 16;

/// Has no `Debug`, as a secret has none.
#[derive(Clone)]
#[allow(missing_debug_implementations)] // holds a secret
pub struct SessionKey(Zeroizing<[u8; BYTES]>);

impl SessionKey {
    /// The one that lies there, else a new one, left there for the next process.
    pub fn of_the_pod() -> Self {
        Self::kept_in(Path::new(DIRECTORY)).unwrap_or_else(|error| {
            tracing::warn!(
                code = "SessionKeyNotKept",
                %error,
                "no key can be kept in {DIRECTORY}: IMDSv2 sessions end with this process, and clients that do not open \
                 another on a 401 (the Rust SDK, Go's v1) have no credentials after a restart until theirs would have ended"
            );
            Self::random()
        })
    }

    pub fn random() -> Self {
        let mut bytes = Zeroizing::new([0; BYTES]);
        let mut filled = 0;
        while filled < BYTES {
            filled += getrandom(&mut bytes[filled..], GetRandomFlags::empty())
                .expect("the kernel must have randomness once it has started a pod");
        }
        Self(bytes)
    }

    pub fn expose(&self) -> &[u8] {
        &self.0[..]
    }

    /// Under the first name that is ours or free: whoever shares the directory may have taken some.
    fn kept_in(directory: &Path) -> io::Result<Self> {
        let name = format!("{NAME}-{}", geteuid().as_raw());
        let mut kept = Self::kept_as(&directory.join(&name));
        for number in 1..NAMES {
            if kept.is_ok() {
                break;
            }
            kept = Self::kept_as(&directory.join(format!("{name}-{number}")));
        }
        kept
    }

    fn kept_as(path: &Path) -> io::Result<Self> {
        // No link is followed, and nothing that is waited for is opened.
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?;
        let found = rustix::fs::fstat(&file)?;
        let is_ours = found.st_uid == geteuid().as_raw()
            && FileType::from_raw_mode(found.st_mode) == FileType::RegularFile
            && Mode::from_raw_mode(found.st_mode) == Mode::RUSR | Mode::WUSR;
        if !is_ours {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the file there is not ours alone"));
        }
        let mut file = File::from(file);
        let mut bytes = Zeroizing::new([0; BYTES]);
        if found.st_size == BYTES as i64 {
            file.read_exact(&mut bytes[..])?;
            return Ok(Self(bytes));
        }
        let key = Self::random();
        file.set_len(0)?;
        file.write_all(key.expose())?;
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use super::*;

    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("session-key-{name}-{}", std::process::id()));
            fs::create_dir(&path).unwrap();
            Self(path)
        }

        fn file(&self) -> PathBuf {
            self.0.join(format!("{NAME}-{}", geteuid().as_raw()))
        }

        fn key(&self) -> Option<Vec<u8>> {
            Some(SessionKey::kept_in(&self.0).ok()?.expose().to_vec())
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_next_process_finds_the_key_of_the_one_before() {
        let directory = Directory::new("kept");
        let key = directory.key().unwrap();
        assert_eq!(directory.key().unwrap(), key);
        assert_ne!(key, SessionKey::random().expose());
        assert_eq!(fs::metadata(directory.file()).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_a_crash_left_half_is_replaced() {
        let directory = Directory::new("half");
        for left in [&b""[..], b"half", &[7; 99]] {
            directory.key().unwrap();
            fs::write(directory.file(), left).unwrap();
            let key = directory.key().unwrap();
            assert_eq!((key.len(), directory.key().unwrap()), (BYTES, key));
        }
    }

    #[test]
    fn what_others_could_have_put_there_is_not_used_and_not_in_the_way() {
        let directory = Directory::new("planted");
        fs::write(directory.file(), [7; BYTES]).unwrap();
        fs::set_permissions(directory.file(), fs::Permissions::from_mode(0o644)).unwrap();
        let beside = |number| PathBuf::from(format!("{}-{number}", directory.file().display()));
        let elsewhere = directory.0.join("elsewhere");
        fs::write(&elsewhere, [7; BYTES]).unwrap();
        symlink(&elsewhere, beside(1)).unwrap();
        fs::create_dir(beside(2)).unwrap();
        let key = directory.key().unwrap();
        assert_ne!(key, [7; BYTES]);
        assert_eq!(directory.key().unwrap(), key);
        assert_eq!(fs::read(beside(3)).unwrap(), key);
        assert!(SessionKey::kept_in(Path::new("/nowhere/at/all")).is_err());
    }
}

//! The kubelet's projected-token volume, as a container sees it.
//!
//! ```text
//! volume/
//!   ..2026_11_23_02_39_41.1804289383/token     the bytes
//!   ..data -> ..2026_11_23_02_39_41.1804289383 swapped by one rename
//!   token  -> ..data/token                     made once, never touched again
//! ```
//!
//! Every change of content goes through a new directory, a new `..data_tmp` link and a rename over `..data`, in the
//! kubelet's own order; so a watcher sees here exactly what it would see in a pod. [`Volume::write_in_place`] and
//! [`Volume::plain`] are for the other case, where somebody keeps a token file by hand.

use std::ffi::OsString;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use crate::clock::Clock;
use crate::random;

/// The name that IRSA's tokens have.
const FILE: &str = "token";
const DATA: &str = "..data";
const NEW_DATA: &str = "..data_tmp";

/// The limit above which STS refuses a token, and so the size that no reader should go beyond.
const STS_TOKEN_LIMIT: usize = 20_000;

/// A directory with one token in it.
#[derive(Debug)]
pub struct Volume {
    directory: PathBuf,
    file: String,
    mode: Mode,
    clock: Clock,
}

/// What the kubelet gives the file: 0600 to the pod's own user, 0640 where the pod has an `fsGroup`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    #[default]
    OwnerOnly,
    FsGroup,
}

/// Ways in which what is read is not a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corruption {
    /// The first half of what was there.
    HalfWritten,
    Empty,
    /// One byte more than STS accepts.
    Oversized,
    NotUtf8,
}

impl Volume {
    /// An empty volume: the directory is made if need be, and holds no token yet.
    pub fn new(directory: impl Into<PathBuf>, mode: Mode, clock: Clock) -> io::Result<Self> {
        Self::named(directory, FILE, mode, clock)
    }

    /// As [`new`](Self::new), with another name for the file than `token`.
    pub fn named(directory: impl Into<PathBuf>, file: &str, mode: Mode, clock: Clock) -> io::Result<Self> {
        let directory = directory.into();
        fs::create_dir_all(&directory)?;
        Ok(Self { directory, file: file.to_owned(), mode, clock })
    }

    /// A plain file in place of a volume, as somebody would keep by hand.
    pub fn plain(directory: impl Into<PathBuf>, token: &str) -> io::Result<Self> {
        let volume = Self::new(directory, Mode::OwnerOnly, Clock::default())?;
        volume.write_in_place(token.as_bytes())?;
        Ok(volume)
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// What `AWS_WEB_IDENTITY_TOKEN_FILE` names.
    pub fn token_file(&self) -> PathBuf {
        self.directory.join(&self.file)
    }

    /// Puts a token (or anything else) in place of the one before, as the kubelet does.
    pub fn rotate(&self, content: impl AsRef<[u8]>) -> io::Result<()> {
        let before = fs::read_link(self.directory.join(DATA)).ok();
        let name = self.fresh_name();
        let fresh = self.directory.join(&name);
        fs::create_dir(&fresh)?;
        fs::set_permissions(&fresh, Permissions::from_mode(0o755))?;
        write(&fresh.join(&self.file), content.as_ref(), self.mode.bits())?;

        let pending = self.directory.join(NEW_DATA);
        remove_if_there(fs::remove_file(&pending))?;
        symlink(&name, &pending)?;
        fs::rename(&pending, self.directory.join(DATA))?;

        if !self.token_file().is_symlink() {
            remove_if_there(fs::remove_file(self.token_file()))?;
            symlink(Path::new(DATA).join(&self.file), self.token_file())?;
        }
        match before {
            Some(before) => remove_if_there(fs::remove_dir_all(self.directory.join(before))),
            None => Ok(()),
        }
    }

    /// Puts something that is not a token in its place, by the kubelet's own swap.
    pub fn corrupt(&self, how: Corruption) -> io::Result<()> {
        self.rotate(how.of(&self.current()))
    }

    /// As [`corrupt`](Self::corrupt), but into the very file that is there.
    pub fn corrupt_in_place(&self, how: Corruption) -> io::Result<()> {
        self.write_in_place(&how.of(&self.current()))
    }

    /// Truncates the file that is there and writes into it: no rename, so a reader may see any part of it.
    pub fn write_in_place(&self, content: &[u8]) -> io::Result<()> {
        write(&self.token_file(), content, self.mode.bits())
    }

    /// Takes the token away, and the volume's links with it.
    pub fn remove(&self) -> io::Result<()> {
        if let Ok(current) = fs::read_link(self.directory.join(DATA)) {
            remove_if_there(fs::remove_file(self.directory.join(DATA)))?;
            remove_if_there(fs::remove_dir_all(self.directory.join(current)))?;
        }
        remove_if_there(fs::remove_file(self.token_file()))
    }

    fn current(&self) -> Vec<u8> {
        fs::read(self.token_file()).unwrap_or_default()
    }

    fn fresh_name(&self) -> OsString {
        // `2026-11-23T02:39:41Z` becomes the kubelet's `2026_11_23_02_39_41`.
        let now = humantime::format_rfc3339_seconds(self.clock.now()).to_string();
        let stamp = now.trim_end_matches('Z').replace(['-', 'T', ':'], "_");
        format!("..{stamp}.{}", u32::from_be_bytes(random::bytes())).into()
    }
}

impl Mode {
    fn bits(self) -> u32 {
        match self {
            Self::OwnerOnly => 0o600,
            Self::FsGroup => 0o640,
        }
    }
}

impl Corruption {
    fn of(self, token: &[u8]) -> Vec<u8> {
        match self {
            Self::HalfWritten => token[..token.len() / 2].to_vec(),
            Self::Empty => Vec::new(),
            Self::Oversized => vec![b'A'; STS_TOKEN_LIMIT + 1],
            Self::NotUtf8 => [b"eyJ", &[0xff, 0xfe, 0x00][..], b".e30.AAAA"].concat(),
        }
    }
}

fn write(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?;
    // The umask must not have the last word: the kubelet sets the mode outright.
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(content)
}

fn remove_if_there(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

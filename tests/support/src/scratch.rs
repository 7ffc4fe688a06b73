//! A directory of one's own, gone when it is dropped.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use crate::random;

#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Makes a fresh directory whose name begins with `name`.
    pub fn new(name: &str) -> io::Result<Self> {
        let path = env::temp_dir().join(format!("{name}-{}", random::hex(8)));
        fs::create_dir(&path)?;
        Ok(Self { path })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A test that removed it itself has done no wrong.
        let _ = fs::remove_dir_all(&self.path);
    }
}

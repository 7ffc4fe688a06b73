//! Where the file lies: put in place whole, known by its mark, removed at the end.

use std::fs;
use std::fs::Metadata;
use std::fs::OpenOptions;
use std::fs::Permissions;
use std::io;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::credentials_file::text::MARK;
use crate::file::ReadFileError;
use crate::file::read_bounded;

/// For the owner alone.
const MODE: u32 = 0o600;
/// More than two hundred profiles take.
const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;

/// Why nothing can be kept there.
#[derive(Debug, Error)]
pub enum UnusablePlace {
    #[error(
        "there is a file that irsa-sidecar has not written: it would be lost. Name another path, or move that file away"
    )]
    Foreign,
    #[error("it is a directory; the path of a file goes here")]
    Directory,
    #[error(
        "nothing can be written beside it: {0}. Mount a directory there that this user may write to, an emptyDir with medium Memory"
    )]
    Unwritable(io::Error),
}

#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    /// What was written last, if it is still to be there.
    written: Option<Written>,
}

#[derive(Debug)]
struct Written {
    text: Zeroizing<Vec<u8>>,
    file: Metadata,
}

/// Before anything starts.
pub fn check(path: &Path) -> Result<(), UnusablePlace> {
    if path.is_dir() {
        return Err(UnusablePlace::Directory);
    }
    if !may_be_replaced(path) {
        return Err(UnusablePlace::Foreign);
    }
    // What a killed process left is ours.
    let temporary = temporary(path);
    create(&temporary).and_then(|_| fs::remove_file(&temporary)).map_err(UnusablePlace::Unwritable)
}

impl Place {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, written: None }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether anything had to be done: the same text, in place as it was left, is not written again.
    pub(super) fn put(&mut self, text: Zeroizing<Vec<u8>>) -> io::Result<bool> {
        if self
            .written
            .as_ref()
            .is_some_and(|written| *written.text == *text && written.is_untouched(&self.path))
        {
            return Ok(false);
        }
        if !may_be_replaced(&self.path) {
            return Err(io::Error::other("somebody else's file is there now"));
        }
        let temporary = temporary(&self.path);
        let mut file = create(&temporary)?;
        let file = file.write_all(&text).and_then(|()| file.metadata());
        let file = file.and_then(|file| fs::rename(&temporary, &self.path).map(|()| file));
        let file = file.inspect_err(|_| {
            let _ = fs::remove_file(&temporary);
        })?;
        self.written = Some(Written { text, file });
        Ok(true)
    }
}

impl Written {
    /// Nobody has put another one there, written to it, or let others read it.
    fn is_untouched(&self, path: &Path) -> bool {
        let trace = |file: &Metadata| (file.len(), file.mode(), file.uid(), file.mtime(), file.mtime_nsec());
        fs::symlink_metadata(path).is_ok_and(|file| self.is_of(&file) && trace(&file) == trace(&self.file))
    }

    fn is_of(&self, file: &Metadata) -> bool {
        (file.dev(), file.ino()) == (self.file.dev(), self.file.ino())
    }
}

/// Another irsa-sidecar may have put its own there since, with the same mark: that one is its to remove.
impl Drop for Place {
    fn drop(&mut self) {
        let Some(written) = &self.written else { return };
        let is_there = fs::symlink_metadata(&self.path).is_ok_and(|file| written.is_of(&file));
        if is_there && may_be_replaced(&self.path) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// In the same directory, so that a rename puts it in place.
fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.irsa-sidecar"))
}

/// Made anew: whoever has opened, or linked, a file of this name before has nothing of it.
fn create(temporary: &Path) -> io::Result<fs::File> {
    match fs::remove_file(temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(temporary)?;
    // A umask may take from the mode, and must not add to what others may.
    file.set_permissions(Permissions::from_mode(MODE))?;
    Ok(file)
}

/// Nothing is there, or something of ours. A link is replaced and not followed, if what it points at is ours.
fn may_be_replaced(path: &Path) -> bool {
    match read_bounded(path, MAX_FILE_BYTES) {
        Ok(content) => content.starts_with(MARK.as_bytes()),
        Err(ReadFileError::Missing) => fs::symlink_metadata(path).is_err(),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("irsa-sidecar-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn text(more: &str) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(format!("{MARK}\n{more}").into_bytes())
    }

    #[test]
    fn is_written_once_for_its_owner_alone_and_removed_at_the_end() {
        let scratch = Scratch::new("place");
        let path = scratch.0.join("credentials");
        let mut place = Place::new(path.clone());
        assert!(place.put(text("a")).unwrap());
        assert!(!place.put(text("a")).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
        fs::remove_file(&path).unwrap();
        assert!(place.put(text("a")).unwrap(), "somebody removed it");
        assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 1, "nothing is left beside it");
        drop(place);
        assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 0);
    }

    #[test]
    fn what_is_not_ours_is_never_touched() {
        let scratch = Scratch::new("foreign");
        let path = scratch.0.join("credentials");
        fs::write(&path, "[default]\naws_access_key_id = AKIA\n").unwrap();
        assert!(matches!(check(&path), Err(UnusablePlace::Foreign)));
        let mut place = Place::new(path.clone());
        assert!(place.put(text("a")).is_err());
        drop(place);
        assert!(fs::read_to_string(&path).unwrap().contains("AKIA"));

        fs::remove_file(&path).unwrap();
        let mut place = Place::new(path.clone());
        assert!(place.put(text("a")).unwrap());
        fs::write(&path, "somebody else's now").unwrap();
        drop(place);
        assert_eq!(fs::read_to_string(&path).unwrap(), "somebody else's now");
        assert!(matches!(check(&scratch.0), Err(UnusablePlace::Directory)));
        assert!(matches!(check(Path::new("/nowhere/at/all")), Err(UnusablePlace::Unwritable(_))));
    }

    #[test]
    fn what_somebody_changes_is_set_right_though_nothing_else_is_to_be_said() {
        let scratch = Scratch::new("changed");
        let path = scratch.0.join("credentials");
        let mut place = Place::new(path.clone());
        assert!(place.put(text("a")).unwrap());
        let copy = scratch.0.join("copy");
        let changes: [&dyn Fn() -> io::Result<()>; 3] = [
            &|| fs::write(&path, &*text("edited")),
            &|| fs::set_permissions(&path, Permissions::from_mode(0o644)),
            &|| fs::copy(&path, &copy).and_then(|_| fs::rename(&copy, &path)),
        ];
        for (at, change) in changes.iter().enumerate() {
            change().unwrap();
            assert!(place.put(text("a")).unwrap(), "{at}");
            assert_eq!(fs::read(&path).unwrap(), *text("a"), "{at}");
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE, "{at}");
            assert!(!place.put(text("a")).unwrap(), "{at}");
        }
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/nowhere", &path).unwrap();
        assert!(place.put(text("a")).is_err(), "a link to who knows what is not ours");
    }

    #[test]
    fn what_another_sidecar_put_there_is_left_to_it() {
        let scratch = Scratch::new("another");
        let path = scratch.0.join("credentials");
        let (mut first, mut second) = (Place::new(path.clone()), Place::new(path.clone()));
        assert!(first.put(text("first")).unwrap());
        assert!(second.put(text("second")).unwrap());
        drop(first);
        assert_eq!(fs::read(&path).unwrap(), *text("second"));
        drop(second);
        assert!(!path.exists());
    }

    #[test]
    fn what_a_killed_process_left_is_taken_over() {
        let scratch = Scratch::new("left");
        let path = scratch.0.join("credentials");
        fs::write(&path, &*text("old")).unwrap();
        fs::write(temporary(&path), "half").unwrap();
        check(&path).unwrap();
        assert!(Place::new(path).put(text("new")).unwrap());
    }
}

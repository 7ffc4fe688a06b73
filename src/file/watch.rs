//! When to look at a file again. The door to `notify`.
//!
//! The kubelet changes what a volume holds by writing a new directory beside the old one and renaming the `..data` link onto
//! it; no event ever names the file itself. So the *directory* is watched, and any change in it is an occasion to read the
//! file through the links and to compare. Beside it the house's beat is one, and where the kernel gives no watch
//! (`fs.inotify.max_user_instances` is 128 on many nodes) a quicker beat.
//!
//! Reads happen on the runtime's thread: such a volume is memory, what is not a regular file is refused before it is read,
//! and a thread that came and went at each beat would cost more wake-ups than the read.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use notify::Config;
use notify::Event;
use notify::EventKind;
use notify::EventKindMask;
use notify::RecommendedWatcher;
use notify::RecursiveMode;
use notify::Watcher as _;
use notify::event::ModifyKind;
use tokio::sync::Notify;
use tokio::time::Interval;

use crate::beat;
use crate::beat::Beat;
use crate::clock::Clock;

/// One rotation is a burst of events; the last of them is the rename that counts.
const DEBOUNCE: Duration = Duration::from_millis(100);

/// Tells when to look at one file.
#[derive(Debug)]
pub struct FileWatch {
    path: PathBuf,
    /// What the file is, for the log.
    what: &'static str,
    clock: Clock,
    beat: Beat,
    bell: Bell,
    state: Watching,
    told: Option<Blindness>,
}

/// Asks for a look now.
#[derive(Clone, Debug, Default)]
pub struct Bell(Arc<Notify>);

#[derive(Debug)]
enum Watching {
    NotYet,
    Events(Subscription),
    Blind(Interval),
}

/// Why changes are not reported.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Blindness {
    NoDirectory,
    NoWatch,
}

/// A watch on one directory, as it was when the watch was made: on what has been replaced it is blind.
#[derive(Debug)]
struct Subscription {
    directory: PathBuf,
    identity: (u64, u64),
    _watcher: RecommendedWatcher,
}

impl Bell {
    pub fn ring(&self) {
        self.0.notify_one();
    }
}

impl FileWatch {
    pub fn new(path: PathBuf, what: &'static str, beat: Beat, clock: Clock) -> Self {
        let (bell, state) = (Bell::default(), Watching::NotYet);
        Self { path, what, clock, beat, bell, state, told: None }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn bell(&self) -> Bell {
        self.bell.clone()
    }

    /// Returns when it is time to look: the first time at once, later at each beat, event and ring.
    pub async fn turn(&mut self) {
        let is_due_again = match &mut self.state {
            Watching::NotYet => true,
            Watching::Events(subscription) => tokio::select! {
                () = self.beat.next() => !subscription.is_current(),
                () = self.bell.0.notified() => { tokio::time::sleep(DEBOUNCE).await; false }
            },
            Watching::Blind(interval) => tokio::select! {
                _ = interval.tick() => true,
                () = self.bell.0.notified() => { tokio::time::sleep(DEBOUNCE).await; false }
            },
        };
        if is_due_again {
            // Before the look: what happened before the watch began, no event tells.
            self.subscribe();
        }
    }

    fn subscribe(&mut self) {
        let directory = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let name = self.path.file_name().map(OsStr::to_owned);
        let subscription = Subscription::new(directory.unwrap_or(Path::new(".")), name, self.bell.clone());
        let blindness = subscription.as_ref().err().copied();
        // Said again only when it has become something else.
        if blindness != self.told {
            self.told = blindness;
            self.tell(blindness);
        }
        self.state = match (subscription, std::mem::replace(&mut self.state, Watching::NotYet)) {
            (Ok(subscription), _) => Watching::Events(subscription),
            (Err(_), Watching::Blind(interval)) => Watching::Blind(interval),
            (Err(_), _) => Watching::Blind(beat::quick(&self.clock)),
        };
    }

    fn tell(&self, blindness: Option<Blindness>) {
        let (file, what) = (self.path.display(), self.what);
        match blindness {
            None => tracing::info!(%file, "the {what}'s directory can be watched again"),
            Some(Blindness::NoDirectory) => {
                tracing::warn!(%file, "the {what}'s directory is not there; it is looked for every 10 s");
            }
            Some(Blindness::NoWatch) => tracing::warn!(
                %file,
                "the kernel gives no inotify watch on the {what}'s directory; the file is read every 10 s instead \
                 (see fs.inotify.max_user_instances and fs.inotify.max_user_watches)"
            ),
        }
    }
}

impl Subscription {
    fn new(directory: &Path, name: Option<OsString>, bell: Bell) -> Result<Self, Blindness> {
        let identity = identity(directory).ok_or(Blindness::NoDirectory)?;
        // Opening and reading are left out: every reader of the directory would wake us.
        let config = Config::default().with_event_kinds(EventKindMask::CORE);
        // Nothing is logged here: a log that is written to this very directory would be an event again.
        let on_event = move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| is_about(&event, name.as_deref())) {
                bell.ring();
            }
        };
        let mut watcher = RecommendedWatcher::new(on_event, config).map_err(|_| Blindness::NoWatch)?;
        watcher.watch(directory, RecursiveMode::NonRecursive).map_err(|_| Blindness::NoWatch)?;
        Ok(Self { directory: directory.to_owned(), identity, _watcher: watcher })
    }

    fn is_current(&self) -> bool {
        identity(&self.directory) == Some(self.identity)
    }
}

/// Whether it may have changed what the file holds. What is written into other files of the directory does not, but names
/// that come, go and change may: a link on the way to the file has another name than it.
fn is_about(event: &Event, name: Option<&OsStr>) -> bool {
    match event.kind {
        EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Metadata(_)) | EventKind::Access(_) => {
            event.paths.iter().any(|path| path.file_name() == name)
        }
        _ => true,
    }
}

fn identity(directory: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(directory).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use notify::event::DataChange;
    use notify::event::RenameMode;

    use super::*;

    #[test]
    fn what_is_written_into_other_files_is_no_occasion_to_look() {
        let written = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        let renamed = EventKind::Modify(ModifyKind::Name(RenameMode::To));
        for (kind, name, is_news) in [
            (written, "roles.yaml", true),
            (written, "sidecar.log", false),
            (renamed, "..data", true),
            (EventKind::Create(notify::event::CreateKind::File), "roles.yaml", true),
        ] {
            let event = Event::new(kind).add_path(Path::new("/etc/irsa-sidecar").join(name));
            assert_eq!(is_about(&event, Some(OsStr::new("roles.yaml"))), is_news, "{kind:?} {name}");
        }
    }
}

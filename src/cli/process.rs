//! What is set up once for the whole process, before anything else.

use std::future::Future;
use std::io;
use std::panic;

use rustix::process::DumpableBehavior;
use rustix::process::Resource;
use rustix::process::Rlimit;
use rustix::process::getrlimit;
use rustix::process::set_dumpable_behavior;
use rustix::process::setrlimit;
use tokio::runtime::Builder;

use crate::contract::exit;

/// How many files a process may have open.
#[derive(Clone, Copy, Debug)]
pub(super) struct FileLimit(Rlimit);

impl FileLimit {
    /// Has it hold for whatever is started in here: a program that uses select(2) writes past its sets' end when it is
    /// given files with higher numbers.
    pub(super) fn during<T>(&self, start: impl FnOnce() -> T) -> T {
        let ours = getrlimit(Resource::Nofile);
        let _ = setrlimit(Resource::Nofile, self.0);
        let started = start();
        let _ = setrlimit(Resource::Nofile, ours);
        started
    }
}

/// No core file and no debugger of the same user gets at the secrets in memory; as many files may be open as the pod
/// allows; a panic ends with a status of its own. Gives the limit on open files that was found.
pub(super) fn harden() -> FileLimit {
    // A kernel without it has nothing to be told.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    // The bound on connections is ours to keep, not that of a soft limit made for select(2).
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    let found = FileLimit(limit);
    panic::set_hook(Box::new(|panicked| {
        // Fixed words alone: what was computed, such as the error in a failed `expect`, may hold anything.
        let words = panicked.payload().downcast_ref::<&'static str>().copied().unwrap_or("(not shown)");
        let place = panicked.location().map(ToString::to_string).unwrap_or_default();
        eprintln!("irsa-sidecar: a fault of ours, please report it: {words} at {place}");
        #[allow(clippy::disallowed_methods)] // nothing can be wound up any more
        std::process::exit(exit::SOFTWARE.into());
    }));
    found
}

/// Runs this to its end, on one thread: the same CPU per request as several, and less memory.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> io::Result<T> {
    let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
    let result = runtime.block_on(future);
    // Dropped, it would wait for a name look-up that hangs.
    runtime.shutdown_background();
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_cannot_be_dumped() {
        set_dumpable_behavior(DumpableBehavior::NotDumpable).unwrap();
        assert_eq!(rustix::process::dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    }
}

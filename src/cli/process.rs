//! What is set up once for the whole process, before anything else.

use std::io;
use std::panic;

use rustix::process::DumpableBehavior;
use rustix::process::set_dumpable_behavior;
use tokio::runtime::Builder;
use tokio::runtime::Runtime;

use crate::contract::exit;

/// No core file and no debugger of the same user gets at the secrets in memory; a panic ends with a status of its own.
pub(super) fn harden() {
    // A kernel without it has nothing to be told.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    panic::set_hook(Box::new(|panicked| {
        // The location and our own words: nothing that was computed is in an `expect`.
        eprintln!("irsa-sidecar: a fault of ours, please report it: {panicked}");
        #[allow(clippy::disallowed_methods)] // nothing can be wound up any more
        std::process::exit(exit::SOFTWARE.into());
    }));
}

/// One thread: the same CPU per request as several, and less memory.
pub(super) fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_io().enable_time().build()
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

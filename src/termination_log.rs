//! Kubernetes' termination message: what `kubectl describe pod` shows of a container that has ended.
//!
//! While a role cannot be had, its last failure and the mend stand there, so that whoever finds the pod without them need
//! not find the log first. The file is the kubelet's, and there only in a container of its; nothing is made where there is
//! none, and whatever cannot be written is left out: the log has it.

use std::fs::File;
use std::fs::OpenOptions;
use std::io::Read;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use crate::contract::TERMINATION_LOG;

/// As much as the kubelet takes.
const MAX_BYTES: usize = 4096;

/// Whether the container's last words are another's to say.
static IS_ANOTHERS: AtomicBool = AtomicBool::new(false);

/// The container is a command's from now on, and so is the file.
pub fn leave() {
    IS_ANOTHERS.store(true, Ordering::Relaxed);
}

/// Why this role has no new credentials, in place of what stood there.
pub fn note(role: &str, message: &str) {
    if !IS_ANOTHERS.load(Ordering::Relaxed) {
        note_in(TERMINATION_LOG, role, message);
    }
}

/// The role is well again: what was noted of it counts no more.
pub fn withdraw(role: &str) {
    if !IS_ANOTHERS.load(Ordering::Relaxed) {
        withdraw_in(TERMINATION_LOG, role);
    }
}

fn note_in(path: &str, role: &str, message: &str) {
    let mut text = format!("{}{message}", head(role));
    let end = (0..=text.len().min(MAX_BYTES)).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or_default());
    replace(path, &text);
}

fn withdraw_in(path: &str, role: &str) {
    let mut held = String::new();
    let file = open(path, OpenOptions::new().read(true));
    let read = file.map(|file| file.take(MAX_BYTES as u64).read_to_string(&mut held));
    if read.is_some_and(|read| read.is_ok()) && held.starts_with(&head(role)) {
        replace(path, "");
    }
}

fn head(role: &str) -> String {
    format!("role {role}: ")
}

fn replace(path: &str, text: &str) {
    if let Some(mut file) = open(path, OpenOptions::new().write(true)) {
        let _ = file.set_len(0).and_then(|()| file.write_all(text.as_bytes()));
    }
}

/// Without waiting, whatever somebody has put there.
fn open(path: &str, how: &mut OpenOptions) -> Option<File> {
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = how.custom_flags(nonblocking).open(path).ok()?;
    file.metadata().ok().filter(std::fs::Metadata::is_file).map(|_| file)
}

#[cfg(test)]
mod tests {
    use support::scratch::Scratch;

    use super::*;

    #[test]
    fn holds_the_last_failure_until_that_role_is_well() {
        let scratch = Scratch::new("termination").unwrap();
        let file = scratch.path().join("log");
        let path = file.to_str().unwrap();
        let held = || std::fs::read_to_string(path).unwrap();
        note_in(path, "a", "AccessDenied");
        assert!(!file.exists(), "it is the kubelet's to make");
        std::fs::write(path, "something longer than what comes after it, and of an earlier life").unwrap();
        note_in(path, "a", "AccessDenied: ä. Mend the trust policy.");
        assert_eq!(held(), "role a: AccessDenied: ä. Mend the trust policy.");
        withdraw_in(path, "b");
        assert!(held().starts_with("role a: "));
        withdraw_in(path, "a");
        assert_eq!(held(), "");
        note_in(path, "a", &"ä".repeat(4000));
        assert!(held().len() <= MAX_BYTES && held().ends_with('ä'));
    }
}

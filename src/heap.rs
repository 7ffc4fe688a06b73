//! Gives memory back to the kernel that the allocator keeps.
//!
//! An exchange and a spike of connections leave a heap full of holes. glibc keeps them, several times what an idle
//! process needs; musl does not. So on the beat, if the process has more memory of its own than it ever had after
//! tidying, the holes are given back. That is never done for a request.

use std::fs;

use crate::beat::Beat;

/// What is within this part of the least is as good as the least.
const WORTHWHILE: u64 = 16;

/// Knows how little the process can do with.
#[derive(Debug, Default)]
struct Heap {
    least: u64,
}

impl Heap {
    /// To be called now and then, when nobody waits.
    fn tidy(&mut self) {
        if private_pages().is_some_and(|pages| pages > self.least + self.least / WORTHWHILE) {
            give_back();
            let left = private_pages().unwrap_or_default();
            self.least = if self.least == 0 { left } else { self.least.min(left) };
        }
    }
}

/// Tidies until dropped; on the beat of the house, so that it costs no wake-up.
pub async fn keep_tidy(mut beat: Beat) {
    let mut heap = Heap::default();
    loop {
        beat.next().await;
        heap.tidy();
    }
}

/// Resident and backed by no file; not to be told without `/proc`.
fn private_pages() -> Option<u64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let mut fields = statm.split(' ').skip(1).map(|field| field.parse::<u64>().ok());
    let (resident, shared) = (fields.next()??, fields.next()??);
    resident.checked_sub(shared)
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn give_back() {
    // No crate offers it without the rest of the C library. It takes a number, has no precondition and locks for itself.
    #[allow(unsafe_code, reason = "the declaration of a foreign function that is safe to call")]
    unsafe extern "C" {
        safe fn malloc_trim(keep_at_the_top: usize) -> std::ffi::c_int;
    }
    malloc_trim(0);
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn give_back() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_the_least_and_not_the_last() {
        let mut heap = Heap::default();
        heap.tidy();
        let least = heap.least;
        assert!(least > 0, "there is a /proc here");
        let much: Vec<Vec<u8>> = (0..4096).map(|_| vec![1; 1024]).collect();
        heap.tidy();
        assert!(heap.least <= least && much.len() == 4096);
    }
}

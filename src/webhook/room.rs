//! How much of what is sent may be in memory at one time. Whoever reaches the port can send, and a webhook that is killed for
//! its memory refuses every pod that asks for injection.

use tokio::sync::Semaphore;
use tokio::sync::SemaphorePermit;

/// An object has 3 MiB at most, and an update brings it twice.
pub(super) const MAX_BODY: usize = 8 * 1024 * 1024;
/// A pod has some hundreds.
pub(super) const MAX_VALUES: usize = 50_000;
/// Beyond it a body is a large one.
const SMALL: usize = 256 * 1024;
const SMALL_BODIES: usize = 64;
const LARGE_BODIES: usize = 2;

/// Some 64 MiB in all, since a value takes 600 bytes at worst: an object of one field. Two kinds of places, so that large
/// bodies do not hold up the usual ones.
pub(super) struct Room {
    small: Semaphore,
    large: Semaphore,
    values: Semaphore,
}

impl Room {
    pub(super) const fn new() -> Self {
        Self {
            small: Semaphore::const_new(SMALL_BODIES),
            large: Semaphore::const_new(LARGE_BODIES),
            values: Semaphore::const_new(MAX_VALUES),
        }
    }

    /// Waits until a body of this length has a place; one that does not say its length is a large one.
    pub(super) async fn body(&self, length: Option<u64>) -> SemaphorePermit<'_> {
        let is_small = length.is_some_and(|length| length <= SMALL as u64);
        let places = if is_small { &self.small } else { &self.large };
        places.acquire().await.expect("nobody must close it")
    }

    /// Waits until the values of this text have; none where they never will.
    pub(super) async fn values(&self, json: &[u8]) -> Option<SemaphorePermit<'_>> {
        let count = u32::try_from(count(json)).ok().filter(|count| *count as usize <= MAX_VALUES)?;
        Some(self.values.acquire_many(count).await.expect("nobody must close it"))
    }
}

/// How many values a JSON text has, or somewhat more: each but the first comes after a bracket or a comma.
fn count(json: &[u8]) -> usize {
    let (mut count, mut in_text, mut is_escaped) = (1, false, false);
    for byte in json {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_text => is_escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' | b',' if !in_text => count += 1,
            _ => {}
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_is_outside_of_texts() {
        for (json, wanted) in
            [("", 1), ("7", 1), ("[1,2,3]", 4), (r#"{"a":"b,[{","c":"\",,"}"#, 3), (r#""\\",1"#, 2)]
        {
            assert_eq!(count(json.as_bytes()), wanted, "{json}");
        }
    }

    #[tokio::test]
    async fn what_has_no_room_waits_and_what_never_will_is_told() {
        let room = Room::new();
        assert!(room.values("[1,".repeat(MAX_VALUES).as_bytes()).await.is_none());
        let (first, second) = (room.body(None).await, room.body(Some(SMALL as u64 + 1)).await);
        assert!(room.large.try_acquire().is_err(), "a third large one has to wait");
        drop(room.body(Some(SMALL as u64)).await);
        drop((first, second));
        drop(room.body(None).await);
    }
}

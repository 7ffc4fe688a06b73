//! A shared credentials file, kept up to date for software that can read nothing else; only where a user names it.
//!
//! A profile for each role, called as the role is. It is written whole and put in place by a rename, so that nobody ever
//! reads half of it; mode 0600, whatever the umask; written only when it would say something else, or is not as it was left;
//! without what may not be served any more; and removed at the end. A file that is not ours is never touched: ours bears a
//! first line that says so, and is removed by whoever wrote it.

use std::path::PathBuf;

use tokio::sync::watch;

use crate::beat::Beat;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::metrics::Written;
use crate::refresh::basis::Handout;

mod place;
mod text;

pub use place::UnusablePlace;
pub use place::check;

use place::Place;

/// One role's part: its name, and what it holds at any time.
#[derive(Clone)]
#[allow(missing_debug_implementations)] // holds secrets
pub struct Profile {
    pub name: String,
    pub handout: watch::Receiver<Handout>,
}

/// Whoever keeps the file.
#[allow(missing_debug_implementations)] // holds secrets
pub struct CredentialsFile {
    place: Place,
    profiles: watch::Receiver<Vec<Profile>>,
    /// Changes with each exchange that gave something, of whatever role.
    news: watch::Receiver<u64>,
    beat: Beat,
    clock: Clock,
    metrics: Metrics,
    /// The failure that the log has been told of.
    told: Option<String>,
}

impl CredentialsFile {
    pub fn new(
        path: PathBuf,
        profiles: watch::Receiver<Vec<Profile>>,
        news: watch::Receiver<u64>,
        beat: Beat,
        clock: Clock,
        metrics: Metrics,
    ) -> Self {
        Self { place: Place::new(path), profiles, news, beat, clock, metrics, told: None }
    }

    /// Writes when something is new, and at the beat when something is over; when dropped, the file goes.
    pub async fn run(mut self) {
        loop {
            self.write();
            tokio::select! {
                Ok(()) = self.profiles.changed() => {}
                Ok(()) = self.news.changed() => {}
                () = self.beat.next() => {}
            }
        }
    }

    fn write(&mut self) {
        let now = self.clock.read();
        let mut served = Vec::new();
        for Profile { name, handout } in self.profiles.borrow_and_update().iter() {
            if let Some(held) = &handout.borrow().held
                && held.credentials.lifetime().may_be_served(held.timeline.now(now))
            {
                served.push((name.clone(), held.clone()));
            }
        }
        let text = text::of(served.iter().map(|(name, held)| (name.as_str(), &held.credentials)));
        let path = self.place.path().display().to_string();
        match self.place.put(text) {
            Ok(false) => {}
            Ok(true) => {
                self.metrics.credentials_file_written(Written::Changed);
                if self.told.take().is_some() {
                    tracing::info!(credentials_file = path, "the credentials file can be written again");
                }
                tracing::debug!(credentials_file = path, "the credentials file was written");
            }
            Err(error) => {
                self.metrics.credentials_file_written(Written::Failed);
                let why = error.to_string();
                if self.told.as_ref() != Some(&why) {
                    tracing::warn!(
                        credentials_file = path,
                        code = "CredentialsFileUnwritable",
                        "the credentials file could not be written, and is tried again: {why}"
                    );
                    self.told = Some(why);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;

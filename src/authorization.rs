//! The authorization token that is asked for at this moment, and the file that it may come from.
//!
//! Clients that were pointed at the Pod Identity Agent's address read the file anew for each fetch, and whoever keeps it
//! (the kubelet, for a projected token or a Secret) puts another in its place. So it is followed: it is read again at the
//! house's beat, and **at once when a request carries another value than is held**, which may be a newer one. Such a
//! request is judged by a read that began after it came, so that nobody is refused for having been quicker than we.
//!
//! There are two halves. [`Authorization`] is the server's: it compares, rings and waits, and cannot touch a file.
//! [`Keeper`] reads, at most once in 250 ms however many wrong values are tried. The value before stays good for a minute,
//! for clients that have just read it; what is no token replaces nothing.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio::time::sleep_until;
use tokio::time::timeout;

use crate::beat::Beat;
use crate::clock::Clock;
use crate::config;
use crate::config::AuthorizationFile;
use crate::config::Mistake;
use crate::config::Warning;
use crate::metrics::Metrics;
use crate::metrics::Reread;
use crate::secret::Secret;

/// How long the value before stays good.
const OVERLAP: Duration = Duration::from_secs(60);
/// The file is not read more often than this.
const BETWEEN_READS: Duration = Duration::from_millis(250);
/// The next read, and time for it; whoever waits longer is judged by what is held.
const LONGEST_WAIT: Duration = Duration::from_millis(350);
/// So many requests may wait for a read at the same time; whoever floods us with wrong values shall not fill the house.
const MAX_WAITING: usize = 64;

/// What requests must carry.
#[derive(Clone)]
#[allow(missing_debug_implementations)] // holds a secret
pub struct Authorization(Source);

#[derive(Clone)]
enum Source {
    /// From a variable.
    Fixed(Secret),
    Followed(Followed),
}

#[derive(Clone)]
struct Followed {
    held: watch::Receiver<Held>,
    reads: watch::Receiver<u64>,
    bell: Bell,
    places: Arc<Semaphore>,
}

/// What is good now.
struct Held {
    /// None while the file never held a good one: then nothing is good.
    token: Option<Secret>,
    before: Option<Secret>,
}

/// A wait for the next read of the file.
#[derive(Debug)]
pub struct Look {
    reads: watch::Receiver<u64>,
    bell: Bell,
    _place: OwnedSemaphorePermit,
}

/// Too many requests wait for a read: whether this one is right, nobody can say yet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Crowded;

/// Asks for a read.
#[derive(Clone, Debug, Default)]
pub struct Bell(Arc<Notify>);

/// Reads the file; there is none where the value cannot change.
#[allow(missing_debug_implementations)] // holds a secret
pub struct Keeper {
    file: AuthorizationFile,
    held: watch::Sender<Held>,
    reads: watch::Sender<u64>,
    bell: Bell,
    said: Said,
}

/// What the log has been told.
struct Said {
    warnings: Vec<Warning>,
    mistake: Option<Mistake>,
}

/// Makes the halves. The file has just been read, for the settings.
pub fn hold(configured: config::Authorization) -> (Authorization, Option<Keeper>) {
    let config::Authorization { token, file } = configured;
    let Some(file) = file else {
        return (Authorization(Source::Fixed(token)), None);
    };
    let (authorization, keeper) = halves(file, Some(token));
    (authorization, Some(keeper))
}

/// Reads the file and makes the halves. What holds no good token lets nobody in until it does.
pub fn follow(file: AuthorizationFile) -> (Authorization, Keeper) {
    let token = file.read().ok().map(|(token, _)| token);
    halves(file, token)
}

fn halves(file: AuthorizationFile, token: Option<Secret>) -> (Authorization, Keeper) {
    let (held, holding) = watch::channel(Held { token, before: None });
    let (reads, reading) = watch::channel(0);
    let bell = Bell::default();
    let said = Said { warnings: file.told.clone(), mistake: None };
    let places = Arc::new(Semaphore::new(MAX_WAITING));
    let followed = Followed { held: holding, reads: reading, bell: bell.clone(), places };
    (Authorization(Source::Followed(followed)), Keeper { file, held, reads, bell, said })
}

impl Authorization {
    /// Whether a request may carry this.
    pub fn matches(&self, candidate: &[u8]) -> bool {
        match &self.0 {
            Source::Fixed(token) => token.matches(candidate),
            Source::Followed(followed) => followed.held.borrow().matches(candidate),
        }
    }

    /// For a request that carries another value; none where no read can help.
    pub fn look(&self) -> Result<Option<Look>, Crowded> {
        let Source::Followed(followed) = &self.0 else {
            return Ok(None);
        };
        let _place = followed.places.clone().try_acquire_owned().map_err(|_| Crowded)?;
        Ok(Some(Look { reads: followed.reads.clone(), bell: followed.bell.clone(), _place }))
    }
}

impl Held {
    fn matches(&self, candidate: &[u8]) -> bool {
        // Both are compared, always: which of them it is, nobody can measure.
        let is_before = self.before.as_ref().is_some_and(|before| before.matches(candidate));
        self.token.as_ref().is_some_and(|token| token.matches(candidate)) | is_before
    }
}

impl Look {
    /// Returns after a read that began after this call.
    pub async fn over(mut self) {
        self.reads.mark_unchanged();
        self.bell.ring();
        // Without a keeper nothing changes any more, and what is held decides.
        let _ = timeout(LONGEST_WAIT, self.reads.changed()).await;
    }
}

impl Bell {
    pub fn ring(&self) {
        self.0.notify_one();
    }
}

impl Keeper {
    pub fn bell(&self) -> Bell {
        self.bell.clone()
    }

    /// Reads when asked to, and at each beat, until dropped.
    pub async fn run(mut self, metrics: Metrics, clock: Clock, mut beat: Beat) {
        let bell = self.bell();
        let mut forget_at = None;
        let mut next_read_at = clock.steady();
        loop {
            tokio::select! {
                // Whoever rings without end cannot put this off.
                biased;
                () = at(forget_at) => {
                    forget_at = None;
                    self.held.send_modify(|held| held.before = None);
                }
                () = beat.next() => bell.ring(),
                () = bell.0.notified() => {
                    // No timer for the beat, which finds it passed; nothing is missed that rings meanwhile.
                    if next_read_at > clock.steady() {
                        sleep_until(next_read_at).await;
                    }
                    let now = clock.steady();
                    next_read_at = now + BETWEEN_READS;
                    let result = self.read();
                    if result == Reread::Changed {
                        forget_at = Some(now + OVERLAP);
                    }
                    metrics.authorization_read(result);
                    self.reads.send_modify(|reads| *reads += 1);
                }
            }
        }
    }

    fn read(&mut self) -> Reread {
        match self.file.read() {
            Ok((token, warnings)) => self.found(token, warnings),
            Err(mistake) => self.missed(mistake),
        }
    }

    fn found(&mut self, token: Secret, warnings: Vec<Warning>) -> Reread {
        let authorization_token_file = self.file.path().display();
        if let Some(mistake) = self.said.mistake.take() {
            tracing::info!(%authorization_token_file, after = mistake.reason, "the authorization token can be read again");
        }
        let is_same = |held: &Secret| held.matches(token.expose().as_bytes());
        if self.held.borrow().token.as_ref().is_some_and(is_same) {
            return Reread::Unchanged;
        }
        let overlap_seconds = OVERLAP.as_secs();
        tracing::info!(%authorization_token_file, overlap_seconds, "the authorization token changed");
        self.said.warn(warnings);
        self.held.send_modify(|held| held.before = held.token.replace(token));
        Reread::Changed
    }

    /// Said once for each mistake, however long it lasts.
    fn missed(&mut self, mistake: Mistake) -> Reread {
        if self.said.mistake.as_ref() != Some(&mistake) {
            tracing::warn!(
                code = "AuthorizationFileUnusable",
                "the last good authorization token is kept: {mistake}"
            );
            self.said.mistake = Some(mistake);
        }
        Reread::Failed
    }
}

impl Said {
    fn warn(&mut self, warnings: Vec<Warning>) {
        for warning in warnings {
            if !self.warnings.contains(&warning) {
                tracing::warn!(code = warning.code, "{warning}");
                self.warnings.push(warning);
            }
        }
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;

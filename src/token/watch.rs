//! Keeps the newest good token, and the one beat that everything slow moves to. The door to `notify`.
//!
//! The kubelet rotates a projected token by writing a new directory beside the old one and renaming the `..data` link
//! onto it; no event ever names the token itself. So the *directory* is watched, any change in it leads to a read
//! through the links, and only a different content counts. Beside it the file is read again every 30 s, or every 10 s
//! where the kernel gives no watch (`fs.inotify.max_user_instances` is 128 on many nodes); the same beat is everybody's
//! occasion to look at the clock, so that an idle process wakes up once in that time and not twice.
//!
//! Reads happen on the runtime's thread: a projected volume is memory, what is not a regular file is refused before it
//! is read, and a thread that came and went at each beat would cost more wake-ups than the read.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use notify::Config;
use notify::Event;
use notify::EventKindMask;
use notify::RecommendedWatcher;
use notify::RecursiveMode;
use notify::Watcher as _;
use tokio::sync::Notify;
use tokio::sync::watch;
use tokio::time::Interval;
use tokio::time::MissedTickBehavior;
use tokio::time::interval_at;

use crate::clock::Clock;
use crate::credentials::rfc3339;
use crate::metrics::Metrics;
use crate::token::ReadTokenError;
use crate::token::Token;

/// tokio's timer keeps what is due in wheels of 1, 64 and 4,096 ms and wakes up whenever something moves from a wheel to
/// the next finer one: three times for one long wait, but once if it ends on a tick of the coarsest.
const TICK: Duration = Duration::from_millis(4096);
/// How often the file is read where changes are reported: the last tick within 30 s.
pub const BEAT: Duration = Duration::from_millis(7 * 4096);
/// How often it is read where they are not: the last tick within 10 s.
pub const BEAT_WITHOUT_EVENTS: Duration = Duration::from_millis(2 * 4096);
/// One rotation is a burst of events; the last of them is the rename that counts.
const DEBOUNCE: Duration = Duration::from_millis(100);

/// What is known of the token. `beat` counts the looks, so that every look wakes whoever waits.
#[derive(Clone, Default)]
#[allow(missing_debug_implementations)] // holds a secret
pub struct Observed {
    /// The newest good one, however wrong the file may be by now.
    pub token: Option<Arc<Token>>,
    /// How often another token was found.
    pub changes: u64,
    /// What is wrong with the file now.
    pub problem: Option<ReadTokenError>,
    pub beat: u64,
}

/// The reading half.
#[derive(Clone)]
#[allow(missing_debug_implementations)] // holds a secret
pub struct Tokens {
    observed: watch::Receiver<Observed>,
    look: Arc<Notify>,
}

/// The half that reads the file.
#[allow(missing_debug_implementations)] // holds a secret
pub struct Watch {
    path: PathBuf,
    observed: watch::Sender<Observed>,
    look: Arc<Notify>,
    metrics: Metrics,
    clock: Clock,
}

/// Makes the two halves; the first look is taken when the watch runs.
pub fn watch(path: PathBuf, metrics: Metrics, clock: Clock) -> (Watch, Tokens) {
    let (sender, receiver) = watch::channel(Observed::default());
    let look = Arc::new(Notify::new());
    let watch = Watch { path, observed: sender, look: look.clone(), metrics, clock };
    (watch, Tokens { observed: receiver, look })
}

impl Tokens {
    /// Both halves without a file, for those who script the token.
    pub fn scripted() -> (watch::Sender<Observed>, Self) {
        let (sender, receiver) = watch::channel(Observed::default());
        (sender, Self { observed: receiver, look: Arc::new(Notify::new()) })
    }

    /// What is known now; it counts as seen.
    pub fn observe(&mut self) -> Observed {
        self.observed.borrow_and_update().clone()
    }

    /// Waits for the next look at the file.
    pub async fn looked(&mut self) {
        if self.observed.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Asks for a look now: STS says that the token has expired.
    pub fn ask(&self) {
        self.look.notify_one();
    }
}

impl Watch {
    /// Watches until dropped.
    pub async fn run(self) {
        let mut told = None;
        loop {
            let events = self.subscribe();
            // Said again only when it has become something else.
            let blindness = events.as_ref().err().copied();
            if blindness != told {
                told = blindness;
                self.tell(blindness);
            }
            // What happened before the watch began, no event tells.
            self.look();
            match events {
                Ok(events) => self.watch_while(BEAT, || events.is_current()).await,
                Err(_) => self.watch_while(BEAT_WITHOUT_EVENTS, || false).await,
            }
        }
    }

    /// Looks at each beat and each event, until a beat finds the watch out of date.
    async fn watch_while(&self, beat: Duration, is_current: impl Fn() -> bool) {
        let mut beats = self.every(beat);
        loop {
            tokio::select! {
                _ = beats.tick() => {
                    if !is_current() {
                        return;
                    }
                }
                () = self.look.notified() => tokio::time::sleep(DEBOUNCE).await,
            }
            self.look();
        }
    }

    /// From the next tick on.
    fn every(&self, beat: Duration) -> Interval {
        let passed = self.clock.steady().saturating_duration_since(self.clock.started());
        let ticks = passed.as_millis() / TICK.as_millis();
        let first = TICK * u32::try_from(ticks).unwrap_or_default() + beat;
        let mut interval = interval_at(self.clock.started() + first, beat);
        interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
        interval
    }

    fn subscribe(&self) -> Result<Subscription, Blindness> {
        let directory = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        Subscription::new(directory.unwrap_or(Path::new(".")), self.look.clone())
    }

    fn tell(&self, blindness: Option<Blindness>) {
        let token_file = self.path.display();
        match blindness {
            None => tracing::info!(%token_file, "the token's directory can be watched again"),
            Some(Blindness::NoDirectory) => tracing::warn!(
                %token_file,
                "the token's directory is not there; it is looked for every 10 s"
            ),
            Some(Blindness::NoWatch) => tracing::warn!(
                %token_file,
                "the kernel gives no inotify watch on the token's directory; the file is read every 10 s instead \
                 (see fs.inotify.max_user_instances and fs.inotify.max_user_watches)"
            ),
        }
    }

    fn look(&self) {
        let read = Token::read(&self.path);
        self.observed.send_modify(|observed| {
            observed.beat += 1;
            match read {
                Ok(token) => self.found(observed, token),
                Err(problem) => self.missed(observed, problem),
            }
        });
    }

    fn found(&self, observed: &mut Observed, token: Token) {
        if let Some(problem) = observed.problem.take() {
            tracing::info!(token_file = %self.path.display(), after = problem.code(), "the token can be read again");
        }
        if observed.token.as_ref().is_some_and(|held| held.is_same_as(&token)) {
            return;
        }
        let claims = token.claims();
        tracing::info!(
            token_file = %self.path.display(),
            subject = claims.subject().unwrap_or("unknown"),
            issuer = claims.issuer().unwrap_or("unknown"),
            expires_at = claims.expires_at().map(rfc3339).unwrap_or_else(|| "unknown".to_owned()),
            "{}",
            if observed.token.is_some() { "token rotated" } else { "token read" },
        );
        if claims.expires_at().is_some_and(|expires_at| expires_at < self.clock.wall()) {
            tracing::warn!(
                token_file = %self.path.display(),
                "by its own claim and this node's clock the token has expired; STS will decide. The kubelet should \
                 have rotated it: check that the volume is a projected one and not a copy"
            );
        }
        self.metrics.token_changed(claims.expires_at());
        observed.token = Some(Arc::new(token));
        observed.changes += 1;
    }

    /// Said once for each problem, however long it lasts.
    fn missed(&self, observed: &mut Observed, problem: ReadTokenError) {
        self.metrics.token_read_failed();
        if observed.problem.as_ref() == Some(&problem) {
            return;
        }
        let keeps = if observed.token.is_some() { "the last good one is kept" } else { "waiting for it" };
        tracing::warn!(
            token_file = %self.path.display(),
            code = problem.code(),
            "no token in AWS_WEB_IDENTITY_TOKEN_FILE: {problem}; {keeps}. {}",
            problem.mend(),
        );
        observed.problem = Some(problem);
    }
}

/// Why changes are not reported.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Blindness {
    NoDirectory,
    NoWatch,
}

/// A watch on one directory, as it was when the watch was made: on what has been replaced it is blind.
struct Subscription {
    directory: PathBuf,
    identity: (u64, u64),
    _watcher: RecommendedWatcher,
}

impl Subscription {
    fn new(directory: &Path, look: Arc<Notify>) -> Result<Self, Blindness> {
        let identity = identity(directory).ok_or(Blindness::NoDirectory)?;
        // Opening and reading are left out: every reader of the directory would wake us.
        let config = Config::default().with_event_kinds(EventKindMask::CORE);
        let on_event = move |event: notify::Result<Event>| {
            tracing::trace!(?event, "the token's directory changed");
            look.notify_one();
        };
        let mut watcher = RecommendedWatcher::new(on_event, config).map_err(|_| Blindness::NoWatch)?;
        watcher.watch(directory, RecursiveMode::NonRecursive).map_err(|_| Blindness::NoWatch)?;
        Ok(Self { directory: directory.to_owned(), identity, _watcher: watcher })
    }

    fn is_current(&self) -> bool {
        identity(&self.directory) == Some(self.identity)
    }
}

fn identity(directory: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(directory).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

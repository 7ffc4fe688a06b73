//! Keeps the newest good token.
//!
//! `file/watch` says when to look; only a different content counts, and what is no token replaces none.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

use crate::beat::Beat;
use crate::clock::Clock;
use crate::credentials::rfc3339;
use crate::file::watch::Bell;
use crate::file::watch::FileWatch;
use crate::metrics::Metrics;
use crate::token::ReadTokenError;
use crate::token::Token;

/// What the file's token is for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Kind {
    /// STS takes JSON Web Tokens alone.
    WebIdentity,
    /// For a credentials endpoint, whose token may be any text.
    Authorization,
}

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
    bell: Bell,
    /// None for a script.
    file: Option<(Arc<Path>, Kind)>,
}

/// The half that reads the file.
#[allow(missing_debug_implementations)] // holds a secret
pub struct Watch {
    watch: FileWatch,
    kind: Kind,
    observed: watch::Sender<Observed>,
    metrics: Metrics,
    clock: Clock,
}

/// Makes the two halves; the first look is taken when the watch runs.
pub fn watch(path: PathBuf, kind: Kind, metrics: Metrics, beat: Beat, clock: Clock) -> (Watch, Tokens) {
    let (sender, receiver) = watch::channel(Observed::default());
    let file: Arc<Path> = path.as_path().into();
    let watch = FileWatch::new(path, "token", beat, clock.clone());
    let tokens = Tokens { observed: receiver, bell: watch.bell(), file: Some((file, kind)) };
    (Watch { watch, kind, observed: sender, metrics, clock }, tokens)
}

impl Kind {
    /// The setting that names the file, for messages.
    pub fn setting(self) -> &'static str {
        match self {
            Self::WebIdentity => "AWS_WEB_IDENTITY_TOKEN_FILE",
            Self::Authorization => "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        }
    }

    fn read(self, path: &Path) -> Result<Token, ReadTokenError> {
        match self {
            Self::WebIdentity => Token::read(path),
            Self::Authorization => Token::read_any(path),
        }
    }
}

impl Tokens {
    /// Both halves without a file, for those who script the token.
    pub fn scripted() -> (watch::Sender<Observed>, Self) {
        let (sender, receiver) = watch::channel(Observed::default());
        (sender, Self { observed: receiver, bell: Bell::default(), file: None })
    }

    /// What is known now; it counts as seen.
    pub fn observe(&mut self) -> Observed {
        self.observed.borrow_and_update().clone()
    }

    /// What the file holds at this moment, if that is a token: the news of it may still be on its way.
    pub fn read_now(&self) -> Option<Token> {
        let (path, kind) = self.file.as_ref()?;
        kind.read(path).ok()
    }

    /// Waits for the next look at the file.
    pub async fn looked(&mut self) {
        if self.observed.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Asks for a look now: STS says that the token has expired.
    pub fn ask(&self) {
        self.bell.ring();
    }
}

impl Watch {
    /// Watches until dropped.
    pub async fn run(mut self) {
        loop {
            self.watch.turn().await;
            self.look();
        }
    }

    fn look(&self) {
        let read = self.kind.read(self.watch.path());
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
            tracing::info!(token_file = %self.watch.path().display(), after = problem.code(), "the token can be read again");
        }
        if observed.token.as_ref().is_some_and(|held| held.is_same_as(&token)) {
            return;
        }
        let claims = token.claims();
        tracing::info!(
            token_file = %self.watch.path().display(),
            subject = claims.subject().unwrap_or("unknown"),
            issuer = claims.issuer().unwrap_or("unknown"),
            expires_at = claims.expires_at().map(rfc3339).unwrap_or_else(|| "unknown".to_owned()),
            "{}",
            if observed.token.is_some() { "token rotated" } else { "token read" },
        );
        if claims.expires_at().is_some_and(|expires_at| expires_at < self.clock.wall()) {
            tracing::warn!(
                token_file = %self.watch.path().display(),
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
            token_file = %self.watch.path().display(),
            code = problem.code(),
            "no token in {}: {problem}; {keeps}. {}",
            self.kind.setting(),
            problem.mend(),
        );
        observed.problem = Some(problem);
    }
}

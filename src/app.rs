//! How the parts are put together: `Config → Bound → run until drained`, or for as long as a command runs.
//!
//! Everything is bound before anything runs, so that a taken port is a clear error and not a half-started process.
//! One thread does it all; what must not stall it (the certificate store, name resolution) goes to tokio's blocking pool.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::app::crew::Crew;
use crate::app::crew::Means;
use crate::app::reload::Reload;
use crate::app::source::Source;
use crate::beat;
use crate::clock::Clock;
use crate::config::Config;
use crate::config::ImdsMode;
use crate::config::Listener;
use crate::config::Listeners;
use crate::config::Serves;
use crate::credentials_file;
use crate::credentials_file::CredentialsFile;
use crate::credentials_file::UnusablePlace;
use crate::heap;
use crate::metrics::Metrics;
use crate::roles;
use crate::roles::Board;
use crate::roles::Table;
use crate::serve;
use crate::serve::BindError;
use crate::serve::Offer;
use crate::serve::StsEndpoint;
use crate::session_key::SessionKey;
use crate::shutdown;
use crate::shutdown::EndSignals;
use crate::shutdown::Hangups;
use crate::shutdown::Phase;
use crate::sts::ErrorKind;
use crate::sts::client::ResolveError;
use crate::sts::client::Sts;
use crate::upstream;
use crate::upstream::UnreachableUpstream;

mod crew;
pub mod once;
mod reload;
pub mod source;

/// Why nothing was started.
#[derive(Debug, Error)]
pub enum StartError {
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    #[error(transparent)]
    Upstream(#[from] UnreachableUpstream),
    #[error("IRSA_SIDECAR_CREDENTIALS_FILE={}: {why}", path.display())]
    CredentialsFile { path: PathBuf, why: UnusablePlace },
    #[error("the process's signals could not be taken over: {0}")]
    Signals(#[from] io::Error),
}

impl StartError {
    /// Stable: a log field.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Bind(error) => error.code(),
            Self::CredentialsFile { .. } => "CredentialsFileUnusable",
            Self::Resolve(error) => error.code(),
            Self::Upstream(error) => error.code(),
            Self::Signals(_) => "SignalsUnavailable",
        }
    }
}

/// Bound to its addresses, not yet running.
#[allow(missing_debug_implementations)] // holds secrets
pub struct Bound {
    pub serve: serve::Bound,
    config: Config,
    clock: Clock,
    sts: Option<Sts>,
}

/// Everything at work. Dropped, all of it ends at once.
#[allow(missing_debug_implementations)] // holds secrets
pub struct Running {
    pub board: Board,
    server: Pin<Box<dyn Future<Output = ()>>>,
    phase: watch::Sender<Phase>,
    background: JoinSet<()>,
    /// Whoever keeps the roles does so until the end.
    _crew: Option<Crew>,
}

/// Resolves, binds.
pub async fn build(config: Config, clock: Clock) -> Result<Bound, StartError> {
    if let Some(settings) = &config.upstream {
        upstream::check(settings, config.listeners.listeners.iter().map(|listener| listener.address))?;
    }
    let sts = match Source::any_asks_sts(&config.roles.roles) {
        true => Some(Sts::resolve(config.roles.ca_bundle.clone(), clock.clone()).await?),
        false => None,
    };
    if let Some(path) = &config.credentials_file {
        let unusable = |why| StartError::CredentialsFile { path: path.clone(), why };
        credentials_file::check(path).map_err(unusable)?;
    }
    let serve = serve::bind(&config.listeners, config.admin.as_ref())?;
    Ok(Bound { serve, config, clock, sts })
}

impl Bound {
    /// Takes over the signals, serves until SIGTERM or SIGINT, then drains.
    pub async fn run(self) -> Result<(), StartError> {
        let mut end = EndSignals::install()?;
        let (hangups, hangup_count) = Hangups::install()?;
        let longest_drain = self.config.drain;
        let mut running = self.start(hangup_count);
        running.background.spawn(hangups.run());
        let signal = tokio::select! {
            () = &mut running.server => return Ok(()),
            signal = end.next() => signal,
        };
        tracing::info!(signal, drain_seconds = longest_drain.as_secs(), "asked to end");
        tokio::select! {
            () = drain(&mut running.server, &running.phase, longest_drain) => tracing::info!("ended"),
            signal = end.next() => tracing::warn!(signal, "asked again: ending at once"),
        }
        Ok(())
    }

    /// Sets everything to work. Each change of `hangups` asks for an exchange.
    pub fn start(self, hangups: watch::Receiver<u64>) -> Running {
        let Self { mut serve, config, clock, sts } = self;
        let metrics = Metrics::new(&ErrorKind::ALL.map(ErrorKind::code));
        let (phase, phases) = shutdown::phases();
        let (put_up, board) = roles::board(Table::default());

        for (serves, address, authorization) in serve.listening() {
            // What an open door answers is worth knowing.
            let imds = (serves == Serves::Imds).then(|| config.imds.mode.name());
            tracing::info!(endpoint = serve::endpoint(serves).name(), %address, imds, authorization, "serving");
        }
        if let Some(address) = serve.admin_address() {
            tracing::info!(endpoint = "admin", %address, "serving");
        }
        let keeper = serve.keeper();
        let mut background = JoinSet::new();
        let passage = config.upstream.map(|settings| {
            tracing::info!(address = %settings.address, interface = settings.interface, "passing other metadata on");
            let (passage, task) = upstream::start(settings, clock.clone(), metrics.clone());
            background.spawn(task);
            passage
        });
        let session_key = session_key(&config.listeners);
        let has_imds = config.imds.mode != ImdsMode::Off && serves_imds(&config.listeners);
        let asked = sts.as_ref().map(|sts| StsEndpoint {
            url: sts.endpoint().to_owned(),
            region: sts.region().map(str::to_owned),
        });
        let offer = Offer { board: board.clone(), imds: config.imds, passage, session_key, sts: asked };
        let server = Box::pin(serve.run(offer, metrics.clone(), clock.clone(), phases.clone()));
        let (give_beat, beat) = beat::beat(clock.clone());
        background.spawn(give_beat);
        background.spawn(heap::keep_tidy(beat.clone()));
        if let Some(keeper) = keeper {
            background.spawn(keeper.run(metrics.clone(), clock.clone(), beat.clone()));
        }
        let (news, told) = watch::channel(0);
        let means = Means {
            sts,
            pod: config.roles.pod,
            clock: clock.clone(),
            metrics: metrics.clone(),
            beat: beat.clone(),
            jitter: fastrand::f64,
            has_imds,
            news,
            hangups,
            phases,
        };
        let (profiles, kept) = watch::channel(Vec::new());
        let mut crew = Crew::new(means, put_up, profiles);
        crew.keep(config.roles.roles);
        if let Some(path) = config.credentials_file {
            tracing::info!(credentials_file = %path.display(), "keeping a credentials file");
            let file = CredentialsFile::new(path, kept, told, beat.clone(), clock.clone(), metrics.clone());
            background.spawn(file.run());
        }
        let crew = match config.roles.file {
            None => Some(crew),
            Some(file) => {
                let ca_bundle = config.roles.ca_bundle;
                let told = Vec::new();
                background.spawn(Reload { file, crew, ca_bundle, beat, clock, metrics, told }.run());
                None
            }
        };
        Running { board, server, phase, background, _crew: crew }
    }
}

impl Running {
    /// Works for as long as this takes.
    pub async fn during<T>(mut self, other: impl Future<Output = T>) -> T {
        let mut other = std::pin::pin!(other);
        tokio::select! {
            value = &mut other => return value,
            () = &mut self.server => {}
        }
        other.await
    }
}

/// Goes on as before for `--drain`, then finishes what is in flight.
async fn drain(mut server: impl Future<Output = ()> + Unpin, phase: &watch::Sender<Phase>, drain: Duration) {
    let _ = phase.send(Phase::Draining);
    if timeout(drain, &mut server).await.is_ok() {
        return;
    }
    let _ = phase.send(Phase::Stopping);
    if timeout(shutdown::GRACE, server).await.is_err() {
        tracing::warn!("connections were still busy after {} ms and are cut", shutdown::GRACE.as_millis());
    }
}

/// Where nobody is given a session, nothing needs to be kept.
fn session_key(listeners: &Listeners) -> SessionKey {
    if serves_imds(listeners) { SessionKey::of_the_pod() } else { SessionKey::random() }
}

fn serves_imds(listeners: &Listeners) -> bool {
    listeners.listeners.iter().any(Listener::serves_imds)
}

//! Puts the webhook together: `config → bind → run → drain`.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::Request;
use hyper::body::Incoming;
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::beat::beat;
use crate::clock::Clock;
use crate::config::Webhook;
use crate::heap;
use crate::inject::Settings;
use crate::shutdown::EndSignals;
use crate::shutdown::Phase;
use crate::shutdown::phases;
use crate::webhook::accounts::Accounts;
use crate::webhook::admin;
use crate::webhook::admin::Admin;
use crate::webhook::cluster;
use crate::webhook::http;
use crate::webhook::http::Desk;
use crate::webhook::http::Reply;
use crate::webhook::listen;
use crate::webhook::listen::Handler;
use crate::webhook::metrics::Metrics;
use crate::webhook::reviewer::Reviewer;
use crate::webhook::room::Room;
use crate::webhook::tls;
use crate::webhook::tls::CertificateError;
use crate::webhook::tls::Files;

/// Why the webhook could not start.
#[derive(Debug, Error)]
pub enum StartError {
    #[error("--tls-cert-file, --tls-key-file: {0}")]
    Certificate(#[from] CertificateError),
    #[error("--{0} {1}: cannot listen: {2}")]
    Bind(&'static str, SocketAddr, io::Error),
    #[error(
        "no way to the API server: {0}. In a cluster the pod's ServiceAccount token is used (automountServiceAccountToken), \
         elsewhere KUBECONFIG"
    )]
    Client(String),
    #[error("signals cannot be taken over: {0}")]
    Signals(io::Error),
}

/// What is in flight when accepting stops is given this long.
const GRACE: std::time::Duration = std::time::Duration::from_secs(10);

/// Serves until SIGTERM, drains, and returns.
pub async fn run(config: Webhook, settings: Settings, clock: Clock) -> Result<(), StartError> {
    let mut signals = EndSignals::install().map_err(StartError::Signals)?;
    let files = Files { certificate: config.certificate, key: config.key };
    let (certificate, served) = watch::channel(files.read()?);
    let reviews = bind("listen", config.listen, true)?;
    let health = bind("admin-listen", config.admin.address, true)?;
    let client = cluster::client().await.map_err(StartError::Client)?;
    let (phase, phases) = phases();
    let (listed, has_listed) = watch::channel(false);
    let (native, native_sidecars) = watch::channel(None);
    let metrics = Metrics::new();
    let accounts = Accounts::new(client.clone(), metrics.clone());
    let admin = Admin {
        metrics: metrics.clone(),
        listed: has_listed,
        native_sidecars: native_sidecars.clone(),
        phase: phases.clone(),
    };
    let desk = Desk {
        reviewer: Reviewer::new(settings, accounts.clone()),
        native_sidecars,
        metrics: metrics.clone(),
        clock: clock.clone(),
        room: Room::new(),
    };
    let local = |listener: &tokio::net::TcpListener| listener.local_addr().map(|address| address.to_string());
    tracing::info!(
        reviews = local(&reviews).unwrap_or_default(),
        admin = local(&health).unwrap_or_default(),
        "serving"
    );
    let (give_beat, beat) = beat(clock.clone());
    // What goes on until everything has ended; nothing of it ends by itself.
    let background = async {
        tokio::join!(
            give_beat,
            heap::keep_tidy(beat.clone()),
            tls::follow(files, certificate, metrics, beat, clock),
            cluster::follow_version(client, native),
            accounts.follow(listed),
            listen::run(health, None, Health(Arc::new(admin)), phases.clone()),
        );
        std::future::pending::<()>().await;
    };
    let serving = listen::run(reviews, Some(served), Reviews(Arc::new(desk)), phases.clone());
    let ending = async {
        let signal = signals.next().await;
        tracing::info!(signal, drain = ?config.drain, "ending: not ready any more, still serving");
        phase.send_replace(Phase::Draining);
        tokio::select! {
            () = sleep(config.drain) => {}
            _ = signals.next() => {}
        }
        phase.send_replace(Phase::Stopping);
        sleep(GRACE).await;
    };
    tokio::select! {
        () = serving => {}
        () = background => {}
        () = ending => tracing::warn!("some requests were not finished in time"),
    }
    tracing::info!("ended");
    Ok(())
}

fn bind(
    flag: &'static str,
    address: SocketAddr,
    falls_back: bool,
) -> Result<tokio::net::TcpListener, StartError> {
    listen::bind(address, falls_back).map_err(|error| StartError::Bind(flag, address, error))
}

#[derive(Clone)]
struct Reviews(Arc<Desk>);

#[derive(Clone)]
struct Health(Arc<Admin>);

impl Handler for Reviews {
    fn handle(&self, request: Request<Incoming>) -> impl Future<Output = Reply> + Send {
        let desk = self.0.clone();
        async move { http::serve(desk, request).await.unwrap_or_else(|never| match never {}) }
    }
}

impl Handler for Health {
    fn handle(&self, request: Request<Incoming>) -> impl Future<Output = Reply> + Send {
        let admin = self.0.clone();
        async move { admin::serve(admin, request).await.unwrap_or_else(|never| match never {}) }
    }
}

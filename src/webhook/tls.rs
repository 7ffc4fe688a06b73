//! The serving certificate, read again as it changes; the door to rustls and to X.509.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::version::TLS13;
use thiserror::Error;
use tokio::sync::watch;
use x509_cert::Certificate;
use x509_cert::der::Decode;

use crate::beat::Beat;
use crate::clock::Clock;
use crate::file::ReadFileError;
use crate::file::read_bounded;
use crate::file::watch::FileWatch;
use crate::webhook::metrics::Metrics;

/// As large as a Secret may be.
const MAX_BYTES: usize = 1024 * 1024;
/// cert-manager has renewed long before; whoever makes certificates by hand has some days.
const ENDS_SOON: Duration = Duration::from_secs(7 * 24 * 3600);

/// Where the pair lies.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

/// A pair that can be served.
#[derive(Clone)]
pub(super) struct Served {
    pub(super) config: Arc<ServerConfig>,
    /// Since 1970.
    ends: Duration,
    chain: Vec<CertificateDer<'static>>,
}

/// Why a pair cannot be served.
#[derive(Debug, Error)]
pub enum CertificateError {
    #[error("{0}: {1}. Check the Secret that is mounted there, of type kubernetes.io/tls")]
    File(String, ReadFileError),
    #[error("{0}: it has no certificate (PEM). It must hold the chain, the webhook's own certificate first")]
    NoCertificate(String),
    #[error("{0}: it has no private key (PEM: PKCS #8, PKCS #1 or SEC 1)")]
    NoKey(String),
    #[error("{0}: its first certificate cannot be read: {1}")]
    Unreadable(String, String),
    #[error("certificate and key cannot be used: {0}. They must be of one pair")]
    NotAPair(rustls::Error),
}

impl Files {
    pub(super) fn read(&self) -> Result<Served, CertificateError> {
        let name = |path: &Path| path.display().to_string();
        let bytes = |path: &Path| {
            read_bounded(path, MAX_BYTES).map_err(|error| CertificateError::File(name(path), error))
        };
        let (certificate, key) = (bytes(&self.certificate)?, bytes(&self.key)?);
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&certificate).collect();
        let chain = chain.ok().filter(|chain| !chain.is_empty());
        let chain = chain.ok_or_else(|| CertificateError::NoCertificate(name(&self.certificate)))?;
        let key =
            PrivateKeyDer::from_pem_slice(&key).map_err(|_| CertificateError::NoKey(name(&self.key)))?;
        let leaf = Certificate::from_der(&chain[0])
            .map_err(|error| CertificateError::Unreadable(name(&self.certificate), error.to_string()))?;
        let mut config = ServerConfig::builder_with_provider(default_provider().into())
            .with_protocol_versions(&[&TLS13])
            .map_err(CertificateError::NotAPair)?
            .with_no_client_auth()
            .with_single_cert(chain.clone(), key)
            .map_err(CertificateError::NotAPair)?;
        // HTTP/2 lets the API server be told that a connection ends, so that it asks the other replica.
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let ends = leaf.tbs_certificate.validity.not_after.to_unix_duration();
        Ok(Served { config: config.into(), ends, chain })
    }
}

/// Reads the pair again as it changes, until dropped. One that cannot be served changes nothing, and is told once.
pub(super) async fn follow(
    files: Files,
    served: watch::Sender<Served>,
    metrics: Metrics,
    beat: Beat,
    clock: Clock,
) {
    let mut file = FileWatch::new(files.certificate.clone(), "certificate", beat, clock.clone());
    let (mut told, mut warned) = (String::new(), None);
    loop {
        file.turn().await;
        match files.read() {
            Ok(new) => {
                told.clear();
                let is_new = new.chain != served.borrow().chain;
                if is_new {
                    tracing::info!(code = "CertificateChanged", "the serving certificate has changed");
                    served.send_replace(new);
                }
            }
            Err(error) => {
                let error = error.to_string();
                if error != told {
                    tracing::error!(code = "CertificateUnusable", "{error}; the one before is served");
                    told = error;
                }
            }
        }
        let ends = served.borrow().ends;
        metrics.certificate_ends(ends);
        warned = warn_of_end(ends, &clock, warned);
    }
}

/// Once when it ends soon, once when it has ended.
fn warn_of_end(ends: Duration, clock: &Clock, warned: Option<(Duration, bool)>) -> Option<(Duration, bool)> {
    let now = clock.wall().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    if now + ENDS_SOON < ends {
        return None;
    }
    let state = (ends, now >= ends);
    if warned != Some(state) {
        let at = humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + ends);
        match state.1 {
            true => tracing::error!(
                code = "CertificateExpired",
                "the serving certificate ended at {at}: the API server refuses it, and with it every pod that asks for \
                 injection. Renew it: cert-manager's Certificate, or the chart's Secret"
            ),
            false => {
                tracing::warn!(code = "CertificateEndsSoon", "the serving certificate ends at {at}; renew it")
            }
        }
    }
    Some(state)
}

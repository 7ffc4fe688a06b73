//! A certificate authority of a few minutes' fame, and the certificates that servers have from it.

use std::error::Error;
use std::sync::{Arc, PoisonError, RwLock};
use std::{fmt, io};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

/// What every certificate is good for: where emulators listen.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

type Failed = Box<dyn Error + Send + Sync>;

/// A CA that nobody trusts but those who are told to.
#[derive(Clone)]
pub struct Authority {
    signing: Arc<Issuer<'static, KeyPair>>,
    pem: Arc<str>,
}

/// The server's side of TLS, and the CA that a client must trust to speak to it. Clones are one and the same server.
#[derive(Clone)]
pub struct Tls {
    authority: Authority,
    acceptor: TlsAcceptor,
    presented: Arc<Presented>,
}

/// The certificate of this moment.
#[derive(Debug)]
struct Presented(RwLock<Arc<CertifiedKey>>);

impl Authority {
    pub fn generate() -> io::Result<Self> {
        Self::new().map_err(io::Error::other)
    }

    /// The CA's certificate, as `AWS_CA_BUNDLE` wants it.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A server with a certificate for loopback and for these DNS names (`*.` before them too) and addresses.
    pub fn server(&self, names: &[&str]) -> io::Result<Tls> {
        Tls::new(self.clone(), names).map_err(io::Error::other)
    }

    fn new() -> Result<Self, Failed> {
        let mut ca = CertificateParams::default();
        ca.distinguished_name.push(DnType::CommonName, "irsa-sidecar tests: throw-away CA");
        ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let pem = pem(ca.self_signed(&key)?.der()).into();
        Ok(Self { signing: Arc::new(Issuer::new(ca, key)), pem })
    }

    fn certify(&self, names: &[&str]) -> Result<CertifiedKey, Failed> {
        let names: Vec<String> = LOOPBACK.iter().chain(names).map(ToString::to_string).collect();
        let mut server = CertificateParams::new(names)?;
        server.distinguished_name.push(DnType::CommonName, "STS emulator");
        let key = KeyPair::generate()?;
        let certificate = server.signed_by(&key, &self.signing)?;
        let key = PrivateKeyDer::try_from(key.serialize_der())?;
        Ok(CertifiedKey::from_der(vec![certificate.der().clone()], key, &ring::default_provider())?)
    }
}

impl Tls {
    /// A server of a fresh CA's, with a certificate for `localhost`, `127.0.0.1` and `::1`.
    pub fn generate() -> io::Result<Self> {
        Authority::generate()?.server(&[])
    }

    /// From the next connection on its certificate is good for these names and addresses, and for loopback.
    pub fn present(&self, names: &[&str]) -> io::Result<()> {
        let fresh = self.authority.certify(names).map_err(io::Error::other)?;
        *self.presented.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
        Ok(())
    }

    /// The CA's certificate, as `AWS_CA_BUNDLE` wants it.
    pub fn ca_pem(&self) -> &str {
        self.authority.pem()
    }

    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }

    fn new(authority: Authority, names: &[&str]) -> Result<Self, Failed> {
        let presented = Arc::new(Presented(RwLock::new(Arc::new(authority.certify(names)?))));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(presented.clone());
        Ok(Self { authority, acceptor: TlsAcceptor::from(Arc::new(config)), presented })
    }
}

impl ResolvesServerCert for Presented {
    /// Whatever the client asks for: whether that is good enough is for the client to say.
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: String = text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line) + "\n").collect();
    format!("-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n")
}

#[cfg(test)]
pub(crate) mod tests;

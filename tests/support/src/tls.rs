//! A certificate authority of a few minutes' fame, and a certificate for loopback signed by it.

use std::error::Error;
use std::sync::Arc;
use std::{fmt, io};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// What the certificate is good for: where emulators listen.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The server's side of TLS, and the CA that a client must trust to speak to it.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    ca_pem: Arc<str>,
}

impl Tls {
    /// Makes a fresh CA, and a certificate from it for `localhost`, `127.0.0.1` and `::1`.
    pub fn generate() -> io::Result<Self> {
        let (ca_pem, config) = certify().map_err(io::Error::other)?;
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), ca_pem: ca_pem.into() })
    }

    /// The CA's certificate, as `AWS_CA_BUNDLE` wants it.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

fn certify() -> Result<(String, ServerConfig), Box<dyn Error + Send + Sync>> {
    let mut ca = CertificateParams::default();
    ca.distinguished_name.push(DnType::CommonName, "irsa-sidecar tests: throw-away CA");
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca_key = KeyPair::generate()?;
    let ca_pem = pem(ca.self_signed(&ca_key)?.der());
    let issuer = Issuer::new(ca, ca_key);

    let mut server = CertificateParams::new(NAMES.map(String::from))?;
    server.distinguished_name.push(DnType::CommonName, "STS emulator");
    let server_key = KeyPair::generate()?;
    let certificate = server.signed_by(&server_key, &issuer)?;

    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(server_key.serialize_der())?,
        )?;
    Ok((ca_pem, config))
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: String = text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line) + "\n").collect();
    format!("-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tokio_rustls::TlsConnector;
    use tokio_rustls::rustls::pki_types::pem::PemObject as _;
    use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
    use tokio_rustls::rustls::{ClientConfig, RootCertStore};

    use super::*;
    use crate::world::World;

    async fn speak_to(world: &World, name: &str, trusting: &str) -> io::Result<String> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(trusting.as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(config));
        let stream = TcpStream::connect(world.sts.address()).await?;
        let mut stream = connector.connect(ServerName::try_from(name.to_owned()).unwrap(), stream).await?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: sts\r\nConnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    #[tokio::test]
    async fn whoever_trusts_the_ca_gets_an_answer_and_nobody_else() {
        let world = World::builder().tls().start().await.unwrap();
        let pem = std::fs::read_to_string(world.ca_file().unwrap()).unwrap();
        for name in ["localhost", "127.0.0.1"] {
            assert!(speak_to(&world, name, &pem).await.unwrap().contains("MissingAction"), "{name}");
        }
        assert!(speak_to(&world, "sts.amazonaws.com", &pem).await.is_err());
        let stranger = Tls::generate().unwrap();
        assert!(speak_to(&world, "localhost", stranger.ca_pem()).await.is_err());
    }
}

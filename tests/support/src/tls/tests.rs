#![allow(clippy::unwrap_used)]

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::*;
use crate::world::World;

const REGIONAL: &str = "sts.us-gov-west-1.amazonaws.com";

/// A handshake with whoever is on the other side, who must prove to be `name` to one that trusts this CA alone.
pub(crate) async fn encrypt<S>(stream: S, name: &str, trusting: &str) -> io::Result<TlsStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusting.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// One GET, and everything that comes back.
pub(crate) async fn ask<S>(mut stream: S, host: &str) -> io::Result<String>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

async fn speak_to(world: &World, name: &str, trusting: &str) -> io::Result<String> {
    let stream = TcpStream::connect(world.sts.address()).await?;
    ask(encrypt(stream, name, trusting).await?, name).await
}

#[tokio::test]
async fn whoever_trusts_the_ca_gets_an_answer_and_nobody_else() {
    let world = World::builder().tls().start().await.unwrap();
    let pem = std::fs::read_to_string(world.ca_file().unwrap()).unwrap();
    for name in ["localhost", "127.0.0.1"] {
        assert!(speak_to(&world, name, &pem).await.unwrap().contains("MissingAction"), "{name}");
    }
    assert!(speak_to(&world, REGIONAL, &pem).await.is_err());
    let stranger = Tls::generate().unwrap();
    assert!(speak_to(&world, "localhost", stranger.ca_pem()).await.is_err());
    let names: Vec<_> = world.sts.calls().into_iter().map(|call| (call.tls, call.server_name)).collect();
    assert_eq!(names, [(true, Some("localhost".to_owned())), (true, None)]);
}

#[tokio::test]
async fn any_name_can_be_presented_at_the_start_and_later() {
    let world = World::builder().tls_for(&[REGIONAL, "203.0.113.7"]).start().await.unwrap();
    let pem = world.sts.ca_pem().unwrap();
    for name in [REGIONAL, "203.0.113.7", "localhost"] {
        assert!(speak_to(&world, name, pem).await.is_ok(), "{name}");
    }
    let endpoint = "vpce-0a1b2c.sts.eu-central-1.vpce.amazonaws.com";
    assert!(speak_to(&world, endpoint, pem).await.is_err());
    world.sts.tls().unwrap().present(&["*.sts.eu-central-1.vpce.amazonaws.com"]).unwrap();
    assert!(speak_to(&world, endpoint, pem).await.is_ok());
    assert!(speak_to(&world, REGIONAL, pem).await.is_err());
}

#[tokio::test]
async fn one_ca_is_enough_for_several_servers() {
    let authority = Authority::generate().unwrap();
    let [one, other] = [authority.server(&[]).unwrap(), authority.server(&[REGIONAL]).unwrap()];
    assert_eq!((one.ca_pem(), other.authority().pem()), (authority.pem(), authority.pem()));
}

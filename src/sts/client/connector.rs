//! The connection to STS: TLS, its authorities, the proxy, the time-outs.

use std::path::PathBuf;

use aws_sdk_sts::config::SharedAsyncSleep;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls;
use aws_smithy_runtime_api::client::http::HttpConnectorSettings;
use aws_smithy_runtime_api::client::http::SharedHttpConnector;

use crate::authorities;
use crate::authorities::MAX_BUNDLE_BYTES;
use crate::file::read_bounded;
use crate::sts::ErrorKind;
use crate::sts::ExchangeError;
use crate::sts::client::CALL_TIMEOUT;
use crate::sts::client::CONNECT_TIMEOUT;

/// Blocks: it reads certificates from files.
pub(super) fn build_connector(
    ca_bundle: Option<PathBuf>,
    sleep: Option<SharedAsyncSleep>,
) -> Result<SharedHttpConnector, ExchangeError> {
    let mut roots = tls::TrustStore::empty();
    match ca_bundle {
        // As in the other SDKs, the bundle replaces the system's authorities. It is checked each time: whatever it has
        // become since the start must not end a process that holds good credentials.
        Some(path) => {
            let unusable =
                |why: &dyn std::error::Error| untrusted(format!("AWS_CA_BUNDLE={}: {why}", path.display()));
            let pem = read_bounded(&path, MAX_BUNDLE_BYTES).map_err(|error| unusable(&error))?;
            authorities::check(&pem).map_err(|error| unusable(&error))?;
            roots.add_pem_certificate(pem.as_slice());
        }
        None => roots = roots.with_native_roots(true),
    }
    let context = tls::TlsContext::builder().with_trust_store(roots).build();
    let context = context.map_err(|error| untrusted(format!("the certificate authorities: {error}")))?;
    let timeouts =
        HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(CALL_TIMEOUT);
    let mut builder = Connector::builder().connector_settings(timeouts.build());
    builder.set_sleep_impl(sleep);
    let connector = builder
        .proxy_config(ProxyConfig::from_env())
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
        .tls_context(context)
        .build();
    Ok(SharedHttpConnector::new(connector))
}

pub(super) fn untrusted(message: String) -> ExchangeError {
    ExchangeError::new(ErrorKind::CertificateUntrusted, message)
}

//! Certificate authorities, checked before the TLS client sees them: it takes what cannot be parsed for a fault of ours
//! and panics. The door to the two crates that rustls itself parses them with.

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use thiserror::Error;

/// Larger than any system's bundle, which has some 220 kB.
pub const MAX_BUNDLE_BYTES: usize = 4 << 20;

/// Why a bundle cannot be used.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum AuthoritiesError {
    #[error("it holds no certificate")]
    Empty,
    #[error("its certificate number {0} is not PEM")]
    NotPem(usize),
    #[error("its certificate number {0} cannot be parsed as an X.509 certificate")]
    NotACertificate(usize),
}

/// Whether every certificate in this PEM text can be trusted as an authority.
pub fn check(pem: &[u8]) -> Result<(), AuthoritiesError> {
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(pem) {
        count += 1;
        let certificate = certificate.map_err(|_| AuthoritiesError::NotPem(count))?;
        webpki::anchor_from_trusted_cert(&certificate)
            .map_err(|_| AuthoritiesError::NotACertificate(count))?;
    }
    if count == 0 { Err(AuthoritiesError::Empty) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_what_is_wrong_with_a_bundle() {
        let block =
            |inner: &str| format!("-----BEGIN CERTIFICATE-----\n{inner}\n-----END CERTIFICATE-----\n");
        assert_eq!(check(include_bytes!("../tests/data/authority.pem")), Ok(()));
        assert_eq!(check(b""), Err(AuthoritiesError::Empty));
        assert_eq!(check(b"no certificate at all"), Err(AuthoritiesError::Empty));
        assert_eq!(check(block("MIIB").as_bytes()), Err(AuthoritiesError::NotACertificate(1)));
        assert_eq!(check(block("!!!!").as_bytes()), Err(AuthoritiesError::NotPem(1)));
    }
}

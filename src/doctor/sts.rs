//! What is said of STS more than once.

use crate::sts::ErrorKind;
use crate::sts::ExchangeError;

/// Whether nobody at STS's place has answered.
pub(super) fn is_unreached(error: &ExchangeError) -> bool {
    matches!(
        error.kind,
        ErrorKind::CertificateUntrusted
            | ErrorKind::ConnectionFailed
            | ErrorKind::InvalidReply
            | ErrorKind::NameNotResolved
            | ErrorKind::TimedOut
    )
}

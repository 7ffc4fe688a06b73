//! What the SDK's errors mean.
//!
//! STS's own codes come first, then the HTTP status, then what the connection said. The connector gives its reasons as
//! text alone; the tests against real sockets hold these words against what it really says.

use std::error::Error;

use aws_sdk_sts::error::ProvideErrorMetadata;
use aws_sdk_sts::error::SdkError;

use crate::sts::ErrorKind;
use crate::sts::ExchangeError;
use crate::sts::given::shorten;

const LONGEST_CODE: usize = 64;
/// What the connector says of a proxy begins so.
const TUNNEL: &str = "tunnel error: ";
const CHECK_PROXY: &str = "Check HTTPS_PROXY, and NO_PROXY for hosts that are reached without a proxy.";

/// What the SDK makes of an answer that is an error, of whatever operation.
pub(super) trait Said: ProvideErrorMetadata + Error + 'static {}

impl<E: ProvideErrorMetadata + Error + 'static> Said for E {}

pub(super) fn classify<E: Said>(endpoint: &str, error: &SdkError<E>) -> ExchangeError {
    match error {
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            // What follows is a sentence of ours.
            let said = shorten(service.err().message().unwrap_or("no message").trim_end_matches('.'));
            match service.err().code() {
                Some(code) if is_code(code) => {
                    ExchangeError::new(by_code(code, status), format!("STS said {code}: {said}"))
                }
                Some(_) => {
                    ExchangeError::new(by_status(status), format!("STS said what is no error code: {said}"))
                }
                None => ExchangeError::new(
                    by_status(status),
                    format!("HTTP status {status} without an STS error"),
                ),
            }
        }
        SdkError::ResponseError(response) => {
            let status = response.raw().status().as_u16();
            ExchangeError::new(
                by_status(status),
                format!("HTTP status {status} with a body that is not STS's"),
            )
        }
        SdkError::TimeoutError(_) => {
            ExchangeError::new(ErrorKind::TimedOut, format!("STS at {endpoint} did not answer in time"))
        }
        SdkError::DispatchFailure(failure) => {
            by_connection(&sts_at(endpoint), &chain(failure.as_connector_error().map(|error| error as _)))
        }
        other => ExchangeError::new(
            ErrorKind::Other,
            format!("the call could not be made: {}", chain(Some(other))),
        ),
    }
}

/// What kept a call without an operation from being made.
pub(super) fn not_connected(whom: &str, error: &(dyn Error + 'static)) -> ExchangeError {
    by_connection(whom, &chain(Some(error)))
}

fn sts_at(endpoint: &str) -> String {
    format!("STS at {endpoint}")
}

/// STS's own codes are words.
fn is_code(code: &str) -> bool {
    code.len() <= LONGEST_CODE
        && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-:".contains(&byte))
}

/// Whether STS said it, and not something between here and there.
pub(super) fn is_from_sts<E: Said>(error: &SdkError<E>) -> bool {
    matches!(error, SdkError::ServiceError(service) if service.err().code().is_some())
}

fn by_code(code: &str, status: u16) -> ErrorKind {
    match code {
        "AccessDenied" | "AccessDeniedException" => ErrorKind::AccessDenied,
        "ExpiredToken" | "ExpiredTokenException" => ErrorKind::ExpiredToken,
        "IDPCommunicationError" | "IDPCommunicationErrorException" => ErrorKind::IdpCommunicationError,
        "IDPRejectedClaim" | "IDPRejectedClaimException" => ErrorKind::IdpRejectedClaim,
        "InvalidIdentityToken" | "InvalidIdentityTokenException" => ErrorKind::InvalidIdentityToken,
        "InvalidClientTokenId" | "UnrecognizedClientException" => ErrorKind::InvalidClientTokenId,
        "MalformedPolicyDocument" | "MalformedPolicyDocumentException" => ErrorKind::MalformedPolicyDocument,
        "PackedPolicyTooLarge" | "PackedPolicyTooLargeException" => ErrorKind::PackedPolicyTooLarge,
        "RegionDisabledException" => ErrorKind::RegionDisabled,
        "ServiceUnavailable" => ErrorKind::ServiceUnavailable,
        "SignatureDoesNotMatch" | "IncompleteSignature" => ErrorKind::SignatureDoesNotMatch,
        "ValidationError" | "ValidationException" | "InvalidParameterValue" | "MissingParameter" => {
            ErrorKind::ValidationError
        }
        // The SDKs' own list of throttling codes, as far as STS can send them.
        "RequestLimitExceeded"
        | "SlowDown"
        | "Throttling"
        | "ThrottlingException"
        | "TooManyRequestsException" => ErrorKind::Throttling,
        "InternalFailure" | "InternalError" | "InternalServerError" => ErrorKind::InternalFailure,
        "RequestTimeout" | "RequestTimeoutException" => ErrorKind::TimedOut,
        _ if status >= 500 => ErrorKind::ServiceUnavailable,
        _ => ErrorKind::Other,
    }
}

/// For an answer that is no STS error: a load balancer's or a proxy's, most likely.
fn by_status(status: u16) -> ErrorKind {
    match status {
        429 => ErrorKind::Throttling,
        500 => ErrorKind::InternalFailure,
        501.. => ErrorKind::ServiceUnavailable,
        _ => ErrorKind::InvalidReply,
    }
}

/// Who was not reached and the reason, without the layers in between.
fn by_connection(whom: &str, reason: &str) -> ExchangeError {
    let kind = if reason.contains("dns error") || reason.contains("failed to lookup address") {
        ErrorKind::NameNotResolved
    } else if reason.contains("certificate") {
        ErrorKind::CertificateUntrusted
    } else if reason.contains("timed out") || reason.contains("timeout") {
        ErrorKind::TimedOut
    } else {
        ErrorKind::ConnectionFailed
    };
    let layers = ["io error: ", "other: ", "client error (Connect): ", "tcp connect error: ", "dns error: "];
    let reason = layers.iter().fold(reason.to_owned(), |reason, layer| reason.replace(layer, ""));
    match reason.split_once(TUNNEL) {
        Some((_, reason)) => through_proxy(whom, kind, reason),
        // The connector looks for a name in the brackets of the address.
        None if reason.contains("invalid server name for TLS handshake") => ExchangeError {
            mend: Some("Give STS a name in AWS_ENDPOINT_URL_STS, or write its address into NO_PROXY."),
            ..ExchangeError::new(
                kind,
                format!("{whom}: an IPv6 address cannot be asked over TLS through a proxy"),
            )
        },
        None => ExchangeError::new(kind, format!("{whom} could not be reached: {}", shorten(&reason))),
    }
}

/// Between here and the proxy, or at the proxy, which says no more of itself than this.
fn through_proxy(whom: &str, kind: ErrorKind, reason: &str) -> ExchangeError {
    let (said, mend) = match reason {
        "proxy authorization required" => (
            "it wants a user and a password, or others (407)",
            "Write them into HTTPS_PROXY, as in http://USER:PASSWORD@HOST:PORT.",
        ),
        "unsuccessful" => (
            "it refuses to open a tunnel",
            "Allow this host in the proxy, or, where it is reached without one, name it in NO_PROXY.",
        ),
        "unexpected end of file" => ("it closed the connection", CHECK_PROXY),
        reason => (
            reason.trim_start_matches("failed to create underlying connection: "),
            match kind {
                ErrorKind::CertificateUntrusted => {
                    "Add the certificate authority that signed the proxy's certificate to AWS_CA_BUNDLE."
                }
                _ => CHECK_PROXY,
            },
        ),
    };
    let message = format!("{whom} could not be reached through the proxy in HTTPS_PROXY: {}", shorten(said));
    ExchangeError { mend: Some(mend), ..ExchangeError::new(kind, message) }
}

/// The whole chain of causes, each said once.
fn chain(error: Option<&(dyn Error + 'static)>) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = error;
    while let Some(error) = next {
        let text = error.to_string();
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        next = error.source();
    }
    parts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_every_code_of_sts_by_name() {
        for kind in ErrorKind::ALL {
            let is_ours = matches!(
                kind,
                ErrorKind::AlreadyExpired
                    | ErrorKind::AuthorizationTokenUnusable
                    | ErrorKind::CertificateUntrusted
                    | ErrorKind::ConnectionFailed
                    | ErrorKind::ExternalIdUnusable
                    | ErrorKind::InvalidReply
                    | ErrorKind::NameNotResolved
                    | ErrorKind::Other
                    | ErrorKind::ResourceNotFound
                    | ErrorKind::TimedOut
            );
            if !is_ours {
                assert_eq!(by_code(kind.code(), 400), kind);
            }
        }
        assert_eq!(by_code("SomethingNew", 400), ErrorKind::Other);
        assert_eq!(by_code("SomethingNew", 503), ErrorKind::ServiceUnavailable);
    }

    #[test]
    fn an_answer_that_is_not_from_sts_is_taken_by_its_status() {
        for (status, kind) in [
            (200, ErrorKind::InvalidReply),
            (403, ErrorKind::InvalidReply),
            (407, ErrorKind::InvalidReply),
            (429, ErrorKind::Throttling),
            (500, ErrorKind::InternalFailure),
            (502, ErrorKind::ServiceUnavailable),
            (504, ErrorKind::ServiceUnavailable),
        ] {
            assert_eq!(by_status(status), kind, "{status}");
        }
    }

    #[test]
    fn a_code_is_a_word() {
        assert!(is_code("IDPCommunicationError") && is_code("ns1:Fault.Code"));
        assert!(!is_code("a\nb") && !is_code("a b") && !is_code(&"x".repeat(65)));
    }
}

//! What the SDK's errors mean.
//!
//! STS's own codes come first, then the HTTP status, then what the connection said. The connector gives its reasons as
//! text alone; the tests against real sockets hold these words against what it really says.

use std::error::Error;

use aws_sdk_sts::error::ProvideErrorMetadata;
use aws_sdk_sts::error::SdkError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use crate::sts::ErrorKind;
use crate::sts::ExchangeError;
use crate::sts::given::shorten;

const LONGEST_CODE: usize = 64;
/// What the connector says of a proxy begins so.
const TUNNEL: &str = "tunnel error: ";
const GIVE_PASSWORD: &str = "Write them into HTTPS_PROXY, as in http://USER:PASSWORD@HOST:PORT.";
const CHECK_PROXY: &str = "Check HTTPS_PROXY, and NO_PROXY for hosts that are reached without a proxy.";

/// What is wrong with a certificate, other than that nobody here knows its authority.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CertificateFault {
    AnotherName,
    Expired,
    NotYetValid,
}

impl CertificateFault {
    pub fn of(error: &ExchangeError) -> Option<Self> {
        let said =
            |words: &str| error.kind == ErrorKind::CertificateUntrusted && error.message.contains(words);
        if said("certificate not valid for name") {
            Some(Self::AnotherName)
        } else if said("certificate expired") {
            Some(Self::Expired)
        } else if said("certificate not valid yet") {
            Some(Self::NotYetValid)
        } else {
            None
        }
    }

    /// Stable.
    pub fn code(self) -> &'static str {
        match self {
            Self::AnotherName => "CertificateOfAnotherName",
            Self::Expired => "CertificateExpired",
            Self::NotYetValid => "CertificateNotYetValid",
        }
    }

    pub fn mend(self) -> &'static str {
        match self {
            Self::AnotherName => {
                "Look at who answers there: a proxy, a name in /etc/hosts or private DNS that leads elsewhere, or AWS_ENDPOINT_URL_STS with \
                 another name than the certificate's."
            }
            Self::Expired => {
                "Compare this node's clock; if it is right, whoever answers must renew the certificate: AWS does so by itself, so look for a \
                 proxy in between."
            }
            Self::NotYetValid => "Compare this node's clock with the time: NTP has stopped, most likely.",
        }
    }
}

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
                None => not_stss(service.raw(), "without an STS error"),
            }
        }
        SdkError::ResponseError(response) => not_stss(response.raw(), "with a body that is not STS's"),
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

/// A load balancer's or a proxy's, most likely, which may say what it is.
fn not_stss(response: &HttpResponse, how: &str) -> ExchangeError {
    let status = response.status().as_u16();
    let server = response.headers().get("server").map(|server| server.chars().take(LONGEST_CODE).collect());
    let server = server.map(|server: String| format!(" (Server: {})", shorten(&server))).unwrap_or_default();
    let error = ExchangeError::new(by_status(status), format!("HTTP status {status} {how}{server}"));
    match status {
        407 => ExchangeError { mend: Some(GIVE_PASSWORD), ..error },
        _ => error,
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
        None => {
            let error =
                ExchangeError::new(kind, format!("{whom} could not be reached: {}", shorten(&reason)));
            ExchangeError { mend: CertificateFault::of(&error).map(CertificateFault::mend), ..error }
        }
    }
}

/// Between here and the proxy, or at the proxy, which says no more of itself than this.
fn through_proxy(whom: &str, kind: ErrorKind, reason: &str) -> ExchangeError {
    let (said, mend) = match reason {
        "proxy authorization required" => ("it wants a user and a password, or others (407)", GIVE_PASSWORD),
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

    /// The words are rustls's own (`CertificateError`), which a test against a real certificate holds to.
    #[test]
    fn tells_what_is_wrong_with_a_certificate() {
        for (reason, expected) in [
            (
                "invalid peer certificate: certificate not valid for name \"a\"",
                Some(CertificateFault::AnotherName),
            ),
            (
                "invalid peer certificate: certificate expired: verification time 1",
                Some(CertificateFault::Expired),
            ),
            ("invalid peer certificate: certificate not valid yet: 1", Some(CertificateFault::NotYetValid)),
            ("invalid peer certificate: UnknownIssuer", None),
        ] {
            let error = by_connection("STS", reason);
            assert_eq!(error.kind, ErrorKind::CertificateUntrusted, "{reason}");
            assert_eq!(CertificateFault::of(&error), expected, "{reason}");
            assert_eq!(error.mend, expected.map(CertificateFault::mend), "{reason}");
        }
    }

    #[test]
    fn a_code_is_a_word() {
        assert!(is_code("IDPCommunicationError") && is_code("ns1:Fault.Code"));
        assert!(!is_code("a\nb") && !is_code("a b") && !is_code(&"x".repeat(65)));
    }
}

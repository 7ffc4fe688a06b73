//! Every reason not to answer a request, with its status, its stable code and what to do about it.

use hyper::StatusCode;
use thiserror::Error;

/// Why a request is not answered. The message says what to do about it; it never repeats what was sent.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub(super) enum Refusal {
    #[error("only clients in this pod are answered: ask from a container of the same pod")]
    PeerNotLocal,
    #[error("only loopback clients are answered here: use `kubectl port-forward`")]
    PeerNotLoopback,
    #[error("requests that passed a proxy are refused ({0}): add this address to NO_PROXY")]
    Proxied(&'static str),
    #[error("requests from web pages are refused ({0}): use an AWS SDK or a command-line client")]
    FromWebPage(&'static str),
    #[error("an HTTP/1.1 request must have a Host header")]
    HostMissing,
    #[error("a request must have one Host header, not several")]
    HostRepeated,
    #[error("the host is not of the form NAME or NAME:PORT")]
    HostInvalid,
    #[error(
        "the host is not ours: use 127.0.0.1, localhost, [::1] or the listener's own address, with its port or none"
    )]
    HostNotAllowed,
    #[error(
        "a token is asked for: set AWS_CONTAINER_AUTHORIZATION_TOKEN to the one that irsa-sidecar was given"
    )]
    AuthorizationTokenMissing,
    #[error(
        "the token is another one: set AWS_CONTAINER_AUTHORIZATION_TOKEN to the one that irsa-sidecar was given"
    )]
    AuthorizationTokenMismatch,
    #[error("only GET and HEAD are answered")]
    MethodNotAllowed,
    #[error("the path is not percent-encoded UTF-8")]
    PathInvalid,
    #[error("nothing is served under this path: use /v1/credentials")]
    PathUnknown,
    #[error("nothing is served under this path: use /live, /ready, /metrics or /status")]
    AdminPathUnknown,
    #[error("there is no role of this name: `irsa-sidecar` keeps those of its settings alone")]
    RoleUnknown,
    #[error("a request with a body is not answered: these paths take none")]
    BodyNotAccepted,
}

impl Refusal {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::PeerNotLocal
            | Self::PeerNotLoopback
            | Self::Proxied(_)
            | Self::FromWebPage(_)
            | Self::HostNotAllowed
            | Self::AuthorizationTokenMissing
            | Self::AuthorizationTokenMismatch => StatusCode::FORBIDDEN,
            Self::HostMissing | Self::HostRepeated | Self::HostInvalid | Self::PathInvalid => {
                StatusCode::BAD_REQUEST
            }
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::PathUnknown | Self::AdminPathUnknown | Self::RoleUnknown => StatusCode::NOT_FOUND,
            Self::BodyNotAccepted => StatusCode::PAYLOAD_TOO_LARGE,
        }
    }

    pub(super) fn code(self) -> &'static str {
        match self {
            Self::PeerNotLocal => "PeerNotLocal",
            Self::PeerNotLoopback => "PeerNotLoopback",
            Self::Proxied(_) => "ProxiedRequest",
            Self::FromWebPage(_) => "WebPageRequest",
            Self::HostMissing => "HostMissing",
            Self::HostRepeated => "HostRepeated",
            Self::HostInvalid => "HostInvalid",
            Self::HostNotAllowed => "HostNotAllowed",
            Self::AuthorizationTokenMissing => "AuthorizationTokenMissing",
            Self::AuthorizationTokenMismatch => "AuthorizationTokenMismatch",
            Self::MethodNotAllowed => "MethodNotAllowed",
            Self::PathInvalid => "PathInvalid",
            Self::PathUnknown | Self::AdminPathUnknown => "PathUnknown",
            Self::RoleUnknown => "RoleUnknown",
            Self::BodyNotAccepted => "BodyNotAccepted",
        }
    }
}

//! Every reason not to answer a request, with its status, its stable code and what to do about it.

use hyper::StatusCode;
use thiserror::Error;

/// Why a request is not answered. The message says what to do about it; it never repeats what was sent.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum Refusal {
    #[error("only clients in this pod are answered: ask from a container of the same pod")]
    PeerNotLocal,
    #[error("only loopback clients are answered here: use `kubectl port-forward`")]
    PeerNotLoopback,
    #[error("requests that passed a proxy are refused ({0}): add this address to NO_PROXY")]
    Proxied(&'static str),
    #[error("requests from web pages are refused ({0}): use an AWS SDK or a command-line client")]
    FromWebPage(&'static str),
    #[error("requests that another site leads to are refused: type this address into the browser yourself")]
    FromAnotherSite,
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
    #[error(
        "the token is another one, and too many others try theirs for us to see whether it is newer: ask again"
    )]
    AuthorizationTokenBusy,
    #[error("only GET and HEAD are answered")]
    MethodNotAllowed,
    #[error("the path is not percent-encoded UTF-8")]
    PathInvalid,
    #[error("nothing is served under this path: use /v1/credentials, or /v1/credentials/ROLE")]
    PathUnknown,
    #[error("nothing is served under this path: use /live, /ready, /metrics, /status or /")]
    AdminPathUnknown,
    #[error("there is no role of this name: `irsa-sidecar` keeps those of its settings alone")]
    RoleUnknown,
    #[error("there are several roles, and none is called default: ask for /v1/credentials/ROLE")]
    RoleNotNamed,
    #[error("a request with a body is not answered: these paths take none")]
    BodyNotAccepted,
    #[error("the metadata service is switched off: IRSA_SIDECAR_IMDS is off")]
    ImdsOff,
    #[error("only GET and HEAD are answered here, and PUT for /latest/api/token")]
    MetadataMethodNotAllowed,
    #[error(
        "nothing is known under this path. Zone, instance id and type are told when IRSA_SIDECAR_IMDS_AVAILABILITY_ZONE, \
         _INSTANCE_ID and _INSTANCE_TYPE say them, other metadata of the node when IRSA_SIDECAR_IMDS_UPSTREAM and _ALLOW \
         let it through, its iam and user-data never. Container credentials are not here but at 127.0.0.1:9911 and \
         169.254.170.2"
    )]
    MetadataUnknown,
    #[error("a session token is given for PUT /latest/api/token alone, not for a dated version")]
    SessionPathNotLatest,
    #[error("a session token is given for PUT alone")]
    SessionByPutAlone,
    #[error("X-aws-ec2-metadata-token-ttl-seconds is missing: say how long the session is to last")]
    SessionTtlMissing,
    #[error("X-aws-ec2-metadata-token-ttl-seconds must be one whole number from 1 to 21600")]
    SessionTtlInvalid,
    #[error("IMDSv2 is required (IRSA_SIDECAR_IMDS): get a session token with PUT /latest/api/token first")]
    SessionTokenMissing,
    #[error("the session token is not one of this pod, or has ended: get another with PUT /latest/api/token")]
    SessionTokenInvalid,
}

impl Refusal {
    /// Each once.
    pub const ALL: [Self; 28] = [
        Self::PeerNotLocal,
        Self::PeerNotLoopback,
        Self::Proxied("X-Forwarded-For"),
        Self::FromWebPage("Origin"),
        Self::FromAnotherSite,
        Self::HostMissing,
        Self::HostRepeated,
        Self::HostInvalid,
        Self::HostNotAllowed,
        Self::AuthorizationTokenMissing,
        Self::AuthorizationTokenMismatch,
        Self::AuthorizationTokenBusy,
        Self::MethodNotAllowed,
        Self::PathInvalid,
        Self::PathUnknown,
        Self::AdminPathUnknown,
        Self::RoleUnknown,
        Self::RoleNotNamed,
        Self::BodyNotAccepted,
        Self::ImdsOff,
        Self::MetadataMethodNotAllowed,
        Self::MetadataUnknown,
        Self::SessionPathNotLatest,
        Self::SessionByPutAlone,
        Self::SessionTtlMissing,
        Self::SessionTtlInvalid,
        Self::SessionTokenMissing,
        Self::SessionTokenInvalid,
    ];

    pub fn status(self) -> StatusCode {
        match self {
            Self::PeerNotLocal
            | Self::PeerNotLoopback
            | Self::Proxied(_)
            | Self::FromWebPage(_)
            | Self::FromAnotherSite
            | Self::HostNotAllowed
            | Self::AuthorizationTokenMissing
            | Self::AuthorizationTokenMismatch
            | Self::ImdsOff
            | Self::SessionPathNotLatest => StatusCode::FORBIDDEN,
            Self::HostMissing
            | Self::HostRepeated
            | Self::HostInvalid
            | Self::PathInvalid
            | Self::SessionTtlMissing
            | Self::SessionTtlInvalid => StatusCode::BAD_REQUEST,
            Self::SessionTokenMissing | Self::SessionTokenInvalid => StatusCode::UNAUTHORIZED,
            Self::MethodNotAllowed | Self::MetadataMethodNotAllowed | Self::SessionByPutAlone => {
                StatusCode::METHOD_NOT_ALLOWED
            }
            Self::PathUnknown
            | Self::AdminPathUnknown
            | Self::RoleNotNamed
            | Self::RoleUnknown
            | Self::MetadataUnknown => StatusCode::NOT_FOUND,
            Self::BodyNotAccepted => StatusCode::PAYLOAD_TOO_LARGE,
            // Clients try again after this, and not after a 403.
            Self::AuthorizationTokenBusy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Stable: `code` in the body of the container's and the admin surface, in IMDS's header `X-Irsa-Sidecar-Error`.
    pub fn code(self) -> &'static str {
        match self {
            Self::PeerNotLocal => "PeerNotLocal",
            Self::PeerNotLoopback => "PeerNotLoopback",
            Self::Proxied(_) => "ProxiedRequest",
            Self::FromWebPage(_) | Self::FromAnotherSite => "WebPageRequest",
            Self::HostMissing => "HostMissing",
            Self::HostRepeated => "HostRepeated",
            Self::HostInvalid => "HostInvalid",
            Self::HostNotAllowed => "HostNotAllowed",
            Self::AuthorizationTokenMissing => "AuthorizationTokenMissing",
            Self::AuthorizationTokenMismatch => "AuthorizationTokenMismatch",
            Self::AuthorizationTokenBusy => "AuthorizationTokenBusy",
            Self::MethodNotAllowed | Self::MetadataMethodNotAllowed | Self::SessionByPutAlone => {
                "MethodNotAllowed"
            }
            Self::PathInvalid => "PathInvalid",
            Self::PathUnknown | Self::AdminPathUnknown | Self::MetadataUnknown => "PathUnknown",
            Self::RoleNotNamed => "RoleNotNamed",
            Self::RoleUnknown => "RoleUnknown",
            Self::BodyNotAccepted => "BodyNotAccepted",
            Self::ImdsOff => "ImdsOff",
            Self::SessionPathNotLatest => "SessionPathNotLatest",
            Self::SessionTtlMissing => "SessionTtlMissing",
            Self::SessionTtlInvalid => "SessionTtlInvalid",
            Self::SessionTokenMissing => "SessionTokenMissing",
            Self::SessionTokenInvalid => "SessionTokenInvalid",
        }
    }

    /// What a 405 must name.
    pub(super) fn allowed(self) -> &'static str {
        match self {
            Self::SessionByPutAlone => "PUT",
            _ => "GET, HEAD",
        }
    }
}

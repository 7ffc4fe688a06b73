//! The ways in which an exchange fails, and who must act.
//!
//! The classes follow STS's API reference (AssumeRoleWithWebIdentity and AssumeRole, "Errors" and "Common errors"), EKS
//! Auth's (AssumeRoleForPodIdentity), and what the SDKs retry.

/// Every way in which an exchange fails. The names of the first group are STS's own codes.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum ErrorKind {
    AccessDenied,
    ExpiredToken,
    IdpCommunicationError,
    IdpRejectedClaim,
    InternalFailure,
    InvalidClientTokenId,
    InvalidIdentityToken,
    MalformedPolicyDocument,
    PackedPolicyTooLarge,
    RegionDisabled,
    ResourceNotFound,
    ServiceUnavailable,
    SignatureDoesNotMatch,
    Throttling,
    ValidationError,
    /// A code that is not in this list.
    Other,

    /// Credentials that had already expired when they arrived.
    AlreadyExpired,
    /// The file of what a credentials endpoint is to be sent.
    AuthorizationTokenUnusable,
    CertificateUntrusted,
    ConnectionFailed,
    ExternalIdUnusable,
    InvalidReply,
    NameNotResolved,
    TimedOut,
}

/// Who must act before another attempt can succeed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Remedy {
    /// It passes by itself: try again soon.
    Retry,
    /// It passes by itself for a while after the start (a new identity provider takes time to be known everywhere);
    /// after that a person must look.
    RetryWhileStarting,
    /// Another token is needed: wait for the file.
    WaitForToken,
    /// A person must mend the set-up.
    FixSetup,
}

impl ErrorKind {
    pub const ALL: [Self; 24] = [
        Self::AccessDenied,
        Self::ExpiredToken,
        Self::IdpCommunicationError,
        Self::IdpRejectedClaim,
        Self::InternalFailure,
        Self::InvalidClientTokenId,
        Self::InvalidIdentityToken,
        Self::MalformedPolicyDocument,
        Self::PackedPolicyTooLarge,
        Self::RegionDisabled,
        Self::ResourceNotFound,
        Self::ServiceUnavailable,
        Self::SignatureDoesNotMatch,
        Self::Throttling,
        Self::ValidationError,
        Self::Other,
        Self::AlreadyExpired,
        Self::AuthorizationTokenUnusable,
        Self::CertificateUntrusted,
        Self::ConnectionFailed,
        Self::ExternalIdUnusable,
        Self::InvalidReply,
        Self::NameNotResolved,
        Self::TimedOut,
    ];

    /// Stable: log field, metric label, `code` in a 503. STS's own code where there is one.
    pub fn code(self) -> &'static str {
        match self {
            Self::AccessDenied => "AccessDenied",
            Self::ExpiredToken => "ExpiredTokenException",
            Self::IdpCommunicationError => "IDPCommunicationError",
            Self::IdpRejectedClaim => "IDPRejectedClaim",
            Self::InternalFailure => "InternalFailure",
            Self::InvalidClientTokenId => "InvalidClientTokenId",
            Self::InvalidIdentityToken => "InvalidIdentityToken",
            Self::MalformedPolicyDocument => "MalformedPolicyDocument",
            Self::PackedPolicyTooLarge => "PackedPolicyTooLarge",
            Self::RegionDisabled => "RegionDisabledException",
            Self::ResourceNotFound => "ResourceNotFoundException",
            Self::ServiceUnavailable => "ServiceUnavailable",
            Self::SignatureDoesNotMatch => "SignatureDoesNotMatch",
            Self::Throttling => "Throttling",
            Self::ValidationError => "ValidationError",
            Self::Other => "Other",
            Self::AlreadyExpired => "AlreadyExpired",
            Self::AuthorizationTokenUnusable => "AuthorizationTokenUnusable",
            Self::CertificateUntrusted => "CertificateUntrusted",
            Self::ConnectionFailed => "ConnectionFailed",
            Self::ExternalIdUnusable => "ExternalIdUnusable",
            Self::InvalidReply => "InvalidReply",
            Self::NameNotResolved => "NameNotResolved",
            Self::TimedOut => "TimedOut",
        }
    }

    pub fn remedy(self) -> Remedy {
        match self {
            Self::AlreadyExpired
            | Self::ConnectionFailed
            | Self::IdpCommunicationError
            | Self::InternalFailure
            | Self::InvalidReply
            | Self::NameNotResolved
            | Self::ServiceUnavailable
            | Self::Throttling
            | Self::TimedOut => Remedy::Retry,
            Self::InvalidIdentityToken => Remedy::RetryWhileStarting,
            Self::AuthorizationTokenUnusable | Self::ExpiredToken => Remedy::WaitForToken,
            Self::AccessDenied
            | Self::CertificateUntrusted
            | Self::ExternalIdUnusable
            | Self::IdpRejectedClaim
            | Self::InvalidClientTokenId
            | Self::MalformedPolicyDocument
            | Self::Other
            | Self::PackedPolicyTooLarge
            | Self::RegionDisabled
            | Self::ResourceNotFound
            | Self::SignatureDoesNotMatch
            | Self::ValidationError => Remedy::FixSetup,
        }
    }

    /// What to do about it, in one sentence.
    pub fn mend(self) -> &'static str {
        match self {
            Self::AccessDenied => {
                "Compare the role's trust policy with the token: provider, `sub` and `aud` must all match, and the \
                 role must exist under exactly this ARN."
            }
            Self::ExpiredToken => {
                "The kubelet should have rotated the token: check that the volume is a projected one and not a copy."
            }
            Self::IdpCommunicationError => {
                "STS could not reach the cluster's OIDC issuer; this usually passes."
            }
            Self::IdpRejectedClaim => "The identity provider refused the token: check its issuer and claims.",
            Self::InternalFailure | Self::ServiceUnavailable => "STS itself failed; it is tried again.",
            Self::InvalidClientTokenId => {
                "STS does not know the credentials that the chain starts from: check that both are of the same partition \
                 and endpoint, and that their sessions were not revoked."
            }
            Self::InvalidIdentityToken => {
                "Check that IAM has an OIDC identity provider for the token's issuer, and that the token's audience \
                 is among its client ids (sts.amazonaws.com)."
            }
            Self::MalformedPolicyDocument => "Mend the session policy.",
            Self::PackedPolicyTooLarge => "Shorten the session policies or tags.",
            Self::RegionDisabled => {
                "Switch STS on in this region (IAM, Account settings), or set AWS_REGION."
            }
            Self::SignatureDoesNotMatch => {
                "STS does not accept the signature: check for a proxy that changes requests, and AWS_REGION."
            }
            Self::ResourceNotFound => {
                "EKS knows no such cluster or Pod Identity association: make one for this namespace and ServiceAccount."
            }
            Self::Throttling => {
                "Too many STS calls in this account and region; it is tried again, more slowly."
            }
            Self::ValidationError => {
                "Check AWS_ROLE_ARN, AWS_ROLE_SESSION_NAME and IRSA_SIDECAR_SESSION_DURATION (not above the role's \
                 maximum session duration)."
            }
            Self::Other => "See the message; STS gave a code that irsa-sidecar does not know.",
            Self::AlreadyExpired => "Compare this node's clock with STS's.",
            Self::AuthorizationTokenUnusable => {
                "Check the path and the volume that is mounted there; the file must hold the token alone."
            }
            Self::CertificateUntrusted => {
                "Set AWS_CA_BUNDLE to a PEM file with the certificate authority that signed the endpoint's certificate; where that is a \
                 company's proxy, to its authority's beside the public ones."
            }
            Self::ConnectionFailed => {
                "Check the network policy, the route, the proxy and, in a private cluster, the VPC endpoint for STS."
            }
            Self::ExternalIdUnusable => {
                "Check the path and the volume that is mounted there; the file must hold the external id alone."
            }
            Self::InvalidReply => {
                "What answers at the STS endpoint is not STS: check AWS_ENDPOINT_URL_STS and proxies."
            }
            Self::NameNotResolved => "Check the cluster's DNS, AWS_REGION and AWS_ENDPOINT_URL_STS.",
            Self::TimedOut => {
                "Check the network policy, the route, the proxy and, in a private cluster, the VPC endpoint for STS."
            }
        }
    }
}

//! The errors of STS: code, HTTP status, and the message that AWS sends with it.

use std::borrow::Cow;

/// One error answer. Its message never repeats a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: Cow<'static, str>,
    pub(crate) status: u16,
    pub(crate) message: Cow<'static, str>,
}

/// Every code that can be asked for by name, with its status and the message that it has when nobody gives another.
const KNOWN: [(&str, u16, &str); 25] = [
    ("AccessDenied", 403, "Not authorized to perform sts:AssumeRoleWithWebIdentity"),
    ("ExpiredToken", 403, "The security token included in the request is expired"),
    ("ExpiredTokenException", 400, "Token expired"),
    (
        "IDPCommunicationError",
        400,
        "The identity provider that was asked to verify the incoming identity token could not be reached",
    ),
    ("IDPRejectedClaim", 403, "The identity provider rejected the token"),
    ("IncompleteSignature", 403, "The request signature does not conform to AWS standards"),
    (
        "InternalFailure",
        500,
        "The request processing has failed because of an unknown error, exception or failure.",
    ),
    ("InvalidAction", 400, "Could not find operation"),
    ("InvalidClientTokenId", 403, "The security token included in the request is invalid."),
    (
        "InvalidIdentityToken",
        400,
        "Couldn't retrieve verification key from your identity provider,  please reference \
         AssumeRoleWithWebIdentity documentation for requirements",
    ),
    ("InvalidParameterValue", 400, "Invalid parameter value"),
    ("MalformedPolicyDocument", 400, "The policy is not in the valid JSON format."),
    ("MissingAction", 400, "The request is missing an action or a required parameter."),
    ("MissingAuthenticationToken", 403, "Request is missing Authentication Token"),
    ("MissingParameter", 400, "A required parameter is missing"),
    ("NoSuchEntity", 404, "The role cannot be found."),
    ("OptInRequired", 403, "The AWS Access Key Id needs a subscription for the service"),
    (
        "PackedPolicyTooLarge",
        400,
        "Packed policy consumes 112% of allotted space, please use smaller policy.",
    ),
    ("RegionDisabledException", 403, "STS is not activated in this region for account:111122223333."),
    ("RequestLimitExceeded", 503, "Request limit exceeded."),
    ("ServiceUnavailable", 503, "Service is unavailable."),
    (
        "SignatureDoesNotMatch",
        403,
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
         Access Key and signing method. Consult the service documentation for details.",
    ),
    ("Throttling", 400, "Rate exceeded"),
    ("ThrottlingException", 400, "Rate exceeded"),
    ("ValidationError", 400, "The request is invalid"),
];

impl Failure {
    /// This code with AWS's own status and message; an unknown code is a 400 that says no more than its name.
    pub(crate) fn named(code: impl Into<Cow<'static, str>>) -> Self {
        let code = code.into();
        let known = KNOWN.iter().find(|(name, ..)| *name == code);
        let (status, message) =
            known.map_or((400, "Refused, as scripted"), |(_, status, text)| (*status, text));
        Self { code, status, message: message.into() }
    }

    pub(crate) fn new(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { message: message.into(), ..Self::named(code) }
    }

    pub(crate) fn validation(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new("ValidationError", message)
    }

    pub(crate) fn invalid_token(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new("InvalidIdentityToken", message)
    }

    /// The same words for a role that does not exist and for one that does not trust: STS tells nobody which.
    pub(crate) fn not_authorized_with_web_identity() -> Self {
        Self::named("AccessDenied")
    }

    /// Who is to blame, in the Query protocol's words.
    pub(crate) fn blame(&self) -> &'static str {
        if self.status < 500 { "Sender" } else { "Receiver" }
    }
}

//! What an answer of STS's can come from: one thing, or several, likeliest first.

use crate::config::SessionDuration;
use crate::config::types::format_duration;
use crate::doctor::facts::Facts;
use crate::doctor::finding::Cause;
use crate::doctor::issuer::Issuer;
use crate::doctor::network::Network;
use crate::doctor::trust::Trust;
use crate::sts::ErrorKind;
use crate::sts::ExchangeError;
use crate::token::Claims;
use crate::trust_policy::Answer;

/// Of an answer to `AssumeRoleWithWebIdentity`; none where the code says it all.
pub(super) fn causes(
    facts: &Facts<'_>,
    error: &ExchangeError,
    issuer: &Issuer,
    network: &Network,
    trust: Option<&Trust>,
) -> Vec<Cause> {
    let said = |words: &str| error.message.contains(words);
    let only = |code, what: &str, mend: &str| vec![Cause::new(code, what, mend, "")];
    match error.kind {
        ErrorKind::AccessDenied => denied(facts, trust),
        ErrorKind::InvalidIdentityToken if said("No OpenIDConnect provider found") => no_provider(facts),
        ErrorKind::InvalidIdentityToken if said("audience") => audience(facts),
        ErrorKind::InvalidIdentityToken if said("verification key") => no_key(issuer),
        ErrorKind::InvalidIdentityToken if said("thumbprint") => only(
            "ThumbprintMismatch",
            "The certificate of the issuer's host has changed its authority.",
            "aws iam update-open-id-connect-provider-thumbprint with the SHA-1 of the last certificate of openssl s_client \
             -showcerts -connect HOST:443.",
        ),
        ErrorKind::InvalidIdentityToken if said("future") || said("not valid yet") => only(
            "ClockSkew",
            "The clock of whoever made the token is ahead of STS's.",
            "Mend NTP on the control plane, or on the node.",
        ),
        ErrorKind::InvalidIdentityToken if said("signature") => signature(),
        ErrorKind::IdpCommunicationError => vec![
            Cause::new(
                "IssuerSlow",
                "STS did not reach the issuer in this moment; that passes.",
                "Try again in a minute.",
                "whether it lasts",
            ),
            unreachable_for_sts(),
        ],
        ErrorKind::ExpiredToken => {
            let now = network.sts_time.unwrap_or(facts.now);
            let has_expired = facts.claims().and_then(Claims::expires_at).is_some_and(|at| at <= now);
            let what = match has_expired {
                true => "The token in the file has expired, and nobody has renewed it.",
                false => "STS takes the token for expired: compare its clock with this node's.",
            };
            only("TokenExpired", what, ErrorKind::ExpiredToken.mend())
        }
        ErrorKind::ValidationError if said("DurationSeconds") => vec![too_long(facts)],
        ErrorKind::ValidationError if said("oleSessionName") => only(
            "SessionNameRefused",
            "STS does not take the session's name.",
            "Set AWS_ROLE_SESSION_NAME to 2 to 64 of A-Z a-z 0-9 _ + = , . @ -.",
        ),
        ErrorKind::ValidationError if said("oleArn") => only(
            "RoleArnUnusable",
            "STS does not take the role's ARN.",
            "Set AWS_ROLE_ARN to the Arn that aws iam get-role prints.",
        ),
        _ => Vec::new(),
    }
}

fn too_long(facts: &Facts<'_>) -> Cause {
    let asked = facts.web_identity().map(|web_identity| web_identity.session.duration);
    let asked = match asked {
        Some(SessionDuration::Fixed(duration)) => format!("{} were asked for", format_duration(duration)),
        Some(SessionDuration::Max) | None => "more was asked for".to_owned(),
    };
    Cause::new(
        "SessionDurationTooLong",
        format!("The role allows shorter sessions only; {asked}."),
        "Set IRSA_SIDECAR_SESSION_DURATION (or session_duration in the roles file) to 1h, or to max for the longest that the role \
         allows; or raise the role's MaxSessionDuration.",
        "",
    )
}

/// One answer for many causes. A trust policy that was given moves its own to the front, or to the end; it never makes it
/// certain, since the role may have another.
fn denied(facts: &Facts<'_>, trust: Option<&Trust>) -> Vec<Cause> {
    let answer = trust.and_then(|trust| trust.answer);
    let is_found =
        |code| trust.is_some_and(|trust| trust.findings.iter().any(|finding| finding.code == code));
    let is_denied = is_found("TrustPolicyDenies");
    let arn = facts.web_identity().map(|web_identity| &web_identity.session.role_arn);
    let (name, path) = arn.map_or(("NAME", "/"), |arn| (arn.name(), arn.path()));
    let get_role = format!("aws iam get-role --role-name {name}");
    let policy = Cause::new(
        "TrustPolicyRefuses",
        match answer {
            Some(Answer::No) => "The role's trust policy does not let this token in, as trust-policy shows.",
            Some(Answer::Yes) => {
                "The role has another trust policy than the one that was given, which lets this token in."
            }
            Some(Answer::Unknown) => {
                "Something in the role's trust policy that only AWS can tell: the lines with a question mark in trust-policy."
            }
            None => {
                "The role's trust policy does not let this token in: its provider, namespace, ServiceAccount or audience differs."
            }
        },
        match is_denied {
            true => "Narrow the Deny that trust-policy shows.",
            false => {
                "Add the statement that irsa-sidecar trust-policy prints to the role's trust policy; irsa-sidecar trust-policy --format \
                 aws-cli replaces the whole of it."
            }
        },
        match answer {
            None => format!("{get_role} > role.json, then doctor --trust-policy role.json"),
            Some(_) => "the check trust-policy, below".to_owned(),
        },
    );
    let missing = Cause::new(
        "RoleMissing",
        "There is no role of this name in this account (a slip in the name or in the account's number).",
        "Set the annotation eks.amazonaws.com/role-arn to the Arn that aws iam get-role prints, and recreate the pods.",
        get_role.clone(),
    );
    let has_path = if path == "/" { "the ARN here has none" } else { "the ARN here has one" };
    let path = Cause::new(
        "RolePathWrong",
        format!("The role has another path: {has_path}, and it is part of the name."),
        "Use the whole ARN, as in arn:aws:iam::ACCOUNT:role/PATH/NAME.",
        format!("the Arn in {get_role}, or doctor --trust-policy with its output"),
    );
    let organization = Cause::new(
        "OrganizationPolicyDenies",
        "A service control policy or a resource control policy of the organization forbids the call.",
        "Have the organization's administrators allow sts:AssumeRoleWithWebIdentity for this role.",
        "the event in CloudTrail, in the role's account: its errorMessage names an explicit deny in a service control policy",
    );
    let is_same_role = trust.is_some_and(|trust| trust.is_same_role);
    let is_allowed = trust.is_some_and(|trust| trust.is_allowed);
    let mut causes = match answer {
        // IAM has the role under this very ARN: what was given says so.
        Some(Answer::Yes) if is_same_role => vec![organization, policy, missing, path],
        Some(Answer::Yes) => vec![missing, path, organization, policy],
        // It allows the call; a Deny of which nobody here knows whether it applies is no reason to suspect it first.
        Some(Answer::Unknown) if is_allowed && is_same_role => vec![organization, policy, missing, path],
        Some(Answer::Unknown) if is_allowed => vec![missing, path, policy, organization],
        _ => vec![policy, missing, path, organization],
    };
    // What was found out goes first.
    causes.sort_by_key(|cause| !is_found(cause.code));
    causes
}

/// The other causes in one line, where the role's policy is seen to refuse the token; the first is then told in full, and none
/// as certain all the same.
pub(super) fn besides(causes: &[Cause], trust: Option<&Trust>) -> Option<String> {
    let trust = trust.filter(|trust| trust.answer == Some(Answer::No))?;
    let (_, others) = causes.split_first().filter(|(first, _)| first.code == "TrustPolicyRefuses")?;
    let is_found = |cause: &Cause| trust.findings.iter().any(|finding| finding.code == cause.code);
    if others.iter().any(is_found) {
        return None;
    }
    let in_short = |cause: &Cause| {
        let words = match cause.code {
            "RoleMissing" => "no role of this name",
            "RolePathWrong" => "another path of it",
            "OrganizationPolicyDenies" => "a policy of the organization",
            _ => "another cause",
        };
        format!("{words} [{}]", cause.code)
    };
    let others: Vec<String> = others.iter().map(in_short).collect();
    let others = others.join(", or ");
    Some(format!("Other possible causes: {others} (--json: how to tell them apart)."))
}

/// `AssumeRole` by the role before: both sides must allow it, and AWS says no more.
pub(super) fn denied_in_chain() -> Vec<Cause> {
    vec![
        Cause::new(
            "ChainNotTrusted",
            "The role's trust policy does not let the role before it in, or wants an external id, tags or a source identity that \
             are not sent.",
            "Add the statement that irsa-sidecar trust-policy --from-role ARN prints; tags need sts:TagSession, a source identity \
             sts:SetSourceIdentity.",
            "aws iam get-role of this role: AssumeRolePolicyDocument",
        ),
        Cause::new(
            "ChainNotPermitted",
            "The role before it has no policy that allows sts:AssumeRole on this one.",
            "Attach the policy that irsa-sidecar trust-policy --from-role ARN names at its end.",
            "aws iam simulate-principal-policy, or the policies of the role before",
        ),
        Cause::new(
            "RoleMissing",
            "There is no role under this ARN.",
            "Correct role_arn of this step in the roles file.",
            "aws iam get-role in that account",
        ),
        Cause::new(
            "OrganizationPolicyDenies",
            "A service control policy or a resource control policy of either account's organization forbids the call.",
            "Have the organization's administrators allow sts:AssumeRole for this role.",
            "the event in CloudTrail, in either account",
        ),
    ]
}

fn no_provider(facts: &Facts<'_>) -> Vec<Cause> {
    let account = facts
        .web_identity()
        .and_then(|web_identity| web_identity.session.role_arn.account())
        .unwrap_or("the role's");
    let issuer = facts.claims().and_then(|claims| claims.issuer()).unwrap_or("the token's issuer").to_owned();
    let list = "aws iam list-open-id-connect-providers, in the account of the role";
    vec![
        Cause::new(
            "ProviderNotRegistered",
            format!("Account {account} has no OIDC identity provider for {issuer}."),
            "See that kubectl get --raw /.well-known/openid-configuration names this issuer. Then eksctl utils \
             associate-iam-oidc-provider --cluster NAME --approve; or aws iam create-open-id-connect-provider --url ISSUER \
             --client-id-list sts.amazonaws.com.",
            format!("{list}: this issuer is not in it"),
        ),
        Cause::new(
            "AccountWrong",
            format!("The role's ARN names account {account}, and the provider is in another."),
            "Correct the account in the annotation eks.amazonaws.com/role-arn; or register the provider in that account too: a \
             provider is good for one account.",
            "aws sts get-caller-identity with the cluster's own credentials tells its account",
        ),
        Cause::new(
            "ProviderOfAnotherCluster",
            "The provider that is registered is another cluster's: a cluster that was made anew has a new issuer.",
            "Register this cluster's issuer, and add it to the trust policy (irsa-sidecar trust-policy --issuer A --issuer B).",
            format!("{list}: another id is in it"),
        ),
    ]
}

fn audience(facts: &Facts<'_>) -> Vec<Cause> {
    let audiences = facts.claims().map(|claims| claims.audiences().join(", ")).unwrap_or_default();
    let mend = "Set the audience of the projected volume, or the ServiceAccount's annotation eks.amazonaws.com/audience, to \
                sts.amazonaws.com; or aws iam add-client-id-to-open-id-connect-provider.";
    let what = format!(
        "The identity provider in IAM does not list the token's audience ({audiences}) as a client id."
    );
    vec![Cause::new("AudienceNotRegistered", what, mend, "")]
}

fn no_key(issuer: &Issuer) -> Vec<Cause> {
    let rotated = Cause::new(
        "KeyNotPublished",
        "The issuer's keys were rotated, and the one that signed this token is not published (any more, or yet).",
        "Publish the keys of kubectl get --raw /openid/v1/jwks at the issuer's jwks_uri; restart the pod for a new token.",
        "the check issuer above, if the issuer is reached from here",
    );
    let thumbprint = Cause::new(
        "ThumbprintMismatch",
        "The issuer's host has a new certificate that IAM does not trust by its thumbprint.",
        "aws iam update-open-id-connect-provider-thumbprint.",
        "aws iam get-open-id-connect-provider beside openssl s_client -showcerts",
    );
    match issuer.has_key {
        Some(true) => vec![unreachable_for_sts(), thumbprint, rotated],
        Some(false) | None => vec![rotated, unreachable_for_sts(), thumbprint],
    }
}

fn unreachable_for_sts() -> Cause {
    Cause::new(
        "IssuerUnreachableForSts",
        "STS could not fetch the issuer's documents from the internet.",
        "Publish them where everybody can read them (a bucket, a CDN), over https with a certificate of a public authority.",
        "curl ISSUER/.well-known/openid-configuration from outside the cluster's network",
    )
}

fn signature() -> Vec<Cause> {
    vec![
        Cause::new(
            "KeyReplaced",
            "The issuer publishes another key under the same id: a cluster was made anew behind the same issuer.",
            "Publish the API server's present keys, and have the token renewed.",
            "kubectl get --raw /openid/v1/jwks beside the issuer's jwks_uri",
        ),
        Cause::new(
            "TokenChanged",
            "The token in the file is not the one that the kubelet wrote.",
            "Read the projected file itself.",
            "the check token-file above",
        ),
    ]
}

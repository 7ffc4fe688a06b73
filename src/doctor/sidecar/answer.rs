//! What the endpoint for credentials answers with. Of the credentials themselves nothing is looked at but that they are
//! there, whose they are, and their end.

use std::net::SocketAddr;

use serde_json::Value;

use super::Endpoint;
use crate::contract::ENV_ROLE_ARN;
use crate::credentials::parse_rfc3339;
use crate::doctor::facts::Facts;
use crate::doctor::finding::Check;
use crate::doctor::finding::Finding;
use crate::doctor::finding::Severity;
use crate::doctor::finding::Severity::Broken;
use crate::doctor::finding::Severity::Note;
use crate::doctor::finding::Severity::Warning;
use crate::doctor::text::about;
use crate::http_once::Reply;
use crate::http_once::SendError;
use crate::secret::Secret;
use crate::sts::given::NOT_SHOWN;
use crate::sts::given::is_arn;
use crate::sts::given::repeats;
use crate::sts::given::shorten;

/// A severity, a code, what was found and the mend.
type Judged = (Severity, &'static str, String, &'static str);

pub(super) fn judged(
    facts: &Facts<'_>,
    endpoint: &Endpoint,
    reply: &Result<Reply, SendError>,
    secret: Option<&Secret>,
    admin: Option<SocketAddr>,
) -> Finding {
    let (severity, code, found, mend) = match reply {
        Err(error) => silence(endpoint, error, admin),
        Ok(reply) => {
            let body = serde_json::from_slice(&reply.body).unwrap_or_default();
            credentials(facts, endpoint, reply.status, &body)
                .unwrap_or_else(|| refusal(endpoint, reply.status, &body))
        }
    };
    let found =
        if secret.is_some_and(|secret| repeats(&found, secret)) { NOT_SHOWN.to_owned() } else { found };
    let finding = Check::Sidecar.finding(severity, code, endpoint.shown.clone(), found);
    if mend.is_empty() { finding } else { finding.mend(mend) }
}

/// How bad it is that nothing comes from here.
fn severity(endpoint: &Endpoint) -> Severity {
    if endpoint.is_needed { Broken } else { Warning }
}

fn silence(endpoint: &Endpoint, error: &SendError, admin: Option<SocketAddr>) -> Judged {
    if !endpoint.is_named {
        let found =
            format!("No sidecar answers at {}; SDKs that know web identity need none.", endpoint.address);
        return (Note, "NoSidecar", found, "");
    }
    let whom = match endpoint.is_needed {
        true => "",
        false => " Clients that know web identity do not ask it; JavaScript's v2 does, and older ones.",
    };
    let found = format!("The environment points here, and nobody answers: {error}.{whom}");
    let (code, mend) = match (endpoint.is_agents(), admin) {
        (false, Some(admin)) => {
            let found = format!("{found} A sidecar runs: its admin listener, {admin}, answers.");
            let mend =
                "Give the URL the address and the port that the sidecar's log has for endpoint container.";
            return (severity(endpoint), "SidecarUnreachable", found, mend);
        }
        (true, _) => (
            "PodIdentityAgentUnreachable",
            "See whether EKS's agent runs on this node: kubectl get pods -n kube-system -l \
             app.kubernetes.io/name=eks-pod-identity-agent -o wide; add-on eks-pod-identity-agent.",
        ),
        (false, None) => (
            "SidecarUnreachable",
            "See whether the sidecar's container runs (kubectl get pod, kubectl logs -c irsa-sidecar) and whether --listen or \
             --port was changed.",
        ),
    };
    (severity(endpoint), code, found, mend)
}

fn text(body: &Value, field: &str) -> String {
    shorten(body.get(field).and_then(Value::as_str).unwrap_or_default())
}

/// `None` where it gives none.
fn credentials(facts: &Facts<'_>, endpoint: &Endpoint, status: u16, body: &Value) -> Option<Judged> {
    let has_keys = ["AccessKeyId", "SecretAccessKey", "Token"].iter().all(|field| body.get(field).is_some());
    let expiration = text(body, "Expiration");
    let expires_at = parse_rfc3339(&expiration).filter(|_| status == 200 && has_keys)?;
    let Ok(left) = expires_at.duration_since(facts.now) else {
        let found = format!("The credentials that it gives expired at {expiration}.");
        let mend = "Compare this node's clock with STS's (network, above); see the sidecar's log for failed refreshes.";
        return Some((severity(endpoint), "SidecarGivesExpired", found, mend));
    };
    let arn = text(body, "RoleArn");
    let of = if is_arn(&arn) { format!(" of {arn}") } else { String::new() };
    let found = format!("It gives credentials{of}, with {} left.", about(left));
    let own = facts.var(ENV_ROLE_ARN).filter(|own| endpoint.is_named && is_arn(&arn) && *own != arn);
    Some(match own {
        Some(own) => (
            Warning,
            "SidecarOfAnotherRole",
            format!("{found} AWS_ROLE_ARN names another, {own}: new SDKs take that one, old ones this."),
            "Give both the same role: the ServiceAccount's annotation, and the sidecar's setting or roles file.",
        ),
        None => (Severity::Fine, "Fine", found, ""),
    })
}

fn refusal(endpoint: &Endpoint, status: u16, body: &Value) -> Judged {
    let own_code = text(body, "code");
    let said = format!("{own_code} {}", text(body, "message"));
    let found = format!("It answers with HTTP status {status}: {}", said.trim());
    let (code, mend) = match status {
        404 if matches!(&*own_code, "PathUnknown" | "RoleUnknown" | "RoleNotNamed") => (
            "SidecarPathUnknown",
            "Write the URL as http://HOST:PORT/v1/credentials, or /v1/credentials/ROLE with a role's name from the sidecar's \
             roles file.",
        ),
        401 | 403 => (
            "SidecarRefuses",
            "Give this container the token that it asks for: AWS_CONTAINER_AUTHORIZATION_TOKEN, or its _FILE.",
        ),
        503 => ("SidecarNotReady", "It holds no credentials yet; its log, and its status below, say why."),
        _ => {
            ("NotASidecar", "Something else answers at this address: compare it with the sidecar's --listen.")
        }
    };
    (severity(endpoint), code, found, mend)
}

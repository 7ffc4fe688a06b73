//! The issuer's documents, as seen from here. Only a hint: STS fetches them from the internet, and keeps them for a while.
//!
//! OpenID Connect Discovery 1.0 has the document, RFC 7517 the key set. IAM's guide to thumbprints: for an issuer whose
//! certificate a public authority has signed, IAM does not look at the thumbprint.

use serde_json::Value;

use crate::doctor::facts::Facts;
use crate::doctor::finding::Check;
use crate::doctor::finding::Finding;
use crate::doctor::finding::Severity::Note;
use crate::doctor::finding::Severity::Warning;
use crate::doctor::partitions;
use crate::doctor::partitions::Partition;
use crate::sts::ErrorKind;
use crate::sts::ExchangeError;
use crate::sts::client::CertificateFault;
use crate::sts::client::Sts;
use crate::sts::given::shorten;

pub(super) struct Issuer {
    pub(super) findings: Vec<Finding>,
    /// Whether the key that signed the token is among those that are published, as far as that is known.
    pub(super) has_key: Option<bool>,
}

const DISCOVERY: &str = "/.well-known/openid-configuration";

pub(super) async fn check(facts: &Facts<'_>) -> Issuer {
    let claims = facts.claims();
    let (Some(issuer), Some(sts)) = (claims.and_then(|claims| claims.issuer()), facts.sts.as_ref().ok())
    else {
        return Issuer::unknown(Check::Issuer.skipped("the token's issuer", "There is no issuer to ask."));
    };
    let url = format!("{}{DISCOVERY}", issuer.trim_end_matches('/'));
    let looked_at = shorten(&url);
    if !is_asked(facts, issuer) || issuer.contains(['?', '#']) {
        return Issuer::unknown(Check::Issuer.skipped(looked_at, "Not asked: it is no plain https URL."));
    }
    let document = match fetch(sts, &url).await {
        Ok(document) => document,
        Err(error) => return Issuer::unknown(unreached(&looked_at, &error)),
    };
    let text = |field: &str| document.get(field).and_then(Value::as_str).unwrap_or_default();
    let mut findings = Vec::new();
    if text("issuer") != issuer {
        let found = format!(
            "It calls itself {:?}, and the token names {:?}: STS wants both alike.",
            shorten(text("issuer")),
            shorten(issuer)
        );
        let mend =
            "Serve the document of the very issuer that --service-account-issuer names, to the last slash.";
        findings.push(Check::Issuer.finding(Warning, "IssuerDiffers", looked_at.clone(), found).mend(mend));
    }
    let keys = text("jwks_uri");
    if !is_asked(facts, keys) {
        let found = format!("Its jwks_uri, {:?}, is no https URL: STS cannot fetch the keys.", shorten(keys));
        let mend =
            "Start the API server with --service-account-jwks-uri=https://…, and publish the keys there.";
        findings.push(Check::Issuer.finding(Warning, "JwksUriUnusable", looked_at, found).mend(mend));
        return Issuer { findings, has_key: None };
    }
    let kid = claims.and_then(|claims| claims.header.get("kid")).and_then(Value::as_str).unwrap_or_default();
    let has_key = match fetch(sts, keys).await {
        Ok(set) => {
            let (mut finding, has_key) = key(&shorten(keys), &set, kid);
            finding.found.push_str(thumbprint(issuer, has_bundle(facts)));
            findings.push(finding);
            Some(has_key)
        }
        Err(error) => {
            findings.push(unreached(&shorten(keys), &error));
            None
        }
    };
    Issuer { findings, has_key }
}

/// A token in the wrong hands must not send whoever runs this anywhere in clear, unless the STS is one's own, nor have it
/// log in anywhere.
fn is_asked(facts: &Facts<'_>, url: &str) -> bool {
    let is_clear_enough = url.starts_with("https://") || facts.has_own_sts() && url.starts_with("http://");
    is_clear_enough && !url.contains('@')
}

fn key(looked_at: &str, set: &Value, kid: &str) -> (Finding, bool) {
    let shown = shorten(kid);
    let keys = set.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if kid.is_empty() {
        let found = "The token does not say which key has signed it (kid).";
        return (Check::Issuer.finding(Note, "TokenWithoutKeyId", looked_at, found), !keys.is_empty());
    }
    let has_key = keys.iter().any(|key| key.get("kid").and_then(Value::as_str) == Some(kid));
    if has_key {
        let found = format!("The key that signed the token is published ({shown}, one of {}).", keys.len());
        return (Check::Issuer.fine(looked_at, found), true);
    }
    let found = format!(
        "The key that signed the token ({shown}) is not among the {} that are published.",
        keys.len()
    );
    let mend = "Publish the API server's present keys (kubectl get --raw /openid/v1/jwks) where the issuer's document says; or, \
                where the keys were rotated away, have the pod's token renewed.";
    (Check::Issuer.finding(Warning, "KeyNotPublished", looked_at, found).mend(mend), false)
}

/// Whether other authorities than the system's are asked for.
fn has_bundle(facts: &Facts<'_>) -> bool {
    facts.asked.roles.as_ref().map_or(true, |((roles, _), _)| roles.ca_bundle.is_some())
}

/// What its certificate, which was taken here, says of the thumbprint in IAM.
fn thumbprint(issuer: &str, has_bundle: bool) -> &'static str {
    let Some(host) = issuer.strip_prefix("https://").and_then(|rest| rest.split('/').next()) else {
        return "";
    };
    // The isolated partitions have authorities of their own.
    let is_public = |partition: &Partition| !partition.name.starts_with("aws-iso");
    let is_eks = host.starts_with("oidc.eks.") && partitions::of_host(host).is_some_and(is_public);
    match (is_eks, has_bundle) {
        (true, _) => {
            " EKS's certificate is of a public authority: IAM does not look at the provider's thumbprint."
        }
        (false, false) => {
            " Its certificate is of an authority that this system knows: if that is a public one, IAM does not look at the provider's \
             thumbprint."
        }
        (false, true) => "",
    }
}

async fn fetch(sts: &Sts, url: &str) -> Result<Value, ExchangeError> {
    let seen = sts.look("The issuer", url).await?;
    let not_its = |why: String| ExchangeError::new(ErrorKind::InvalidReply, why);
    if seen.status != 200 {
        return Err(not_its(format!("The issuer answers with HTTP status {}", seen.status)));
    }
    serde_json::from_slice(&seen.body)
        .map_err(|_| not_its("What answers for the issuer gives no JSON".to_owned()))
}

fn unreached(looked_at: &str, error: &ExchangeError) -> Finding {
    let why = &error.message;
    if let Some(fault) = CertificateFault::of(error) {
        let found = format!("{why}. STS would not take it so either, if it sees the same.");
        return Check::Issuer
            .finding(Note, fault.code(), looked_at, found)
            .mend("Renew it, for this very host.");
    }
    if error.kind == ErrorKind::CertificateUntrusted {
        let found = format!(
            "{why}. IAM then goes by the thumbprint of the certificate authority at the top of its chain."
        );
        let mend = "Compare it with the provider's: openssl s_client -showcerts -connect HOST:443, the last certificate's openssl \
                    x509 -fingerprint -sha1; aws iam get-open-id-connect-provider; a new one by \
                    update-open-id-connect-provider-thumbprint.";
        return Check::Issuer.finding(Note, "IssuerCertificateNotPublic", looked_at, found).mend(mend);
    }
    let found = format!("{why}. It is STS that must reach it, from the internet; from here it need not be.");
    Check::Issuer.finding(Note, "IssuerUnreachable", looked_at, found)
}

impl Issuer {
    fn unknown(finding: Finding) -> Self {
        Self { findings: vec![finding], has_key: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_of_the_thumbprint_no_more_than_is_known() {
        for (issuer, has_bundle, expected) in [
            ("https://oidc.eks.eu-central-1.amazonaws.com/id/ABC", true, "EKS's certificate"),
            ("https://oidc.eks.cn-north-1.amazonaws.com.cn/id/ABC", true, "EKS's certificate"),
            ("https://oidc.eks.us-iso-east-1.c2s.ic.gov/id/ABC", true, ""),
            ("https://oidc.example.com/prod", false, "if that is a public one"),
            ("https://oidc.eks.example.com", false, "if that is a public one"),
            ("https://oidc.example.com", true, ""),
            ("http://127.0.0.1:8080", false, ""),
        ] {
            let said = thumbprint(issuer, has_bundle);
            assert!(said.contains(expected) && said.is_empty() == expected.is_empty(), "{issuer}: {said}");
        }
    }
}

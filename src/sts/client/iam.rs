//! `iam:GetRole`, the one call of IAM's: a role as IAM has it, with its trust policy.
//!
//! IAM speaks the Query protocol as STS does (IAM API reference, `GetRole`, version 2010-05-08), in one region of each
//! partition. Its SDK would be a crate of a hundred and sixty operations; what signs the SDK's calls signs this one.

use std::time::SystemTime;

use aws_sigv4::http_request::SignableBody;
use aws_sigv4::http_request::SignableRequest;
use aws_sigv4::http_request::SigningSettings;
use aws_sigv4::http_request::sign;
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt;
use http_body_util::Limited;
use thiserror::Error;
use tokio::time::timeout;

use crate::config::Place;
use crate::config::RoleArn;
use crate::config::is_endpoint;
use crate::credentials::Credentials;
use crate::secret::Secret;
use crate::sts::client::CALL_TIMEOUT;
use crate::sts::client::Sts;
use crate::sts::client::failure::not_connected;
use crate::sts::client::signed::signer;
use crate::sts::given::NOT_SHOWN;
use crate::sts::given::is_arn;
use crate::sts::given::repeats;
use crate::sts::given::shorten;

/// What was asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IamRole {
    pub arn: String,
    /// In seconds.
    pub longest_session: Option<u64>,
    /// Percent-encoded JSON.
    pub trust_policy: String,
}

/// Why it was not had.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum GetRoleError {
    #[error("IAM has no role of this name in the account of these credentials")]
    Unknown,
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Failed(String),
}

/// Partition, host and the region that its calls are signed for ("IAM endpoints and quotas").
const ENDPOINTS: [(&str, &str, &str); 3] = [
    ("aws", "https://iam.amazonaws.com/", "us-east-1"),
    ("aws-cn", "https://iam.cn-north-1.amazonaws.com.cn/", "cn-north-1"),
    ("aws-us-gov", "https://iam.us-gov.amazonaws.com/", "us-gov-west-1"),
];
const MAX_BODY_BYTES: usize = 256 * 1024;

impl Sts {
    /// Asks IAM for a role, as whoever holds these credentials. `now` is STS's time.
    pub async fn iam_role(
        &self,
        role: &RoleArn,
        who: &Credentials,
        now: SystemTime,
    ) -> Result<IamRole, GetRoleError> {
        let known = ENDPOINTS.iter().find(|(partition, ..)| *partition == role.partition());
        let url = self.0.location.iam_url().or(known.map(|(_, url, _)| (*url).to_owned()));
        let url = url.ok_or_else(|| {
            let why = format!(
                "where IAM of partition {} is, is not known here; set AWS_ENDPOINT_URL_IAM",
                role.partition()
            );
            GetRoleError::Failed(why)
        })?;
        if !is_endpoint(&url) || !Place::of(&url).is_some_and(|place| place.is_private()) {
            let why = "AWS_ENDPOINT_URL_IAM (or AWS_ENDPOINT_URL) is no https URL of an endpoint: keys are not sent in clear";
            return Err(GetRoleError::Failed(why.to_owned()));
        }
        let region = known.map_or("us-east-1", |(.., region)| region);
        let request = signed(&url, role, who, region, now).map_err(GetRoleError::Failed)?;
        let whom = format!("IAM at {url}");
        let call = async {
            let connector = self.connector().await.map_err(|error| GetRoleError::Failed(error.message))?;
            let response = connector.call(request).await;
            let response =
                response.map_err(|error| GetRoleError::Failed(not_connected(&whom, &error).message))?;
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), MAX_BODY_BYTES).collect().await;
            let body = body.map_err(|error| GetRoleError::Failed(format!("{whom}: {error}")))?.to_bytes();
            read(status, &String::from_utf8_lossy(&body), &[&who.secret_access_key, &who.session_token])
        };
        let late =
            |_| GetRoleError::Failed(format!("{whom} did not answer within {} s", CALL_TIMEOUT.as_secs()));
        timeout(CALL_TIMEOUT, call).await.map_err(late)?
    }
}

fn signed(
    url: &str,
    role: &RoleArn,
    who: &Credentials,
    region: &str,
    now: SystemTime,
) -> Result<HttpRequest, String> {
    // A role's name has no character that a form would encode, but + = , and @.
    let name = percent_encoding::utf8_percent_encode(role.name(), percent_encoding::NON_ALPHANUMERIC);
    let body = format!("Action=GetRole&Version=2010-05-08&RoleName={name}");
    let identity: Identity = signer(who).into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("iam")
        .time(now)
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| error.to_string())?;
    let content_type = ("content-type", "application/x-www-form-urlencoded");
    let signable =
        SignableRequest::new("POST", url, [content_type].into_iter(), SignableBody::Bytes(body.as_bytes()));
    let signable = signable.map_err(|error| error.to_string())?;
    let (instructions, _) = sign(signable, &params.into()).map_err(|error| error.to_string())?.into_parts();
    let mut request = HttpRequest::new(SdkBody::from(body.clone()));
    request.set_method("POST").map_err(|error| error.to_string())?;
    request.set_uri(url).map_err(|error| error.to_string())?;
    let headers = request.headers_mut();
    headers.insert(content_type.0, content_type.1);
    headers.insert("content-length", body.len().to_string());
    let (signature, _) = instructions.into_parts();
    for header in signature {
        headers.insert(header.name(), header.value().to_owned());
    }
    Ok(request)
}

fn read(status: u16, xml: &str, secrets: &[&Secret]) -> Result<IamRole, GetRoleError> {
    let repeats_one =
        |text: &str| secrets.iter().any(|secret| !secret.expose().is_empty() && repeats(text, secret));
    if status != 200 {
        let code = element(xml, "Code").unwrap_or_default();
        return Err(match code {
            "NoSuchEntity" => GetRoleError::Unknown,
            "" => GetRoleError::Failed(format!("IAM answers with HTTP status {status}")),
            code => {
                let message = element(xml, "Message").unwrap_or_default();
                let said = format!("IAM said {}: {}", shorten(code), shorten(message));
                GetRoleError::Refused(match repeats_one(&said) {
                    true => NOT_SHOWN.to_owned(),
                    false => said,
                })
            }
        });
    }
    let of = |name: &str| element(xml, name).map(str::to_owned);
    let role = of("Arn").filter(|arn| is_arn(arn) && !repeats_one(arn)).zip(of("AssumeRolePolicyDocument"));
    let (arn, trust_policy) =
        role.ok_or_else(|| GetRoleError::Failed("What answers for IAM gives no role".to_owned()))?;
    let longest_session = element(xml, "MaxSessionDuration").and_then(|text| text.parse().ok());
    Ok(IamRole { arn, longest_session, trust_policy })
}

/// The text of the first element of this name: these have neither children nor markup in them.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    (!text.contains('<')).then_some(text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_iam_answers() {
        let xml = "<GetRoleResponse><GetRoleResult><Role><Path>/</Path><Arn>arn:aws:iam::1:role/a</Arn>\
                   <AssumeRolePolicyDocument>%7B%7D</AssumeRolePolicyDocument><MaxSessionDuration>3600</MaxSessionDuration>\
                   </Role></GetRoleResult></GetRoleResponse>";
        let role = read(200, xml, &[]).unwrap();
        assert_eq!((role.arn.as_str(), role.trust_policy.as_str()), ("arn:aws:iam::1:role/a", "%7B%7D"));
        assert_eq!(role.longest_session, Some(3600));
        let error = |code: &str| {
            format!("<ErrorResponse><Error><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>")
        };
        assert_eq!(read(404, &error("NoSuchEntity"), &[]), Err(GetRoleError::Unknown));
        assert_eq!(
            read(403, &error("AccessDenied"), &[]),
            Err(GetRoleError::Refused("IAM said AccessDenied: no".to_owned()))
        );
        let secret = Secret::new("wJalrXUtnFEMIK7MDENG".to_owned());
        let said = read(403, &error("wJalrXUtnFEMIK7MDENG"), &[&secret]);
        assert!(!format!("{said:?}").contains("wJalr"), "{said:?}");
        assert!(matches!(read(502, "<html>", &[]), Err(GetRoleError::Failed(_))));
        assert!(matches!(read(200, "<html>", &[]), Err(GetRoleError::Failed(_))));
    }
}

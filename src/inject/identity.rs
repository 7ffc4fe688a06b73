//! Who the pod is to be: role, token and region, from the pod, its ServiceAccount and the administrator's settings.
//!
//! The ServiceAccount's annotations mean what they mean to the EKS webhook, but for one: a role's ARN that cannot be
//! one is refused, where that one goes on and leaves it to STS to say so.

use crate::config::RoleArn;
use crate::contract::ANNOTATION_REGION;
use crate::contract::ANNOTATION_ROLE_ARN;
use crate::contract::ANNOTATION_ROLES_CONFIG_MAP;
use crate::contract::EKS_AUDIENCE;
use crate::contract::EKS_ROLE_ARN;
use crate::contract::EKS_STS_REGIONAL_ENDPOINTS;
use crate::contract::EKS_TOKEN_EXPIRATION;
use crate::contract::MIN_TOKEN_EXPIRATION;
use crate::inject::Refusal;
use crate::inject::ServiceAccount;
use crate::inject::Settings;
use crate::inject::asked::Asked;
use crate::inject::pod::Pod;
use crate::inject::settings::region;

pub(super) struct Identity {
    /// None where the roles file has all.
    pub(super) role_arn: Option<String>,
    pub(super) region: String,
    pub(super) audience: String,
    pub(super) token_expiration: u64,
    pub(super) sts_regional_endpoints: bool,
}

impl Identity {
    pub(super) fn of(
        pod: &Pod<'_>,
        namespace: &str,
        service_account: Option<&ServiceAccount>,
        asked: &Asked<'_>,
        settings: &Settings,
        warnings: &mut Vec<String>,
    ) -> Result<Self, Refusal> {
        let of_account = |name: &str| {
            let value = service_account.and_then(|account| account.annotations.get(name))?;
            Some(value.as_str()).filter(|value| !value.is_empty())
        };
        let account = Account { namespace, name: pod.service_account(), is_known: service_account.is_some() };
        let on_pod =
            pod.annotation(ANNOTATION_ROLE_ARN).map(|arn| (arn, format!("annotation {ANNOTATION_ROLE_ARN}")));
        let on_account = of_account(EKS_ROLE_ARN)
            .map(|arn| (arn, format!("annotation {EKS_ROLE_ARN} of ServiceAccount {account}")));
        let role_arn = match on_pod.or(on_account) {
            Some((arn, whence)) => Some(role_arn(arn, &whence)?),
            None if asked.roles_config_map.is_some() => None,
            None => return Err(account.without_role()),
        };
        let region = match pod
            .annotation(ANNOTATION_REGION)
            .map(|region| (region, "annotation irsa-sidecar/region"))
        {
            Some((region, whence)) => region_of(region, whence)?,
            None => settings.region.clone().ok_or_else(no_region)?,
        };
        let token_expiration = token_expiration(
            [
                (pod.annotation(EKS_TOKEN_EXPIRATION), "the pod".to_owned()),
                (of_account(EKS_TOKEN_EXPIRATION), format!("ServiceAccount {account}")),
            ],
            settings.token_expiration,
            warnings,
        );
        Ok(Self {
            role_arn,
            region,
            audience: of_account(EKS_AUDIENCE).unwrap_or(&settings.audience).to_owned(),
            token_expiration,
            sts_regional_endpoints: of_account(EKS_STS_REGIONAL_ENDPOINTS).is_some_and(is_true),
        })
    }
}

struct Account<'a> {
    namespace: &'a str,
    name: &'a str,
    is_known: bool,
}

impl std::fmt::Display for Account<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.namespace {
            "" => f.write_str(self.name),
            namespace => write!(f, "{namespace}/{}", self.name),
        }
    }
}

impl Account<'_> {
    fn without_role(&self) -> Refusal {
        let state = if self.is_known { "has no" } else { "is not known, and so has no" };
        Refusal(format!(
            "no role: ServiceAccount {self} {state} annotation {EKS_ROLE_ARN}, and the pod has neither \
             {ANNOTATION_ROLE_ARN} nor {ANNOTATION_ROLES_CONFIG_MAP}; annotate the ServiceAccount with the role's ARN"
        ))
    }
}

fn role_arn(text: &str, whence: &str) -> Result<String, Refusal> {
    let arn: Result<RoleArn, _> = text.parse();
    arn.map(|arn| arn.to_string()).map_err(|why| {
        Refusal(format!("{whence} is \"{text}\": {why}; for example arn:aws:iam::111122223333:role/app"))
    })
}

fn region_of(text: &str, whence: &str) -> Result<String, Refusal> {
    region(text)
        .map_err(|_| Refusal(format!("{whence} is \"{text}\", which is no region; for example eu-west-1")))
}

fn no_region() -> Refusal {
    Refusal(format!(
        "no region: the pod has no annotation {ANNOTATION_REGION}, and there is no --region for all pods; add one of them"
    ))
}

/// In Go's words for true, as the EKS webhook reads them.
fn is_true(text: &str) -> bool {
    ["1", "t", "T", "true", "TRUE", "True"].contains(&text)
}

/// The first that is a number; what the API server would not take is raised, as the EKS webhook does.
fn token_expiration(given: [(Option<&str>, String); 2], default: u64, warnings: &mut Vec<String>) -> u64 {
    for (value, whose) in given {
        let Some(value) = value else { continue };
        match value.parse::<u64>() {
            Ok(seconds) if seconds < MIN_TOKEN_EXPIRATION => {
                warnings.push(format!(
                    "annotation {EKS_TOKEN_EXPIRATION} of {whose} is {seconds}; the token lasts {MIN_TOKEN_EXPIRATION} s, the \
                     shortest that Kubernetes gives"
                ));
                return MIN_TOKEN_EXPIRATION;
            }
            Ok(seconds) => return seconds,
            Err(_) => warnings.push(format!(
                "annotation {EKS_TOKEN_EXPIRATION} of {whose} is \"{value}\", which is no number of seconds, and was left \
                 out of account"
            )),
        }
    }
    default
}

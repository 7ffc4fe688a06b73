//! AWS's own variables, and those that everybody reads, with the meaning that the SDKs give them.

use crate::config::settings::Setting;
use crate::contract::ENV_CA_BUNDLE;
use crate::contract::ENV_CONTAINER_AUTHORIZATION_TOKEN;
use crate::contract::ENV_CONTAINER_AUTHORIZATION_TOKEN_FILE;
use crate::contract::ENV_CONTAINER_CREDENTIALS_FULL_URI;
use crate::contract::ENV_DEFAULT_REGION;
use crate::contract::ENV_ENDPOINT_URL;
use crate::contract::ENV_ENDPOINT_URL_STS;
use crate::contract::ENV_REGION;
use crate::contract::ENV_ROLE_ARN;
use crate::contract::ENV_ROLE_SESSION_NAME;
use crate::contract::ENV_STS_REGIONAL_ENDPOINTS;
use crate::contract::ENV_USE_DUALSTACK_ENDPOINT;
use crate::contract::ENV_USE_FIPS_ENDPOINT;
use crate::contract::ENV_WEB_IDENTITY_TOKEN_FILE;

pub static ROLE_ARN: Setting = aws(
    ENV_ROLE_ARN,
    "the role to assume; required where no roles file and no Pod Identity is",
    "arn:aws:iam::111122223333:role/app",
);
pub static WEB_IDENTITY_TOKEN_FILE: Setting = aws(
    ENV_WEB_IDENTITY_TOKEN_FILE,
    "the file with the projected ServiceAccount token; required with the same exceptions",
    "/var/run/secrets/eks.amazonaws.com/serviceaccount/token",
);
pub static ROLE_SESSION_NAME: Setting = aws(
    ENV_ROLE_SESSION_NAME,
    "the session's name, as CloudTrail shows it; else `POD_NAMESPACE`-`POD_NAME`, else irsa-sidecar-`HOSTNAME`",
    "shop-app-0",
);
pub static REGION: Setting =
    aws(ENV_REGION, "the region whose STS is asked; the profile's when it is not set", "eu-central-1");
pub static DEFAULT_REGION: Setting =
    aws(ENV_DEFAULT_REGION, "the same, when `AWS_REGION` is not set", "eu-central-1");
pub static STS_REGIONAL_ENDPOINTS: Setting = aws(
    ENV_STS_REGIONAL_ENDPOINTS,
    "`regional`, which is the default, or `legacy`: the global endpoint, in the regions where AWS's rules have it so",
    "regional",
);
pub static USE_FIPS_ENDPOINT: Setting =
    aws(ENV_USE_FIPS_ENDPOINT, "`true`: the FIPS endpoint of STS", "true");
pub static USE_DUALSTACK_ENDPOINT: Setting =
    aws(ENV_USE_DUALSTACK_ENDPOINT, "`true`: the endpoint of STS that has IPv6 too", "true");
pub static ENDPOINT_URL_STS: Setting = aws(
    ENV_ENDPOINT_URL_STS,
    "another STS, or a VPC endpoint",
    "https://vpce-0a1b-2c3d.sts.eu-central-1.vpce.amazonaws.com",
);
pub static ENDPOINT_URL: Setting =
    aws(ENV_ENDPOINT_URL, "the same, when `AWS_ENDPOINT_URL_STS` is not set", "https://aws.example.com");
pub static CA_BUNDLE: Setting = aws(
    ENV_CA_BUNDLE,
    "a PEM file with the certificate authorities to trust",
    "/etc/ssl/certs/ca-certificates.crt",
);
pub static CONTAINER_CREDENTIALS_FULL_URI: Setting = aws(
    ENV_CONTAINER_CREDENTIALS_FULL_URI,
    "where `AWS_ROLE_ARN` is not set: the EKS Pod Identity Agent, from which credentials come then",
    "http://169.254.170.23/v1/credentials",
);
pub static CONTAINER_AUTHORIZATION_TOKEN_FILE: Setting = aws(
    ENV_CONTAINER_AUTHORIZATION_TOKEN_FILE,
    "the file with the token for it",
    "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token",
);
/// Known so that it can be refused.
pub static CONTAINER_AUTHORIZATION_TOKEN: Setting =
    aws(ENV_CONTAINER_AUTHORIZATION_TOKEN, "the same as a value; not taken, since it cannot rotate", "");
pub static HTTPS_PROXY: Setting =
    aws("HTTPS_PROXY", "the proxy on the way to STS (or `https_proxy`)", "http://proxy.example.com:3128");
pub static NO_PROXY: Setting =
    aws("NO_PROXY", "hosts that are reached without the proxy (or `no_proxy`)", "127.0.0.1,.example.com");

/// In the order of docs/settings.md.
pub static AWS_SETTINGS: [&Setting; 15] = [
    &ROLE_ARN,
    &WEB_IDENTITY_TOKEN_FILE,
    &ROLE_SESSION_NAME,
    &REGION,
    &DEFAULT_REGION,
    &STS_REGIONAL_ENDPOINTS,
    &USE_FIPS_ENDPOINT,
    &USE_DUALSTACK_ENDPOINT,
    &ENDPOINT_URL_STS,
    &ENDPOINT_URL,
    &CA_BUNDLE,
    &CONTAINER_CREDENTIALS_FULL_URI,
    &CONTAINER_AUTHORIZATION_TOKEN_FILE,
    &HTTPS_PROXY,
    &NO_PROXY,
];

const fn aws(variable: &'static str, meaning: &'static str, example: &'static str) -> Setting {
    Setting { flag: None, variable, value: "", default: "", meaning, example }
}

//! Where STS is: region, FIPS, dual-stack, endpoint and profile, by the AWS SDK's own rules.
//!
//! IMDS is never asked for a region: with our own variables in the environment it would be ourselves that answer.

use aws_config::BehaviorVersion;
use aws_config::SdkConfig;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::ProvideRegion;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_sts::config::Region;
use aws_sdk_sts::config::endpoint::DefaultResolver;
use aws_sdk_sts::config::endpoint::Params;
use aws_sdk_sts::config::endpoint::ResolveEndpoint;
use aws_types::service_config::ServiceConfigKey;
use thiserror::Error;

use crate::sts::client::CALL_TIMEOUT;
use crate::sts::client::CONNECT_TIMEOUT;

/// STS names no region of its own; with an endpoint given by hand, none is needed and this one is never seen.
const UNUSED_REGION: &str = "us-east-1";

/// Why the environment and the profile do not say where STS is.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum ResolveError {
    #[error(
        "AWS_REGION: not set, and neither AWS_DEFAULT_REGION nor the profile names a region; STS is called in a \
         region. Example: AWS_REGION=eu-central-1 (the EKS webhook sets it from its --aws-default-region)"
    )]
    NoRegion,
    #[error(
        "the STS endpoint cannot be told from AWS_REGION, AWS_USE_FIPS_ENDPOINT, AWS_USE_DUALSTACK_ENDPOINT and \
         AWS_ENDPOINT_URL_STS together: {0}"
    )]
    Contradiction(String),
}

impl ResolveError {
    /// Stable: a log field.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Contradiction(_) => "EndpointContradiction",
            Self::NoRegion => "RegionMissing",
        }
    }
}

/// Whether there is a region or an endpoint at all: to be told together with what else is wrong.
pub async fn check_region() -> Result<(), ResolveError> {
    locate().await.map(drop)
}

/// What the environment and the profile say, and the endpoint if they give one; one or the other they must.
pub(super) async fn locate() -> Result<(SdkConfig, Option<String>), ResolveError> {
    let region = region().await;
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(CALL_TIMEOUT)
        .operation_attempt_timeout(CALL_TIMEOUT)
        .operation_timeout(CALL_TIMEOUT)
        .build();
    let sdk = aws_config::defaults(BehaviorVersion::latest())
        .no_credentials()
        .region(region.clone().unwrap_or(Region::from_static(UNUSED_REGION)))
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .load()
        .await;
    let given = given_endpoint(&sdk);
    if region.is_none() && given.is_none() { Err(ResolveError::NoRegion) } else { Ok((sdk, given)) }
}

/// An empty variable counts as unset, as in the other SDKs.
async fn region() -> Option<Region> {
    let environment = EnvironmentVariableRegionProvider::new().region().await;
    if let Some(region) = environment.filter(|region| !region.as_ref().is_empty()) {
        return Some(region);
    }
    ProfileFileRegionProvider::new().region().await.filter(|region| !region.as_ref().is_empty())
}

/// `AWS_ENDPOINT_URL_STS`, `AWS_ENDPOINT_URL`, or what the profile says in their place.
fn given_endpoint(sdk: &SdkConfig) -> Option<String> {
    let key =
        ServiceConfigKey::builder().service_id("STS").env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
    let for_sts = sdk.service_config().zip(key.ok()).and_then(|(config, key)| config.load_config(key));
    for_sts.or_else(|| sdk.endpoint_url().map(str::to_owned))
}

/// The call resolves it again; asked here, a contradiction is found at the start and not at the first exchange.
pub(super) async fn resolve_endpoint(sdk: &SdkConfig, given: Option<String>) -> Result<String, ResolveError> {
    let contradiction = |error: &dyn std::error::Error| ResolveError::Contradiction(error.to_string());
    let params = Params::builder()
        .set_region(sdk.region().map(ToString::to_string))
        .set_use_fips(sdk.use_fips())
        .set_use_dual_stack(sdk.use_dual_stack())
        .set_endpoint(given)
        .build()
        .map_err(|error| contradiction(&error))?;
    let endpoint = DefaultResolver::new().resolve_endpoint(&params).await;
    endpoint.map(|endpoint| endpoint.url().to_owned()).map_err(|error| contradiction(&*error))
}

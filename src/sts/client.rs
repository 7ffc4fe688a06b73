//! The door to `aws-config` and `aws-sdk-sts`.
//!
//! From `aws-config` come the region, FIPS, dual-stack, endpoint and profile rules, as users of any SDK know them. Its
//! credential chain is never built and its IMDS region provider never asked: with our own variables in the environment
//! either would end at ourselves. The SDK's retries are off, the schedule is `refresh`'s.
//!
//! A connection is made for each exchange and dropped after it. Exchanges are half an hour apart, so nothing is gained
//! by keeping one, and a CA bundle or a DNS answer that changed is seen without a restart.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::SdkConfig;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::ProvideRegion;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_sts::config::Region;
use aws_sdk_sts::config::SharedHttpClient;
use aws_sdk_sts::config::endpoint::DefaultResolver;
use aws_sdk_sts::config::endpoint::Params;
use aws_sdk_sts::config::endpoint::ResolveEndpoint;
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityOutput;
use aws_smithy_runtime_api::client::http::http_client_fn;
use aws_types::service_config::ServiceConfigKey;
use thiserror::Error;

use crate::clock::Clock;
use crate::config::PodNames;
use crate::config::SessionDuration;
use crate::config::WebIdentity;
use crate::contract::MAX_SESSION_DURATION;
use crate::sts::Basis;
use crate::sts::ErrorKind;
use crate::sts::Exchange;
use crate::sts::ExchangeError;
use crate::sts::Exchanged;
use crate::sts::client::accept::accept;
use crate::sts::client::connector::build_connector;
use crate::sts::client::connector::untrusted;
use crate::sts::client::failure::classify;
use crate::sts::client::failure::is_from_sts;
use crate::sts::client::failure::without_token;
use crate::sts::client::heard::Heard;
use crate::token::Token;

mod accept;
mod connector;
mod failure;
mod heard;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// STS names no region of its own; with an endpoint given by hand, none is needed and this one is never seen.
const UNUSED_REGION: &str = "us-east-1";

/// STS, for one role.
#[derive(Clone, Debug)]
pub struct Client {
    sdk: SdkConfig,
    endpoint: String,
    web_identity: Arc<WebIdentity>,
    pod: PodNames,
    ca_bundle: Option<PathBuf>,
    clock: Clock,
}

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

impl Client {
    /// Resolves region and endpoint as an SDK would, IMDS left out.
    pub async fn resolve(
        web_identity: Arc<WebIdentity>,
        pod: PodNames,
        ca_bundle: Option<PathBuf>,
        clock: Clock,
    ) -> Result<Self, ResolveError> {
        let (sdk, given) = locate().await?;
        let endpoint = resolve_endpoint(&sdk, given).await?;
        Ok(Self { sdk, endpoint, web_identity, pod, ca_bundle, clock })
    }

    /// Where STS is called, as the SDK's rules make it of region, FIPS, dual-stack and endpoint.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    fn asked(&self) -> Duration {
        match self.web_identity.session.duration {
            SessionDuration::Fixed(duration) => duration,
            SessionDuration::Max => MAX_SESSION_DURATION,
        }
    }

    async fn call(
        &self,
        token: &Token,
        heard: &Heard,
    ) -> Result<AssumeRoleWithWebIdentityOutput, ExchangeError> {
        let http = self.http_client().await?;
        let config =
            aws_sdk_sts::config::Builder::from(&self.sdk).http_client(http).interceptor(heard.clone());
        aws_sdk_sts::Client::from_conf(config.build())
            .assume_role_with_web_identity()
            .role_arn(self.web_identity.session.role_arn.as_str())
            .role_session_name(self.web_identity.session.name.fill(&self.pod).as_str())
            .web_identity_token(token.secret().expose())
            .duration_seconds(i32::try_from(self.asked().as_secs()).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(|error| {
                if !is_from_sts(&error) {
                    heard.forget_date();
                }
                without_token(classify(&self.endpoint, &error), token)
            })
    }

    /// Loading a hundred and a half root certificates takes a millisecond or three: not on the server's thread. So the
    /// connector is built there, and the SDK, which asks for one twice for each call, gets copies of it.
    async fn http_client(&self) -> Result<SharedHttpClient, ExchangeError> {
        let (ca_bundle, sleep) = (self.ca_bundle.clone(), self.sdk.sleep_impl());
        let built = tokio::task::spawn_blocking(move || build_connector(ca_bundle, sleep)).await;
        let connector =
            built.unwrap_or_else(|_| Err(untrusted("the TLS client could not be built".to_owned())))?;
        Ok(http_client_fn(move |_, _| connector.clone()))
    }
}

impl Exchange for Client {
    async fn exchange(&self, basis: &Basis) -> Result<Exchanged, ExchangeError> {
        let Basis::Token(token) = basis else {
            return Err(ExchangeError::new(ErrorKind::Other, "a web identity token is needed"));
        };
        let heard = Heard::default();
        let result = match tokio::time::timeout(CALL_TIMEOUT, self.call(token, &heard)).await {
            Ok(result) => result,
            Err(_) => Err(ExchangeError::new(
                ErrorKind::TimedOut,
                format!("STS at {} did not answer within {} s", self.endpoint, CALL_TIMEOUT.as_secs()),
            )),
        };
        let reply = heard.take();
        match result {
            Ok(output) => accept(
                &self.web_identity.session.role_arn,
                self.asked(),
                output,
                Arc::new(self.pod.clone()),
                reply,
                self.clock.read(),
            ),
            Err(error) => Err(ExchangeError { reply, ..error }),
        }
    }
}

/// Whether there is a region or an endpoint at all: to be told together with what else is wrong.
pub async fn check_region() -> Result<(), ResolveError> {
    locate().await.map(drop)
}

/// What the environment and the profile say, and the endpoint if they give one; one or the other they must.
async fn locate() -> Result<(SdkConfig, Option<String>), ResolveError> {
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
async fn resolve_endpoint(sdk: &SdkConfig, given: Option<String>) -> Result<String, ResolveError> {
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

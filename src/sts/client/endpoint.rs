//! Where STS is: region, FIPS, dual-stack, global endpoint, endpoint URL and profile, by the AWS SDK's own rules.
//!
//! It is found once, at the start, where a contradiction can still be told to whoever made it. Every call goes to what was
//! found then, signed for the region that the rules name. IMDS is never asked for a region: with our own variables in the
//! environment it would be ourselves that answer.

use aws_config::BehaviorVersion;
use aws_config::SdkConfig;
use aws_config::meta::region::ProvideRegion;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_sdk_sts::config::Builder;
use aws_sdk_sts::config::Region;
use aws_sdk_sts::config::endpoint::DefaultResolver;
use aws_sdk_sts::config::endpoint::Endpoint;
use aws_sdk_sts::config::endpoint::EndpointFuture;
use aws_sdk_sts::config::endpoint::Params;
use aws_sdk_sts::config::endpoint::ResolveEndpoint;
use aws_types::service_config::ServiceConfigKey;
use thiserror::Error;

use crate::config::Warning;
use crate::config::env::Environment;
use crate::config::env::Strings;
use crate::config::in_clear;
use crate::config::is_endpoint;
use crate::contract::ENV_DEFAULT_REGION;
use crate::contract::ENV_ENDPOINT_URL;
use crate::contract::ENV_ENDPOINT_URL_STS;
use crate::contract::ENV_REGION;
use crate::contract::ENV_STS_REGIONAL_ENDPOINTS;
use crate::contract::ENV_USE_DUALSTACK_ENDPOINT;
use crate::contract::ENV_USE_FIPS_ENDPOINT;
use crate::file::ReadFileError;
use crate::sts::client::CALL_TIMEOUT;
use crate::sts::client::CONNECT_TIMEOUT;
use crate::sts::client::profile_files;

/// The name that the rules have for the global endpoint.
const GLOBAL: &str = "aws-global";
/// A call to an endpoint given by hand, without a region, is signed for this one, as is one to the global endpoint.
const DEFAULT_SIGNING_REGION: &str = "us-east-1";
/// The SDK asks a variable first, and takes an empty one for a value. Nobody sets this one.
const NO_VARIABLE: &str = "IRSA_SIDECAR_PROFILE_ALONE";

/// Where STS is, and what else a call is made of.
#[derive(Clone, Debug)]
pub(super) struct Location {
    sdk: SdkConfig,
    endpoint: Endpoint,
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
        "AWS_REGION={0} (or what AWS_DEFAULT_REGION or the profile says): it stands for a whole partition, which has \
         no STS. Name one of its regions"
    )]
    NotARegion(String),
    #[error(
        "sts_regional_endpoints={0:?} in the profile: it is not one of regional, legacy. Mend it there, or set \
         AWS_STS_REGIONAL_ENDPOINTS=regional"
    )]
    NotRegional(String),
    #[error(
        "{path}, which {named_by} names: {why}. The AWS SDKs read it for the profile; it must be a file of at most 1 MiB"
    )]
    ProfileFile { path: String, named_by: &'static str, why: ReadFileError },
    #[error(
        "endpoint_url in the profile, or AWS_ENDPOINT_URL_STS: it is no endpoint's URL, and may hold what is not to be shown. \
         Write it as https://HOST[:PORT], without a user, a password or a query"
    )]
    EndpointUrl,
    #[error("{settings} do not go together, be they from the environment or from the profile: {why}")]
    Contradiction { settings: String, why: String },
}

/// What STS's place is made of.
#[derive(Clone, Debug, Default)]
struct Wanted {
    region: Option<String>,
    use_fips: bool,
    use_dual_stack: bool,
    /// `AWS_STS_REGIONAL_ENDPOINTS=legacy`
    is_legacy: bool,
    url: Option<String>,
}

/// Answers what was found at the start.
#[derive(Debug)]
struct Found(Endpoint);

impl Location {
    /// As an SDK would find it, IMDS left out.
    pub(super) async fn find() -> Result<Self, ResolveError> {
        let (sdk, wanted) = locate().await?;
        Self::of(sdk, wanted).await
    }

    async fn of(sdk: SdkConfig, wanted: Wanted) -> Result<Self, ResolveError> {
        Ok(Self { sdk, endpoint: wanted.resolve().await? })
    }

    pub(super) fn url(&self) -> &str {
        self.endpoint.url()
    }

    /// What `config` says of a variable, where it is the profile that has plain HTTP go to another host.
    pub(super) fn warning(&self) -> Option<Warning> {
        let of_variable =
            [ENV_ENDPOINT_URL_STS, ENV_ENDPOINT_URL].into_iter().any(|name| variable(name).is_some());
        (!of_variable).then(|| in_clear("endpoint_url in the profile", self.url())).flatten()
    }

    /// Another IAM than AWS's, by the rules that hold for STS's own.
    pub(super) fn iam_url(&self) -> Option<String> {
        let key = ServiceConfigKey::builder()
            .service_id("IAM")
            .env(ENV_ENDPOINT_URL)
            .profile("endpoint_url")
            .build();
        self.sdk.service_config()?.load_config(key.ok()?).filter(|url| !url.is_empty())
    }

    pub(super) fn sdk(&self) -> &SdkConfig {
        &self.sdk
    }

    /// A client's that calls there.
    pub(super) fn config(&self) -> Builder {
        Builder::from(&self.sdk).endpoint_resolver(Found(self.endpoint.clone()))
    }
}

impl ResolveError {
    /// Stable: a log field.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Contradiction { .. } => "EndpointContradiction",
            Self::EndpointUrl => "EndpointUnusable",
            Self::NoRegion => "RegionMissing",
            Self::NotARegion(_) => "RegionUnusable",
            Self::NotRegional(_) => "RegionalEndpointsUnusable",
            Self::ProfileFile { .. } => "ProfileFileUnusable",
        }
    }
}

impl Wanted {
    async fn resolve(&self) -> Result<Endpoint, ResolveError> {
        if let Some(region) = &self.region
            && self.url.is_none()
            && stands_for_a_partition(region)
        {
            if region != GLOBAL {
                return Err(ResolveError::NotARegion(region.clone()));
            }
            if self.use_fips || self.use_dual_stack {
                let why = "the global endpoint has no such form. Name a region, as in AWS_REGION=us-east-1";
                return Err(self.contradiction(why));
            }
        }
        let params = Params::builder()
            .set_region(self.region.clone())
            .use_fips(self.use_fips)
            .use_dual_stack(self.use_dual_stack)
            .set_endpoint(self.url.clone())
            .use_global_endpoint(self.is_legacy)
            .build()
            .map_err(|error| self.contradiction(&error.to_string()))?;
        let endpoint = DefaultResolver::new().resolve_endpoint(&params).await;
        endpoint.map_err(|error| {
            let why = error.to_string();
            self.contradiction(&format!(
                "{}. Unset one of them",
                why.trim_start_matches("Invalid Configuration: ")
            ))
        })
    }

    fn contradiction(&self, why: &str) -> ResolveError {
        let is_true = |is_true: bool| is_true.then_some("true");
        let settings: Vec<String> = [
            (ENV_REGION, self.region.as_deref()),
            (ENV_USE_FIPS_ENDPOINT, is_true(self.use_fips)),
            (ENV_USE_DUALSTACK_ENDPOINT, is_true(self.use_dual_stack)),
            (ENV_STS_REGIONAL_ENDPOINTS, self.is_legacy.then_some("legacy")),
            (ENV_ENDPOINT_URL_STS, self.url.as_deref()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", value?)))
        .collect();
        ResolveError::Contradiction { settings: settings.join(", "), why: why.to_owned() }
    }
}

impl ResolveEndpoint for Found {
    fn resolve_endpoint<'a>(&'a self, _: &'a Params) -> EndpointFuture<'a> {
        EndpointFuture::ready(Ok(self.0.clone()))
    }
}

/// `aws-cn-global` and the like: save of `aws-global`, the rules would make a host of them that is none.
fn stands_for_a_partition(region: &str) -> bool {
    region.starts_with("aws-") && region.ends_with("-global")
}

/// Whether there is a region or an endpoint at all: to be told together with what else is wrong.
pub async fn check_region() -> Result<(), ResolveError> {
    locate().await.map(drop)
}

/// What the environment and the profile say: a region, an endpoint, or that neither is needed.
async fn locate() -> Result<(SdkConfig, Wanted), ResolveError> {
    let files = profile_files::read()?;
    let region = region_of(files.clone()).await;
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(CALL_TIMEOUT)
        .operation_attempt_timeout(CALL_TIMEOUT)
        .operation_timeout(CALL_TIMEOUT)
        .build();
    let sdk = aws_config::defaults(BehaviorVersion::latest())
        .no_credentials()
        .profile_files(files)
        .region(Region::new(signing_region(region.as_deref())))
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .load()
        .await;
    let url = endpoint_url(&sdk);
    if url.as_deref().is_some_and(|url| !is_endpoint(url)) {
        return Err(ResolveError::EndpointUrl);
    }
    let is_legacy = is_legacy(&sdk)?;
    let region = match region {
        None if is_legacy => Some(GLOBAL.to_owned()),
        None if url.is_none() => return Err(ResolveError::NoRegion),
        region => region,
    };
    let use_fips = sdk.use_fips().unwrap_or_default();
    let use_dual_stack = sdk.use_dual_stack().unwrap_or_default();
    Ok((sdk, Wanted { region, use_fips, use_dual_stack, is_legacy, url }))
}

/// Where the rules name none.
fn signing_region(region: Option<&str>) -> String {
    region.filter(|region| *region != GLOBAL).unwrap_or(DEFAULT_SIGNING_REGION).to_owned()
}

/// What the environment says, else the profile.
pub async fn region() -> Option<String> {
    region_of(profile_files::read().ok()?).await
}

async fn region_of(files: EnvConfigFiles) -> Option<String> {
    if let Some(region) = variable(ENV_REGION).or_else(|| variable(ENV_DEFAULT_REGION)) {
        return Some(region);
    }
    let region = ProfileFileRegionProvider::builder().profile_files(files).build().region().await?;
    Some(region.to_string()).filter(|region| !region.is_empty())
}

/// `AWS_ENDPOINT_URL_STS`, `AWS_ENDPOINT_URL`, or what the profile says in their place.
fn endpoint_url(sdk: &SdkConfig) -> Option<String> {
    // None as well where AWS_IGNORE_CONFIGURED_ENDPOINT_URLS has it so.
    setting(sdk, ENV_ENDPOINT_URL, "endpoint_url")?;
    variable(ENV_ENDPOINT_URL_STS)
        .or_else(|| variable(ENV_ENDPOINT_URL))
        .or_else(|| setting(sdk, NO_VARIABLE, "endpoint_url"))
}

fn is_legacy(sdk: &SdkConfig) -> Result<bool, ResolveError> {
    // What is wrong with the variable, `config` has told.
    if let Some(value) = variable(ENV_STS_REGIONAL_ENDPOINTS) {
        return Ok(value.eq_ignore_ascii_case("legacy"));
    }
    match setting(sdk, NO_VARIABLE, "sts_regional_endpoints") {
        Some(value) if value.eq_ignore_ascii_case("legacy") => Ok(true),
        Some(value) if !value.eq_ignore_ascii_case("regional") => Err(ResolveError::NotRegional(value)),
        _ => Ok(false),
    }
}

/// An empty variable counts as unset, as in the other SDKs.
fn variable(name: &str) -> Option<String> {
    Environment.var(name).ok().flatten().filter(|value| !value.is_empty())
}

/// As the SDK reads it: the variable for STS, the variable, the profile's section for STS, the profile.
fn setting(sdk: &SdkConfig, variable: &str, profile: &str) -> Option<String> {
    let key = ServiceConfigKey::builder().service_id("STS").env(variable).profile(profile).build();
    sdk.service_config()?.load_config(key.ok()?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;
    use std::sync::Mutex;

    use aws_sdk_sts::config::Credentials;
    use aws_smithy_runtime_api::client::http::HttpConnector;
    use aws_smithy_runtime_api::client::http::HttpConnectorFuture;
    use aws_smithy_runtime_api::client::http::SharedHttpConnector;
    use aws_smithy_runtime_api::client::http::http_client_fn;
    use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
    use aws_smithy_runtime_api::client::result::ConnectorError;

    use super::*;

    const FIPS: u8 = 1;
    const DUAL_STACK: u8 = 2;
    const LEGACY: u8 = 4;

    /// Region, what is wanted beside it, endpoint URL → what is called, signed for which region.
    type Case = (&'static str, u8, &'static str, &'static str, &'static str);

    #[rustfmt::skip]
    const CASES: &[Case] = &[
        // aws
        ("eu-central-1", 0, "", "https://sts.eu-central-1.amazonaws.com", "eu-central-1"),
        ("us-east-1", 0, "", "https://sts.us-east-1.amazonaws.com", "us-east-1"),
        ("aws-global", 0, "", "https://sts.amazonaws.com", "us-east-1"),
        ("us-east-1", FIPS, "", "https://sts-fips.us-east-1.amazonaws.com", "us-east-1"),
        ("eu-central-1", DUAL_STACK, "", "https://sts.eu-central-1.api.aws", "eu-central-1"),
        ("us-west-2", FIPS | DUAL_STACK, "", "https://sts-fips.us-west-2.api.aws", "us-west-2"),
        // The global endpoint is for the regions that were there before there was another; FIPS and dual-stack beat it.
        ("us-east-1", LEGACY, "", "https://sts.amazonaws.com", "us-east-1"),
        ("eu-central-1", LEGACY, "", "https://sts.amazonaws.com", "us-east-1"),
        ("ap-southeast-2", LEGACY, "", "https://sts.amazonaws.com", "us-east-1"),
        ("aws-global", LEGACY, "", "https://sts.amazonaws.com", "us-east-1"),
        ("af-south-1", LEGACY, "", "https://sts.af-south-1.amazonaws.com", "af-south-1"),
        ("eu-south-2", LEGACY, "", "https://sts.eu-south-2.amazonaws.com", "eu-south-2"),
        ("us-east-1", LEGACY | FIPS, "", "https://sts-fips.us-east-1.amazonaws.com", "us-east-1"),
        ("eu-west-1", LEGACY | DUAL_STACK, "", "https://sts.eu-west-1.api.aws", "eu-west-1"),
        // aws-cn
        ("cn-north-1", 0, "", "https://sts.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("cn-northwest-1", LEGACY, "", "https://sts.cn-northwest-1.amazonaws.com.cn", "cn-northwest-1"),
        ("cn-north-1", DUAL_STACK, "", "https://sts.cn-north-1.api.amazonwebservices.com.cn", "cn-north-1"),
        // aws-us-gov, whose regional endpoints are FIPS ones.
        ("us-gov-west-1", 0, "", "https://sts.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("us-gov-west-1", FIPS, "", "https://sts.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("us-gov-east-1", LEGACY, "", "https://sts.us-gov-east-1.amazonaws.com", "us-gov-east-1"),
        ("us-gov-east-1", DUAL_STACK, "", "https://sts.us-gov-east-1.api.aws", "us-gov-east-1"),
        ("us-gov-east-1", FIPS | DUAL_STACK, "", "https://sts-fips.us-gov-east-1.api.aws", "us-gov-east-1"),
        // aws-iso, -b, -e, -f
        ("us-iso-east-1", 0, "", "https://sts.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
        ("us-iso-east-1", FIPS, "", "https://sts-fips.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
        ("us-iso-west-1", DUAL_STACK, "", "https://sts.us-iso-west-1.api.aws.ic.gov", "us-iso-west-1"),
        ("us-iso-west-1", LEGACY, "", "https://sts.us-iso-west-1.c2s.ic.gov", "us-iso-west-1"),
        ("us-isob-east-1", 0, "", "https://sts.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1"),
        ("us-isob-east-1", DUAL_STACK, "", "https://sts.us-isob-east-1.api.aws.scloud", "us-isob-east-1"),
        ("eu-isoe-west-1", 0, "", "https://sts.eu-isoe-west-1.cloud.adc-e.uk", "eu-isoe-west-1"),
        ("eu-isoe-west-1", FIPS, "", "https://sts-fips.eu-isoe-west-1.cloud.adc-e.uk", "eu-isoe-west-1"),
        ("us-isof-south-1", 0, "", "https://sts.us-isof-south-1.csp.hci.ic.gov", "us-isof-south-1"),
        ("us-isof-east-1", LEGACY, "", "https://sts.us-isof-east-1.csp.hci.ic.gov", "us-isof-east-1"),
        // aws-eusc
        ("eusc-de-east-1", 0, "", "https://sts.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
        ("eusc-de-east-1", LEGACY, "", "https://sts.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
        ("eusc-de-east-1", DUAL_STACK, "", "https://sts.eusc-de-east-1.api.amazonwebservices.eu", "eusc-de-east-1"),
        // A region that the rules do not know yet is known by its beginning, else it is one of aws.
        ("us-gov-north-7", 0, "", "https://sts.us-gov-north-7.amazonaws.com", "us-gov-north-7"),
        ("local", 0, "", "https://sts.local.amazonaws.com", "local"),
        // Another's endpoint
        ("eu-central-1", 0, "https://vpce-1.sts.eu-central-1.vpce.amazonaws.com", "https://vpce-1.sts.eu-central-1.vpce.amazonaws.com", "eu-central-1"),
        ("us-iso-east-1", 0, "https://sts.example:8443/path", "https://sts.example:8443/path", "us-iso-east-1"),
        ("eu-central-1", LEGACY, "https://sts.example", "https://sts.example", "eu-central-1"),
        ("aws-global", 0, "https://sts.example", "https://sts.example", "us-east-1"),
        ("", 0, "https://sts.example", "https://sts.example", "us-east-1"),
    ];

    /// What does not go together, and a word of what is said of it.
    #[rustfmt::skip]
    const CONTRADICTIONS: &[(&str, u8, &str, &[&str])] = &[
        ("eu-central-1", FIPS, "https://sts.example", &["AWS_USE_FIPS_ENDPOINT=true", "AWS_ENDPOINT_URL_STS=https://sts.example", "FIPS and custom endpoint"]),
        ("eu-central-1", DUAL_STACK, "https://sts.example", &["AWS_USE_DUALSTACK_ENDPOINT=true", "AWS_ENDPOINT_URL_STS=https://sts.example", "Dualstack and custom endpoint"]),
        ("aws-global", LEGACY | FIPS, "", &["AWS_STS_REGIONAL_ENDPOINTS=legacy", "AWS_USE_FIPS_ENDPOINT=true", "AWS_REGION=us-east-1"]),
        ("aws-global", DUAL_STACK, "", &["AWS_REGION=aws-global", "AWS_USE_DUALSTACK_ENDPOINT=true"]),
        ("aws-cn-global", 0, "", &["AWS_REGION=aws-cn-global", "Name one of its regions"]),
        ("aws-us-gov-global", FIPS, "", &["AWS_REGION=aws-us-gov-global"]),
    ];

    #[tokio::test]
    async fn calls_what_the_rules_of_aws_have_for_each_partition() {
        for (region, wanted, url, called, signed_for) in CASES {
            let seen = call(located(region, *wanted, url).await.unwrap()).await;
            let (uri, scope) = seen.unwrap_or_else(|| panic!("no call for {region} {wanted} {url}"));
            let case = format!("{region} {wanted} {url}");
            assert_eq!(uri.trim_end_matches('/'), *called, "{case}");
            assert_eq!(scope, format!("{signed_for}/sts/aws4_request"), "{case}");
        }
    }

    #[tokio::test]
    async fn a_contradiction_names_what_does_not_go_together() {
        for (region, wanted, url, words) in CONTRADICTIONS {
            let said = located(region, *wanted, url).await.unwrap_err().to_string();
            assert!(words.iter().all(|word| said.contains(word)), "{region} {wanted} {url}: {said}");
        }
    }

    async fn located(region: &str, wanted: u8, url: &str) -> Result<Location, ResolveError> {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let (use_fips, use_dual_stack) = (wanted & FIPS != 0, wanted & DUAL_STACK != 0);
        let region = some(region);
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(signing_region(region.as_deref())))
            .use_fips(use_fips)
            .use_dual_stack(use_dual_stack)
            .retry_config(RetryConfig::disabled())
            .build();
        let is_legacy = wanted & LEGACY != 0;
        Location::of(sdk, Wanted { region, use_fips, use_dual_stack, is_legacy, url: some(url) }).await
    }

    /// A signed call's URL and the region, service and end of its credential scope.
    async fn call(location: Location) -> Option<(String, String)> {
        let recorder = Recorder::default();
        let connector = SharedHttpConnector::new(recorder.clone());
        let config = location
            .config()
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret", None, None, "test"))
            .build();
        let call = aws_sdk_sts::Client::from_conf(config).assume_role();
        let _ = call.role_arn("arn:aws:iam::111122223333:role/app").role_session_name("app").send().await;
        recorder.0.lock().unwrap().take()
    }

    /// Writes down where a call would have gone.
    #[derive(Clone, Debug, Default)]
    struct Recorder(Arc<Mutex<Option<(String, String)>>>);

    impl HttpConnector for Recorder {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            let authorization = request.headers().get("authorization").unwrap_or_default();
            let credential = authorization.split("Credential=").nth(1).unwrap_or_default();
            let scope = credential.split(',').next().unwrap().splitn(3, '/').nth(2).unwrap_or_default();
            *self.0.lock().unwrap() = Some((request.uri().to_owned(), scope.to_owned()));
            HttpConnectorFuture::ready(Err(ConnectorError::user("nothing is called here".into())))
        }
    }
}

//! The application: it asks AWS who it is, again and again, through the SDK's own container provider.
//!
//! Settings: `AWS_CONTAINER_CREDENTIALS_FULL_URI`, `AWS_REGION`, `AWS_ENDPOINT_URL_STS`; the one argument is the pause
//! between calls in milliseconds. On stdout a line of JSON for each call, see [`Called`].
//!
//! The SDK's credentials cache is off: in the last quarter of an hour of a session the older SDKs ask for credentials
//! at each call, and a session of seconds has no other part.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::identity::IdentityCache;
use aws_config::provider_config::ProviderConfig;
use aws_sdk_sts::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_sts::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_sts::error::BoxError;
use serde::{Deserialize, Serialize};
use tokio::time::MissedTickBehavior;

use irsa_sidecar::clock::Clock;

/// What became of one `GetCallerIdentity`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Called {
    /// With which the request was signed, as it stands in its `Authorization`.
    pub access_key_id: Option<String>,
    /// Who AWS says that is.
    pub arn: Option<String>,
    /// Why there is no answer.
    pub error: Option<String>,
    pub took_ms: u64,
}

/// Notes the key in each request's signature.
#[derive(Clone, Debug, Default)]
struct Signatures(Arc<Mutex<Option<String>>>);

/// Until nobody reads its lines any more.
pub(crate) async fn run() -> ExitCode {
    let pause = std::env::args().nth(1).and_then(|millis| millis.parse().ok()).unwrap_or(500);
    let http = aws_smithy_http_client::Builder::new().build_http();
    let surroundings = ProviderConfig::without_region().with_http_client(http.clone());
    let provider = EcsCredentialsProvider::builder().configure(&surroundings).build();
    let sdk = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .credentials_provider(provider)
        .identity_cache(IdentityCache::no_cache())
        .load()
        .await;
    let signatures = Signatures::default();
    let config = aws_sdk_sts::config::Builder::from(&sdk).interceptor(signatures.clone()).build();
    let aws = aws_sdk_sts::Client::from_conf(config);

    let mut beat = tokio::time::interval(Duration::from_millis(pause));
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        let line = serde_json::to_string(&call(&aws, &signatures).await).expect("strings must serialize");
        if writeln!(std::io::stdout(), "{line}").is_err() {
            return ExitCode::SUCCESS;
        }
    }
}

async fn call(aws: &aws_sdk_sts::Client, signatures: &Signatures) -> Called {
    let clock = Clock::system();
    let started_at = clock.steady();
    let answer = aws.get_caller_identity().send().await;
    let took_ms = u64::try_from((clock.steady() - started_at).as_millis()).unwrap_or(u64::MAX);
    let access_key_id = signatures.take();
    match answer {
        Ok(identity) => Called { access_key_id, arn: identity.arn, error: None, took_ms },
        Err(error) => Called { access_key_id, arn: None, error: Some(innermost(&error)), took_ms },
    }
}

/// The ends of an access key id: as much as is shown anywhere.
pub(crate) fn shortened(key: &str) -> String {
    match (key.get(..4), key.len().checked_sub(4).and_then(|at| key.get(at..))) {
        (Some(first), Some(last)) => format!("{first}…{last}"),
        _ => "no key".to_owned(),
    }
}

/// The SDK wraps its errors four deep, and only the last says what happened.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

impl Signatures {
    fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Intercept for Signatures {
    fn name(&self) -> &'static str {
        "signatures"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // `AWS4-HMAC-SHA256 Credential=ASIA…/20261123/eu-central-1/sts/aws4_request, …`
        let authorization = context.request().headers().get("authorization").unwrap_or_default();
        let key = authorization.split("Credential=").nth(1).and_then(|rest| rest.split('/').next());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = key.map(str::to_owned);
        Ok(())
    }
}

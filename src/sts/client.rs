//! The door to `aws-config` and `aws-sdk-sts`.
//!
//! From `aws-config` come the region, FIPS, dual-stack, endpoint and profile rules, as users of any SDK know them. Its
//! credential chain is never built and its IMDS region provider never asked: with our own variables in the environment
//! either would end at ourselves. The SDK's retries are off, the schedule is `refresh`'s.
//!
//! Connections are made for a burst of exchanges and dropped after it. One role's exchanges are half an hour apart, so
//! nothing is gained by keeping them, and a CA bundle or a DNS answer that changed is seen without a restart; fifty roles
//! that start together share the few that they need. So many calls at the same time, and no more: neither STS's limits nor
//! our memory know how long a roles file is.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Weak;
use std::time::Duration;
use std::time::SystemTime;

use aws_sdk_sts::config::Builder;
use aws_sdk_sts::config::SharedHttpClient;
use aws_sdk_sts::error::SdkError;
use aws_sdk_sts::types::PolicyDescriptorType;
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use aws_smithy_runtime_api::client::http::http_client_fn;
use tokio::sync::Mutex;
use tokio::sync::Semaphore;

use crate::clock::Clock;
use crate::config::Session;
use crate::config::Warning;
use crate::secret::Secret;
use crate::sts::ErrorKind;
use crate::sts::ExchangeError;
use crate::sts::Reply;
use crate::sts::client::connector::build_connector;
use crate::sts::client::connector::untrusted;
use crate::sts::client::endpoint::Location;
use crate::sts::client::failure::Said;
use crate::sts::client::failure::classify;
use crate::sts::client::failure::is_from_sts;
use crate::sts::client::heard::Heard;
use crate::sts::given::reply_without_secret;
use crate::sts::given::without_secret;

mod accept;
mod chain;
mod connector;
mod endpoint;
mod failure;
mod heard;
mod iam;
mod longest;
mod look;
pub(crate) mod profile_files;
mod signed;
mod web_identity;

pub use chain::ChainClient;
pub use chain::mend as mend_of_chain;
pub use endpoint::ResolveError;
pub use endpoint::check_region;
pub use endpoint::region;
pub use failure::CertificateFault;
pub use iam::GetRoleError;
pub use iam::IamRole;
pub use look::Seen;
pub use web_identity::WebIdentityClient;
pub use web_identity::names;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Exchanges at the same time; whoever comes then waits until one has ended, which each does within the time-out.
const MAX_CALLS: usize = 8;

/// STS, for every role.
#[derive(Clone, Debug)]
pub struct Sts(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    location: Location,
    ca_bundle: Option<PathBuf>,
    clock: Clock,
    /// Alive for as long as a call is under way.
    connector: Mutex<Weak<SharedHttpConnector>>,
    places: Semaphore,
}

impl Sts {
    /// Resolves region and endpoint as an SDK would, IMDS left out.
    pub async fn resolve(ca_bundle: Option<PathBuf>, clock: Clock) -> Result<Self, ResolveError> {
        let location = Location::find().await?;
        if let Some(Warning { code, message }) = location.warning() {
            tracing::warn!(code, "{message}");
        }
        let (connector, places) = (Mutex::default(), Semaphore::new(MAX_CALLS));
        Ok(Self(Arc::new(Shared { location, ca_bundle, clock, connector, places })))
    }

    /// Where STS is called, as the SDK's rules make it of region, FIPS, dual-stack and endpoint.
    pub fn endpoint(&self) -> &str {
        self.0.location.url()
    }

    /// What is to be said of the place, where it is the profile that names it.
    pub fn warning(&self) -> Option<Warning> {
        self.0.location.warning()
    }

    /// The region that it is called in, where there is one.
    pub fn region(&self) -> Option<&str> {
        self.0.location.sdk().region().map(AsRef::as_ref)
    }

    fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// One call, with what its reply said about itself. Whoever answers may repeat `secret` to us; nobody else hears it.
    async fn call<O, E: Said>(
        &self,
        secret: &Secret,
        send: impl AsyncFnOnce(Builder) -> Result<O, SdkError<E>>,
    ) -> Result<(O, Reply), ExchangeError> {
        let _place = self.0.places.acquire().await.expect("the semaphore must not be closed");
        let heard = Heard::default();
        let call = async {
            let http = self.http_client().await?;
            let config = self.0.location.config().http_client(http).interceptor(heard.clone());
            send(config).await.map_err(|error| {
                if !is_from_sts(&error) {
                    heard.forget_date();
                }
                classify(self.endpoint(), &error)
            })
        };
        let result = tokio::time::timeout(CALL_TIMEOUT, call).await.unwrap_or_else(|_| {
            let within = CALL_TIMEOUT.as_secs();
            let message = format!("STS at {} did not answer within {within} s", self.endpoint());
            Err(ExchangeError::new(ErrorKind::TimedOut, message))
        });
        let reply = heard.take();
        match result {
            Ok(output) => Ok((output, reply_without_secret(reply, secret))),
            Err(error) => Err(without_secret(ExchangeError { reply, ..error }, secret)),
        }
    }

    /// Loading a hundred and a half root certificates takes a millisecond or three: not on the server's thread. So the
    /// connector is built there, and the SDK, which asks for one twice for each call, gets copies of it.
    async fn connector(&self) -> Result<Arc<SharedHttpConnector>, ExchangeError> {
        let mut shared = self.0.connector.lock().await;
        let connector = match shared.upgrade() {
            Some(connector) => connector,
            None => {
                let (ca_bundle, sleep) = (self.0.ca_bundle.clone(), self.0.location.sdk().sleep_impl());
                let built = tokio::task::spawn_blocking(move || build_connector(ca_bundle, sleep)).await;
                let failed = || Err(untrusted("the TLS client could not be built".to_owned()));
                Arc::new(built.unwrap_or_else(|_| failed())?)
            }
        };
        *shared = Arc::downgrade(&connector);
        Ok(connector)
    }

    async fn http_client(&self) -> Result<SharedHttpClient, ExchangeError> {
        let connector = self.connector().await?;
        Ok(http_client_fn(move |_, _| SharedHttpConnector::clone(&connector)))
    }
}

/// A reply's `Date`.
pub(crate) fn parse_date(text: &str) -> Option<SystemTime> {
    httpdate::parse_http_date(text).ok()
}

/// The managed policies that narrow a session.
fn policy_arns(session: &Session) -> Option<Vec<PolicyDescriptorType>> {
    let policy = |arn: &String| PolicyDescriptorType::builder().arn(arn).build();
    let policies: Vec<_> = session.policy_arns.iter().map(policy).collect();
    (!policies.is_empty()).then_some(policies)
}

//! Calls that are signed: `AssumeRole` and `GetCallerIdentity`.
//!
//! Signatures bear STS's time and not the node's, whose clock may be wrong.

use std::time::SystemTime;

use aws_sdk_sts::config::Builder;
use aws_sdk_sts::config::Credentials as Signer;
use aws_sdk_sts::config::IdentityCache;
use aws_smithy_async::time::TimeSource;

use crate::clock::Clock;
use crate::clock::Timeline;
use crate::credentials::Credentials;
use crate::sts::ErrorKind;
use crate::sts::ExchangeError;
use crate::sts::client::Sts;
use crate::sts::given::is_arn;
use crate::sts::given::repeats;

/// STS's time, as the last answer told it.
#[derive(Debug)]
struct StsTime {
    clock: Clock,
    timeline: Timeline,
}

impl Sts {
    pub(super) fn signing_as(&self, who: &Credentials, timeline: Timeline, config: Builder) -> Builder {
        config
            .credentials_provider(signer(who))
            .identity_cache(IdentityCache::no_cache())
            .time_source(StsTime { clock: self.clock().clone(), timeline })
    }

    /// Whose these credentials are: the ARN of the session. Whoever holds them may ask, whatever policies say.
    pub async fn caller_identity(
        &self,
        who: &Credentials,
        timeline: Timeline,
    ) -> Result<String, ExchangeError> {
        let call = self.call(&who.session_token, async |config| {
            let config = self.signing_as(who, timeline, config);
            aws_sdk_sts::Client::from_conf(config.build()).get_caller_identity().send().await
        });
        let (output, reply) = call.await?;
        output.arn.filter(|arn| is_arn(arn) && !repeats(arn, &who.session_token)).ok_or_else(|| {
            ExchangeError {
                reply,
                ..ExchangeError::new(ErrorKind::InvalidReply, "STS's reply has no usable Arn")
            }
        })
    }
}

/// A user's own keys have no session token.
pub(super) fn signer(who: &Credentials) -> Signer {
    let secret_access_key = who.secret_access_key.expose().to_owned();
    let session_token = Some(who.session_token.expose().to_owned()).filter(|token| !token.is_empty());
    Signer::new(&who.access_key_id, secret_access_key, session_token, None, "irsa-sidecar")
}

impl TimeSource for StsTime {
    fn now(&self) -> SystemTime {
        self.timeline.now(self.clock.read())
    }
}

//! What a role's refresh says in the log: one line for each exchange that succeeds, and one, not a thousand, while the
//! same thing fails.

use std::time::Duration;
use std::time::SystemTime;

use crate::clock::TOLERATED_SKEW;
use crate::clock::skew;
use crate::credentials::COMFORTABLE_SESSION;
use crate::credentials::Lifetime;
use crate::credentials::rfc3339;
use crate::sts::ExchangeError;
use crate::sts::Exchanged;
use crate::termination_log;

/// Remembers what has been said.
#[derive(Debug)]
pub(super) struct Report {
    role: String,
    failure: Option<&'static str>,
    skew: bool,
    short_session: bool,
    unservable: bool,
}

impl Report {
    pub(super) fn new(role: &str) -> Self {
        Self { role: role.to_owned(), failure: None, skew: false, short_session: false, unservable: false }
    }

    pub(super) fn hangup(&self) {
        tracing::info!(role = self.role, "SIGHUP: an exchange is asked for; at most one in 10 s");
    }

    pub(super) fn date(&mut self, sts: SystemTime, local: SystemTime) {
        let apart = skew(sts, local);
        let is_off = apart > TOLERATED_SKEW;
        if is_off && !self.skew {
            tracing::warn!(
                role = self.role,
                local = rfc3339(local),
                sts = rfc3339(sts),
                "this node's clock and STS's are {} s apart; the schedule goes by STS's. Check NTP on the node",
                apart.as_secs(),
            );
        }
        self.skew = is_off;
    }

    pub(super) fn success(
        &mut self,
        exchanged: &Exchanged,
        access_key_id: &str,
        next: Option<SystemTime>,
        took: Duration,
        failures: u32,
    ) {
        let lifetime = exchanged.credentials.lifetime();
        tracing::info!(
            role = self.role,
            assumed_role_arn = exchanged.assumed_role_arn.as_deref().unwrap_or("not told"),
            access_key_id,
            expires_at = rfc3339(lifetime.expires_at),
            next_exchange_at = next.map(rfc3339).unwrap_or_else(|| "now".to_owned()),
            request_id = exchanged.reply.request_id.as_deref(),
            took_ms = millis(took),
            after_failures = failures,
            "credentials exchanged",
        );
        if self.failure.take().is_some() {
            termination_log::withdraw(&self.role);
        }
        self.unservable = false;
        self.session(lifetime);
    }

    pub(super) fn failure(
        &mut self,
        error: &ExchangeError,
        failures: u32,
        retry_in: Duration,
        took: Duration,
    ) {
        if self.failure == Some(error.code()) {
            tracing::debug!(
                role = self.role,
                code = error.code(),
                failures,
                retry_in_ms = millis(retry_in),
                "exchange failed again: {error}",
            );
            return;
        }
        self.failure = Some(error.code());
        termination_log::note(&self.role, &format!("{}: {error}. {}", error.code(), error.mend()));
        tracing::warn!(
            role = self.role,
            code = error.code(),
            request_id = error.reply.request_id.as_deref(),
            retry_in_ms = millis(retry_in),
            took_ms = millis(took),
            "exchange failed: {error}. {}",
            error.mend(),
        );
    }

    /// There is nothing left to serve.
    pub(super) fn unservable(&mut self, lifetime: Lifetime, code: Option<&'static str>) {
        if !self.unservable {
            self.unservable = true;
            tracing::error!(
                role = self.role,
                expires_at = rfc3339(lifetime.expires_at),
                code = code.unwrap_or("none"),
                "the credentials have expired and could not be replaced; requests get 503 until they can",
            );
        }
    }

    fn session(&mut self, lifetime: Lifetime) {
        if lifetime.length() + TOLERATED_SKEW < COMFORTABLE_SESSION && !self.short_session {
            self.short_session = true;
            tracing::warn!(
                role = self.role,
                session_seconds = lifetime.length().as_secs(),
                "sessions under an hour cannot always have 25 minutes left: s3fs (under 20 minutes), botocore, the \
                 AWS SDK for Java v1 and .NET (under 15) will fetch credentials at each call",
            );
        }
    }
}

/// A number in a log is a number; the standard library's is wider than JSON's.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

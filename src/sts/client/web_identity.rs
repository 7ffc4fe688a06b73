//! `AssumeRoleWithWebIdentity`: the token for a session of the role.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use crate::config::PodNames;
use crate::config::SessionDuration;
use crate::config::SessionName;
use crate::config::WebIdentity;
use crate::config::format_duration;
use crate::sts::Basis;
use crate::sts::ErrorKind;
use crate::sts::Exchange;
use crate::sts::ExchangeError;
use crate::sts::Exchanged;
use crate::sts::client::Sts;
use crate::sts::client::accept::Answer;
use crate::sts::client::accept::accept;
use crate::sts::client::longest::Search;
use crate::sts::client::longest::is_too_long;
use crate::token::Claims;
use crate::token::Token;

/// One role's.
#[derive(Debug)]
pub struct WebIdentityClient {
    sts: Sts,
    role: String,
    settings: WebIdentity,
    pod: PodNames,
    /// The longest session that the role allows, once that is known.
    longest: Mutex<Option<Duration>>,
}

/// One exchange's token, and the names that it leads to.
struct Request<'a> {
    token: &'a Token,
    pod: Arc<PodNames>,
    session_name: SessionName,
}

impl WebIdentityClient {
    pub fn new(sts: Sts, role: String, settings: WebIdentity, pod: PodNames) -> Self {
        Self { sts, role, settings, pod, longest: Mutex::default() }
    }

    async fn ask(&self, request: &Request<'_>, duration: Duration) -> Result<Exchanged, ExchangeError> {
        let session = &self.settings.session;
        let token = request.token.secret();
        let (output, reply) = self
            .sts
            .call(token, async |config| {
                aws_sdk_sts::Client::from_conf(config.build())
                    .assume_role_with_web_identity()
                    .role_arn(session.role_arn.as_str())
                    .role_session_name(request.session_name.as_str())
                    .web_identity_token(token.expose())
                    .duration_seconds(i32::try_from(duration.as_secs()).unwrap_or(i32::MAX))
                    .set_policy(session.policy.clone())
                    .set_policy_arns(super::policy_arns(session))
                    .send()
                    .await
            })
            .await?;
        let answer = Answer { credentials: output.credentials, user: output.assumed_role_user };
        accept(
            &session.role_arn,
            duration,
            answer,
            token,
            request.pod.clone(),
            reply,
            self.sts.clock().read(),
        )
    }

    /// Walks down from twelve hours to what the role allows, and begins there the next time.
    async fn ask_for_longest(&self, request: &Request<'_>) -> Result<Exchanged, ExchangeError> {
        let remembered = *self.longest.lock().unwrap_or_else(PoisonError::into_inner);
        let mut search = Search::from(remembered);
        let mut best = None;
        while let Some(duration) = search.next() {
            match self.ask(request, duration).await {
                Ok(exchanged) => {
                    search.allowed(duration);
                    best = Some(exchanged);
                }
                Err(error) if is_too_long(&error) && search.may_be_shorter(duration) => {
                    search.refused(duration);
                }
                Err(error) => {
                    // What was given meanwhile is good; how long it may be is found out the next time.
                    return best.ok_or(error);
                }
            }
        }
        let found = search.longest();
        if remembered != Some(found) {
            *self.longest.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
            tracing::info!(
                role = self.role,
                role_arn = self.settings.session.role_arn.as_str(),
                session_seconds = found.as_secs(),
                "the role allows sessions of {}: so long ones are asked for from now on",
                format_duration(found),
            );
        }
        best.ok_or_else(|| ExchangeError::new(ErrorKind::Other, "no session was long enough to be asked for"))
    }
}

impl Exchange for WebIdentityClient {
    async fn exchange(&self, basis: &Basis) -> Result<Exchanged, ExchangeError> {
        let Basis::Token(token) = basis else {
            return Err(ExchangeError::new(ErrorKind::Other, "there is no web identity token to start from"));
        };
        let pod = Arc::new(names(&self.pod, token.claims()));
        let session_name = self.settings.session.name.fill(&pod);
        let request = Request { token, pod, session_name };
        match self.settings.session.duration {
            SessionDuration::Fixed(duration) => self.ask(&request, duration).await,
            SessionDuration::Max => self.ask_for_longest(&request).await,
        }
    }
}

/// What is known of the pod: what the downward API tells, else what the token says of the pod that it was made for.
pub fn names(told: &PodNames, claims: &Claims) -> PodNames {
    let claim = |path: &[&str]| claims.kubernetes(path).map(str::to_owned);
    told.clone().or(PodNames {
        namespace: claim(&["namespace"]),
        pod: claim(&["pod", "name"]),
        service_account: claim(&["serviceaccount", "name"]),
        node: claim(&["node", "name"]),
        hostname: None,
    })
}

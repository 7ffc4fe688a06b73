//! `AssumeRole`, one after the other, starting with the credentials of another role.
//!
//! Every exchange walks the whole chain: what lies between is used at once and never kept.

use std::sync::Arc;

use aws_sdk_sts::types::Tag;

use crate::clock::Timeline;
use crate::config::Chain;
use crate::config::ExternalId;
use crate::config::PodNames;
use crate::config::SessionDuration;
use crate::config::Step;
use crate::contract::DEFAULT_SESSION_DURATION;
use crate::credentials::Credentials;
use crate::file::read_bounded;
use crate::sts::Basis;
use crate::sts::ErrorKind;
use crate::sts::Exchange;
use crate::sts::ExchangeError;
use crate::sts::Exchanged;
use crate::sts::client::Sts;
use crate::sts::client::accept::Answer;
use crate::sts::client::accept::accept;

/// What STS takes for an external id, and a newline.
const MAX_EXTERNAL_ID_BYTES: usize = 1226;

/// One role's.
#[derive(Debug)]
pub struct ChainClient {
    sts: Sts,
    chain: Chain,
}

impl ChainClient {
    pub fn new(sts: Sts, chain: Chain) -> Self {
        Self { sts, chain }
    }

    async fn assume(
        &self,
        step: &Step,
        from: &Credentials,
        timeline: Timeline,
        pod: &Arc<PodNames>,
    ) -> Result<Exchanged, ExchangeError> {
        let session = &step.session;
        let external_id = step.external_id.as_ref().map(external_id).transpose()?;
        let duration = match session.duration {
            SessionDuration::Fixed(duration) => duration,
            // Nothing longer is to be had in a chain.
            SessionDuration::Max => DEFAULT_SESSION_DURATION,
        };
        let (output, reply) = self
            .sts
            .call(&from.session_token, async |config| {
                let config = self.sts.signing_as(from, timeline, config);
                aws_sdk_sts::Client::from_conf(config.build())
                    .assume_role()
                    .role_arn(session.role_arn.as_str())
                    .role_session_name(session.name.fill(pod).as_str())
                    .duration_seconds(i32::try_from(duration.as_secs()).unwrap_or(i32::MAX))
                    .set_policy(session.policy.clone())
                    .set_policy_arns(super::policy_arns(session))
                    .set_external_id(external_id)
                    .set_tags(tags(step))
                    .set_transitive_tag_keys(some(step.transitive_tags.clone()))
                    .set_source_identity(step.source_identity.clone())
                    .send()
                    .await
            })
            .await?;
        let answer = Answer { credentials: output.credentials, user: output.assumed_role_user };
        accept(
            &session.role_arn,
            duration,
            answer,
            &from.session_token,
            pod.clone(),
            reply,
            self.sts.clock().read(),
        )
    }

    /// Which link it was.
    fn in_step(&self, index: usize, error: ExchangeError) -> ExchangeError {
        let (number, of) = (index + 1, self.chain.steps.len());
        let role_arn = &self.chain.steps[index].session.role_arn;
        let message = format!("step {number} of {of}, AssumeRole of {role_arn}: {}", error.message);
        let mend = error.mend.or(mend(error.kind));
        ExchangeError { message, mend, ..error }
    }
}

impl Exchange for ChainClient {
    async fn exchange(&self, basis: &Basis) -> Result<Exchanged, ExchangeError> {
        let Basis::Credentials(from) = basis else {
            return Err(ExchangeError::new(ErrorKind::Other, "there are no credentials to start from"));
        };
        let mut given: Option<Exchanged> = None;
        for (index, step) in self.chain.steps.iter().enumerate() {
            let (credentials, timeline) = match &given {
                None => (&from.credentials, from.timeline),
                Some(given) => {
                    let now = self.sts.clock().read();
                    (&given.credentials, Timeline::since(given.credentials.issued_at, now))
                }
            };
            let assumed = self.assume(step, credentials, timeline, &from.pod).await;
            given = Some(assumed.map_err(|error| self.in_step(index, error))?);
        }
        given.ok_or_else(|| ExchangeError::new(ErrorKind::Other, "the chain has no steps"))
    }
}

fn external_id(external_id: &ExternalId) -> Result<String, ExchangeError> {
    let path = match external_id {
        ExternalId::Value(value) => return Ok(value.clone()),
        ExternalId::File(path) => path,
    };
    let unusable = |why: &dyn std::fmt::Display| {
        let message = format!("the external id in {}: {why}", path.display());
        ExchangeError::new(ErrorKind::ExternalIdUnusable, message)
    };
    let content = read_bounded(path, MAX_EXTERNAL_ID_BYTES).map_err(|error| unusable(&error))?;
    let text = str::from_utf8(&content).map_err(|_| unusable(&"it is not UTF-8 text"))?.trim_end();
    if !ExternalId::is_taken(text) {
        return Err(unusable(&ExternalId::RULE));
    }
    Ok(text.to_owned())
}

fn tags(step: &Step) -> Option<Vec<Tag>> {
    let tag = |(key, value): &(String, String)| {
        Tag::builder().key(key).value(value).build().expect("a tag with key and value must be complete")
    };
    some(step.tags.iter().map(tag).collect())
}

/// What is not there is not sent.
fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    if list.is_empty() { None } else { Some(list) }
}

/// Where a chain is mended elsewhere than a web identity.
pub fn mend(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::AccessDenied => Some(
            "Both sides must allow it: the role before it needs a policy with sts:AssumeRole on this one, and this one's \
             trust policy must trust that role, on conditions that are met (sts:ExternalId); tags need sts:TagSession on \
             both sides, a source identity sts:SetSourceIdentity.",
        ),
        ErrorKind::ExpiredToken => {
            Some("The credentials before it had expired; it is tried again as soon as there are new ones.")
        }
        ErrorKind::ValidationError => Some("Check this step in the roles file."),
        _ => None,
    }
}

//! What is said of the roles that are kept.

use crate::app::crew::Means;
use crate::config::Role;
use crate::config::SessionDuration;
use crate::config::Source as Configured;
use crate::roles::Table;
use crate::sts::client::Sts;

/// How a role is obtained from now on.
pub(super) fn role(role: &Role, means: &Means, is_changed: bool) {
    let session = match &role.source {
        Configured::WebIdentity(settings) => Some(&settings.session),
        Configured::Chain(chain) => chain.steps.last().map(|step| &step.session),
        Configured::PodIdentity(_) => None,
    };
    let seconds = session.and_then(|session| match session.duration {
        SessionDuration::Fixed(duration) => Some(duration.as_secs()),
        SessionDuration::Max => None,
    });
    // What the environment does not tell, the token will.
    let session_name = session
        .filter(|session| session.name.is_told_by(&means.pod))
        .map(|session| session.name.fill(&means.pod).as_str().to_owned());
    tracing::info!(
        role = role.name,
        role_arn = role.arn().map(|arn| arn.as_str()),
        source = role.source.kind(),
        from = role.from(),
        session_name,
        session_seconds = seconds,
        sts_endpoint = means.sts.as_ref().map(Sts::endpoint),
        "{}",
        if is_changed {
            "the role is obtained in another way from now on"
        } else {
            "keeping credentials fresh"
        },
    );
}

/// A metadata service that serves nobody is easily taken for one that fails.
pub(super) fn imds(table: &Table) {
    match table.imds_role() {
        None => tracing::warn!(
            code = "ImdsServesNoRole",
            "the metadata service serves no role's credentials: none of several is called default. Mark the one that it is \
             to serve with `imds: true`"
        ),
        Some(entry) if entry.reader.role_arn().is_none() => tracing::warn!(
            code = "ImdsRoleUnnamed",
            role = entry.reader.role(),
            "the metadata service serves no credentials: it lists a role by its IAM name, and nobody told the ARN of this \
             one. Write its `role_arn`"
        ),
        Some(_) => {}
    }
}

//! Whether the role and STS are of the same partition of AWS's: none knows another's roles, accounts or providers.

use crate::config::Place;
use crate::doctor::facts::Facts;
use crate::doctor::finding::Check;
use crate::doctor::finding::Finding;
use crate::doctor::finding::Severity::Broken;
use crate::doctor::partitions;

pub(super) fn check(facts: &Facts<'_>) -> Option<Finding> {
    let place = Place::of(facts.sts.as_ref().ok()?.endpoint())?;
    let role = facts.web_identity().map(|web_identity| &web_identity.session.role_arn)?;
    let theirs = partitions::of_host(&place.host)?.name;
    let ours = partitions::named(role.partition()).filter(|ours| ours.name != theirs)?;
    let found = format!(
        "The role is of the partition {}, and {} is STS of {theirs}, which knows none of its roles.",
        ours.name, place.host
    );
    let mend = format!(
        "Set AWS_REGION to a region of {}, such as {}, and unset what names another endpoint; or correct the ARN: those of \
         {theirs} begin with arn:{theirs}:iam::.",
        ours.name, ours.region
    );
    Some(Check::Network.finding(Broken, "PartitionMismatch", role.as_str(), found).mend(mend))
}

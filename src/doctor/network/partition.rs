//! Whether the role and STS are of the same partition of AWS's: none knows another's roles, accounts or providers.

use crate::config::Place;
use crate::doctor::facts::Facts;
use crate::doctor::finding::Check;
use crate::doctor::finding::Finding;
use crate::doctor::finding::Severity::Broken;

/// Partitions with a domain, or a beginning of their regions' names, of their own; and one of their regions.
const PARTITIONS: [(&str, &str, &str, &str); 4] = [
    ("aws-cn", ".amazonaws.com.cn", "cn-", "cn-north-1"),
    ("aws-us-gov", ".amazonaws.com", "us-gov-", "us-gov-west-1"),
    ("aws-eusc", ".amazonaws.eu", "eusc-", "eusc-de-east-1"),
    ("aws", ".amazonaws.com", "", "us-east-1"),
];

pub(super) fn check(facts: &Facts<'_>) -> Option<Finding> {
    let place = Place::of(facts.sts.as_ref().ok()?.endpoint())?;
    let role = facts.web_identity().map(|web_identity| &web_identity.session.role_arn)?;
    let theirs = of_host(&place.host).filter(|_| !facts.has_own_sts())?;
    let (_, _, _, region) = PARTITIONS.iter().find(|(name, ..)| *name == role.partition())?;
    if theirs == role.partition() {
        return None;
    }
    let found = format!(
        "The role is of the partition {}, and {} is STS of {theirs}, which knows none of its roles.",
        role.partition(),
        place.host
    );
    let mend = format!(
        "Set AWS_REGION to a region of {}, such as {region}, and unset what names another endpoint; or correct the ARN: those of \
         {theirs} begin with arn:{theirs}:iam::.",
        role.partition()
    );
    Some(Check::Network.finding(Broken, "PartitionMismatch", role.as_str(), found).mend(mend))
}

/// The partition of an endpoint of AWS's.
fn of_host(host: &str) -> Option<&'static str> {
    let is_in = |domain: &str, region: &str| {
        let labels = || host.split('.');
        // Dual-stack names have one domain for all but China.
        (host.ends_with(domain) || host.ends_with(".api.aws") && domain == ".amazonaws.com")
            && (region.is_empty()
                || domain != ".amazonaws.com"
                || labels().any(|label| label.starts_with(region)))
    };
    PARTITIONS.iter().find(|(_, domain, region, _)| is_in(domain, region)).map(|(name, ..)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_partition_of_an_endpoint() {
        for (host, expected) in [
            ("sts.amazonaws.com", Some("aws")),
            ("sts.eu-central-1.amazonaws.com", Some("aws")),
            ("sts.eu-central-1.api.aws", Some("aws")),
            ("sts-fips.us-east-1.amazonaws.com", Some("aws")),
            ("vpce-1-2.sts.eu-central-1.vpce.amazonaws.com", Some("aws")),
            ("sts.cn-north-1.amazonaws.com.cn", Some("aws-cn")),
            ("sts.us-gov-west-1.amazonaws.com", Some("aws-us-gov")),
            ("sts.us-gov-east-1.api.aws", Some("aws-us-gov")),
            ("sts.eusc-de-east-1.amazonaws.eu", Some("aws-eusc")),
            ("sts.example.com", None),
            ("127.0.0.1", None),
        ] {
            assert_eq!(of_host(host), expected, "{host}");
        }
    }
}

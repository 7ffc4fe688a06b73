//! AWS's partitions, and whose an endpoint is.
//!
//! The names are those of the SDKs' own table (`partitions.json` of botocore, `src/endpoint_lib.rs` of aws-sdk-sts), and of
//! docs/settings.md.

/// One knows no other's roles, accounts or providers.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Partition {
    pub(super) name: &'static str,
    /// What its endpoints end in, plain and dual-stack. Those in a VPC end so too.
    domains: [&'static str; 2],
    /// How its regions begin, where its domains do not tell.
    regions: &'static str,
    /// One of its regions.
    pub(super) region: &'static str,
}

const PARTITIONS: [Partition; 8] = [
    partition("aws-us-gov", [".amazonaws.com", ".api.aws"], "us-gov-", "us-gov-west-1"),
    partition("aws", [".amazonaws.com", ".api.aws"], "", "us-east-1"),
    partition("aws-cn", [".amazonaws.com.cn", ".api.amazonwebservices.com.cn"], "", "cn-north-1"),
    partition("aws-eusc", [".amazonaws.eu", ".api.amazonwebservices.eu"], "", "eusc-de-east-1"),
    partition("aws-iso", [".c2s.ic.gov", ".api.aws.ic.gov"], "", "us-iso-east-1"),
    partition("aws-iso-b", [".sc2s.sgov.gov", ".api.aws.scloud"], "", "us-isob-east-1"),
    partition("aws-iso-e", [".cloud.adc-e.uk", ".api.cloud-aws.adc-e.uk"], "", "eu-isoe-west-1"),
    partition("aws-iso-f", [".csp.hci.ic.gov", ".api.aws.hci.ic.gov"], "", "us-isof-south-1"),
];

const fn partition(
    name: &'static str,
    domains: [&'static str; 2],
    regions: &'static str,
    region: &'static str,
) -> Partition {
    Partition { name, domains, regions, region }
}

pub(super) fn named(name: &str) -> Option<&'static Partition> {
    PARTITIONS.iter().find(|partition| partition.name == name)
}

/// Whose endpoint that is, if it is AWS's.
pub(super) fn of_host(host: &str) -> Option<&'static Partition> {
    PARTITIONS.iter().find(|partition| {
        partition.domains.iter().any(|domain| host.ends_with(domain))
            && host.split('.').any(|label| label.starts_with(partition.regions))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_whose_an_endpoint_is() {
        for (host, expected) in [
            ("sts.amazonaws.com", Some("aws")),
            ("sts.eu-central-1.amazonaws.com", Some("aws")),
            ("sts.eu-central-1.api.aws", Some("aws")),
            ("sts-fips.us-east-1.amazonaws.com", Some("aws")),
            ("vpce-1-2.sts.eu-central-1.vpce.amazonaws.com", Some("aws")),
            ("sts.cn-north-1.amazonaws.com.cn", Some("aws-cn")),
            ("sts.cn-north-1.api.amazonwebservices.com.cn", Some("aws-cn")),
            ("sts.us-gov-west-1.amazonaws.com", Some("aws-us-gov")),
            ("sts.us-gov-east-1.api.aws", Some("aws-us-gov")),
            ("sts.eusc-de-east-1.amazonaws.eu", Some("aws-eusc")),
            ("sts.eusc-de-east-1.api.amazonwebservices.eu", Some("aws-eusc")),
            ("sts.us-iso-east-1.c2s.ic.gov", Some("aws-iso")),
            ("sts.us-isob-east-1.sc2s.sgov.gov", Some("aws-iso-b")),
            ("sts.eu-isoe-west-1.cloud.adc-e.uk", Some("aws-iso-e")),
            ("sts.us-isof-south-1.csp.hci.ic.gov", Some("aws-iso-f")),
            ("sts.us-iso-east-1.api.aws.ic.gov", Some("aws-iso")),
            ("sts.us-isob-east-1.api.aws.scloud", Some("aws-iso-b")),
            ("sts.eu-isoe-west-1.api.cloud-aws.adc-e.uk", Some("aws-iso-e")),
            ("sts.us-isof-south-1.api.aws.hci.ic.gov", Some("aws-iso-f")),
            ("sts.example.com", None),
            ("amazonaws.com.example.com", None),
            ("notamazonaws.com", None),
            ("127.0.0.1", None),
        ] {
            assert_eq!(of_host(host).map(|partition| partition.name), expected, "{host}");
        }
    }

    #[test]
    fn each_has_another_name() {
        for partition in &PARTITIONS {
            assert_eq!(named(partition.name), Some(partition));
        }
    }
}

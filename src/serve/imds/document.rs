//! The JSON documents of the metadata service, laid out as EC2 lays them out: shell scripts read them line by line.

use std::collections::BTreeMap;
use std::time::SystemTime;

use bytes::Bytes;
use serde_json::Value;

use crate::config::Imds;
use crate::credentials::laid_out;
use crate::credentials::rfc3339;

/// What the instance identity document says, by field.
#[derive(Clone, Debug)]
pub(super) struct Document(BTreeMap<String, Value>);

impl Document {
    /// None while nothing is known at all.
    pub(super) fn of(known: &Imds) -> Option<Self> {
        let fields = [
            ("availabilityZone", &known.availability_zone),
            ("instanceId", &known.instance_id),
            ("instanceType", &known.instance_type),
            ("region", &known.region),
        ];
        let fields = fields.into_iter().filter_map(|(name, value)| Some((name, value.clone()?)));
        let fields: BTreeMap<_, _> = fields.map(|(name, value)| (name.to_owned(), value.into())).collect();
        (!fields.is_empty()).then_some(Self(fields))
    }

    /// With what another document says beside it; ours wins.
    pub(super) fn over(&self, other: &[u8]) -> Self {
        let mut fields: BTreeMap<String, Value> = serde_json::from_slice(other).unwrap_or_default();
        fields.extend(self.0.clone());
        Self(fields)
    }

    pub(super) fn body(&self) -> Bytes {
        let fields: Vec<_> = self.0.iter().map(|(name, value)| (name.as_str(), value)).collect();
        Bytes::from(laid_out(&fields, 0))
    }
}

/// `iam/info`. The instance profile is one of the role's name: nobody has made it, but some tools read account and name
/// from it.
pub(super) fn info(instance_profile_arn: &str, last_updated: SystemTime) -> Bytes {
    let last_updated = rfc3339(last_updated);
    let fields = [
        ("Code", "Success"),
        ("LastUpdated", last_updated.as_str()),
        ("InstanceProfileArn", instance_profile_arn),
    ];
    Bytes::from(laid_out(&fields, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_says_what_is_known_and_ours_wins_over_the_upstreams() {
        assert!(Document::of(&Imds::default()).is_none());
        let known = Imds { region: Some("eu-central-1".to_owned()), ..Imds::default() };
        let document = Document::of(&known).unwrap();
        assert_eq!(document.body(), "{\n  \"region\" : \"eu-central-1\"\n}");
        let upstream = br#"{"accountId":"444455556666","region":"us-east-1","devpayProductCodes":null}"#;
        assert_eq!(
            document.over(upstream).body(),
            "{\n  \"accountId\" : \"444455556666\",\n  \"devpayProductCodes\" : null,\n  \"region\" : \"eu-central-1\"\n}"
        );
        assert_eq!(document.over(b"<html>").body(), document.body());
    }
}

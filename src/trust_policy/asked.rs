//! What is asked for: flags first, then the token, and every mistake at once.

use thiserror::Error;

use crate::config::ExternalId;
use crate::config::RoleArn;
use crate::config::quoted;
use crate::contract::DEFAULT_AUDIENCE;
use crate::harmless::harmless;
use crate::token::Claims;
use crate::trust_policy::Asked;
use crate::trust_policy::Issuer;
use crate::trust_policy::WILDCARDS;
use crate::trust_policy::Who;

/// As it was written.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Given {
    pub role_arn: Option<String>,
    pub issuers: Vec<String>,
    pub namespace: Option<String>,
    pub service_accounts: Vec<String>,
    pub audiences: Vec<String>,
    pub from_role: Option<String>,
    pub external_id: Option<String>,
    pub session_tags: bool,
    pub source_identity: bool,
}

/// What cannot be used, or is missing, and what to do.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{0}")]
pub struct Mistake(String);

/// Kubernetes' limits of a label and of a subdomain, in which names are written.
const LONGEST_LABEL: usize = 63;
const LONGEST_SUBDOMAIN: usize = 253;

impl Given {
    /// Whether a token has to fill in what is missing.
    pub fn needs_token(&self) -> bool {
        let is_complete =
            !self.issuers.is_empty() && self.namespace.is_some() && !self.service_accounts.is_empty();
        self.from_role.is_none() && !is_complete
    }

    pub fn resolve(&self, claims: Option<&Claims>) -> Result<Asked, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let role = arn("--role-arn", self.role_arn.as_deref(), &mut mistakes);
        if let Some(role) = &role
            && role.account().is_none()
        {
            mistakes.push(Mistake(format!(
                "--role-arn {role}: it has no account, in which the provider would be"
            )));
        }
        let who = match &self.from_role {
            Some(from) => self.chain(from, &mut mistakes),
            None => self.service_accounts(claims, &mut mistakes),
        };
        match (role, who) {
            (Some(role), Some(who)) if mistakes.is_empty() => {
                Ok(Asked { role, who, session_tags: self.session_tags })
            }
            _ => Err(mistakes),
        }
    }

    fn chain(&self, from: &str, mistakes: &mut Vec<Mistake>) -> Option<Who> {
        let unused = [
            ("--issuer", !self.issuers.is_empty()),
            ("--namespace", self.namespace.is_some()),
            ("--service-account", !self.service_accounts.is_empty()),
            ("--audience", !self.audiences.is_empty()),
        ];
        tell(&unused, "with --from-role no ServiceAccount is trusted; leave one out", mistakes);
        if let Some(id) = &self.external_id
            && !ExternalId::is_taken(id)
        {
            mistakes.push(Mistake(format!("--external-id {}: {}", quoted(id), ExternalId::RULE)));
        }
        let from = arn("--from-role", Some(from), mistakes)?;
        Some(Who::Role { from, external_id: self.external_id.clone(), source_identity: self.source_identity })
    }

    fn service_accounts(&self, claims: Option<&Claims>, mistakes: &mut Vec<Mistake>) -> Option<Who> {
        let unused =
            [("--external-id", self.external_id.is_some()), ("--source-identity", self.source_identity)];
        tell(&unused, "it needs --from-role; AssumeRoleWithWebIdentity has none", mistakes);
        let (namespace, name) = claims.and_then(Claims::service_account).unzip();
        let from_token = |values: &[String], of_token: Vec<&str>| match values {
            [] => of_token.iter().map(|value| (*value).to_owned()).collect(),
            given => given.to_vec(),
        };
        let issuers = from_token(&self.issuers, claims.and_then(Claims::issuer).into_iter().collect());
        let names = from_token(&self.service_accounts, name.into_iter().collect());
        let namespace = self.namespace.clone().or(namespace.map(str::to_owned));
        let missing = [
            ("--issuer", issuers.is_empty()),
            ("--namespace", namespace.is_none()),
            ("--service-account", names.is_empty()),
        ];
        tell(&missing, "neither the flag nor a ServiceAccount's token says it", mistakes);
        let whose = if self.issuers.is_empty() { "the token's issuer" } else { "--issuer" };
        let issuers: Vec<Issuer> = issuers
            .iter()
            .filter_map(|issuer| match issuer_without_scheme(issuer) {
                Ok(issuer) => Some(issuer),
                Err(why) => {
                    mistakes.push(Mistake(format!("{whose} {}: {why}", quoted(issuer))));
                    None
                }
            })
            .collect();
        let namespace = namespace?;
        check_name("--namespace", &namespace, LONGEST_LABEL, mistakes);
        names.iter().for_each(|name| check_name("--service-account", name, LONGEST_SUBDOMAIN, mistakes));
        Some(Who::ServiceAccounts { issuers, namespace, names, audiences: self.audiences(claims, mistakes) })
    }

    /// The token's own only where it is not for STS.
    fn audiences(&self, claims: Option<&Claims>, mistakes: &mut Vec<Mistake>) -> Vec<String> {
        let of_token = claims.map(Claims::audiences).unwrap_or_default();
        let audiences = match self.audiences.as_slice() {
            [] if of_token.is_empty() || of_token.contains(&DEFAULT_AUDIENCE) => {
                vec![DEFAULT_AUDIENCE.to_owned()]
            }
            [] => of_token.into_iter().map(str::to_owned).collect(),
            given => given.to_vec(),
        };
        // A brace begins a variable in IAM, Terraform and CloudFormation.
        let is_strange = |c: char| c.is_whitespace() || c.is_control() || ['{', '}'].contains(&c);
        for audience in &audiences {
            let is_shown_as_it_is = harmless(audience) == *audience && !audience.contains(is_strange);
            if audience.is_empty() || audience.len() > 255 || !is_shown_as_it_is {
                let rule = "an audience has 1 to 255 characters, none of which is a space, a brace or one that is not seen";
                mistakes.push(Mistake(format!("--audience {}: {rule}", quoted(audience))));
            }
        }
        audiences
    }
}

/// The same of each flag of which it is so.
fn tell(flags: &[(&str, bool)], why: &str, mistakes: &mut Vec<Mistake>) {
    let wrong = flags.iter().filter(|(_, is_wrong)| *is_wrong);
    mistakes.extend(wrong.map(|(flag, _)| Mistake(format!("{flag}: {why}"))));
}

fn arn(flag: &str, text: Option<&str>, mistakes: &mut Vec<Mistake>) -> Option<RoleArn> {
    let Some(text) = text else {
        let mend = "give the role, arn:aws:iam::ACCOUNT:role/NAME; AWS_ROLE_ARN is taken too";
        mistakes.push(Mistake(format!("{flag} is missing: {mend}")));
        return None;
    };
    text.parse().map_err(|error| mistakes.push(Mistake(format!("{flag} {}: {error}", quoted(text))))).ok()
}

fn issuer_without_scheme(text: &str) -> Result<Issuer, &'static str> {
    let Some(rest) = text.strip_prefix("https://") else {
        return Err("IAM takes issuers that begin with https:// alone, each given whole (--issuer)");
    };
    let is_host = |c: char| c.is_ascii_alphanumeric() || ['.', '-', ':'].contains(&c);
    let (host, _) = rest.split_once('/').unwrap_or((rest, ""));
    if host.is_empty() || !host.chars().all(is_host) {
        return Err("its host is missing or cannot be one");
    }
    // No sign that IAM, a shell, Terraform or YAML would take for more than itself.
    let is_of_a_path = |c: char| c.is_ascii_alphanumeric() || "-._~/:@%+,=".contains(c);
    if !rest.chars().all(is_of_a_path) {
        return Err("an issuer has no query, and A-Z a-z 0-9 - . _ ~ / : @ % + , = alone");
    }
    if rest.ends_with("/.well-known/openid-configuration") {
        return Err("that is its discovery document; leave out /.well-known/openid-configuration");
    }
    Ok(Issuer(rest.to_owned()))
}

fn check_name(flag: &str, name: &str, longest: usize, mistakes: &mut Vec<Mistake>) {
    let is_of_a_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ['-', '.'].contains(&c);
    if name.is_empty()
        || name.len() > longest
        || !name.chars().all(|c| is_of_a_name(c) || WILDCARDS.contains(&c))
    {
        let rule =
            format!("a name in Kubernetes has 1 to {longest} of a-z 0-9 - and .; * and ? stand for others");
        mistakes.push(Mistake(format!("{flag} {}: {rule}", quoted(name))));
    }
}

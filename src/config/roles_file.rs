//! The roles file: several roles, chains and session policies, in YAML.
//!
//! It is read as a whole or not at all: every role, or every mistake with its line. What a role does not say the
//! environment does; what a flag or a variable says for all beats the file. Its form is published as a JSON Schema
//! (`k8s/roles.schema.json`), which a test holds against this parser.

use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::rc::Rc;

use crate::config::Mistakes;
use crate::config::Parsed;
use crate::config::Role;
use crate::config::mistake::Mistake;
use crate::config::mistake::Reason;
use crate::config::role::PodIdentity;
use crate::config::role::SessionDuration;
use crate::config::roles_file::fields::Field;
use crate::config::roles_file::fields::Fields;
use crate::config::roles_file::fields::Place;
use crate::config::roles_file::fields::Report;
use crate::config::roles_file::role::Placed;
use crate::config::session_name::SessionNameTemplate;
use crate::config::settings::ROLE_SESSION_NAME;
use crate::config::settings::SESSION_DURATION;
use crate::config::types::RoleArn;
use crate::config::yaml;
use crate::config::yaml::Node;
use crate::config::yaml::Value;
use crate::contract::MAX_ROLES_FILE_BYTES;
use crate::file::read_bounded;

mod chain;
mod cross;
mod fields;
mod role;
mod session;
#[cfg(test)]
mod tests;

pub(super) use fields::absolute_path;

const EXAMPLE: &str = "roles: [{ name: default, role_arn: arn:aws:iam::111122223333:role/app }]";
const MAX_ROLES: usize = 200;

/// The file, and all that is needed to read it again.
#[derive(Clone, Debug)]
pub struct RolesFile {
    /// The setting that names it.
    pub(super) named_by: String,
    pub(super) path: PathBuf,
    pub(super) defaults: Defaults,
}

/// What the environment says for roles that say nothing, and what they must get along with.
#[derive(Clone, Debug)]
pub(super) struct Defaults {
    /// `AWS_ROLE_ARN`
    pub(super) role_arn: Option<RoleArn>,
    /// `AWS_WEB_IDENTITY_TOKEN_FILE`
    pub(super) token_file: Option<PathBuf>,
    /// `AWS_ROLE_SESSION_NAME`, which beats the file.
    pub(super) fixed_session_name: Option<SessionNameTemplate>,
    pub(super) usual_session_name: SessionNameTemplate,
    /// `IRSA_SIDECAR_SESSION_DURATION`, which beats the file.
    pub(super) session_duration: Option<SessionDuration>,
    /// The agent, as EKS's variables name it.
    pub(super) pod_identity: Result<PodIdentity, Mistake>,
    pub(super) surroundings: Surroundings,
}

/// Where the roles are to be served.
#[derive(Clone, Debug, Default)]
pub(super) struct Surroundings {
    /// Our own addresses: no role's credentials can come from there.
    pub(super) listeners: Vec<SocketAddr>,
    /// Metadata listeners that may not answer without a token; they could only answer without one.
    pub(super) closed_imds: Vec<SocketAddr>,
    /// There is one client and one token for it: a role's own token counts for nothing.
    pub(super) ignores_role_tokens: bool,
}

impl RolesFile {
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it holds now: every role, or everything that is wrong.
    pub fn read(&self) -> Parsed<Vec<Role>> {
        let mut report = Report::new(&self.path);
        let placed = self.text(&mut report).and_then(|text| self.parse(&text, &mut report));
        let roles: Vec<Role> = placed.unwrap_or_default().into_iter().map(|placed| placed.role).collect();
        let Report { mistakes, warnings, .. } = report;
        match Mistakes::new(mistakes) {
            Some(mistakes) => Err(mistakes),
            None => Ok((roles, warnings)),
        }
    }

    fn text(&self, report: &mut Report<'_>) -> Option<String> {
        let path = self.path.to_string_lossy();
        let unusable = |reason| Mistake::at(self.named_by.clone(), Some(&path), reason, EXAMPLE);
        let content = match read_bounded(&self.path, MAX_ROLES_FILE_BYTES) {
            Ok(content) => content,
            Err(error) => {
                let reason = Reason::of_file(error, "A roles file has 1 MiB at most, as a ConfigMap");
                report.mistakes.push(unusable(reason));
                return None;
            }
        };
        match str::from_utf8(&content) {
            Ok(text) => Some(text.to_owned()),
            Err(_) => {
                report.mistakes.push(unusable("it is not UTF-8 text".into()));
                None
            }
        }
    }

    fn parse(&self, text: &str, report: &mut Report<'_>) -> Option<Vec<Placed>> {
        let top = |line| Place { line, field: String::new() };
        let root = match yaml::parse(text) {
            Ok(root) => root,
            Err(malformed) => {
                let reason = Reason::from(malformed.why).mend("See the line and those before it");
                report.wrong(&top(malformed.line), None, reason, EXAMPLE);
                return None;
            }
        };
        let mut fields = Fields::of(&root, &top(root.line), EXAMPLE, report)?;
        let listed = fields.take("roles", report);
        if !fields.has("roles") {
            report.wrong(fields.place(), None, "it has no roles".into(), EXAMPLE);
        }
        fields.refuse_others(report);
        let listed = listed?;
        let items = listed.items(EXAMPLE, report);
        if !(1..=MAX_ROLES).contains(&items.len()) && matches!(listed.node.value, Value::List(_)) {
            let why = format!("it has {} roles; there are 1 to {MAX_ROLES}", items.len());
            report.wrong(&listed.place, None, why.into(), EXAMPLE);
            return None;
        }
        let placed: Vec<Placed> =
            items.iter().filter_map(|item| role::role(item, &self.defaults, report)).collect();
        let names: Vec<(Place, String)> = items.iter().filter_map(name).collect();
        cross::check(&placed, &names, &self.defaults, report);
        Some(placed)
    }
}

impl Defaults {
    fn session_name(&self) -> SessionNameTemplate {
        self.fixed_session_name.clone().unwrap_or_else(|| self.usual_session_name.clone())
    }

    /// The agent; none, and a mistake, where the variables that name it are wrong.
    fn agent(&self, report: &mut Report<'_>) -> Option<PodIdentity> {
        self.pod_identity.as_ref().map_err(|mistake| report.mistakes.push(mistake.clone())).ok().cloned()
    }

    /// The settings that beat what a role says for itself.
    fn overrule(&self, name: Option<&SessionNameTemplate>, duration: Option<SessionDuration>) -> String {
        let differs = |beats: bool, setting: &'static str| beats.then_some(setting);
        let name = name.zip(self.fixed_session_name.as_ref()).is_some_and(|(own, fixed)| own != fixed);
        let duration = duration.zip(self.session_duration).is_some_and(|(own, fixed)| own != fixed);
        let settings =
            [differs(name, ROLE_SESSION_NAME.variable), differs(duration, SESSION_DURATION.variable)];
        settings.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// None, and a mistake, where it would ask ourselves.
    fn refuse_loop(&self, settings: &PodIdentity, place: &Place, report: &mut Report<'_>) -> Option<()> {
        if !self.surroundings.is_own(settings) {
            return Some(());
        }
        let why = format!("{} is a listener of irsa-sidecar itself", settings.endpoint);
        let reason = Reason::from(why)
            .mend("Give the endpoint that credentials are to come from, or do not listen there");
        report.wrong(place, None, reason, "");
        None
    }
}

impl Surroundings {
    pub(super) fn is_own(&self, settings: &PodIdentity) -> bool {
        self.listeners.contains(&settings.endpoint.address)
    }
}

/// The name that stands in an entry, whatever else is wrong with it.
fn name(item: &Field<'_>) -> Option<(Place, String)> {
    let Value::Map(entries) = &item.node.value else { return None };
    let (key, node): &(_, Rc<Node>) = entries.iter().find(|(key, _)| key.name == "name")?;
    match &node.value {
        Value::Text(text) => Some((item.place.below("name", key.line), text.clone())),
        _ => None,
    }
}

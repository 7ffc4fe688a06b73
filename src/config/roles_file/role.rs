//! One entry of `roles`.

use std::path::PathBuf;

use crate::config::authorization::AuthorizationFile;
use crate::config::duration::parse_session_duration;
use crate::config::mistake::Reason;
use crate::config::pod_identity::parse_endpoint;
use crate::config::role::PodIdentity;
use crate::config::role::Role;
use crate::config::role::Session;
use crate::config::role::SessionDuration;
use crate::config::role::Source;
use crate::config::role::WebIdentity;
use crate::config::roles_file::Defaults;
use crate::config::roles_file::chain::chain;
use crate::config::roles_file::fields::Field;
use crate::config::roles_file::fields::Fields;
use crate::config::roles_file::fields::Place;
use crate::config::roles_file::fields::Report;
use crate::config::roles_file::fields::absolute_path;
use crate::config::roles_file::session::ROLE_ARN_EXAMPLE;
use crate::config::roles_file::session::policies;
use crate::config::roles_file::session::role_arn;
use crate::config::session_name::SessionNameTemplate;
use crate::config::types::RoleArn;
use crate::config::yaml::Value;
use crate::contract::DEFAULT_SESSION_DURATION;
use crate::contract::ENV_ROLE_ARN;
use crate::contract::ENV_WEB_IDENTITY_TOKEN_FILE;

const NAME_EXAMPLE: &str = "name: reports";
const SOURCE_EXAMPLE: &str = "source: pod_identity";
const TOKEN_FILE_EXAMPLE: &str = "source: { web_identity: { token_file: /path/token } }";
const MAX_NAME: usize = 64;
/// What is said in the steps of a chain, and not beside it.
const OF_STEPS: [&str; 5] = ["role_arn", "session_name", "session_duration", "policy", "policy_arns"];

/// A role, and where it stands.
pub(super) struct Placed {
    pub(super) role: Role,
    pub(super) place: Place,
}

/// Where a role without a chain gets its credentials.
enum Origin {
    WebIdentity { token_file: Option<PathBuf> },
    PodIdentity(Option<PodIdentity>),
}

pub(super) fn role(field: &Field<'_>, defaults: &Defaults, report: &mut Report<'_>) -> Option<Placed> {
    let mut fields = field.fields(NAME_EXAMPLE, report)?;
    let name = fields.parse("name", NAME_EXAMPLE, check_name, report);
    if !fields.has("name") {
        report.wrong(&field.place, None, "it has no name".into(), NAME_EXAMPLE);
    }
    let is_imds = fields.parse("imds", "imds: true", check_bool, report).unwrap_or_default();
    let authorization_token_file = authorization_token_file(&mut fields, defaults, report);
    let chained = fields.take("chain", report);
    let source = match &chained {
        Some(field) => {
            refuse_beside_a_chain(&mut fields, report);
            chain(field, defaults, report).map(Source::Chain)
        }
        None => alone(&mut fields, name.as_deref(), defaults, report),
    };
    fields.refuse_others(report);
    let role = Role { name: name?, source: source?, is_imds, authorization_token_file };
    Some(Placed { role, place: field.place.clone() })
}

fn refuse_beside_a_chain(fields: &mut Fields<'_>, report: &mut Report<'_>) {
    for key in OF_STEPS {
        if let Some(field) = fields.take(key, report) {
            let reason = Reason::from("a chain says it in its steps")
                .mend(format!("Move {key} into the step it is for"));
            report.wrong(&field.place, None, reason, "");
        }
    }
    if let Some(field) = fields.take("source", report) {
        let reason =
            Reason::from("a chain starts from another role").mend("Leave it out; `from` names that role");
        report.wrong(&field.place, None, reason, "");
    }
}

/// What an entry says of its session, whatever its source.
struct Asked {
    role_arn: Option<RoleArn>,
    name: Option<SessionNameTemplate>,
    duration: Option<SessionDuration>,
    policy: Option<String>,
    policy_arns: Vec<String>,
}

impl Asked {
    fn take(fields: &mut Fields<'_>, report: &mut Report<'_>) -> Self {
        let role_arn = role_arn(fields, report);
        let name = fields.parse("session_name", "session_name: \"{namespace}-{pod}\"", template, report);
        let duration =
            fields.parse("session_duration", "session_duration: 1h", parse_session_duration, report);
        let (policy, policy_arns) = policies(fields, report);
        Self { role_arn, name, duration, policy, policy_arns }
    }
}

/// A role that starts from no other.
fn alone(
    fields: &mut Fields<'_>,
    name: Option<&str>,
    defaults: &Defaults,
    report: &mut Report<'_>,
) -> Option<Source> {
    let origin = match fields.take("source", report) {
        Some(field) => origin(&field, defaults, report),
        None => Some(Origin::WebIdentity { token_file: None }),
    };
    let asked = Asked::take(fields, report);
    match origin? {
        Origin::PodIdentity(settings) => {
            for key in OF_STEPS.into_iter().filter(|key| *key != "role_arn" && fields.has(key)) {
                let why = "the Pod Identity association decides it, and not whoever asks the agent";
                report.wrong(&fields.place_of(key), None, Reason::from(why).mend("Leave it out"), "");
            }
            Some(Source::PodIdentity(PodIdentity { role_arn: asked.role_arn, ..settings? }))
        }
        Origin::WebIdentity { token_file } => {
            let token_file = token_file.or_else(|| defaults.token_file.clone());
            let overruled = defaults.overrule(asked.name.as_ref(), asked.duration);
            if let (Some(name), false) = (name, overruled.is_empty()) {
                let message = format!("{overruled} is set and beats what the roles file says for {name}");
                report.warn("RolesFileOverruled", message);
            }
            web_identity(fields, asked, token_file, defaults, report).map(Source::WebIdentity)
        }
    }
}

/// What the entry does not say, the environment does; some of it it says for all.
fn web_identity(
    fields: &Fields<'_>,
    asked: Asked,
    token_file: Option<PathBuf>,
    defaults: &Defaults,
    report: &mut Report<'_>,
) -> Option<WebIdentity> {
    let has_arn = fields.has("role_arn");
    let role_arn = asked.role_arn.or_else(|| defaults.role_arn.clone().filter(|_| !has_arn));
    if role_arn.is_none() && !has_arn {
        let why = format!("it has no role_arn, and {ENV_ROLE_ARN}, which would stand in for it, is not set");
        report.wrong(fields.place(), None, why.into(), ROLE_ARN_EXAMPLE);
    }
    if token_file.is_none() {
        let why = format!("there is no web identity token for it: {ENV_WEB_IDENTITY_TOKEN_FILE} is not set");
        report.wrong(fields.place(), None, why.into(), TOKEN_FILE_EXAMPLE);
    }
    let name = defaults.fixed_session_name.clone().or(asked.name);
    let duration = defaults.session_duration.or(asked.duration);
    let session = Session {
        role_arn: role_arn?,
        name: name.unwrap_or_else(|| defaults.session_name()),
        duration: duration.unwrap_or(SessionDuration::Fixed(DEFAULT_SESSION_DURATION)),
        policy: asked.policy,
        policy_arns: asked.policy_arns,
    };
    Some(WebIdentity { token_file: token_file?, session })
}

fn origin(field: &Field<'_>, defaults: &Defaults, report: &mut Report<'_>) -> Option<Origin> {
    if !matches!(field.node.value, Value::Map(_)) {
        let parse = |text: &str| match text {
            "web_identity" => Ok(Origin::WebIdentity { token_file: None }),
            "pod_identity" => Ok(Origin::PodIdentity(None)),
            _ => Err("there are web_identity and pod_identity".into()),
        };
        let origin = field.parse(SOURCE_EXAMPLE, parse, report)?;
        if let Origin::PodIdentity(None) = origin {
            let settings = defaults.agent(report)?;
            defaults.refuse_loop(&settings, &field.place, report)?;
            return Some(Origin::PodIdentity(Some(settings)));
        }
        return Some(origin);
    }
    let mut fields = field.fields(SOURCE_EXAMPLE, report)?;
    let web_identity = fields.take("web_identity", report);
    let pod_identity = fields.take("pod_identity", report);
    let origin = match (&web_identity, &pod_identity) {
        (Some(field), None) => {
            let mut fields = field.fields(SOURCE_EXAMPLE, report)?;
            let token_file = fields.path("token_file", "token_file: /var/run/secrets/token", report);
            fields.refuse_others(report);
            Some(Origin::WebIdentity { token_file })
        }
        (None, Some(field)) => {
            pod_identity_of(field, defaults, report).map(|settings| Origin::PodIdentity(Some(settings)))
        }
        _ => {
            report.wrong(
                &field.place,
                None,
                "it must name one of web_identity and pod_identity".into(),
                SOURCE_EXAMPLE,
            );
            None
        }
    };
    fields.refuse_others(report);
    origin
}

fn pod_identity_of(field: &Field<'_>, defaults: &Defaults, report: &mut Report<'_>) -> Option<PodIdentity> {
    let example = "pod_identity: { endpoint: http://169.254.170.23/v1/credentials }";
    let mut fields = field.fields(example, report)?;
    let endpoint = fields.parse("endpoint", example, parse_endpoint, report);
    let has_endpoint = fields.has("endpoint");
    let file = fields.path("authorization_token_file", "authorization_token_file: /path/token", report);
    let has_file = fields.has("authorization_token_file");
    fields.refuse_others(report);
    let settings = match (endpoint, has_endpoint) {
        // Another endpoint's token is none of the agent's.
        (Some(endpoint), _) => PodIdentity { endpoint, authorization_token_file: file, role_arn: None },
        (None, false) => {
            let agent = defaults.agent(report)?;
            let authorization_token_file =
                if has_file { file } else { agent.authorization_token_file.clone() };
            PodIdentity { authorization_token_file, ..agent }
        }
        (None, true) => return None,
    };
    defaults.refuse_loop(&settings, &field.place, report)?;
    Some(settings)
}

/// It must be there, and good, when the roles file is read; later it is followed.
fn authorization_token_file(
    fields: &mut Fields<'_>,
    defaults: &Defaults,
    report: &mut Report<'_>,
) -> Option<PathBuf> {
    let example = "authorization_token_file: /etc/irsa-sidecar/reports-token";
    let field = fields.take("authorization_token_file", report)?;
    let path = field.parse(example, absolute_path, report)?;
    if defaults.surroundings.ignores_role_tokens {
        return None;
    }
    match AuthorizationFile::at(path.clone(), report.label(&field.place)).read() {
        Ok((_, warnings)) => report.warnings.extend(warnings),
        Err(mistake) => report.mistakes.push(mistake),
    }
    Some(path)
}

pub(super) fn template(text: &str) -> Result<SessionNameTemplate, Reason> {
    text.parse().map_err(Reason::from)
}

fn check_name(text: &str) -> Result<String, Reason> {
    let is_taken = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let begins_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    if text.len() > MAX_NAME || !begins_well || !text.chars().all(is_taken) {
        let why = "a name is 1 to 64 of A-Z a-z 0-9 _ . -, a letter or a digit first: it stands in paths and metrics";
        return Err(why.into());
    }
    Ok(text.to_owned())
}

fn check_bool(text: &str) -> Result<bool, Reason> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("it is true or false".into()),
    }
}

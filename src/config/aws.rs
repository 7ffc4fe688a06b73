//! Whose credentials: the role, the token, the session, in AWS's own variables, read as an SDK reads them.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::PodNames;
use crate::config::Role;
use crate::config::Roles;
use crate::config::RolesFile;
use crate::config::Session;
use crate::config::SessionDuration;
use crate::config::SessionNameTemplate;
use crate::config::Source;
use crate::config::WebIdentity;
use crate::config::duration::parse_session_duration;
use crate::config::mistake::Reason;
use crate::config::mistake::quoted;
use crate::config::parser::Given;
use crate::config::parser::Parser;
use crate::config::pem::check_pem;
use crate::config::pod_identity;
use crate::config::roles_file::Defaults;
use crate::config::roles_file::Surroundings;
use crate::config::settings::CA_BUNDLE;
use crate::config::settings::CONTAINER_CREDENTIALS_FULL_URI;
use crate::config::settings::ROLE;
use crate::config::settings::ROLE_ARN;
use crate::config::settings::ROLE_SESSION_NAME;
use crate::config::settings::ROLES_FILE;
use crate::config::settings::SESSION_DURATION;
use crate::config::settings::Setting;
use crate::config::settings::WEB_IDENTITY_TOKEN_FILE;
use crate::config::types::RoleArn;
use crate::config::types::SessionName;
use crate::config::types::format_duration;
use crate::contract::DEFAULT_ROLE;
use crate::contract::DEFAULT_SESSION_DURATION;
use crate::contract::ENV_ACCESS_KEY_ID;
use crate::contract::ENV_NODE_NAME;
use crate::contract::ENV_POD_NAME;
use crate::contract::ENV_POD_NAMESPACE;
use crate::contract::ENV_SECRET_ACCESS_KEY;
use crate::contract::ENV_SERVICE_ACCOUNT;
use crate::contract::ENV_SESSION_TOKEN;

/// The code of keys in the environment, which are not used here.
pub(crate) const STATIC_KEYS_IGNORED: &str = "StaticKeysIgnored";
/// The code of a path that goes from wherever the program is started.
pub(crate) const TOKEN_FILE_RELATIVE: &str = "TokenFileRelative";
const STATIC_KEYS: [&str; 3] = [ENV_ACCESS_KEY_ID, ENV_SECRET_ACCESS_KEY, ENV_SESSION_TOKEN];

/// What is left of a session at the refresh, at the least, below which these clients fetch again and again.
const REFETCHING: [(Duration, &str); 3] = [
    (Duration::from_secs(15 * 60), "botocore, Java v1 and .NET refetch at each call"),
    (Duration::from_secs(20 * 60), "s3fs refetches at each request"),
    (Duration::from_secs(25 * 60), "botocore extends what it has by itself"),
];

/// Every role, and what is needed to obtain their credentials: those of the roles file, or the one that the environment
/// names.
pub(super) fn roles(parser: &mut Parser<'_>, surroundings: Surroundings) -> Option<Roles> {
    let pod = pod_names(parser);
    let ca_bundle = parser.value(&CA_BUNDLE, check_pem);
    warn_of_static_keys(parser);
    let duration = parser.value(&SESSION_DURATION, parse_session_duration);
    if let Some(SessionDuration::Fixed(duration)) = duration {
        warn_of_short_sessions(parser, duration);
    }
    let (roles, file) = match parser.given(&ROLES_FILE) {
        Some(given) => {
            let path = parser.parse(&given, roles_file_path);
            let (roles, file) = of_file(parser, given.spelling.to_string(), path?, duration, surroundings)?;
            (roles, Some(file))
        }
        None => (vec![sole_role(parser, duration, &surroundings)?], None),
    };
    Some(Roles { roles, file, pod, ca_bundle })
}

fn sole_role(
    parser: &mut Parser<'_>,
    duration: Option<SessionDuration>,
    surroundings: &Surroundings,
) -> Option<Role> {
    let is_set = |parser: &Parser<'_>, setting: &Setting| {
        parser.strings().var(setting.variable).ok().flatten().is_some_and(|value| !value.is_empty())
    };
    let has_web_identity = is_set(parser, &ROLE_ARN) || is_set(parser, &WEB_IDENTITY_TOKEN_FILE);
    let source = if !has_web_identity && is_set(parser, &CONTAINER_CREDENTIALS_FULL_URI) {
        Source::PodIdentity(pod_identity::sole_source(parser, surroundings)?)
    } else {
        let role_arn = required_role_arn(parser);
        let token_file = token_file(parser);
        let fixed = fixed_session_name(parser);
        let name = fixed.unwrap_or_else(|| usual_session_name(parser));
        let duration = duration.unwrap_or(SessionDuration::Fixed(DEFAULT_SESSION_DURATION));
        let (policy, policy_arns) = (None, Vec::new());
        let session = Session { role_arn: role_arn?, name, duration, policy, policy_arns };
        Source::WebIdentity(WebIdentity { token_file: token_file?, session })
    };
    let name = DEFAULT_ROLE.to_owned();
    Some(Role { name, source, is_imds: false, authorization_token_file: None })
}

fn of_file(
    parser: &mut Parser<'_>,
    named_by: String,
    path: PathBuf,
    session_duration: Option<SessionDuration>,
    surroundings: Surroundings,
) -> Option<(Vec<Role>, RolesFile)> {
    let role_arn = parser.given(&ROLE_ARN).and_then(|given| role_arn(parser, &given));
    let token_file =
        parser.given(&WEB_IDENTITY_TOKEN_FILE).and_then(|given| given_token_file(parser, &given));
    let fixed_session_name = fixed_session_name(parser);
    let usual_session_name = usual_session_name(parser);
    let pod_identity = pod_identity::agent(parser);
    let defaults = Defaults {
        role_arn: role_arn.clone(),
        token_file,
        fixed_session_name,
        usual_session_name,
        session_duration,
        pod_identity,
        surroundings,
    };
    let file = RolesFile { named_by, path, defaults };
    match file.read() {
        Ok((roles, warnings)) => {
            parser.warn_all(warnings);
            if let Some(unused) = role_arn.filter(|arn| roles.iter().all(|role| role.arn() != Some(arn))) {
                let message =
                    format!("{} is {unused}, and no role of the roles file has this ARN", ROLE_ARN.variable);
                parser.warn("RoleArnUnused", message);
            }
            Some((roles, file))
        }
        Err(mistakes) => {
            pod_identity::tell_of_exec_around(parser);
            parser.adopt(&mistakes);
            None
        }
    }
}

fn roles_file_path(text: &str) -> Result<PathBuf, Reason> {
    if text.trim() != text {
        return Err("it begins or ends with white space".into());
    }
    Ok(PathBuf::from(text))
}

/// The role whose credentials are to be printed.
pub(super) fn chosen_role(parser: &mut Parser<'_>, roles: &Roles) -> Option<String> {
    let names: Vec<&str> = roles.roles.iter().map(|role| role.name.as_str()).collect();
    let Some(given) = parser.given(&ROLE) else {
        return match names[..] {
            [only] => Some(only.to_owned()),
            _ if names.contains(&DEFAULT_ROLE) => Some(DEFAULT_ROLE.to_owned()),
            _ => {
                let mend = format!("Name one of {}", names.join(", "));
                parser.missing_flag(&ROLE, "there are several roles, and none is called default", mend);
                None
            }
        };
    };
    parser.parse(&given, |text| match names.contains(&text) {
        true => Ok(text.to_owned()),
        false => {
            Err(Reason::from("there is no role of this name").mend(format!("There is {}", names.join(", "))))
        }
    })
}

/// What the downward API tells of the pod.
fn pod_names(parser: &Parser<'_>) -> PodNames {
    let strings = parser.strings();
    let told = |name| strings.var(name).ok().flatten().filter(|value| !value.is_empty());
    PodNames {
        namespace: told(ENV_POD_NAMESPACE),
        pod: told(ENV_POD_NAME),
        service_account: told(ENV_SERVICE_ACCOUNT),
        node: told(ENV_NODE_NAME),
        hostname: strings.host_name(),
    }
}

fn required_role_arn(parser: &mut Parser<'_>) -> Option<RoleArn> {
    let Some(given) = parser.given(&ROLE_ARN) else {
        return missing(
            parser,
            &ROLE_ARN,
            "The EKS webhook sets it in pods whose ServiceAccount has the annotation eks.amazonaws.com/role-arn; by \
             hand: AWS_ROLE_ARN=arn:aws:iam::111122223333:role/app. With EKS Pod Identity, \
             AWS_CONTAINER_CREDENTIALS_FULL_URI takes its place; for several roles, IRSA_SIDECAR_ROLES_FILE",
        );
    };
    role_arn(parser, &given)
}

fn role_arn(parser: &mut Parser<'_>, given: &Given) -> Option<RoleArn> {
    let arn: RoleArn = parser.parse(given, |text| text.parse().map_err(Reason::from))?;
    if !arn.has_known_partition() {
        let message = format!(
            "{} has the partition {}, which is none of AWS's; right for another STS, else a typing mistake",
            ROLE_ARN.variable,
            quoted(arn.partition())
        );
        parser.warn("PartitionUnknown", message);
    } else if arn.account().is_none() {
        let message = format!(
            "{} names no account, as AWS's always do; right for another STS, else the 12 digits are missing",
            ROLE_ARN.variable
        );
        parser.warn("AccountMissing", message);
    }
    Some(arn)
}

/// The file itself may come later: it is waited for.
pub(super) fn token_file(parser: &mut Parser<'_>) -> Option<PathBuf> {
    let Some(given) = parser.given(&WEB_IDENTITY_TOKEN_FILE) else {
        return missing(
            parser,
            &WEB_IDENTITY_TOKEN_FILE,
            "The EKS webhook sets it together with AWS_ROLE_ARN; by hand: the path of a projected ServiceAccount \
             token with the audience sts.amazonaws.com",
        );
    };
    given_token_file(parser, &given)
}

fn given_token_file(parser: &mut Parser<'_>, given: &Given) -> Option<PathBuf> {
    let path = parser.parse(given, |text| match text {
        text if text.trim_start().starts_with("eyJ") => {
            Err(Reason::from("it is a token, not the path of a file with a token").hide_value())
        }
        text if text.trim() != text => Err("it begins or ends with white space".into()),
        text if text.contains('\0') => Err("it contains a NUL, which no path does".into()),
        text if text.starts_with("file:") => Err("it is a URL; a path goes here".into()),
        text => Ok(PathBuf::from(text)),
    })?;
    if path.is_relative() {
        let message = format!(
            "{} is relative, so that it depends on the directory in which irsa-sidecar is started: {}",
            WEB_IDENTITY_TOKEN_FILE.variable,
            quoted(&given.value)
        );
        parser.warn(TOKEN_FILE_RELATIVE, message);
    }
    Some(path)
}

fn missing<T>(parser: &mut Parser<'_>, setting: &'static Setting, mend: &str) -> Option<T> {
    // A value that is not text was told already.
    if parser.strings().var(setting.variable).is_ok() {
        parser.missing(setting, mend);
    }
    None
}

/// What a person chose must be right; what is put together from the pod's names is made right.
fn fixed_session_name(parser: &mut Parser<'_>) -> Option<SessionNameTemplate> {
    let name: SessionName = parser.value(&ROLE_SESSION_NAME, |text| text.parse().map_err(Reason::from))?;
    Some(name.into())
}

fn usual_session_name(parser: &Parser<'_>) -> SessionNameTemplate {
    let pod = pod_names(parser);
    let text = match (pod.namespace, pod.pod, pod.hostname) {
        (Some(namespace), Some(pod), _) => format!("{namespace}-{pod}"),
        (.., Some(host_name)) => format!("irsa-sidecar-{host_name}"),
        (.., None) => "irsa-sidecar".to_owned(),
    };
    SessionName::cleaned(&text).into()
}

fn warn_of_short_sessions(parser: &mut Parser<'_>, duration: Duration) {
    let left = duration / 2;
    let clients: Vec<&str> =
        REFETCHING.iter().filter(|(window, _)| left < *window).map(|(_, clients)| *clients).collect();
    if !clients.is_empty() {
        let message = format!(
            "sessions of {} have as little as {} left when they are refreshed: {}; sessions of 1h have 30m",
            format_duration(duration),
            format_duration(left),
            clients.join(", "),
        );
        parser.warn("SessionShort", message);
    }
}

fn warn_of_static_keys(parser: &mut Parser<'_>) {
    let is_set = |name: &&&str| {
        parser.strings().var(name) != Ok(None) && parser.strings().var(name) != Ok(Some(String::new()))
    };
    let set: Vec<&str> = STATIC_KEYS.iter().filter(is_set).copied().collect();
    if !set.is_empty() {
        let message = format!(
            "{} set here and not used: credentials come from STS alone. An application that has them too uses them \
             and not the role",
            if set.len() == 1 { format!("{} is", set[0]) } else { format!("{} are", set.join(", ")) }
        );
        parser.warn(STATIC_KEYS_IGNORED, message);
    }
}

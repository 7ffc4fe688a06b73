//! Whose credentials: the role, the token, the session, in AWS's own variables, read as an SDK reads them.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::PodNames;
use crate::config::Role;
use crate::config::Roles;
use crate::config::Session;
use crate::config::SessionDuration;
use crate::config::Source;
use crate::config::WebIdentity;
use crate::config::duration::parse_session_duration;
use crate::config::env::NotUnicode;
use crate::config::mistake::Reason;
use crate::config::mistake::quoted;
use crate::config::parser::Parser;
use crate::config::pem::check_pem;
use crate::config::settings::CA_BUNDLE;
use crate::config::settings::ROLE_ARN;
use crate::config::settings::ROLE_SESSION_NAME;
use crate::config::settings::SESSION_DURATION;
use crate::config::settings::Setting;
use crate::config::settings::WEB_IDENTITY_TOKEN_FILE;
use crate::config::types::RoleArn;
use crate::config::types::SessionName;
use crate::config::types::format_duration;
use crate::contract::DEFAULT_ROLE;
use crate::contract::DEFAULT_SESSION_DURATION;
use crate::contract::ENV_POD_NAME;
use crate::contract::ENV_POD_NAMESPACE;

const STATIC_KEYS: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

/// What is left of a session at the refresh, at the least, below which these clients fetch again and again.
const REFETCHING: [(Duration, &str); 3] = [
    (Duration::from_secs(15 * 60), "botocore, Java v1 and .NET refetch at each call"),
    (Duration::from_secs(20 * 60), "s3fs refetches at each request"),
    (Duration::from_secs(25 * 60), "botocore extends what it has by itself"),
];

/// The one role there is without a roles file, and what is needed to call STS for it.
pub(super) fn roles(parser: &mut Parser<'_>) -> Option<Roles> {
    let role_arn = role_arn(parser);
    let token_file = token_file(parser);
    let name = session_name(parser);
    let duration = SessionDuration::Fixed(session_duration(parser));
    let ca_bundle = parser.value(&CA_BUNDLE, check_pem);
    warn_of_static_keys(parser);
    let session =
        Session { role_arn: role_arn?, name: name?.into(), duration, policy: None, policy_arns: Vec::new() };
    let role = Role {
        name: DEFAULT_ROLE.to_owned(),
        source: Source::WebIdentity(WebIdentity { token_file: token_file?, session }),
        is_imds: false,
        authorization_token_file: None,
    };
    Some(Roles { roles: vec![role], file: None, pod: PodNames::default(), ca_bundle })
}

/// Of several roles the roles file would tell the names.
pub(super) fn check_role_name(text: &str) -> Result<(), Reason> {
    if text == DEFAULT_ROLE {
        return Ok(());
    }
    Err("there is no role of this name; several roles, and the file that names them, are not built yet"
        .into())
}

fn role_arn(parser: &mut Parser<'_>) -> Option<RoleArn> {
    let Some(given) = parser.given(&ROLE_ARN) else {
        return missing(
            parser,
            &ROLE_ARN,
            "The EKS webhook sets it in pods whose ServiceAccount has the annotation eks.amazonaws.com/role-arn; by \
             hand: AWS_ROLE_ARN=arn:aws:iam::111122223333:role/app",
        );
    };
    let arn: RoleArn = parser.parse(&given, |text| text.parse().map_err(Reason::from))?;
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
    let path = parser.parse(&given, |text| match text {
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
        parser.warn("TokenFileRelative", message);
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
fn session_name(parser: &mut Parser<'_>) -> Option<SessionName> {
    if let Some(given) = parser.given(&ROLE_SESSION_NAME) {
        return parser.parse(&given, |text| text.parse().map_err(Reason::from));
    }
    let strings = parser.strings();
    if strings.var(ROLE_SESSION_NAME.variable) == Err(NotUnicode) {
        return None;
    }
    let pod = |name| strings.var(name).ok().flatten().filter(|value| !value.is_empty());
    let text = match (pod(ENV_POD_NAMESPACE), pod(ENV_POD_NAME)) {
        (Some(namespace), Some(pod)) => format!("{namespace}-{pod}"),
        _ => match strings.host_name() {
            Some(host_name) => format!("irsa-sidecar-{host_name}"),
            None => "irsa-sidecar".to_owned(),
        },
    };
    Some(SessionName::cleaned(&text))
}

fn session_duration(parser: &mut Parser<'_>) -> Duration {
    let Some(duration) = parser.value(&SESSION_DURATION, parse_session_duration) else {
        return DEFAULT_SESSION_DURATION;
    };
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
    duration
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
        parser.warn("StaticKeysIgnored", message);
    }
}

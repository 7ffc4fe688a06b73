//! `irsa-sidecar trust-policy`: what IAM must say for a token to be exchanged.

use std::io;
use std::path::PathBuf;

use clap::Arg;
use clap::ArgAction;
use clap::ArgMatches;
use clap::value_parser;

use crate::cli::chosen_format;
use crate::cli::format_argument;
use crate::cli::say;
use crate::cli::token;
use crate::config::env::Strings;
use crate::contract::ENV_ROLE_ARN;
use crate::contract::exit;
use crate::trust_policy::FORMATS;
use crate::trust_policy::Format;
use crate::trust_policy::Given;
use crate::trust_policy::permission;
use crate::trust_policy::policy;
use crate::trust_policy::render;

/// What the command line asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TrustPolicy {
    /// `-` is standard input.
    pub token_file: Option<PathBuf>,
    pub format: Format,
    pub given: Given,
}

/// Name, value, whether it repeats, meaning.
const FLAGS: [(&str, &str, bool, &str); 7] = [
    ("role-arn", "ARN", false, "The role that is to be assumed [env: AWS_ROLE_ARN]"),
    (
        "issuer",
        "URL",
        true,
        "A cluster's issuer; may be repeated, for clusters that take turns [default: the token's]",
    ),
    ("namespace", "NAME", false, "The ServiceAccount's namespace [default: the token's]"),
    ("service-account", "NAME", true, "The ServiceAccount; may be repeated [default: the token's]"),
    (
        "audience",
        "AUDIENCE",
        true,
        "The token's audience [default: sts.amazonaws.com, or the token's if it has another]",
    ),
    ("from-role", "ARN", false, "Trust this role, the one before in a chain, and no ServiceAccount"),
    ("external-id", "ID", false, "What the role before must send along"),
];
const SWITCHES: [(&str, &str); 2] = [
    ("session-tags", "Allow session tags: sts:TagSession"),
    ("source-identity", "Allow the role before to say who is behind it: sts:SetSourceIdentity"),
];

pub(super) fn arguments() -> Vec<Arg> {
    let format = format_argument(&FORMATS, "How it is printed");
    let token_file = Arg::new("token-file")
        .long("token-file")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("A token of the ServiceAccount's, or - for stdin [env: AWS_WEB_IDENTITY_TOKEN_FILE]");
    let flag = |(name, value, repeats, help): (&'static str, &'static str, bool, &'static str)| {
        let action = if repeats { ArgAction::Append } else { ArgAction::Set };
        Arg::new(name).long(name).value_name(value).action(action).help(help)
    };
    let switch = |(name, help): (&'static str, &'static str)| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    let flags = FLAGS.into_iter().map(flag);
    [format, token_file].into_iter().chain(flags).chain(SWITCHES.into_iter().map(switch)).collect()
}

pub(super) fn asked(matches: &ArgMatches) -> TrustPolicy {
    let one = |name: &str| matches.get_one::<String>(name).cloned();
    let all = |name: &str| matches.get_many(name).into_iter().flatten().cloned().collect();
    TrustPolicy {
        token_file: matches.get_one("token-file").cloned(),
        format: chosen_format(matches, &FORMATS),
        given: Given {
            role_arn: one("role-arn"),
            issuers: all("issuer"),
            namespace: one("namespace"),
            service_accounts: all("service-account"),
            audiences: all("audience"),
            from_role: one("from-role"),
            external_id: one("external-id"),
            session_tags: matches.get_flag("session-tags"),
            source_identity: matches.get_flag("source-identity"),
        },
    }
}

/// Prints the policy, warnings to stderr; gives the exit status.
pub fn run(TrustPolicy { token_file, format, mut given }: TrustPolicy, strings: &dyn Strings) -> u8 {
    // Empty is unset, as SDKs have it.
    let of_environment = || strings.var(ENV_ROLE_ARN).ok().flatten().filter(|arn| !arn.is_empty());
    given.role_arn = given.role_arn.or_else(of_environment);
    let token = match given.needs_token() || token_file.is_some() {
        true => match token::open(token_file.as_deref(), strings) {
            Ok(token) => Some(token),
            Err(status) => return status,
        },
        false => None,
    };
    let has_tokens_issuer = given.issuers.is_empty() && given.from_role.is_none();
    let err = &mut io::stderr().lock();
    let asked = match given.resolve(token.as_ref().map(|token| token.claims())) {
        Ok(asked) => asked,
        Err(mistakes) => {
            mistakes.iter().for_each(|mistake| say(err, &format!("error: {mistake}")));
            return exit::USAGE;
        }
    };
    let (policy, warnings) = policy(&asked);
    match render(&asked, &policy, format) {
        Ok(text) => say(&mut io::stdout().lock(), &text),
        Err(why) => {
            say(err, &format!("error: --format: {why}"));
            return exit::USAGE;
        }
    }
    warnings.iter().for_each(|warning| say(err, &format!("warning: {warning}")));
    if format == Format::AwsCli {
        say(
            err,
            "warning: update-assume-role-policy replaces the role's whole trust policy: statements for others are lost",
        );
    }
    let issuer = token.as_ref().and_then(|token| token.claims().issuer());
    if let Some(issuer) = issuer.filter(|_| has_tokens_issuer) {
        say(
            err,
            &format!(
                "note: the issuer is the token's word, and the token is not verified here: compare {issuer} with aws eks \
                 describe-cluster --name CLUSTER --query cluster.identity.oidc.issuer"
            ),
        );
    }
    if let Some(permission) = permission(&asked) {
        say(err, &format!("The role before must be allowed it, too, by a policy of its own:\n{permission}"));
    }
    0
}

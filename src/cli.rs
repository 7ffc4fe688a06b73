//! The command line: `irsa-sidecar COMMAND [OPTIONS]`; the door to clap.
//!
//! Flags are taken as they are written; `config` parses them together with their variables, so that all mistakes come
//! at once. They are made from the list of settings, so that help, README and messages agree. Whatever clap refuses
//! ends with 64, as every wrong usage does.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::LazyLock;

use clap::Arg;
use clap::ArgAction;
use clap::ArgMatches;
use clap::Command as ClapCommand;
use clap::builder::PossibleValue;
use clap::builder::PossibleValuesParser;
use clap::value_parser;

use crate::config::Flags;
use crate::config::settings::ADMIN_LISTEN;
use crate::config::settings::LOG;
use crate::config::settings::LOG_FORMAT;
use crate::config::settings::ROLE;
use crate::config::settings::SESSION_DURATION;
use crate::config::settings::SETTINGS;
use crate::config::settings::Setting;
use crate::config::settings::WAIT;
use crate::contract::exit;

pub mod credentials;
pub mod healthcheck;
mod process;
pub mod run;
mod serve;
pub mod token;

use credentials::FORMATS;
use credentials::Format;

/// What is to be done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command {
    Serve { flags: Flags },
    Credentials { flags: Flags, format: Format },
    Token { file: Option<PathBuf>, json: bool },
    Healthcheck { flags: Flags },
}

/// The flags of `credentials` and of `healthcheck` that are settings, and how they are spelt there.
static OF_CREDENTIALS: [&Setting; 4] = [&ROLE, &SESSION_DURATION, &LOG, &LOG_FORMAT];
const ADMIN: &str = "admin";
/// As long as a postStart hook may reasonably hold an application back.
const DEFAULT_WAIT: &str = "5m";

const ABOUT: &str = "Gives old AWS SDKs the IAM role of their Kubernetes ServiceAccount, from inside the pod";
const LONG_ABOUT: &str = "\
Gives old AWS SDKs the IAM role of their Kubernetes ServiceAccount, from inside the pod.

It exchanges the projected token in AWS_WEB_IDENTITY_TOKEN_FILE for temporary credentials of the role in
AWS_ROLE_ARN, keeps them fresh, and serves them where SDKs too old for web identity look for them.";

const EXIT_STATUSES: &str = "\
Exit status: 0 fine, 64 bad usage or configuration, 69 something needed is unavailable, 70 a fault of ours";

const AFTER_LONG_HELP: &str = "\
A pod that the EKS webhook has prepared needs no setting: AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE and AWS_REGION
are there already. The application is pointed here with
  AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:9911/v1/credentials

Examples:
  irsa-sidecar serve
  irsa-sidecar token
  irsa-sidecar credentials --format env

Exit status: 0 fine, 64 bad usage or configuration, 69 something needed is unavailable, 70 a fault of ours";

const SERVE: &str = "\
Watch the token, exchange it ahead of time, keep the credentials in memory and serve them, until SIGTERM.

SIGHUP exchanges now, at most once in 10 s. A flag beats its variable. All settings are checked before anything
starts, and all mistakes are told at once.";

const SERVE_EXAMPLES: &str = "\
AWS's own variables keep AWS's meaning: AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE (both required),
AWS_ROLE_SESSION_NAME, AWS_REGION, AWS_DEFAULT_REGION, AWS_STS_REGIONAL_ENDPOINTS, AWS_USE_FIPS_ENDPOINT,
AWS_USE_DUALSTACK_ENDPOINT, AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL, AWS_CA_BUNDLE, HTTPS_PROXY, NO_PROXY.

Examples:
  irsa-sidecar serve
      serves http://127.0.0.1:9911/v1/credentials, and health and metrics on port 9912
  irsa-sidecar serve --session-duration 12h --drain 29s
  irsa-sidecar serve --listen 127.0.0.1:8080 --admin-listen 127.0.0.1:8081 --log debug

Exit status: 0 fine, 64 bad usage or configuration, 69 something needed is unavailable, 70 a fault of ours";

const CREDENTIALS: &str = "\
Exchange the token at STS once and print the credentials to stdout. They are secrets: mind where the output goes.";

const CREDENTIALS_EXAMPLES: &str = "\
Examples:
  In ~/.aws/config, for any SDK that knows credential_process:
      [default]
      credential_process = /usr/local/bin/irsa-sidecar credentials --format process
  In a shell:
      eval \"$(irsa-sidecar credentials --format env)\"

Exit status: 0 fine, 64 bad usage or configuration, 69 STS or the token is unavailable, 70 a fault of ours";

const TOKEN: &str = "\
Decode a web identity token: its claims and what they mean, its age, the time it has left, and who it is. Nothing is
verified, since STS alone decides. Neither the signature nor the token itself is printed.";

const TOKEN_EXAMPLES: &str = "\
Examples:
  irsa-sidecar token
      reads the file in AWS_WEB_IDENTITY_TOKEN_FILE
  irsa-sidecar token --json /var/run/secrets/eks.amazonaws.com/serviceaccount/token
  kubectl create token app --audience sts.amazonaws.com | irsa-sidecar token -

Exit status: 0 fine, 64 bad usage or configuration, 69 there is no token to decode, 70 a fault of ours";

const HEALTHCHECK: &str = "\
Ask the admin listener of a running sidecar whether every role holds valid credentials, and print what is missing.
It is the probe of an image that has no shell.";

const HEALTHCHECK_EXAMPLES: &str = "\
Examples:
  A native sidecar's startup probe:
      exec: { command: [irsa-sidecar, healthcheck] }
  A postStart hook that holds the application back for a minute at most:
      exec: { command: [irsa-sidecar, healthcheck, --wait, 1m] }

Exit status: 0 ready, 64 bad usage or configuration, 69 not ready, 70 a fault of ours";

/// What the arguments ask for. Help and version are printed and end with 0, a wrong usage is told and ends with 64.
pub fn parse_from<T: Into<OsString> + Clone>(args: impl IntoIterator<Item = T>) -> Result<Command, ExitCode> {
    parse(args).map_err(|error| {
        // To a closed pipe nothing can be said; the status still tells.
        let _ = error.print();
        if error.use_stderr() { ExitCode::from(exit::USAGE) } else { ExitCode::SUCCESS }
    })
}

fn parse<T: Into<OsString> + Clone>(args: impl IntoIterator<Item = T>) -> Result<Command, clap::Error> {
    let matches = definition().try_get_matches_from(args)?;
    let (name, of_command) = matches.subcommand().expect("clap must have asked for a command");
    let flags = flags(of_command);
    Ok(match name {
        "serve" => Command::Serve { flags },
        "credentials" => {
            let chosen = of_command.get_one::<String>("format").map(String::as_str);
            let format = FORMATS.iter().find(|(name, ..)| Some(*name) == chosen);
            let (_, format, _) = *format.expect("clap must have taken a format from the list");
            Command::Credentials { flags, format }
        }
        "token" => {
            let file = of_command.get_one("file").cloned();
            Command::Token { file, json: of_command.get_flag("json") }
        }
        "healthcheck" => Command::Healthcheck { flags },
        other => unreachable!("clap must know the command {other}"),
    })
}

fn definition() -> ClapCommand {
    ClapCommand::new("irsa-sidecar")
        .version(version())
        .about(ABOUT)
        .long_about(LONG_ABOUT)
        .after_help(EXIT_STATUSES)
        .after_long_help(AFTER_LONG_HELP)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommand(
            command("serve", "Watch the token, keep fresh credentials and serve them, until SIGTERM")
                .long_about(SERVE)
                .after_long_help(SERVE_EXAMPLES)
                .args(SETTINGS.iter().filter_map(|setting| argument(setting))),
        )
        .subcommand(
            command("credentials", "Exchange the token once and print the credentials")
                .long_about(CREDENTIALS)
                .after_long_help(CREDENTIALS_EXAMPLES)
                .arg(format_argument())
                .args(OF_CREDENTIALS.iter().filter_map(|setting| argument(setting))),
        )
        .subcommand(
            command("token", "Decode the token: who it is, how long it lasts; never its signature")
                .long_about(TOKEN)
                .after_long_help(TOKEN_EXAMPLES)
                .arg(
                    Arg::new("file")
                        .value_name("FILE")
                        .value_parser(value_parser!(PathBuf))
                        .help("The file with the token, or - for stdin [env: AWS_WEB_IDENTITY_TOKEN_FILE]"),
                )
                .arg(
                    Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON, for scripts"),
                ),
        )
        .subcommand(
            command("healthcheck", "Ask a running sidecar whether it is ready")
                .long_about(HEALTHCHECK)
                .after_long_help(HEALTHCHECK_EXAMPLES)
                .args(argument(&WAIT).map(|wait| wait.num_args(0..=1).default_missing_value(DEFAULT_WAIT)))
                .args(argument(&ADMIN_LISTEN).map(|admin| admin.long(ADMIN).alias("admin-listen"))),
        )
}

fn command(name: &'static str, about: &'static str) -> ClapCommand {
    ClapCommand::new(name).about(about).after_help(EXIT_STATUSES)
}

/// The flag of a setting, with its variable and default in the help.
fn argument(setting: &'static Setting) -> Option<Arg> {
    let flag = setting.flag?;
    let mut help = setting.meaning.to_owned();
    if !setting.is_built {
        help.push_str(" (not built yet: refused)");
    }
    let variable = [("env", setting.variable), ("default", setting.default)];
    let notes: Vec<String> = variable
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(what, value)| format!("[{what}: {value}]"))
        .collect();
    if !notes.is_empty() {
        help = format!("{help}\n{}", notes.join(" "));
    }
    Some(Arg::new(flag).long(flag).value_name(setting.value).allow_negative_numbers(true).help(help))
}

fn format_argument() -> Arg {
    let formats = FORMATS.map(|(name, _, help)| PossibleValue::new(name).help(help));
    Arg::new("format")
        .long("format")
        .value_name("FORMAT")
        .value_parser(PossibleValuesParser::new(formats))
        .default_value(FORMATS[0].0)
        .help("How they are printed")
}

fn flags(matches: &ArgMatches) -> Flags {
    let mut flags = Flags::default();
    for setting in SETTINGS.into_iter().chain([&ROLE, &WAIT]) {
        let Some(flag) = setting.flag else { continue };
        // Each command has its own few.
        if let Ok(Some(value)) = matches.try_get_one::<String>(flag) {
            let is_healthcheck = matches.try_contains_id(WAIT.name()).is_ok();
            let spelt = if is_healthcheck && flag == ADMIN_LISTEN.name() { ADMIN } else { flag };
            flags.set_as(spelt, setting, value.clone());
        }
    }
    flags
}

/// Version, commit and target, as `--version` and the metric `build_info` tell them.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
pub const COMMIT: &str = match option_env!("IRSA_SIDECAR_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};
pub const TARGET: &str = match option_env!("IRSA_SIDECAR_TARGET") {
    Some(target) => target,
    None => "unknown",
};

/// Text for people: whatever a claim or an answer holds, it cannot play with the terminal. To a closed pipe nothing
/// can be said, which is no reason to fail.
fn say(out: &mut dyn Write, text: &str) {
    let is_harmless = |c: &char| *c == '\n' || !c.is_control();
    let text: String = text.chars().filter(is_harmless).collect();
    let _ = writeln!(out, "{}", text.trim_end());
}

fn version() -> &'static str {
    static LINE: LazyLock<String> = LazyLock::new(|| format!("{VERSION} (commit {COMMIT}, {TARGET})"));
    &LINE
}

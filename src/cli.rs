//! The command line: `irsa-sidecar COMMAND [OPTIONS]`; the door to clap.
//!
//! Flags are taken as they are written; `config` parses them together with their variables, so that all mistakes come
//! at once. They are made from the list of settings, so that help, docs/settings.md and messages agree. Whatever clap refuses
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

use crate::build_info::COMMIT;
use crate::build_info::TARGET;
use crate::build_info::VERSION;
use crate::config::Flags;
use crate::config::settings::ADMIN_LISTEN;
use crate::config::settings::DRAIN;
use crate::config::settings::HOST;
use crate::config::settings::LISTEN;
use crate::config::settings::LOG;
use crate::config::settings::LOG_FORMAT;
use crate::config::settings::NO_AUTHORIZATION_TOKEN;
use crate::config::settings::REMOVE;
use crate::config::settings::ROLE;
use crate::config::settings::ROLES_FILE;
use crate::config::settings::SESSION_DURATION;
use crate::config::settings::SETTINGS;
use crate::config::settings::Setting;
use crate::config::settings::TLS_CERT_FILE;
use crate::config::settings::TLS_KEY_FILE;
use crate::config::settings::WAIT;
use crate::config::settings::WEBHOOK_LISTEN;
use crate::contract::exit;
use crate::harmless::harmless;

pub mod credentials;
pub mod doctor;
mod exec;
pub mod healthcheck;
mod help;
pub mod inject;
mod injection;
mod input;
mod net_init;
mod offer;
mod process;
pub mod run;
mod serve;
pub mod token;
pub mod trust_policy;
mod webhook;

use credentials::FORMATS;
use credentials::Format;
use doctor::Doctor;
use help::ABOUT;
use help::ADMIN_HELP;
use help::AFTER_LONG_HELP;
use help::CREDENTIALS;
use help::CREDENTIALS_EXAMPLES;
use help::DOCTOR;
use help::DOCTOR_EXAMPLES;
use help::DOCTOR_STATUSES;
use help::EXEC;
use help::EXEC_EXAMPLES;
use help::EXEC_STATUSES;
use help::EXIT_STATUSES;
use help::HEALTHCHECK;
use help::HEALTHCHECK_EXAMPLES;
use help::INJECT;
use help::INJECT_EXAMPLES;
use help::LONG_ABOUT;
use help::NET_INIT;
use help::NET_INIT_EXAMPLES;
use help::NET_INIT_LISTEN_HELP;
use help::SERVE;
use help::SERVE_EXAMPLES;
use help::TOKEN;
use help::TOKEN_EXAMPLES;
use help::TRUST_POLICY;
use help::TRUST_POLICY_EXAMPLES;
use help::WEBHOOK;
use help::WEBHOOK_DRAIN_HELP;
use help::WEBHOOK_EXAMPLES;
use inject::Inject;
use offer::hinted;
use offer::valued;
use trust_policy::TrustPolicy;

/// What is to be done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command {
    Serve {
        flags: Flags,
    },
    Exec {
        flags: Flags,
        command: Vec<OsString>,
    },
    Credentials {
        flags: Flags,
        format: Format,
    },
    Doctor(Doctor),
    Token {
        file: Option<PathBuf>,
        json: bool,
    },
    TrustPolicy(TrustPolicy),
    Healthcheck {
        flags: Flags,
    },
    NetInit {
        flags: Flags,
    },
    Inject(Inject),
    /// The second are flags of the injection, by their names.
    Webhook {
        flags: Flags,
        injection: Vec<(&'static str, String)>,
    },
}

/// The settings that are flags of `credentials` too.
static OF_CREDENTIALS: [&Setting; 5] = [&ROLE, &ROLES_FILE, &SESSION_DURATION, &LOG, &LOG_FORMAT];
/// The flags of `net-init` beside `--listen`.
static OF_NET_INIT: [&Setting; 4] = [&REMOVE, &HOST, &LOG, &LOG_FORMAT];
/// The flags of `webhook` beside those of the injection and `--drain`.
static OF_WEBHOOK: [&Setting; 6] =
    [&WEBHOOK_LISTEN, &TLS_CERT_FILE, &TLS_KEY_FILE, &ADMIN_LISTEN, &LOG, &LOG_FORMAT];
/// What `healthcheck` calls `--admin-listen`, since it does not listen.
const ADMIN: &str = "admin";
/// As long as a postStart hook may reasonably hold an application back.
const DEFAULT_WAIT: &str = "5m";

/// What the arguments ask for. Help and version are printed and end with 0, a wrong usage is told and ends with 64.
pub fn parse_from<T: Into<OsString> + Clone>(args: impl IntoIterator<Item = T>) -> Result<Command, ExitCode> {
    parse(args).map_err(|error| {
        // To a closed pipe nothing can be said; the status still tells.
        let _ = error.print();
        if error.use_stderr() { ExitCode::from(exit::USAGE) } else { ExitCode::SUCCESS }
    })
}

fn parse<T: Into<OsString> + Clone>(args: impl IntoIterator<Item = T>) -> Result<Command, clap::Error> {
    let matches = whole_definition().try_get_matches_from(args)?;
    let (name, of_command) = matches.subcommand().expect("clap must have asked for a command");
    let flags = flags(of_command);
    Ok(match name {
        "serve" => Command::Serve { flags },
        "exec" => Command::Exec { flags, command: exec::asked(of_command) },
        "credentials" => Command::Credentials { flags, format: chosen_format(of_command, &FORMATS) },
        "doctor" => Command::Doctor(doctor::asked(of_command, flags)),
        "token" => {
            let file = of_command.get_one("file").cloned();
            Command::Token { file, json: of_command.get_flag("json") }
        }
        "trust-policy" => Command::TrustPolicy(trust_policy::asked(of_command)),
        "healthcheck" => Command::Healthcheck { flags },
        "net-init" => Command::NetInit { flags },
        "inject" => Command::Inject(Inject {
            files: of_command.get_many("filename").into_iter().flatten().cloned().collect(),
            check: of_command.get_flag("check"),
            settings: injection::given(of_command),
        }),
        "webhook" => {
            let mut flags = flags;
            for setting in [&WEBHOOK_LISTEN, &TLS_CERT_FILE, &TLS_KEY_FILE] {
                if let Some(value) = of_command.get_one::<String>(setting.name()) {
                    flags = flags.with(setting, value);
                }
            }
            Command::Webhook { flags, injection: injection::given(of_command) }
        }
        other => unreachable!("clap must know the command {other}"),
    })
}

/// The command line as people see it: what the manual and the completions are made of.
pub fn definition() -> ClapCommand {
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
            command("exec", "Run a command that has the role's credentials, fresh for as long as it runs")
                .long_about(EXEC)
                .after_help(EXEC_STATUSES)
                .after_long_help(EXEC_EXAMPLES)
                .override_usage("irsa-sidecar exec [OPTIONS] [--] <COMMAND> [ARGUMENT]...")
                .args(exec::arguments()),
        )
        .subcommand(
            command("credentials", "Obtain a role's credentials once and print them")
                .long_about(CREDENTIALS)
                .after_long_help(CREDENTIALS_EXAMPLES)
                .arg(format_argument(&FORMATS, "How they are printed"))
                .args(OF_CREDENTIALS.iter().filter_map(|setting| argument(setting))),
        )
        .subcommand(
            command("doctor", "Check every link of the chain; say which is broken, and the mend")
                .long_about(DOCTOR)
                .after_help(DOCTOR_STATUSES)
                .after_long_help(DOCTOR_EXAMPLES)
                .args(doctor::arguments())
                .args(argument(&ROLE).map(|role| role.help("The role that is looked at\n[default: default]")))
                .args(argument(&ROLES_FILE).map(|file| {
                    file.help(
                        "A YAML file with several roles, as serve takes it\n[env: IRSA_SIDECAR_ROLES_FILE]",
                    )
                }))
                .args(argument(&SESSION_DURATION)),
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
            command("trust-policy", "Print the trust policy that IAM needs for a ServiceAccount")
                .long_about(TRUST_POLICY)
                .after_long_help(TRUST_POLICY_EXAMPLES)
                .args(trust_policy::arguments()),
        )
        .subcommand(
            command("healthcheck", "Ask a running sidecar whether it is ready")
                .long_about(HEALTHCHECK)
                .after_long_help(HEALTHCHECK_EXAMPLES)
                .args(argument(&WAIT).map(|wait| wait.num_args(0..=1).default_missing_value(DEFAULT_WAIT)))
                .args(
                    argument(&ADMIN_LISTEN)
                        .map(|admin| admin.long(ADMIN).alias("admin-listen").help(ADMIN_HELP)),
                ),
        )
        .subcommand(
            command("net-init", "Claim the listeners' link-local addresses on the pod's lo, and end")
                .long_about(NET_INIT)
                .after_long_help(NET_INIT_EXAMPLES)
                .args(argument(&LISTEN).map(|listen| listen.help(NET_INIT_LISTEN_HELP)))
                .args(OF_NET_INIT.iter().filter_map(|setting| argument(setting))),
        )
        .subcommand(
            command("inject", "Do to a manifest what the webhook would do to its pods")
                .long_about(INJECT)
                .after_long_help(INJECT_EXAMPLES)
                .arg(
                    Arg::new("filename")
                        .short('f')
                        .long("filename")
                        .value_name("FILE")
                        .required(true)
                        .action(ArgAction::Append)
                        .value_parser(value_parser!(PathBuf))
                        .help("A file of manifests, YAML or JSON, or - for stdin; may be repeated"),
                )
                .arg(
                    Arg::new("check")
                        .long("check")
                        .action(ArgAction::SetTrue)
                        .help("Print nothing, and end with 1 when something would change"),
                )
                .args(injection::arguments(&[])),
        )
        .subcommand(
            command("webhook", "Run the mutating admission webhook, until SIGTERM")
                .long_about(WEBHOOK)
                .after_long_help(WEBHOOK_EXAMPLES)
                .args(OF_WEBHOOK.iter().filter_map(|setting| argument(setting)))
                .args(argument(&DRAIN).map(|drain| drain.help(WEBHOOK_DRAIN_HELP)))
                // The API server tells its version.
                .args(injection::arguments(&["kubernetes-version"])),
        )
        .mut_subcommands(|command| command.mut_args(hinted))
}

/// What is parsed by: with the flags, too, by which this program starts itself again.
fn whole_definition() -> ClapCommand {
    definition().mut_subcommand("doctor", |doctor| doctor.args(doctor::hidden_arguments()))
}

fn command(name: &'static str, about: &'static str) -> ClapCommand {
    ClapCommand::new(name).about(about).after_help(EXIT_STATUSES)
}

/// The flag of a setting, with its variable and default in the help.
fn argument(setting: &'static Setting) -> Option<Arg> {
    let flag = setting.flag?;
    let mut help = sentence(setting.meaning);
    let variable = [("env", setting.variable), ("default", setting.default)];
    let notes: Vec<String> = variable
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(what, value)| format!("[{what}: {value}]"))
        .collect();
    if !notes.is_empty() {
        help = format!("{help}\n{}", notes.join(" "));
    }
    let argument = Arg::new(flag).long(flag).help(help);
    Some(match setting.value {
        "" => argument.action(ArgAction::SetTrue),
        value => valued(argument, value),
    })
}

/// The setting's words, as help is written: a capital first, no Markdown.
fn sentence(meaning: &str) -> String {
    let plain = meaning.replace('`', "");
    let mut characters = plain.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}

/// `--format`: names, what they stand for, and what each gives; the first is the default.
type Formats<T> = [(&'static str, T, &'static str)];

fn format_argument<T>(formats: &Formats<T>, help: &'static str) -> Arg {
    let default = formats[0].0;
    let formats = formats.iter().map(|(name, _, help)| PossibleValue::new(*name).help(*help));
    Arg::new("format")
        .long("format")
        .value_name("FORMAT")
        .value_parser(PossibleValuesParser::new(formats))
        .default_value(default)
        .help(help)
}

fn chosen_format<T: Copy>(matches: &ArgMatches, formats: &Formats<T>) -> T {
    let chosen = matches.get_one::<String>("format").map(String::as_str);
    let found = formats.iter().find(|(name, ..)| Some(*name) == chosen);
    found.expect("clap must have taken a format from the list").1
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
    for switch in [&REMOVE, &HOST, &NO_AUTHORIZATION_TOKEN] {
        if let Ok(Some(true)) = matches.try_get_one::<bool>(switch.name()) {
            flags = flags.with(switch, "true");
        }
    }
    flags
}

/// Text for people. To a closed pipe nothing can be said, which is no reason to fail.
fn say(out: &mut dyn Write, text: &str) {
    let _ = writeln!(out, "{}", harmless(text).trim_end());
}

fn version() -> &'static str {
    static LINE: LazyLock<String> = LazyLock::new(|| format!("{VERSION} (commit {COMMIT}, {TARGET})"));
    &LINE
}

#[cfg(test)]
mod tests {
    use clap::error::ErrorKind;

    use super::*;

    fn parsed(line: &str) -> Result<Command, clap::Error> {
        parse(line.split(' '))
    }

    #[test]
    fn the_definition_is_sound() {
        whole_definition().debug_assert();
    }

    #[test]
    fn takes_flags_as_they_are_written() {
        let mut healthcheck = Flags::default().with(&WAIT, "5m");
        healthcheck.set_as("admin", &ADMIN_LISTEN, "[::1]:1".to_owned());
        let cases = [
            ("irsa-sidecar serve", Command::Serve { flags: Flags::default() }),
            (
                "irsa-sidecar serve --listen 127.0.0.1:1 --drain=-1",
                Command::Serve { flags: Flags::default().with(&LISTEN, "127.0.0.1:1").with(&DRAIN, "-1") },
            ),
            (
                "irsa-sidecar credentials",
                Command::Credentials { flags: Flags::default(), format: Format::Process },
            ),
            (
                "irsa-sidecar exec --wait 2m ls -la -- --wait",
                Command::Exec {
                    flags: Flags::default().with(&WAIT, "2m"),
                    command: ["ls", "-la", "--", "--wait"].map(OsString::from).into(),
                },
            ),
            ("irsa-sidecar token", Command::Token { file: None, json: false }),
            ("irsa-sidecar token - --json", Command::Token { file: Some(PathBuf::from("-")), json: true }),
            ("irsa-sidecar healthcheck", Command::Healthcheck { flags: Flags::default() }),
            (
                "irsa-sidecar net-init --listen 169.254.170.2 --remove",
                Command::NetInit {
                    flags: Flags::default().with(&LISTEN, "169.254.170.2").with(&REMOVE, "true"),
                },
            ),
            ("irsa-sidecar healthcheck --wait --admin [::1]:1", Command::Healthcheck { flags: healthcheck }),
        ];
        for (line, command) in cases {
            assert_eq!(parsed(line).unwrap(), command, "{line}");
        }
    }

    #[test]
    fn serve_has_a_flag_for_every_setting_and_its_help_names_every_variable() {
        let help = parsed("irsa-sidecar serve --help").err().unwrap().to_string();
        for setting in SETTINGS {
            let Some(flag) = setting.flag else {
                assert!(!help.contains(&format!("--{} ", setting.variable)));
                continue;
            };
            assert!(parsed(&format!("irsa-sidecar serve --{flag} x")).is_ok(), "{flag}");
            assert!(help.contains(&format!("--{flag} <")), "{flag}");
            assert!(help.contains(&format!("[env: {}]", setting.variable)), "{flag}");
        }
        let exec = parsed("irsa-sidecar exec --help").err().unwrap().to_string();
        for line in help.lines().chain(exec.lines()) {
            assert!(line.chars().count() <= 120, "{line}");
        }
    }

    #[test]
    fn help_at_every_level_tells_the_exit_statuses() {
        for command in [
            "",
            "serve ",
            "exec ",
            "credentials ",
            "token ",
            "healthcheck ",
            "net-init ",
            "inject ",
            "webhook ",
        ] {
            for help in ["-h", "--help"] {
                let error = parsed(&format!("irsa-sidecar {command}{help}")).err().unwrap();
                assert_eq!(error.kind(), ErrorKind::DisplayHelp);
                assert!(error.to_string().contains("Exit status: 0 "), "{command}{help}");
            }
        }
    }

    #[test]
    fn version_tells_what_was_built() {
        let text = parsed("irsa-sidecar --version").err().unwrap().to_string();
        assert_eq!(text.trim_end(), format!("irsa-sidecar {VERSION} (commit {COMMIT}, {TARGET})"));
    }

    #[test]
    fn wrong_usage_is_told_with_a_suggestion_and_never_with_the_value() {
        for (line, suggestion) in [
            ("irsa-sidecar", "Usage:"),
            ("irsa-sidecar srve", "'serve'"),
            ("irsa-sidecar serve --lisen x", "'--listen'"),
            ("irsa-sidecar serve --authorization-token=PLANTED", "'--authorization-token-file'"),
            ("irsa-sidecar serve --authorization-token PLANTED", "'--authorization-token-file'"),
            ("irsa-sidecar credentials --format xml", "process, json, env"),
            ("irsa-sidecar serve --port 1 --port 2", "cannot be used multiple times"),
        ] {
            let error = parsed(line).err().unwrap();
            assert!(error.use_stderr(), "{line}");
            let text = error.to_string();
            assert!(text.contains(suggestion), "{line}: {text}");
            assert!(!text.contains("PLANTED"), "{line}: {text}");
        }
    }
}

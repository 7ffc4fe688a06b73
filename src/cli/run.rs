//! From arguments to exit status: the table of contents of the program.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use crate::cli::Command;
use crate::cli::credentials;
use crate::cli::credentials::Format;
use crate::cli::doctor;
use crate::cli::exec;
use crate::cli::healthcheck;
use crate::cli::inject;
use crate::cli::net_init;
use crate::cli::parse_from;
use crate::cli::process;
use crate::cli::process::FileLimit;
use crate::cli::serve;
use crate::cli::token;
use crate::cli::trust_policy;
use crate::cli::webhook;
use crate::clock::Clock;
use crate::config::Config;
use crate::config::Flags;
use crate::config::Mistakes;
use crate::config::Warning;
use crate::config::env::Environment;
use crate::config::parse_exec;
use crate::config::parse_net_init;
use crate::config::parse_roles;
use crate::config::parse_webhook;
use crate::contract::exit;
use crate::harmless::harmless;
use crate::inject::Settings;
use crate::log;
use crate::sts::client::check_region;

/// Runs the program with these arguments, the first of which is its name.
pub fn run<T: Into<OsString> + Clone>(arguments: impl IntoIterator<Item = T>) -> ExitCode {
    let limit = process::harden();
    let command = match parse_from(arguments) {
        Ok(command) => command,
        Err(code) => return code,
    };
    let status = match command {
        Command::Serve { flags } => run_serve(&flags),
        Command::Exec { flags, command } => run_exec(&flags, &command, &limit),
        Command::Credentials { flags, format } => run_credentials(&flags, format),
        Command::Doctor(asked) => doctor::run(asked, &Environment, &Clock::system()),
        Command::Token { file, json } => token::run(file.as_deref(), json, &Environment, &Clock::system()),
        Command::TrustPolicy(asked) => trust_policy::run(asked, &Environment),
        Command::Healthcheck { flags } => healthcheck::run(&flags, &Environment, &Clock::system()),
        Command::NetInit { flags } => run_net_init(&flags),
        Command::Inject(asked) => inject::run(&asked),
        Command::Webhook { flags, injection } => run_webhook(&flags, &injection),
    };
    ExitCode::from(status)
}

fn run_serve(flags: &Flags) -> u8 {
    match Config::parse(flags, &Environment) {
        Ok((config, warnings)) => {
            log::install(config.log);
            warn(&warnings);
            serve::run(config)
        }
        Err(mistakes) => refuse(&mistakes),
    }
}

fn run_exec(flags: &Flags, command: &[OsString], limit: &FileLimit) -> u8 {
    match parse_exec(flags, &Environment) {
        Ok((settings, warnings)) => {
            log::install(settings.log);
            warn(&warnings);
            exec::run(settings, command, limit, &Environment)
        }
        Err(mistakes) => refuse(&mistakes),
    }
}

fn run_credentials(flags: &Flags, format: Format) -> u8 {
    match parse_roles(flags, &Environment) {
        Ok(((roles, role, log), warnings)) => {
            log::install(log);
            warn(&warnings);
            credentials::run(roles, &role, format)
        }
        Err(mistakes) => refuse(&mistakes),
    }
}

fn run_net_init(flags: &Flags) -> u8 {
    match parse_net_init(flags, &Environment) {
        Ok((net_init, warnings)) => {
            log::install(net_init.log);
            warn(&warnings);
            net_init::run(&net_init)
        }
        Err(mistakes) => {
            tell(&mistakes);
            exit::USAGE
        }
    }
}

/// The mistakes of both halves at once.
fn run_webhook(flags: &Flags, injection: &[(&'static str, String)]) -> u8 {
    let settings = Settings::from_flags(injection.iter().map(|(name, value)| (*name, value.as_str())));
    let config = parse_webhook(flags, &Environment);
    if let Err(mistakes) = &config {
        tell(mistakes);
    }
    if let Err(mistakes) = &settings {
        inject::tell(mistakes);
    }
    let (Ok((config, warnings)), Ok(settings)) = (config, settings) else { return exit::USAGE };
    log::install(config.log);
    warn(&warnings);
    webhook::run(config, settings)
}

fn warn(warnings: &[Warning]) {
    for warning in warnings {
        tracing::warn!(code = warning.code, "{warning}");
    }
}

/// For people, whatever the log format: there is no log before the settings are understood.
fn tell(mistakes: &Mistakes) {
    let _ = writeln!(std::io::stderr().lock(), "{}", harmless(&mistakes.to_string()).trim_end());
}

/// Whether there is a region, only the profile can tell, so it is asked for last.
fn refuse(mistakes: &Mistakes) -> u8 {
    tell(mistakes);
    let mut err = std::io::stderr().lock();
    if let Ok(Err(error)) = process::block_on(check_region()) {
        let _ = writeln!(err, "\nAnd beside them: {}", harmless(&error.to_string()));
    }
    exit::USAGE
}

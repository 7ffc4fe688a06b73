//! `irsa-sidecar exec -- COMMAND [ARGUMENT…]`: serve one command for as long as it runs.
//!
//! It is started once credentials are held, with an endpoint and an authorization token that nobody else knows; it has
//! our terminal, our signals, and the last word on the exit status.

use std::ffi::OsString;
use std::fmt::Write;
use std::future::pending;
use std::process::Command;
use std::time::Duration;

use clap::Arg;
use clap::ArgMatches;
use clap::value_parser;
use tokio::sync::watch;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::app;
use crate::cache::Problem;
use crate::cli::argument;
use crate::cli::help::EXEC_LOG_HELP;
use crate::cli::help::EXEC_NO_TOKEN_HELP;
use crate::cli::help::EXEC_ROLE_HELP;
use crate::cli::help::EXEC_WAIT_HELP;
use crate::cli::process;
use crate::cli::process::FileLimit;
use crate::cli::serve;
use crate::clock::Clock;
use crate::config::Exec;
use crate::config::env::Strings;
use crate::config::settings::LOG;
use crate::config::settings::LOG_FORMAT;
use crate::config::settings::NO_AUTHORIZATION_TOKEN;
use crate::config::settings::ROLE;
use crate::config::settings::ROLES_FILE;
use crate::config::settings::SESSION_DURATION;
use crate::config::settings::Setting;
use crate::config::settings::WAIT;
use crate::config::types::format_duration;
use crate::contract::DEFAULT_ROLE;
use crate::contract::PATH_CREDENTIALS;
use crate::contract::exec_exit;
use crate::contract::exit;
use crate::exec;
use crate::exec::Served;
use crate::exec::signals::Signals;
use crate::roles::Board;
use crate::secret::Secret;
use crate::session_key::SessionKey;
use crate::sts::client::region;
use crate::termination_log;

/// The settings that are flags of `exec`, with its own words where they mean something else here.
static FLAGS: [(&Setting, Option<&str>); 7] = [
    (&ROLE, Some(EXEC_ROLE_HELP)),
    (&ROLES_FILE, None),
    (&SESSION_DURATION, None),
    (&WAIT, Some(EXEC_WAIT_HELP)),
    (&NO_AUTHORIZATION_TOKEN, Some(EXEC_NO_TOKEN_HELP)),
    (&LOG, Some(EXEC_LOG_HELP)),
    (&LOG_FORMAT, None),
];

pub(super) fn arguments() -> Vec<Arg> {
    let flag = |(setting, help): &(&'static Setting, Option<&'static str>)| {
        let flag = argument(setting)?;
        Some(match help {
            Some(help) => flag.help(*help),
            None => flag,
        })
    };
    let command = Arg::new("command")
        .value_name("COMMAND")
        .help("The command and its arguments; -- before it where it begins with a dash")
        .required(true)
        .num_args(1..)
        .trailing_var_arg(true)
        .value_parser(value_parser!(OsString));
    FLAGS.iter().filter_map(flag).chain([command]).collect()
}

/// The command and its arguments.
pub(super) fn asked(matches: &ArgMatches) -> Vec<OsString> {
    matches.get_many("command").into_iter().flatten().cloned().collect()
}

/// Runs the command; gives its exit status, or one of ours where there was no command.
pub(super) fn run(settings: Exec, command: &[OsString], limit: &FileLimit, strings: &dyn Strings) -> u8 {
    let clock = Clock::system();
    process::block_on(serve_and_run(settings, command, limit, strings, clock)).unwrap_or(exit::SOFTWARE)
}

async fn serve_and_run(
    settings: Exec,
    command: &[OsString],
    limit: &FileLimit,
    strings: &dyn Strings,
    clock: Clock,
) -> u8 {
    let mut signals = match Signals::take_over() {
        Ok(signals) => signals,
        Err(error) => return serve::refuse(&error.into()),
    };
    let (role, wait) = (settings.role.clone(), settings.wait);
    let token = settings.has_authorization.then(token);
    let bound = match app::build(settings.into_config(token.clone().map(Into::into)), clock.clone()).await {
        Ok(bound) => bound,
        Err(error) => return serve::refuse(&error),
    };
    let address = bound.serve.addresses()[0];
    let host = address.ip().to_string();
    let url = format!("http://{address}{}", path(&role));
    let served = Served { url, host, token, region: region().await };
    // SIGHUP is the command's.
    let running = bound.start(watch::channel(0).1);
    let board = running.board.clone();
    running
        .during(async {
            tokio::select! {
                biased;
                signal = signals.end() => {
                    let signal = signal.as_raw();
                    tracing::warn!(signal, "asked to end before there were credentials: nothing was started");
                    return u8::try_from(signal).map_or(exit::SOFTWARE, |signal| exec_exit::SIGNALLED + signal);
                }
                held = timeout(wait, credentials(board.clone(), &role, &clock)) => if held.is_err() {
                    return refuse(&board, &role, wait);
                }
            }
            let mut child = Command::new(&command[0]);
            child.args(&command[1..]);
            exec::dress(&mut child, &served, strings);
            match limit.during(|| exec::start(&mut child)) {
                Ok(child) => {
                    termination_log::leave();
                    child.end(&mut signals).await
                }
                Err(error) => {
                    tracing::error!(code = error.code(), "{error}");
                    error.exit_status()
                }
            }
        })
        .await
}

/// Known to this process and the command alone: 32 bytes of the kernel's, in letters that every client can send.
fn token() -> Secret {
    let mut text = Zeroizing::new(String::with_capacity(64));
    for byte in SessionKey::random().expose() {
        write!(text, "{byte:02x}").expect("writing to a String must succeed");
    }
    Secret::new(std::mem::take(&mut *text))
}

/// One that stays right whatever roles come.
fn path(role: &str) -> String {
    match role {
        DEFAULT_ROLE => PATH_CREDENTIALS.to_owned(),
        role => format!("{PATH_CREDENTIALS}/{role}"),
    }
}

/// Returns once the role has credentials that may be served. A changed roles file puts another entry in its place.
async fn credentials(mut board: Board, role: &str, clock: &Clock) {
    loop {
        let reader = board.seen().named(role).map(|entry| entry.reader.clone());
        if reader.as_ref().is_some_and(|reader| reader.load().servable(clock.read()).is_some()) {
            return;
        }
        let published = async {
            match reader {
                Some(mut reader) => reader.published().await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = board.changed() => {}
            () = published => {}
        }
    }
}

/// Says why there are no credentials; gives the exit status.
fn refuse(board: &Board, role: &str, wait: Duration) -> u8 {
    let table = board.now();
    let entry = table.named(role);
    let problem = entry.map(|entry| entry.reader.load().problem.clone());
    let wait = format_duration(wait);
    match problem {
        Some(Some(Problem { code, message, mend, .. })) => {
            let message = message.trim_end_matches('.');
            tracing::error!(
                role,
                code,
                "no credentials within {wait}, and nothing was started: {message}. {mend}"
            );
        }
        Some(None) => tracing::error!(role, "no credentials within {wait}, and nothing was started"),
        None => {
            let code = "RoleGone";
            tracing::error!(role, code, "the roles file no longer has this role, and nothing was started");
        }
    }
    exit::UNAVAILABLE
}

//! `irsa-sidecar doctor`: every link of the chain, which is broken, and the mend.

use std::io;
use std::io::IsTerminal;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use clap::Arg;
use clap::ArgAction;
use clap::ArgMatches;
use clap::value_parser;

use crate::app::once::ObtainError;
use crate::app::once::obtain;
use crate::cli::input;
use crate::cli::process;
use crate::cli::say;
use crate::clock::Clock;
use crate::config::Flags;
use crate::config::env::Strings;
use crate::config::parse_roles;
use crate::config::settings::ROLES_FILE;
use crate::contract::ENV_EC2_METADATA_DISABLED;
use crate::contract::ENV_ROLES_FILE;
use crate::contract::exit;
use crate::doctor::Asked;
use crate::doctor::Outcome;
use crate::doctor::Policy;
use crate::doctor::examine;
use crate::doctor::process::Process;
use crate::doctor::process::Target;
use crate::doctor::process::User;
use crate::file::ReadFileError;
use crate::trust_policy::Document;

/// What the command line asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Doctor {
    pub flags: Flags,
    /// `-` is standard input.
    pub trust_policy: Option<PathBuf>,
    pub fetch_trust_policy: bool,
    pub sdk: Option<String>,
    /// Whose variables are to be looked at.
    pub pid: Option<u32>,
    /// Whose variables these are already.
    pub of_pid: Option<Process>,
    /// Whom this process is to become before it looks at anything.
    pub as_user: Option<User>,
    pub against: Option<u32>,
    pub offline: bool,
    pub json: bool,
}

/// How this program tells itself, started again with another process's variables.
const OF_PID: &str = "of-pid";
const AS_USER: &str = "as-user";
/// IAM's own limit is far below.
const MAX_POLICY_BYTES: usize = 32 * 1024;

pub(super) fn arguments() -> Vec<Arg> {
    let switch = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    let process = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("PID").value_parser(value_parser!(u32)).help(help)
    };
    vec![
        Arg::new("trust-policy")
            .long("trust-policy")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help("The role's trust policy, or what `aws iam get-role` prints, to be held against the token; - for stdin"),
        switch("fetch-trust-policy", "Fetch the trust policy from IAM (iam:GetRole), with the keys in the environment, else with the role's own")
            .conflicts_with_all(["trust-policy", "offline"]),
        Arg::new("sdk")
            .long("sdk")
            .value_name("NAME/VERSION")
            .help("The application's SDK, as in botocore/1.12.199, or its whole User-Agent: does it find the role here?"),
        process("pid", "Look with the variables and files of this process, the application's"),
        process("against", "The process whose variables are held against these [default: 1]"),
        switch("offline", "Ask nobody: look at variables and files alone"),
        switch("json", "Print JSON, for scripts"),
    ]
}

/// For this program alone, which starts itself again with them.
pub(super) fn hidden_arguments() -> [Arg; 2] {
    [
        Arg::new(OF_PID).long(OF_PID).value_parser(value_parser!(Process)).hide(true),
        Arg::new(AS_USER).long(AS_USER).value_parser(value_parser!(User)).hide(true),
    ]
}

pub(super) fn asked(matches: &ArgMatches, flags: Flags) -> Doctor {
    Doctor {
        flags,
        trust_policy: matches.get_one("trust-policy").cloned(),
        fetch_trust_policy: matches.get_flag("fetch-trust-policy"),
        sdk: matches.get_one("sdk").cloned(),
        pid: matches.get_one("pid").copied(),
        of_pid: matches.get_one(OF_PID).copied(),
        as_user: matches.get_one(AS_USER).cloned(),
        against: matches.get_one("against").copied(),
        offline: matches.get_flag("offline"),
        json: matches.get_flag("json"),
    }
}

/// Prints the report; gives the exit status.
pub fn run(doctor: Doctor, strings: &dyn Strings, clock: &Clock) -> u8 {
    if let Some(pid) = doctor.pid {
        let why = become_like(pid, &doctor, strings);
        say(&mut io::stderr().lock(), &format!("error: --pid {pid}: {why}"));
        return exit::USAGE;
    }
    let Doctor {
        flags, trust_policy, fetch_trust_policy, sdk, of_pid, as_user, against, offline, json, ..
    } = doctor;
    // A file of whoever looks, and not of the process.
    let trust_policy = match trust_policy.map(|path| read(&path)).transpose() {
        Ok(document) => document,
        Err(why) => {
            say(&mut io::stderr().lock(), &format!("error: --trust-policy {why}"));
            return exit::USAGE;
        }
    };
    let target = match of_pid.map(|process| enter(process, as_user.as_ref(), offline)).transpose() {
        Ok(target) => target,
        Err(why) => {
            say(&mut io::stderr().lock(), &format!("error: --pid: it cannot be looked at as itself: {why}"));
            return exit::USAGE;
        }
    };
    let is_below_root = target.as_ref().is_some_and(Target::is_elsewhere) && as_user.is_none();
    let roles = parse_roles(&flags, strings).map(|((roles, name, _), warnings)| ((roles, name), warnings));
    let chosen = roles.as_ref().ok().map(|(chosen, _)| chosen.clone());
    let has_roles_file = flags.names(&ROLES_FILE) || strings.var(ENV_ROLES_FILE).ok().flatten().is_some();
    if is_below_root && has_roles_file {
        let why = "the paths in its roles file can be followed by root alone, or in its container";
        say(&mut io::stderr().lock(), &format!("error: --pid: {why}"));
        return exit::USAGE;
    }
    let asked = Asked {
        roles,
        has_roles_file,
        offline,
        trust_policy,
        fetch_trust_policy,
        sdk,
        against,
        pid: of_pid.map(|process| process.pid),
        is_below_root,
        mounts: target.map(|target| target.mounts),
    };
    let obtained = async || {
        let Some((roles, name)) = chosen else { return Outcome::NotTried };
        match obtain(roles, &name, clock.clone()).await {
            Ok(credentials) => Outcome::Held(Box::new(credentials)),
            Err(ObtainError::Exchange { role, error }) => Outcome::Refused { role, error },
            // The checks of the token and of the network tell these.
            Err(ObtainError::Token { .. } | ObtainError::Resolve(_) | ObtainError::NoRole(_)) => {
                Outcome::NotTried
            }
        }
    };
    let Ok(report) = process::block_on(examine(&asked, strings, clock, obtained)) else {
        return exit::SOFTWARE;
    };
    let out = io::stdout();
    match json {
        true => say(&mut out.lock(), &report.to_json()),
        false => {
            let has_no_colour = strings.var("NO_COLOR").ok().flatten().is_some_and(|value| !value.is_empty());
            let in_colour = out.is_terminal() && !has_no_colour;
            let _ = io::Write::write_all(&mut out.lock(), report.to_text(in_colour).as_bytes());
        }
    }
    report.exit_status()
}

/// Becomes like the process whose variables these are.
fn enter(process: Process, user: Option<&User>, offline: bool) -> Result<Target, String> {
    let target = Target::of(process.pid).map_err(|error| error.to_string())?;
    // What was decided on the first look must hold: with another root, a name would be looked up by libraries in it.
    if target.process != process || (target.is_elsewhere() && !offline) {
        return Err("it has changed meanwhile".to_owned());
    }
    target.become_like(user).map_err(|error| {
        format!("{error}. It takes root, with the capabilities SYS_CHROOT, SETUID, SETGID and SYS_PTRACE")
    })?;
    Ok(target)
}

/// Starts this program again with that process's variables, to become its user: whatever reads the environment, the AWS SDK
/// too, then sees what the application sees, and may read and send no more than it may. Comes back only with the reason why it
/// could not.
fn become_like(pid: u32, doctor: &Doctor, strings: &dyn Strings) -> String {
    let target = match Target::of(pid) {
        Ok(target) => target,
        Err(ReadFileError::Missing) => {
            return "there is no such process here. In an ephemeral container, --target=CONTAINER shows the application's"
                .to_owned();
        }
        Err(error) => {
            return format!("its variables: {error}. It takes the same user, or root with CAP_SYS_PTRACE");
        }
    };
    let Ok(user) = target.user_to_become() else {
        return "it is another user's. It takes the same user, or root with CAP_SYS_PTRACE".to_owned();
    };
    let mut command = Command::new("/proc/self/exe");
    command.arg0("irsa-sidecar");
    // What this process is told not to ask, it does not ask as another either.
    let own =
        strings.var(ENV_EC2_METADATA_DISABLED).ok().flatten().map(|value| (ENV_EC2_METADATA_DISABLED, value));
    command
        .env_clear()
        .envs(target.variables_from_here())
        .envs(own)
        .arg("doctor")
        .args(doctor.flags.arguments());
    command.arg(format!("--{OF_PID}={}", target.process));
    command.args(user.map(|user| format!("--{AS_USER}={user}")));
    if let Some(path) = &doctor.trust_policy {
        command.arg("--trust-policy").arg(path);
    }
    command.args(doctor.sdk.iter().map(|sdk| format!("--sdk={sdk}")));
    command.args(doctor.against.iter().map(|pid| format!("--against={pid}")));
    let is_offline = doctor.offline || target.is_elsewhere();
    if is_offline && doctor.fetch_trust_policy {
        return "it is in another container, for which nothing is asked: leave --fetch-trust-policy out"
            .to_owned();
    }
    if is_offline && !doctor.offline {
        let why = "it is in another container, whose files may lead to ours: nothing is asked (--offline)";
        say(&mut io::stderr().lock(), &format!("note: --pid {pid}: {why}"));
    }
    let switches =
        [("fetch-trust-policy", doctor.fetch_trust_policy), ("offline", is_offline), ("json", doctor.json)];
    command.args(switches.iter().filter(|(_, is_set)| *is_set).map(|(name, _)| format!("--{name}")));
    format!("the program could not start itself again: {}", command.exec())
}

fn read(path: &Path) -> Result<Policy, String> {
    let text = input::text(path, MAX_POLICY_BYTES)?;
    let document = Document::parse(&text).map_err(|error| format!("{}: {error}", input::shown(path)))?;
    Ok(Policy { shown: path.display().to_string(), document })
}

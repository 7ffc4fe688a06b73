//! `irsa-sidecar serve` as a test sees it: started in a [`World`], addresses read from its own log.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::SystemTime;

use serde_json::Value;
use support::process::Process;
use support::raw;
use support::raw::RawResponse;
use support::sts::Credentials;
use support::world::World;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_irsa-sidecar");

pub(crate) struct Sidecar {
    pub(crate) process: Process,
    pub(crate) container: SocketAddr,
    pub(crate) admin: SocketAddr,
}

impl Sidecar {
    pub(crate) async fn start(world: &World) -> Self {
        Self::start_with(world, &[], &[]).await
    }

    /// Port 0 everywhere: the log says what it became. A flag given here comes last and wins.
    pub(crate) async fn start_with(world: &World, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut env = world.env();
        env.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Self::start_in(env, arguments).await
    }

    /// With this environment and no other.
    pub(crate) async fn start_in(env: BTreeMap<String, String>, arguments: &[&str]) -> Self {
        let given = |flag: &str| arguments.iter().any(|argument| argument.starts_with(flag));
        let mut all = vec!["serve", "--log-format=json"];
        all.extend(
            ["--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"]
                .into_iter()
                .filter(|default| !given(default.split('=').next().unwrap())),
        );
        all.extend(arguments);
        Self::of(Process::start(BINARY, &all, env).unwrap()).await
    }

    /// Started by another program, which is given these arguments before ours.
    pub(crate) async fn start_under(world: &World, program: &str, wrapper: &[&str]) -> Self {
        let mut all = wrapper.to_vec();
        all.extend(["serve", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0", "--log-format=json"]);
        Self::of(Process::start(program, &all, world.env()).unwrap()).await
    }

    async fn of(process: Process) -> Self {
        let address = async |endpoint: &str| {
            let line = process.line_with(&format!(r#""endpoint":"{endpoint}""#)).await.unwrap();
            let line: Value = serde_json::from_str(&line).unwrap();
            line["address"].as_str().unwrap().parse().unwrap()
        };
        let (container, admin) = (address("container").await, address("admin").await);
        Self { process, container, admin }
    }

    pub(crate) async fn credentials(&self) -> RawResponse {
        raw::get(self.container, "/v1/credentials").await.unwrap()
    }

    pub(crate) async fn wait_until_ready(&mut self) {
        self.process.status(self.admin, "/ready", 200).await.unwrap();
    }

    pub(crate) async fn wait_until_not_ready(&mut self) -> String {
        self.process.status(self.admin, "/ready", 503).await.unwrap().text()
    }

    pub(crate) async fn status(&self) -> Value {
        raw::get(self.admin, "/status").await.unwrap().json().unwrap()
    }

    pub(crate) async fn metrics(&self) -> String {
        raw::get(self.admin, "/metrics").await.unwrap().text()
    }

    pub(crate) fn log_lines_with(&self, text: &str) -> usize {
        self.process.output().lines().filter(|line| line.contains(text)).count()
    }
}

/// Credentials as they were printed or served, the session token under this name.
pub(crate) fn credentials(body: &Value, session_token: &str) -> Credentials {
    let field =
        |name: &str| body[name].as_str().unwrap_or_else(|| panic!("no {name} in the answer")).to_owned();
    Credentials {
        access_key_id: field("AccessKeyId"),
        secret_access_key: field("SecretAccessKey"),
        session_token: field(session_token),
        expires_at: SystemTime::UNIX_EPOCH,
    }
}

/// Whether the machine lets us; elsewhere than in CI a test is left out, by name and with the reason.
pub(crate) fn can_run(what: &str, command: &[&str]) -> bool {
    let output = std::process::Command::new(command[0]).args(&command[1..]).output();
    if output.as_ref().is_ok_and(|output| output.status.success()) {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "CI must have {what}: {command:?} gave {output:?}");
    eprintln!("SKIPPED: this test needs {what}; {command:?} gave {output:?}");
    false
}

/// As [`run`], started by another program.
pub(crate) async fn run_under(
    program: &str,
    wrapper: &[&str],
    arguments: &[&str],
    env: impl IntoIterator<Item = (String, String)>,
) -> (i32, String) {
    let mut process = Process::start(program, &[wrapper, arguments].concat(), env).unwrap();
    let status = process.exit().await.unwrap();
    (status.code().unwrap_or(-1), process.output())
}

/// One run of a command to its end: exit status, everything printed.
pub(crate) async fn run(
    arguments: &[&str],
    env: impl IntoIterator<Item = (String, String)>,
) -> (i32, String) {
    let mut process = Process::start(BINARY, arguments, env).unwrap();
    let status = process.exit().await.unwrap();
    (status.code().unwrap_or(-1), process.output())
}

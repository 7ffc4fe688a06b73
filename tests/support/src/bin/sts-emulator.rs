//! The emulator as a program: a whole small world, on loopback, until it is told to stop.
#![allow(clippy::disallowed_methods, reason = "test furniture stands outside the product's doors")]

use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use serde_json::Value;
use support::control::{self, Control};
use support::issuer::Algorithm;
use support::kubelet::Mode;
use support::world::{self, World};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};

/// An AWS STS for tests: it verifies everything and can be told to fail.
///
/// With it come an OIDC issuer, as a Kubernetes API server is one, and a token volume, as the kubelet makes it.
/// When all is ready, one line of JSON on stdout gives the addresses and the environment for a client; the same environment is
/// on stderr, as lines to be pasted into a shell.
#[derive(Parser)]
#[command(name = "sts-emulator", after_long_help = DETAILS)]
struct Arguments {
    /// Where STS listens
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// Where the issuer listens
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:0")]
    issuer_listen: SocketAddr,

    /// Where the levers are: /_emulator
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:0")]
    control_listen: SocketAddr,

    /// A role that exists; may be given several times
    #[arg(long = "role", value_name = "ARN", default_value = world::ROLE_ARN)]
    roles: Vec<String>,

    /// A role that trusts the one before it, the first of them the first role; may be given several times
    #[arg(long = "chain", value_name = "ARN")]
    chain: Vec<String>,

    /// The roles' trust policy, as IAM's JSON; ${ISSUER_HOST} and ${PROVIDER_ARN} are filled in
    #[arg(long, value_name = "FILE")]
    trust_policy: Option<PathBuf>,

    /// Trust this issuer's tokens in place of the built-in one's: a real cluster's
    #[arg(long, value_name = "URL", requires = "published_at")]
    external_issuer: Option<String>,

    /// Where that issuer's documents are fetched from, by plain HTTP, as from a bucket
    #[arg(long, value_name = "URL", requires = "external_issuer")]
    published_at: Option<String>,

    /// Whose tokens are minted, and whom the built-in trust policy trusts
    #[arg(long, value_name = "NAMESPACE/NAME", default_value = "shop/legacy-app", value_parser = service_account)]
    service_account: (String, String),

    /// The roles' MaxSessionDuration
    #[arg(long, value_name = "SECONDS", default_value = "3600", value_parser = seconds)]
    max_session: Duration,

    /// Sessions end this soon, whatever DurationSeconds asks for (which is still checked)
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    session_seconds: Option<Duration>,

    /// Leave AssumedRoleUser out of answers, as some other implementations of STS do
    #[arg(long)]
    omit_assumed_role_user: bool,

    /// Where the token volume is; a temporary directory otherwise
    #[arg(long, value_name = "DIR")]
    token_dir: Option<PathBuf>,

    /// Start with an empty token volume
    #[arg(long)]
    no_token: bool,

    /// Write a fresh token this often
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    rotate_every: Option<Duration>,

    /// How long a token is good
    #[arg(long, value_name = "SECONDS", default_value = "86400", value_parser = seconds)]
    token_seconds: Duration,

    /// How tokens are signed
    #[arg(long, value_name = "ALG", default_value = "rs256")]
    algorithm: SignedWith,

    /// The token file's mode
    #[arg(long, value_name = "MODE", default_value = "0600")]
    mode: FileMode,

    /// Speak TLS, with a certificate from a fresh CA; AWS_CA_BUNDLE in the environment names it
    #[arg(long)]
    tls: bool,

    /// Write that CA's certificate here as well; implies --tls
    #[arg(long, value_name = "FILE")]
    tls_ca_out: Option<PathBuf>,
}

const DETAILS: &str = "\
What is verified:
  AssumeRoleWithWebIdentity  every parameter as STS does; the token's RS256 or ES256 signature against the keys that
                             its issuer serves (/.well-known/openid-configuration, then its JWKS); iss, aud, exp, nbf,
                             iat; the role's trust policy with its conditions on HOST:sub and HOST:aud
  AssumeRole                 Signature Version 4 with credentials given out here; parameters; trust policy; 1 h at most
  GetCallerIdentity          Signature Version 4, in the header or presigned; expired credentials are refused

Levers, at the control address (GET /_emulator/calls shows what came in):
  curl -d '{\"kind\":\"throttle\",\"times\":3,\"retry_after\":2}' $CONTROL/fault
  curl -d '{\"kind\":\"error\",\"code\":\"AccessDenied\"}' $CONTROL/fault
  kinds: latency{millis} error{code,status,message} throttle{retry_after} http{status,body,retry_after} garbage
         truncate drip{millis} skew_date{seconds} reset hang; each with times and action if wanted
  curl -X POST $CONTROL/clear        ends all faults
  curl -X POST $CONTROL/refuse       closes STS's port; /listen opens it again
  curl -X POST $CONTROL/token/rotate and /remove /half /empty /oversized /not-utf8 /expired
  curl -X POST '$CONTROL/clock?advance=3600'   $CONTROL/session?seconds=6
  curl -X POST $CONTROL/issuer/rotate-keys     and /retire-keys /refuse /listen
  curl '$CONTROL/wait?calls=2'       answers once two calls have ended

It connects to loopback alone, keeps all but tokens in memory, and knows no real credentials.";

#[derive(Clone, Copy, ValueEnum)]
enum SignedWith {
    Rs256,
    Es256,
}

#[derive(Clone, Copy, ValueEnum)]
enum FileMode {
    #[value(name = "0600")]
    OwnerOnly,
    #[value(name = "0640")]
    FsGroup,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    match runtime.block_on(run(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

async fn run(arguments: Arguments) -> io::Result<()> {
    let rotate_every = arguments.rotate_every;
    let ca_out = arguments.tls_ca_out.clone();
    let control_address = arguments.control_listen;
    let world = Arc::new(arguments.world()?.start().await?);
    if let (Some(path), Some(pem)) = (ca_out, world.sts.ca_pem()) {
        fs::write(path, pem)?;
    }
    let control = Control::start(Arc::clone(&world), control_address).await?;
    // Before anyone can know that we are here, and send a signal.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    announce(control::describe(&world, Some(control.address())))?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        failure = keep_rotating(&world, rotate_every) => failure,
    }
}

/// Never returns but in an error.
async fn keep_rotating(world: &World, every: Option<Duration>) -> io::Result<()> {
    let Some(every) = every else {
        return std::future::pending().await;
    };
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        world.rotate_token()?;
    }
}

fn announce(mut description: Value) -> io::Result<()> {
    description["ready"] = true.into();
    for (name, value) in description["env"].as_object().into_iter().flatten() {
        eprintln!("export {name}={}", quoted(value.as_str().unwrap_or_default()));
    }
    let mut out = io::stdout().lock();
    writeln!(out, "{description}")?;
    out.flush()
}

/// As one word of a shell's.
fn quoted(value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    match !value.is_empty() && value.chars().all(is_plain) {
        true => value.to_owned(),
        false => format!("'{}'", value.replace('\'', r"'\''")),
    }
}

impl Arguments {
    fn world(self) -> io::Result<world::WorldBuilder> {
        let (namespace, name) = self.service_account;
        let mut builder = World::builder()
            .roles(self.roles)
            .chain(self.chain)
            .service_account(&namespace, &name)
            .max_session(self.max_session)
            .token_life(self.token_seconds)
            .sts_address(self.listen)
            .issuer_address(self.issuer_listen)
            .algorithm(match self.algorithm {
                SignedWith::Rs256 => Algorithm::Rs256,
                SignedWith::Es256 => Algorithm::Es256,
            })
            .mode(match self.mode {
                FileMode::OwnerOnly => Mode::OwnerOnly,
                FileMode::FsGroup => Mode::FsGroup,
            });
        if let Some(path) = self.trust_policy {
            builder = builder.trust_policy(fs::read_to_string(path)?);
        }
        if let (Some(url), Some(at)) = (self.external_issuer, self.published_at) {
            builder = builder.external_issuer(&url, &at);
        }
        if let Some(life) = self.session_seconds {
            builder = builder.session_life(life);
        }
        if let Some(directory) = self.token_dir {
            builder = builder.volume(directory);
        }
        if self.omit_assumed_role_user {
            builder = builder.without_assumed_role_user();
        }
        if self.no_token {
            builder = builder.without_token();
        }
        if self.tls || self.tls_ca_out.is_some() {
            builder = builder.tls();
        }
        Ok(builder)
    }
}

fn service_account(text: &str) -> Result<(String, String), String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => {
            Ok((namespace.to_owned(), name.to_owned()))
        }
        _ => Err("write it as NAMESPACE/NAME".to_owned()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("a whole number of seconds, at least 1".to_owned()),
        Ok(seconds) => Ok(Duration::from_secs(seconds)),
    }
}

fn failed(error: &io::Error) -> ExitCode {
    eprintln!("sts-emulator: {error}");
    ExitCode::from(69)
}

//! `cargo run --example demo`: watch an AWS SDK live on a rotating token.
//!
//! On loopback, with nothing installed but Rust: an OIDC issuer, a kubelet's token volume, an STS that verifies
//! everything, the real `irsa-sidecar serve`, and an application on the AWS SDK for Rust that knows nothing but
//! `AWS_CONTAINER_CREDENTIALS_FULL_URI`. In a terminal it shows a live table and takes keys that break things;
//! `--check` tells the whole story by itself and fails when a link does.
//!
//! | file | |
//! |---|---|
//! | `stage` | who takes part, and what can be done to them |
//! | `sidecar`, `application` | the two processes, and what they say |
//! | `check`, `check/links` | `--check`: the links, one after the other |
//! | `live`, `ear` | without it: keys and clock in, what everybody says as one list |
//! | `view`, `paste`, `screen` | what is shown of a moment, the commands to paste, how all is drawn |
//! | `terminal` | keys and the canvas, and their return |
//!
//! Both processes are this very program under another name, as cargo builds no `irsa-sidecar` for an example: started
//! as `irsa-sidecar` it is the real command line, started as `legacy-app` the application.

use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use irsa_sidecar::contract::exit;

mod application;
mod check;
mod ear;
mod live;
mod paste;
mod screen;
mod sidecar;
mod stage;
mod terminal;
mod view;

/// See an AWS SDK get, use and outlive temporary credentials from a rotating token, all on this machine.
///
/// It starts an OIDC issuer, a kubelet's token volume, an STS that verifies every token and every signature,
/// the real `irsa-sidecar serve`, and an application on the AWS SDK for Rust with nothing but
/// AWS_CONTAINER_CREDENTIALS_FULL_URI. Then it shows what happens as it happens, and lets you break it.
///
/// It talks to loopback alone, needs no AWS account and leaves nothing behind.
#[derive(Debug, Parser)]
#[command(name = "demo", bin_name = "cargo run --example demo --", after_help = KEYS, verbatim_doc_comment)]
struct Arguments {
    /// Tell the whole story without a terminal, in under 20 s; exit status 1 when a link fails
    #[arg(long)]
    check: bool,
}

const KEYS: &str = "\
Keys, in a terminal:
  c  cut STS off, and restore it           r  rotate the token now
  t  let STS throttle the next exchanges   h  SIGHUP: exchange now, at most once in 10 s
  k  corrupt the token, and mend it        q  quit";

fn main() -> ExitCode {
    let started_as = std::env::args_os().next().unwrap_or_default();
    match Path::new(&started_as).file_name().and_then(|name| name.to_str()) {
        Some(stage::SIDECAR) => irsa_sidecar::cli::run::run(std::env::args_os()),
        Some(stage::APPLICATION) => run(application::run()),
        _ => {
            let is_colourful = std::io::stdout().is_terminal();
            match Arguments::try_parse() {
                Ok(Arguments { check: true }) => run(check::run(is_colourful)),
                Ok(Arguments { check: false }) => run(live::run(is_colourful)),
                Err(refused) => {
                    let _ = refused.print();
                    ExitCode::from(if refused.use_stderr() { exit::USAGE } else { 0 })
                }
            }
        }
    }
}

fn run(part: impl Future<Output = ExitCode>) -> ExitCode {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(part),
        Err(error) => {
            eprintln!("demo: no runtime could be made: {error}");
            ExitCode::FAILURE
        }
    }
}

use std::process::ExitCode;

fn main() -> ExitCode {
    irsa_sidecar::cli::run::run(std::env::args_os())
}

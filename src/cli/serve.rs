//! `irsa-sidecar serve`: bind, run until drained.

use crate::app;
use crate::app::StartError;
use crate::cli::process;
use crate::clock::Clock;
use crate::config::Config;
use crate::contract::exit;

pub(super) fn run(config: Config) -> u8 {
    let clock = Clock::system();
    let status = process::block_on(async {
        let served = match app::build(config, clock).await {
            Ok(bound) => bound.run().await,
            Err(error) => Err(error),
        };
        served.map_or_else(|error| refuse(&error), |()| 0)
    });
    status.unwrap_or(exit::SOFTWARE)
}

/// Says why nothing was started; gives the exit status.
pub(super) fn refuse(error: &StartError) -> u8 {
    tracing::error!(code = error.code(), "{error}");
    status(error)
}

fn status(error: &StartError) -> u8 {
    match error {
        StartError::Bind(_) => exit::UNAVAILABLE,
        StartError::CredentialsFile { .. } | StartError::Resolve(_) | StartError::Upstream(_) => exit::USAGE,
        StartError::Signals(_) => exit::SOFTWARE,
    }
}

//! `irsa-sidecar webhook`.

use crate::config::Webhook;
use crate::contract::exit;
use crate::inject::Settings;

#[cfg(feature = "webhook")]
pub(super) fn run(config: Webhook, settings: Settings) -> u8 {
    use crate::clock::Clock;
    use crate::webhook::StartError;

    let clock = Clock::system();
    let status = crate::cli::process::block_on(async {
        match crate::webhook::run(config, settings, clock).await {
            Ok(()) => 0,
            Err(error) => {
                tracing::error!("{error}");
                match error {
                    StartError::Bind(..) | StartError::Certificate(_) | StartError::Client(_) => {
                        exit::UNAVAILABLE
                    }
                    StartError::Signals(_) => exit::SOFTWARE,
                }
            }
        }
    });
    status.unwrap_or(exit::SOFTWARE)
}

/// The sidecar's own image has no Kubernetes client.
#[cfg(not(feature = "webhook"))]
pub(super) fn run(_: Webhook, _: Settings) -> u8 {
    tracing::error!(
        "this build has no webhook: it is the sidecar's. Run the image irsa-sidecar-webhook, or build with \
         `cargo build --release --features webhook`"
    );
    exit::USAGE
}

//! Logs go to stderr, one line for each event; what dependencies say is capped.
//!
//! The AWS SDK prints whole requests, token included, at TRACE. Only this crate's own events follow `--log`; everybody
//! else's stop at INFO, whatever is asked for.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry;

use crate::config::Log;
use crate::config::LogFormat;

const OUR_TARGET: &str = "irsa_sidecar";

/// Takes over the process's logging. Called once, before anything can log.
pub fn install(log: Log) {
    let targets = filter(log.level);
    let registry = registry();
    // A second installation can only come from a test; the first one stays.
    let _ = match log.format {
        LogFormat::Json => {
            let lines =
                fmt::layer().json().flatten_event(true).with_current_span(false).with_span_list(false);
            tracing::subscriber::set_global_default(
                registry.with(lines.with_writer(std::io::stderr).with_filter(targets)),
            )
        }
        LogFormat::Text => {
            let lines = fmt::layer().with_ansi(std::io::stderr().is_terminal()).with_target(false);
            tracing::subscriber::set_global_default(
                registry.with(lines.with_writer(std::io::stderr).with_filter(targets)),
            )
        }
    };
}

fn filter(level: LevelFilter) -> Targets {
    Targets::new().with_default(level.min(LevelFilter::INFO)).with_target(OUR_TARGET, level)
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn dependencies_never_log_below_info() {
        let trace = filter(LevelFilter::TRACE);
        assert!(trace.would_enable("irsa_sidecar::sts", &Level::TRACE));
        for target in ["aws_smithy_runtime::client::orchestrator", "hyper::proto", "rustls", "aws_config"] {
            assert!(!trace.would_enable(target, &Level::DEBUG), "{target}");
            assert!(trace.would_enable(target, &Level::INFO), "{target}");
        }
        assert!(!filter(LevelFilter::ERROR).would_enable("hyper", &Level::WARN));
        assert!(!filter(LevelFilter::OFF).would_enable("irsa_sidecar", &Level::ERROR));
    }
}

//! Logs go to stderr, one line for each event; what dependencies say is capped.
//!
//! The AWS SDK prints whole requests, token included, at TRACE. Only this crate's own events follow `--log`; everybody
//! else's stop at INFO, whatever is asked for.

use std::fmt::Debug;
use std::io::IsTerminal;

use tracing::field::Field;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::format::debug_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry;

use crate::config::Log;
use crate::config::LogFormat;
use crate::harmless::harmless;

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
            let lines = lines.fmt_fields(debug_fn(write_field).delimited(" "));
            tracing::subscriber::set_global_default(
                registry.with(lines.with_writer(std::io::stderr).with_filter(targets)),
            )
        }
    };
}

/// As tracing does it; but a path or an answer can neither begin a line of its own nor play with the terminal.
fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> std::fmt::Result {
    let value = harmless(&format!("{value:?}")).replace('\n', " ");
    match field.name() {
        "message" => write!(writer, "{value}"),
        name => write!(writer, "{name}={value}"),
    }
}

fn filter(level: LevelFilter) -> Targets {
    Targets::new().with_default(level.min(LevelFilter::INFO)).with_target(OUR_TARGET, level)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;
    use std::sync::Mutex;
    use std::sync::PoisonError;

    use tracing::Level;
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Lines {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    #[test]
    fn a_line_of_text_is_one_line_and_plain() {
        let written = Lines::default();
        let lines = fmt::layer().with_ansi(false).with_target(false).without_time();
        let lines = lines.fmt_fields(debug_fn(write_field).delimited(" ")).with_writer(written.clone());
        tracing::subscriber::with_default(registry().with(lines), || {
            let path = "/x\u{1b}[2J\n WARN forged";
            tracing::info!(token_file = %path, left = 3, code = "Odd", "cannot be read: {path}");
        });
        let written =
            String::from_utf8_lossy(&written.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned();
        let shown = "/x [2J  WARN forged";
        assert_eq!(
            written,
            format!(" INFO cannot be read: {shown} token_file={shown} left=3 code=\"Odd\"\n")
        );
    }

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

//! What is logged, and how.

use tracing::level_filters::LevelFilter;

use crate::config::mistake::Reason;
use crate::config::parser::Parser;
use crate::config::settings::LOG;
use crate::config::settings::LOG_FORMAT;

/// `--log` and `--log-format`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Log {
    pub level: LevelFilter,
    pub format: LogFormat,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogFormat {
    /// For machines: one JSON object on each line.
    Json,
    /// For people.
    Text,
}

const LEVELS: [(&str, LevelFilter); 6] = [
    ("off", LevelFilter::OFF),
    ("error", LevelFilter::ERROR),
    ("warn", LevelFilter::WARN),
    ("info", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
    ("trace", LevelFilter::TRACE),
];
const FORMATS: [(&str, LogFormat); 2] = [("text", LogFormat::Text), ("json", LogFormat::Json)];

impl Log {
    pub(super) fn read(parser: &mut Parser<'_>) -> Self {
        Self::read_or(parser, LevelFilter::INFO)
    }

    /// With this level where none is asked for.
    pub(super) fn read_or(parser: &mut Parser<'_>, level: LevelFilter) -> Self {
        let level = parser.value(&LOG, |text| one_of(text, &LEVELS)).unwrap_or(level);
        let default = if parser.strings().is_terminal() { LogFormat::Text } else { LogFormat::Json };
        let format = parser.value(&LOG_FORMAT, |text| one_of(text, &FORMATS)).unwrap_or(default);
        Self { level, format }
    }
}

/// A word from a closed list.
pub(super) fn one_of<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, Reason> {
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
        return Ok(*value);
    }
    let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let reason = Reason::from(format!("it is not one of {}", all.join(", ")));
    Err(match words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text.trim())) {
        Some((word, _)) => reason.mend(format!("Write {word}")),
        None => reason,
    })
}

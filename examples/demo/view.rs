//! What is shown of a moment: state first, then what happened, then what the reader can do.

use std::cmp::Reverse;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::application::{Called, shortened};
use crate::paste;
use crate::screen::{Colour, painted};
use crate::sidecar::{Served, Status};

const BAR: usize = 30;
/// How the sidecar counts the application: the container provider of the AWS SDK for Rust sends no `User-Agent`.
pub(crate) const APPLICATIONS_SDK: &str = "none";
const KEYS: &str = "c cut STS off  t throttle  k corrupt token  r rotate  h SIGHUP  q quit";

/// One moment.
pub(crate) struct View<'a> {
    pub now: SystemTime,
    pub token: Token,
    pub sts: Sts,
    /// None while the sidecar does not answer.
    pub status: Option<&'a Status>,
    pub calls: Calls<'a>,
    pub served: &'a Served,
    pub happened: &'a [Happening],
    pub credentials_url: String,
    pub environment: PathBuf,
    pub sts_url: String,
}

pub(crate) struct Token {
    pub name: String,
    pub age: Duration,
    /// None while it is corrupt: then the kubelet waits for the reader.
    pub next_in: Option<Duration>,
}

pub(crate) struct Sts {
    pub reach: Reach,
    pub succeeded: usize,
    pub failed: usize,
}

/// Whether exchanges get through.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reach {
    Fine,
    CutOff,
    /// So many more times.
    Throttling(usize),
}

pub(crate) struct Calls<'a> {
    pub fine: usize,
    pub failed: usize,
    pub last: Option<&'a Called>,
}

/// Something that happened, so long after the start.
#[derive(Clone, Debug)]
pub(crate) struct Happening {
    pub after: Duration,
    pub who: &'static str,
    pub what: String,
    pub colour: Colour,
}

impl View<'_> {
    /// What fits into so many columns and rows; the keys keep their place at the bottom.
    pub(crate) fn lines(&self, (columns, rows): (usize, usize)) -> Vec<String> {
        let mut lines = vec![title()];
        lines.push(row("token", &self.token()));
        lines.push(row("STS", &self.sts()));
        lines.extend(self.credentials());
        lines.push(row("application", &self.application()));
        lines.push(row("served to", &self.served()));
        lines.extend([String::new(), format!(" {}", bold("What happens"))]);

        let keys = [String::new(), format!(" {}", bold(KEYS))];
        let mut below = [self.to_paste(columns), keys.to_vec()].concat();
        if lines.len() + below.len() > rows {
            below = keys.to_vec();
        }
        let room = rows.saturating_sub(lines.len() + below.len());
        let newest = self.happened.len().saturating_sub(room);
        lines.extend(self.happened[newest..].iter().map(|happening| format!(" {}", happening.line(true))));
        lines.resize(rows.saturating_sub(below.len()), String::new());
        lines.extend(below);
        lines
    }

    fn token(&self) -> String {
        let Token { name, age, next_in } = &self.token;
        match next_in {
            Some(next) => {
                format!("{} {name}, {} s old; the next in {} s", good(), age.as_secs(), up(*next))
            }
            None => format!("{} only half of it is there; the last good one, {name}, is kept", bad()),
        }
    }

    fn sts(&self) -> String {
        let Sts { reach, succeeded, failed } = self.sts;
        let state = match reach {
            Reach::Fine => format!("{} answers", good()),
            Reach::CutOff => format!("{} cut off", bad()),
            Reach::Throttling(times) => format!("{} throttles the next {times}", middling()),
        };
        format!("{state}; {} fine, {failed} failed", count(succeeded, "exchange"))
    }

    fn credentials(&self) -> Vec<String> {
        let Some(status) = self.status else {
            return vec![row("credentials", &format!("{} the sidecar does not answer", bad()))];
        };
        let key = status.access_key_id.as_deref().unwrap_or("none yet");
        let who =
            status.assumed_role_arn.as_deref().and_then(|arn| arn.split_once('/')).map_or("", |(_, who)| who);
        let state = match (&status.problem, status.is_ready) {
            (None, true) => format!("{} {key} of {who}", good()),
            (Some(code), true) => format!("{} {key} of {who}, kept in spite of {code}", middling()),
            (code, false) => {
                let code = code.as_deref().unwrap_or("CredentialsExpired");
                format!("{} none that may be served: 503 {code}", bad())
            }
        };
        let mut rows = vec![row("credentials", &state)];
        let (issued_at, next_at) = (status.issued_at, status.next_exchange_at);
        let next = match (issued_at, next_at, &status.problem) {
            (Some(issued_at), Some(next_at), None) => {
                let part = part(issued_at, self.now, next_at);
                format!("{} refresh in {} s", bar(part, Colour::Green), up(until(self.now, next_at)))
            }
            (_, Some(next_at), Some(_)) => {
                format!("{} next try in {} s", bar(0.0, Colour::Yellow), up(until(self.now, next_at)))
            }
            _ => format!("{} exchanging", bar(1.0, Colour::Yellow)),
        };
        rows.push(row("", &next));
        if let (Some(issued_at), Some(expires_at)) = (issued_at, status.expires_at) {
            let left = until(self.now, expires_at);
            let colour = if left.is_zero() { Colour::Red } else { Colour::Dim };
            let part = part(issued_at, self.now, expires_at);
            let what = if left.is_zero() {
                "they have expired".to_owned()
            } else {
                format!("{} s until they expire", up(left))
            };
            rows.push(row("", &format!("{} {what}", bar(part, colour))));
        }
        rows
    }

    fn application(&self) -> String {
        let Calls { fine, failed, last } = self.calls;
        let counted = format!("{} fine, {failed} failed", count(fine, "signed call"));
        match last {
            None => format!("{} not started yet", middling()),
            Some(Called { error: Some(error), .. }) => format!("{} {counted}: {error}", bad()),
            Some(Called { access_key_id, took_ms, .. }) => {
                let key = access_key_id.as_deref().map_or_else(|| "no key".to_owned(), shortened);
                format!("{} {counted}; the last with {key}, in {took_ms} ms", good())
            }
        }
    }

    fn served(&self) -> String {
        let mut by_count: Vec<_> = self.served.iter().collect();
        by_count.sort_by_key(|(_, count)| Reverse(**count));
        let named = by_count.into_iter().map(|((sdk, status), count)| match status {
            200 => format!("{} {count}", sdk_name(sdk)),
            _ => format!("{} {count} × {status}", sdk_name(sdk)),
        });
        let named: Vec<String> = named.collect();
        if named.is_empty() { "nobody yet".to_owned() } else { named.join(", ") }
    }

    fn to_paste(&self, columns: usize) -> Vec<String> {
        let commands = paste::commands(&self.credentials_url, &self.sts_url, &self.environment);
        let rows = paste::rows(&commands, columns);
        let rows = rows.unwrap_or_else(|| vec!["   80 columns are needed for the commands".to_owned()]);
        [vec![String::new(), format!(" {}", bold("In another terminal"))], rows].concat()
    }
}

impl Happening {
    pub(crate) fn line(&self, colourful: bool) -> String {
        let after = painted(&format!("{:>7.1} s", self.after.as_secs_f64()), Colour::Dim, colourful);
        format!("{after}  {:<11} {}", self.who, painted(&self.what, self.colour, colourful))
    }
}

/// Who that is, where the label alone does not say it.
pub(crate) fn sdk_name(label: &str) -> &str {
    if label == APPLICATIONS_SDK { "AWS SDK for Rust (no User-Agent)" } else { label }
}

fn title() -> String {
    let what = painted("an old application's way to AWS, all on this machine", Colour::Dim, true);
    format!(" {}  {what}", bold("irsa-sidecar demo"))
}

fn row(name: &str, what: &str) -> String {
    format!(" {name:<12} {what}")
}

fn bold(text: &str) -> String {
    painted(text, Colour::Bold, true)
}

fn good() -> String {
    painted("●", Colour::Green, true)
}

fn middling() -> String {
    painted("●", Colour::Yellow, true)
}

fn bad() -> String {
    painted("●", Colour::Red, true)
}

fn bar(part: f64, colour: Colour) -> String {
    let full = ((part * BAR as f64).round() as usize).min(BAR);
    format!(
        "{}{}",
        painted(&"█".repeat(full), colour, true),
        painted(&"░".repeat(BAR - full), Colour::Dim, true)
    )
}

/// How far `now` is on its way.
fn part(from: SystemTime, now: SystemTime, to: SystemTime) -> f64 {
    let whole = until(from, to).as_secs_f64();
    if whole > 0.0 { (until(from, now).as_secs_f64() / whole).clamp(0.0, 1.0) } else { 1.0 }
}

fn until(now: SystemTime, at: SystemTime) -> Duration {
    at.duration_since(now).unwrap_or_default()
}

/// In whole seconds, rounded up: a countdown ends at its end.
fn up(left: Duration) -> u64 {
    left.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)
}

pub(crate) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

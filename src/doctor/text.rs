//! A report as people read it: 80 columns, in colour only on a terminal.

use std::fmt::Write;
use std::time::Duration;

use crate::config::types::format_duration;
use crate::doctor::Report;
use crate::doctor::finding::Check;
use crate::doctor::finding::NOT_ASKED;
use crate::doctor::finding::Severity;
use crate::harmless::harmless;

const WIDTH: usize = 80;
/// Where the text of a finding begins.
const INDENT: usize = 24;
const HOUR: Duration = Duration::from_secs(3600);

impl Report {
    pub fn to_text(&self, in_colour: bool) -> String {
        let mut text = String::new();
        for finding in &self.findings {
            let mut put = |line: String| {
                text.push_str(line.trim_end());
                text.push('\n');
            };
            if finding.code == NOT_ASKED {
                continue;
            }
            let word = painted(finding.severity, in_colour);
            let looked_at = wrapped(&finding.looked_at, WIDTH - INDENT, "", "  ");
            let mut looked_at = looked_at.iter().map(|line| dimmed(line, in_colour));
            let first = looked_at.next().unwrap_or_default();
            put(format!("{word} {:<14} {first}", finding.check.name()));
            looked_at.for_each(|line| put(format!("{:INDENT$}{line}", "")));
            finding.lines(WIDTH - INDENT).iter().for_each(|line| put(format!("{:INDENT$}{line}", "")));
        }
        let summary = self.summary();
        let _ = write!(text, "\n{}\n", wrapped(&summary, WIDTH, "", "").join("\n"));
        text
    }

    /// One sentence at the end, with what to mend first.
    fn summary(&self) -> String {
        let count = |severity| self.findings.iter().filter(|finding| finding.severity == severity).count();
        let plural =
            |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let left_out: Vec<&str> =
            self.findings.iter().filter(|it| it.code == NOT_ASKED).map(|it| it.check.name()).collect();
        let left_out = match left_out.is_empty() {
            true => String::new(),
            false => format!(" Not looked at (--offline): {}.", left_out.join(", ")),
        };
        let (broken, warnings) = (count(Severity::Broken), count(Severity::Warning));
        if broken > 0 {
            let more =
                if warnings > 0 { format!(", and {}", plural(warnings, "warning")) } else { String::new() };
            return format!(
                "Broken: {}{more}. Start with {}, then run doctor again.{left_out}",
                plural(broken, "finding"),
                self.start().name()
            );
        }
        let is_fine = |check| {
            self.findings.iter().any(|finding| finding.check == check && finding.severity == Severity::Fine)
        };
        let works = match is_fine(Check::Exchange) || is_fine(Check::Sidecar) {
            _ if self.offline => "Nothing that was looked at is broken",
            true => "It works",
            false => "Nothing is broken, and nothing gave credentials",
        };
        // Whose word that is, is not to be overlooked.
        let at = self.other_sts.as_ref().filter(|_| is_fine(Check::Exchange));
        let at = at.map(|sts| format!(" at an STS that is not AWS's ({sts})")).unwrap_or_default();
        let more =
            if warnings > 0 { format!(", with {}", plural(warnings, "warning")) } else { String::new() };
        format!("{works}{at}{more}.{left_out}")
    }
}

impl Report {
    /// The first that is broken; or the trust policy, where that shows why the exchange was refused.
    fn start(&self) -> Check {
        let mut broken = self.findings.iter().filter(|finding| finding.severity == Severity::Broken);
        let first = broken.next().map_or(Check::Environment, |finding| finding.check);
        let policy = broken.find(|finding| finding.check == Check::TrustPolicy);
        if first == Check::Exchange { policy.map_or(first, |finding| finding.check) } else { first }
    }
}

/// Eight characters, and what makes them coloured.
fn painted(severity: Severity, in_colour: bool) -> String {
    let (word, colour) = match severity {
        Severity::Skipped => ("skipped", "2"),
        Severity::Fine => ("ok", "32"),
        Severity::Note => ("note", "36"),
        Severity::Warning => ("warning", "33"),
        Severity::Broken => ("BROKEN", "1;31"),
    };
    if in_colour { format!("\u{1b}[{colour}m{word:<8}\u{1b}[0m") } else { format!("{word:<8}") }
}

/// What is beside the point, where there is a point.
fn dimmed(line: &str, in_colour: bool) -> String {
    if in_colour { format!("\u{1b}[2m{line}\u{1b}[0m") } else { line.to_owned() }
}

/// In words for people: minutes are enough where there are hours.
pub(super) fn about(duration: Duration) -> String {
    let unit = if duration >= HOUR { 60 } else { 1 };
    format_duration(Duration::from_secs(duration.as_secs() / unit * unit))
}

/// On a terminal. What may be wide is taken for wide (Unicode's East Asian Width begins with Hangul's letters).
fn columns(c: char) -> usize {
    if c < '\u{1100}' { 1 } else { 2 }
}

/// Foreign words, at whatever column they come to stand, that cannot pass for the beginning of a mend.
pub(super) fn without_labels(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut text = text.to_owned();
    for label in ["mend:", "to check:"] {
        for (at, _) in lower.match_indices(label) {
            let colon = at + label.len() - 1;
            text.replace_range(colon..=colon, ";");
        }
    }
    text
}

/// Words put into lines of this width; one that is longer is broken where it must be.
pub(super) fn wrapped(text: &str, width: usize, first: &str, rest: &str) -> Vec<String> {
    let text = harmless(text);
    let words = text.split_whitespace();
    let mut lines = Vec::new();
    let (mut line, mut is_empty) = (first.to_owned(), true);
    for word in words {
        let mut word: Vec<char> = word.chars().collect();
        let length = |line: &str| line.chars().map(columns).sum::<usize>();
        if !is_empty && length(&line) + 1 + word.iter().copied().map(columns).sum::<usize>() > width {
            lines.push(std::mem::replace(&mut line, rest.to_owned()));
            is_empty = true;
        }
        while length(&line) + word.iter().copied().map(columns).sum::<usize>() > width {
            let room = width.saturating_sub(length(&line));
            let mut taken = 0;
            let fitting = word.iter().take_while(|c| {
                taken += columns(**c);
                taken <= room
            });
            let most = fitting.count().max(1);
            // An ARN, a path and a URL are best broken behind one of their signs.
            let sign = word[..most].iter().rposition(|c| "/:,=".contains(*c)).filter(|at| *at > most / 2);
            let fits = sign.map_or(most, |at| at + 1);
            line.extend(word.drain(..fits));
            lines.push(std::mem::replace(&mut line, rest.to_owned()));
        }
        if !is_empty {
            line.push(' ');
        }
        line.extend(word);
        is_empty = false;
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn puts_words_into_lines() {
        assert_eq!(wrapped("one two three", 8, "", ""), ["one two", "three"]);
        assert_eq!(wrapped("a bb ccc", 6, "- ", "  "), ["- a bb", "  ccc"]);
        assert_eq!(wrapped("abcdefghij k", 4, "", ""), ["abcd", "efgh", "ij k"]);
        assert_eq!(wrapped("arn:aws:iam::role/abc", 16, "", ""), ["arn:aws:iam::", "role/abc"]);
        assert_eq!(wrapped("漢漢漢 x", 4, "", ""), ["漢漢", "漢 x"]);
        assert_eq!(wrapped("", 4, "", ""), [""]);
    }

    #[test]
    fn an_answer_cannot_pass_for_a_mend() {
        assert_eq!(without_labels("mend: x, MEND: y (to check: z): ä"), "mend; x, MEND; y (to check; z): ä");
    }

    #[test]
    fn an_answer_cannot_play_with_the_terminal() {
        assert_eq!(wrapped("\u{1b}[2Jx\u{7}\u{202e}y", 20, "", ""), ["[2Jx y"]);
    }
}

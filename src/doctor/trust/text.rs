//! The statements as people read them: to the first character that differs.

use crate::doctor::text::wrapped;
use crate::trust_policy::Answer;
use crate::trust_policy::Difference;
use crate::trust_policy::Evaluation;
use crate::trust_policy::Line;
use crate::trust_policy::Verdict;

/// Where values begin.
const INDENT: usize = 11;
/// So much of a value is shown behind its first character that differs.
const AFTER: usize = 6;

/// The statements, line by line: those that decide with all that is wrong, the others in one line.
pub(in crate::doctor) fn lines(verdict: &Verdict, width: usize) -> Vec<String> {
    let decides = |judged: &Evaluation| match verdict.answer {
        Answer::Yes => judged.allows && judged.applies == Answer::Yes,
        Answer::Unknown => judged.applies == Answer::Unknown,
        Answer::No => match verdict.denied_by() {
            Some(denied) => denied == judged,
            None => judged.allows,
        },
    };
    let mut lines = Vec::new();
    for judged in &verdict.statements {
        let effect = if judged.allows { "Allow" } else { "Deny" };
        let applies = match judged.applies {
            Answer::Yes => "applies",
            Answer::No => "does not apply",
            Answer::Unknown => "may apply",
        };
        lines.extend(wrapped(
            &format!("{}, {effect}: {applies}", visible(&judged.statement)),
            width,
            "",
            "  ",
        ));
        if decides(judged) {
            // What keeps the token out is to be seen.
            judged.lines.iter().for_each(|line| lines.extend(line_by_line(line, !judged.allows, width)));
        }
    }
    lines
}

fn line_by_line(line: &Line, shows_values: bool, width: usize) -> Vec<String> {
    let sign = match line.answer {
        Answer::Yes => "✓",
        Answer::No => "✗",
        Answer::Unknown => "?",
    };
    let mut lines = wrapped(&visible(&line.what), width, &format!("  {sign} "), "    ");
    if line.answer == Answer::Yes && !shows_values {
        return lines;
    }
    let whose = match line.what.as_str() {
        "Action" => "call",
        _ if line.is_session_name() => "name",
        _ => "token",
    };
    let mut put = |name: &str, value: &str| {
        lines.extend(wrapped(&visible(value), width, &format!("    {name:<6} "), "           "));
    };
    match &line.difference {
        Some(difference) => lines.extend(shown(difference, whose, width)),
        None => {
            line.wanted.iter().for_each(|wanted| put("policy", wanted));
            line.got.iter().for_each(|got| put(whose, got));
        }
    }
    if line.difference.is_some() && line.wanted.len() > 1 {
        lines.push(format!("    nearest of {} values", line.wanted.len()));
    }
    if let Some(remark) = &line.remark {
        lines.extend(wrapped(&format!("{} [{}]", remark.text, remark.code), width, "    ", "    "));
    }
    lines
}

/// Both texts, and a mark below the first character that differs; long ones are cut around it. In a pattern that character
/// may stand elsewhere, and then has a mark of its own.
fn shown(difference: &Difference, whose: &str, width: usize) -> Vec<String> {
    let room = width.saturating_sub(INDENT).max(AFTER + 4);
    let (wanted, mark_in_wanted) = cut(&difference.wanted, difference.in_wanted, room);
    let (got, mark) = cut(&difference.got, difference.at, room);
    let (mark_in_wanted, mark) = (INDENT + mark_in_wanted, INDENT + mark);
    let place = format!("character {}", difference.at + 1);
    let marked = match mark + place.len() + 2 <= width {
        true => format!("{:mark$}^ {place}", ""),
        false => format!("{:>before$} ^", place, before = mark - 1),
    };
    let mut lines = vec![format!("    policy {wanted}")];
    lines.extend((mark_in_wanted != mark).then(|| format!("{:mark_in_wanted$}^", "")));
    lines.extend([format!("    {whose:<6} {got}"), marked]);
    lines
}

/// A part of a text with the character at this place in it, and the column that it then has.
fn cut(text: &str, at: usize, room: usize) -> (String, usize) {
    let pieces: Vec<String> = text.chars().map(visible_one).collect();
    // Two are for the dots.
    let room = room.saturating_sub(2);
    let (mut begin, mut before) = (at.min(pieces.len()), 0);
    while begin > 0 && before + pieces[begin - 1].len() + AFTER <= room {
        begin -= 1;
        before += pieces[begin].len();
    }
    let mut part = if begin > 0 { "…".to_owned() } else { String::new() };
    let mark = before + part.chars().count();
    let mut used = 0;
    let mut rest = pieces[begin..].iter();
    let has_more = rest.any(|piece| {
        let fits = used + piece.len() <= room;
        if fits {
            used += piece.len();
            part.push_str(piece);
        }
        !fits
    });
    if has_more {
        part.push('…');
    }
    (part, mark)
}

/// Each of ASCII's as it is and any other by its number: what looks like another, turns the direction of writing or plays with
/// the terminal is seen, and every column is where it seems to be.
fn visible(text: &str) -> String {
    text.chars().map(visible_one).collect()
}

fn visible_one(c: char) -> String {
    if c == ' ' || c.is_ascii_graphic() { c.to_string() } else { c.escape_default().to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(wanted: &str, got: &str, at: usize) -> Difference {
        Difference { wanted: wanted.to_owned(), got: got.to_owned(), at, in_wanted: at }
    }

    #[test]
    fn marks_the_first_character_that_differs_in_texts_of_any_length() {
        assert_eq!(
            shown(&difference("system:a", "system:b", 7), "token", 56),
            ["    policy system:a", "    token  system:b", "                  ^ character 8"]
        );
        for (before, after) in [(0, 0), (5, 100), (38, 0), (39, 0), (40, 1), (41, 30), (100, 100)] {
            let (before, after) = ("x".repeat(before), "y".repeat(after));
            let at = before.len();
            let lines =
                shown(&difference(&format!("{before}a{after}"), &format!("{before}b"), at), "token", 56);
            let mark = lines[2].chars().position(|c| c == '^').unwrap();
            assert_eq!(lines[0].chars().nth(mark), Some('a'), "{lines:#?}");
            assert_eq!(lines[1].chars().nth(mark), Some('b'), "{lines:#?}");
            assert!(lines.iter().all(|line| line.chars().count() <= 56), "{lines:#?}");
        }
        assert_eq!(shown(&difference("", "x", 0), "token", 56)[0], "    policy ");
    }

    #[test]
    fn a_pattern_has_a_mark_of_its_own() {
        let difference =
            Difference { wanted: "*:api".to_owned(), got: "shop:app".to_owned(), at: 7, in_wanted: 4 };
        assert_eq!(
            shown(&difference, "token", 56),
            [
                "    policy *:api",
                "               ^",
                "    token  shop:app",
                "                  ^ character 8"
            ]
        );
    }

    /// Whatever a policy holds, it is shown as what it is, and the mark stands below it.
    #[test]
    fn what_is_hidden_or_turns_is_seen() {
        let lines = shown(&difference("sh\u{202e}p\u{1b}[2J", "shop", 2), "token", 56);
        assert_eq!(
            lines,
            ["    policy sh\\u{202e}p\\u{1b}[2J", "    token  shop", "             ^ character 3"]
        );
        let long = "\u{430}".repeat(60);
        let lines = shown(&difference(&format!("{long}a"), &format!("{long}b"), 60), "token", 56);
        let mark = lines[2].chars().position(|c| c == '^').unwrap();
        assert_eq!(lines[0].chars().nth(mark), Some('a'), "{lines:#?}");
        assert!(lines.iter().all(|line| line.chars().count() <= 56 && line.is_char_boundary(line.len())));
        let line = Line {
            what: "StringEquals a\u{7}:sub".to_owned(),
            wanted: vec!["\u{200b}a\nb".to_owned()],
            got: Some("c".to_owned()),
            answer: Answer::No,
            remark: None,
            difference: None,
        };
        assert_eq!(
            line_by_line(&line, false, 56),
            ["  ✗ StringEquals a\\u{7}:sub", "    policy \\u{200b}a\\nb", "    token  c"]
        );
    }

    #[test]
    fn a_deny_shows_what_it_compares_and_an_allow_what_differs() {
        let line = Line {
            what: "StringLike a:sub".to_owned(),
            wanted: vec!["x*".to_owned()],
            got: Some("xy".to_owned()),
            answer: Answer::Yes,
            remark: None,
            difference: None,
        };
        assert_eq!(line_by_line(&line, false, 56), ["  ✓ StringLike a:sub"]);
        assert_eq!(line_by_line(&line, true, 56), ["  ✓ StringLike a:sub", "    policy x*", "    token  xy"]);
        let line = Line {
            what: "StringEquals sts:RoleSessionName".to_owned(),
            wanted: vec!["z".to_owned(), "b".to_owned()],
            got: Some("a".to_owned()),
            answer: Answer::No,
            difference: Some(difference("b", "a", 0)),
            ..line
        };
        assert_eq!(
            line_by_line(&line, false, 56),
            [
                "  ✗ StringEquals sts:RoleSessionName",
                "    policy b",
                "    name   a",
                "           ^ character 1",
                "    nearest of 2 values"
            ]
        );
    }
}

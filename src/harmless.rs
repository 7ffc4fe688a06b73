//! Text for people: whatever a claim, an answer or a file holds, it cannot play with the terminal, neither by control
//! characters nor by those that turn the direction of writing.

/// The same with a space for each control character but the newline, and without what turns or hides.
pub fn harmless(text: &str) -> String {
    let turns = |c: char| {
        matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{2069}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
    };
    // Letters that show nothing, with which a line of ours can be made up.
    let is_blank = |c: char| matches!(c, '\u{115f}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}');
    let plain = |c: char| if (c.is_control() && c != '\n') || is_blank(c) { ' ' } else { c };
    text.chars().filter(|c| !turns(*c)).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_plays_with_a_terminal_is_taken_out() {
        assert_eq!(
            harmless("a\u{1b}[2J\u{7}b\nc\u{202e}d\u{2066}e\u{200b}\u{ad}\u{2060}\u{61c}"),
            "a [2J b\ncde"
        );
        assert_eq!(harmless("a\u{2800}\u{3164}b"), "a  b");
        assert_eq!(harmless("Grüße, 世界"), "Grüße, 世界");
    }
}

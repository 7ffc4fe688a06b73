//! The lines to paste into another terminal: never cut short, since half a URL is another URL.

use std::path::Path;

use support::world::REGION;

const INDENT: &str = "   ";
/// What goes on in the next row, to the shell.
const GOES_ON: &str = " \\";

/// Commands that get the same credentials, and use them.
pub(crate) fn commands(credentials_url: &str, sts_url: &str, environment: &Path) -> [String; 5] {
    [
        format!("export AWS_CONTAINER_CREDENTIALS_FULL_URI={credentials_url}"),
        // Keys and profiles of the reader's own would come first in every SDK's chain.
        "export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null".to_owned(),
        "curl -sS $AWS_CONTAINER_CREDENTIALS_FULL_URI; echo".to_owned(),
        format!("aws sts get-caller-identity --region {REGION} --endpoint-url {sts_url}"),
        // What the sidecar itself was given, for its other commands.
        format!("(. {}; cargo run -q -- token)", environment.display()),
    ]
}

/// The same in rows of so many columns; where even a word is wider, none.
pub(crate) fn rows(commands: &[String], columns: usize) -> Option<Vec<String>> {
    let mut rows = Vec::new();
    for command in commands {
        let mut row = INDENT.to_owned();
        for word in command.split(' ') {
            let is_first = row.trim().is_empty();
            if !is_first && row.len() + 1 + word.len() + GOES_ON.len() > columns {
                rows.push(row + GOES_ON);
                row = format!("{INDENT}  {word}");
            } else {
                row.push_str(if is_first { "" } else { " " });
                row.push_str(word);
            }
        }
        rows.push(row);
    }
    rows.iter().all(|row| row.len() <= columns).then_some(rows)
}

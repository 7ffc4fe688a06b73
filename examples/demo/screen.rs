//! Lines and their colours, and a canvas that redraws only what changed, so that text can be marked and copied.

use std::io::{self, Write as _};

const RESET: &str = "\x1b[0m";

/// What colours mean here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Colour {
    /// As it should be.
    Green,
    /// On its way, or wrong by order.
    Yellow,
    /// Wrong.
    Red,
    /// A name.
    Bold,
    /// Beside the point.
    Dim,
}

/// The lines that are on the terminal now.
#[derive(Debug, Default)]
pub(crate) struct Canvas {
    shown: Vec<String>,
    size: (usize, usize),
}

pub(crate) fn painted(text: &str, colour: Colour, colourful: bool) -> String {
    if !colourful {
        return text.to_owned();
    }
    let code = match colour {
        Colour::Green => "32",
        Colour::Yellow => "33",
        Colour::Red => "31",
        Colour::Bold => "1",
        Colour::Dim => "2",
    };
    format!("\x1b[{code}m{text}{RESET}")
}

impl Canvas {
    /// Brings the terminal, of this many columns and rows, to these lines.
    pub(crate) fn draw(&mut self, lines: &[String], size: (usize, usize)) -> io::Result<()> {
        let (columns, rows) = size;
        let mut out = String::new();
        if self.size != size {
            self.size = size;
            self.shown.clear();
            out.push_str("\x1b[2J");
        }
        let lines: Vec<String> = lines.iter().take(rows).map(|line| fitted(line, columns)).collect();
        let height = lines.len().max(self.shown.len());
        for row in 0..height {
            let line = lines.get(row).map_or("", String::as_str);
            if self.shown.get(row).map(String::as_str) != Some(line) {
                out.push_str(&format!("\x1b[{};1H{line}\x1b[K", row + 1));
            }
        }
        self.shown = lines;
        let mut stdout = io::stdout().lock();
        stdout.write_all(out.as_bytes())?;
        stdout.flush()
    }
}

/// As much of a line as fits; its colours take no room.
pub(crate) fn fitted(line: &str, columns: usize) -> String {
    let mut fitted = String::new();
    let mut visible = 0;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\x1b' {
            fitted.push(character);
            fitted.extend(characters.by_ref().take_while(|c| *c != 'm'));
            fitted.push('m');
        } else if visible < columns {
            fitted.push(character);
            visible += 1;
        }
    }
    fitted
}

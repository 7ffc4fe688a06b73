//! The terminal's keys and its second screen, and the way back from both.
//!
//! Keys come one by one and unseen; what makes signals (Ctrl-C, Ctrl-Z) goes on making them. Whatever ends the
//! program, a panic included, the terminal is left as it was found.

use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};
use tokio::sync::mpsc;

/// As it was found, where something was changed.
static FOUND: OnceLock<Termios> = OnceLock::new();
static ON_SECOND_SCREEN: AtomicBool = AtomicBool::new(false);

/// Where no size can be had.
const USUAL_SIZE: (usize, usize) = (80, 24);

/// Gives everything back when dropped.
#[derive(Debug)]
pub(crate) struct Terminal {
    /// None ever where stdin is no terminal.
    pub keys: mpsc::UnboundedReceiver<u8>,
    /// Whether stdout is a terminal, which is then on its second screen.
    pub has_canvas: bool,
}

impl Terminal {
    pub(crate) fn take() -> io::Result<Self> {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            before(panic);
        }));
        let (sender, keys) = mpsc::unbounded_channel();
        if io::stdin().is_terminal() {
            one_by_one()?;
            std::thread::spawn(move || pass_on(&sender));
        }
        let has_canvas = io::stdout().is_terminal();
        if has_canvas {
            ON_SECOND_SCREEN.store(true, Ordering::SeqCst);
            // The second screen, and no cursor.
            write("\x1b[?1049h\x1b[?25l")?;
        }
        Ok(Self { keys, has_canvas })
    }

    /// Columns and rows.
    pub(crate) fn size(&self) -> (usize, usize) {
        match tcgetwinsize(io::stdout()) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
            _ => USUAL_SIZE,
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        restore();
    }
}

fn one_by_one() -> io::Result<()> {
    let found = tcgetattr(io::stdin())?;
    let mut wanted = found.clone();
    wanted.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
    wanted.special_codes[SpecialCodeIndex::VMIN] = 1;
    wanted.special_codes[SpecialCodeIndex::VTIME] = 0;
    let _ = FOUND.set(found);
    Ok(tcsetattr(io::stdin(), OptionalActions::Now, &wanted)?)
}

/// A thread of its own: a read from a terminal cannot be given up. It ends with the process.
fn pass_on(keys: &mpsc::UnboundedSender<u8>) {
    for key in io::stdin().lock().bytes() {
        let Ok(key) = key else { return };
        if keys.send(key).is_err() {
            return;
        }
    }
}

fn restore() {
    if let Some(found) = FOUND.get() {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, found);
    }
    if ON_SECOND_SCREEN.swap(false, Ordering::SeqCst) {
        let _ = write("\x1b[?25h\x1b[?1049l");
    }
}

fn write(sequence: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(sequence.as_bytes())?;
    stdout.flush()
}

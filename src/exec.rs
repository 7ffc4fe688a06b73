//! One command that has credentials: what it finds in its environment, which signals reach it, how it ends.
//!
//! It is a child like any other: it has our standard streams, our terminal, our process group and our limits. What
//! serves its credentials is not here.

use std::io;
use std::process::Command;

use rustix::process::Pid;
use rustix::process::WaitOptions;
use rustix::process::WaitStatus;
use rustix::process::kill_process;
use rustix::process::wait;
use thiserror::Error;

use crate::contract::exec_exit;
use crate::exec::signals::Event;

mod environment;
mod keyboard;
pub mod signals;

pub use environment::Served;
pub use environment::dress;
use signals::Signals;

/// Why there is no command.
#[derive(Debug, Error)]
pub enum StartCommandError {
    #[error(
        "{0} was not found: no such file, or none in PATH; a script is not found either when its interpreter is not"
    )]
    NotFound(String),
    #[error(
        "{command} cannot be run: {why}. It must be a program for this machine, or a script that names its interpreter, with \
         the right to execute it"
    )]
    NotExecutable { command: String, why: io::Error },
}

impl StartCommandError {
    /// Stable: a log field.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "CommandNotFound",
            Self::NotExecutable { .. } => "CommandNotExecutable",
        }
    }

    /// As `env` and shells have it.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::NotFound(_) => exec_exit::NOT_FOUND,
            Self::NotExecutable { .. } => exec_exit::NOT_EXECUTABLE,
        }
    }
}

/// A command that runs.
#[derive(Debug)]
pub struct Child(Pid);

/// Starts it. Its end is told by `signals`, which must have been taken over before.
pub fn start(command: &mut Command) -> Result<Child, StartCommandError> {
    let name = command.get_program().to_string_lossy().into_owned();
    let child = command.spawn().map_err(|why| match why.kind() {
        io::ErrorKind::NotFound => StartCommandError::NotFound(name),
        _ => StartCommandError::NotExecutable { command: name, why },
    })?;
    let id = Pid::from_raw(child.id().cast_signed()).expect("a process must have an id");
    tracing::info!(pid = id.as_raw_nonzero(), "the command runs");
    Ok(Child(id))
}

impl Child {
    /// Passes signals on to it until it ends; gives the exit status that says how.
    ///
    /// Whatever else ends here is reaped as well. As process 1 of a container we inherit every orphan in it, and a
    /// process that nobody waits for stays a zombie.
    pub async fn end(self, signals: &mut Signals) -> u8 {
        loop {
            if let Some(status) = self.reap() {
                tracing::info!(status, "the command ended");
                return status;
            }
            match signals.next().await {
                Event::ChildEnded => {}
                Event::Signal(signal) if keyboard::has_sent_to_all(signal) => {
                    tracing::debug!(signal = signal.as_raw(), "the command has it from the terminal");
                }
                Event::Signal(signal) => {
                    // Until it is reaped its number is nobody else's.
                    let passed_on = kill_process(self.0, signal).is_ok();
                    tracing::debug!(signal = signal.as_raw(), passed_on, "a signal for the command");
                }
            }
        }
    }

    /// Waits for everyone who has ended.
    fn reap(&self) -> Option<u8> {
        let mut ended = None;
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((id, status))) if id == self.0 => ended = exit_status(status),
                Ok(Some(_)) => {}
                Err(rustix::io::Errno::INTR) => {}
                Ok(None) | Err(_) => return ended,
            }
        }
    }
}

/// The command's own; for one that a signal ended, what a shell makes of it.
fn exit_status(status: WaitStatus) -> Option<u8> {
    let by_signal = |signal: i32| u8::try_from(signal).ok().map(|signal| exec_exit::SIGNALLED + signal);
    match status.exit_status() {
        Some(status) => u8::try_from(status).ok(),
        None => status.terminating_signal().and_then(by_signal),
    }
}

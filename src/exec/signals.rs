//! The signals that are the command's, taken over before it is started.
//!
//! As process 1 of a container, a signal without a handler is ignored by the kernel; elsewhere it would end us and leave
//! the command behind without credentials. One that was ignored when we were started (`nohup`, a shell's `&`) is left
//! alone, so that the command finds it ignored too; of those that are taken over it finds the default, which is what
//! `execve` makes of every handler. SIGTSTP, SIGTTIN and SIGTTOU stay the kernel's, so that a shell's job control sees us
//! and the command stop and go on as one job.

use std::fs;
use std::future::poll_fn;
use std::io;
use std::task::Poll;

use rustix::process::Signal;
use tokio::signal::unix::Signal as Stream;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;

/// What is passed on. Those that a program gets for what it did itself are not here.
const PASSED_ON: [Signal; 10] = [
    Signal::HUP,
    Signal::INT,
    Signal::QUIT,
    Signal::USR1,
    Signal::USR2,
    Signal::ALARM,
    Signal::TERM,
    Signal::CONT,
    Signal::WINCH,
    Signal::POWER,
];
/// Those that end us while there is no command yet.
const ENDING: [Signal; 4] = [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM];

#[derive(Debug)]
pub struct Signals {
    children: Stream,
    others: Vec<(Signal, Stream)>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// Or stopped, or went on.
    ChildEnded,
    Signal(Signal),
}

impl Signals {
    pub fn take_over() -> io::Result<Self> {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let ignored = ignored(&status);
        let mut others = Vec::new();
        for one in PASSED_ON.into_iter().filter(|one| ignored & bit(*one) == 0) {
            others.push((one, signal(SignalKind::from_raw(one.as_raw()))?));
        }
        Ok(Self { children: signal(SignalKind::child())?, others })
    }

    pub async fn next(&mut self) -> Event {
        poll_fn(|context| {
            for (signal, stream) in &mut self.others {
                if stream.poll_recv(context).is_ready() {
                    return Poll::Ready(Event::Signal(*signal));
                }
            }
            self.children.poll_recv(context).map(|_| Event::ChildEnded)
        })
        .await
    }

    /// Waits for one that ends us.
    pub async fn end(&mut self) -> Signal {
        loop {
            if let Event::Signal(signal) = self.next().await
                && ENDING.contains(&signal)
            {
                return signal;
            }
        }
    }
}

/// The set of ignored signals in `/proc/PID/status`; without it, none.
fn ignored(status: &str) -> u64 {
    let set = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    set.and_then(|set| u64::from_str_radix(set.trim(), 16).ok()).unwrap_or_default()
}

fn bit(signal: Signal) -> u64 {
    1 << (signal.as_raw() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_which_signals_were_ignored() {
        let of = |set: &str| ignored(&format!("Name:\tx\nSigBlk:\tffff\nSigIgn:\t{set}\nSigCgt:\tffff\n"));
        assert_eq!(of("0000000000000000"), 0);
        assert_eq!(of("0000000000001001"), bit(Signal::HUP) | bit(Signal::PIPE));
        assert_eq!(ignored("no proc here"), 0);
    }
}

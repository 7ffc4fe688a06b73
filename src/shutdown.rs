//! How the process ends: signals in, one value out.
//!
//! The first SIGTERM or SIGINT starts the drain: everything is served as before for `--drain`, then accepting stops and
//! what is in flight is finished. A second one ends the process at once. SIGHUP asks for an exchange now.

use std::io;
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio::sync::watch;

/// What is in flight when accepting stops is given this long. With `--drain` a second shorter than the pod's grace
/// period, as the settings advise, all is over before the kubelet loses patience.
pub const GRACE: Duration = Duration::from_millis(900);

/// Where in its life the process is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Phase {
    Running,
    /// Asked to end; still serving, for as long as `--drain` says.
    Draining,
    /// No more connections are accepted.
    Stopping,
}

/// The signals that end the process, taken over before anything else starts: as process 1 of a container, a signal
/// without a handler is ignored by the kernel.
#[derive(Debug)]
pub struct EndSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl EndSignals {
    pub fn install() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next one and names it.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// SIGHUP, counted.
#[derive(Debug)]
pub struct Hangups {
    signal: Signal,
    count: watch::Sender<u64>,
}

impl Hangups {
    pub fn install() -> io::Result<(Self, watch::Receiver<u64>)> {
        let (count, receiver) = watch::channel(0);
        Ok((Self { signal: signal(SignalKind::hangup())?, count }, receiver))
    }

    /// Counts until dropped.
    pub async fn run(mut self) {
        while self.signal.recv().await.is_some() {
            self.count.send_modify(|count| *count += 1);
        }
    }
}

/// Both halves of the phase.
pub fn phases() -> (watch::Sender<Phase>, watch::Receiver<Phase>) {
    watch::channel(Phase::Running)
}

//! A real program under observation: started with an environment of one's own, watched line by line, ended with it.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{env, io};

use rustix::process::{Pid, kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::raw::{self, RawResponse};

pub use rustix::process::Signal;

/// Waiting longer than this is a hang, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often a thing is looked at again that does not say when it changes.
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// A running program. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    output: Arc<Output>,
    readers: Vec<JoinHandle<()>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}

#[derive(Debug)]
struct Output {
    lines: Mutex<Vec<(Stream, String)>>,
    changed: watch::Sender<()>,
}

impl Process {
    /// Starts it with these arguments and **only** these variables, and `PATH`.
    ///
    /// The surroundings of a test (proxies, CA bundles, somebody's AWS profile) must not reach the program.
    pub fn start<K, V>(
        program: impl AsRef<Path>,
        arguments: &[&str],
        env: impl IntoIterator<Item = (K, V)>,
    ) -> io::Result<Self>
    where
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        let mut child = Command::new(program.as_ref())
            .args(arguments)
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .envs(env)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            // Not the test runner's: what a terminal sends to that must not decide what a program does.
            .process_group(0)
            .spawn()?;
        let output = Arc::new(Output { lines: Mutex::default(), changed: watch::Sender::new(()) });
        let stdout = child.stdout.take().map(|pipe| output.clone().collect(Stream::Stdout, pipe));
        let stderr = child.stderr.take().map(|pipe| output.clone().collect(Stream::Stderr, pipe));
        Ok(Self { child, output, readers: stdout.into_iter().chain(stderr).collect() })
    }

    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// All that it has printed, in the order in which it was read.
    pub fn lines(&self) -> Vec<(Stream, String)> {
        self.output.lines()
    }

    /// The same as one text, to search for what must never be in it.
    pub fn output(&self) -> String {
        self.output.lines().into_iter().map(|(_, line)| line + "\n").collect()
    }

    /// One stream's lines as one text.
    pub fn printed(&self, stream: Stream) -> String {
        self.output.lines().into_iter().filter(|(s, _)| *s == stream).map(|(_, line)| line + "\n").collect()
    }

    /// Waits for a line with this in it; lines that came before the call count.
    pub async fn line_with(&self, text: &str) -> io::Result<String> {
        Ok(self.lines_with(text, 1).await?.remove(0))
    }

    /// Waits until there are this many lines with this in them, and returns those that there are.
    pub async fn lines_with(&self, text: &str, count: usize) -> io::Result<Vec<String>> {
        self.until(&format!("{count} × {text:?}"), |lines| {
            let found: Vec<_> =
                lines.iter().map(|(_, line)| line).filter(|line| line.contains(text)).collect();
            (found.len() >= count).then(|| found.into_iter().cloned().collect())
        })
        .await
    }

    /// Waits until `find` finds what it wants in the output. An error, which shows that output, comes when the program
    /// ends without it.
    pub async fn until<T>(
        &self,
        what: &str,
        find: impl Fn(&[(Stream, String)]) -> Option<T>,
    ) -> io::Result<T> {
        let mut changed = self.output.changed.subscribe();
        let waiting = async {
            loop {
                // In this order: what a reader that has ended left behind must still be looked at.
                let closed = self.readers.iter().all(JoinHandle::is_finished);
                if let Some(found) = find(&self.output.lines()) {
                    return Some(found);
                }
                if closed {
                    return None;
                }
                // The end of a reader changes nothing in the output, so it is looked for now and then.
                let _ = timeout(BETWEEN_TRIES, changed.changed()).await;
            }
        };
        match timeout(PATIENCE, waiting).await {
            Ok(Some(found)) => Ok(found),
            Ok(None) => Err(self.gave_up(what, "it ended without it")),
            Err(_) => Err(self.gave_up(what, "time is up")),
        }
    }

    /// Asks until the address answers with this status, whatever it answers (or does not) before.
    pub async fn status(&mut self, address: SocketAddr, path: &str, wanted: u16) -> io::Result<RawResponse> {
        let what = format!("{wanted} from {address}{path}");
        let asking = async {
            loop {
                if let Ok(response) = raw::get(address, path).await
                    && response.status == wanted
                {
                    return Some(response);
                }
                if !matches!(self.child.try_wait(), Ok(None)) {
                    return None;
                }
                sleep(BETWEEN_TRIES).await;
            }
        };
        match timeout(PATIENCE, asking).await {
            Ok(Some(response)) => Ok(response),
            Ok(None) => Err(self.gave_up(&what, "it ended without it")),
            Err(_) => Err(self.gave_up(&what, "time is up")),
        }
    }

    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        let id = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let id = id.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "it has ended already"))?;
        Ok(kill_process(id, signal)?)
    }

    /// Whether it is still there.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end and for the last of its output.
    pub async fn exit(&mut self) -> io::Result<ExitStatus> {
        let status = match timeout(PATIENCE, self.child.wait()).await {
            Ok(status) => status?,
            Err(_) => return Err(self.gave_up("its end", "time is up")),
        };
        for reader in &mut self.readers {
            // A grandchild may hold the pipe open; what it prints is not waited for for ever.
            if !reader.is_finished() {
                let _ = timeout(PATIENCE, reader).await;
            }
        }
        Ok(status)
    }

    fn gave_up(&self, what: &str, why: &str) -> io::Error {
        let output = self.output();
        io::Error::new(
            io::ErrorKind::TimedOut,
            format!("waited for {what}: {why}; its output was:\n{output}"),
        )
    }
}

impl Output {
    fn lines(&self) -> Vec<(Stream, String)> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn collect(
        self: Arc<Self>,
        stream: Stream,
        pipe: impl AsyncRead + Unpin + Send + 'static,
    ) -> JoinHandle<()> {
        tokio::spawn(async move {
            let mut reader = BufReader::new(pipe);
            let mut line = Vec::new();
            // Bytes and not `lines()`: a program that prints what is no UTF-8 is still to be heard to its end.
            while reader.read_until(b'\n', &mut line).await.is_ok_and(|n| n > 0) {
                let text = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
                self.lines.lock().unwrap_or_else(PoisonError::into_inner).push((stream, text));
                self.changed.send_replace(());
                line.clear();
            }
        })
    }
}

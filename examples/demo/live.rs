//! The demo proper: tokens rotate, sessions are short, and the reader has the keys.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use irsa_sidecar::clock::Clock;
use irsa_sidecar::contract;
use support::process::Signal;
use support::sts::Outcome;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::ear::Ear;
use crate::paste::commands;
use crate::screen::{Canvas, Colour};
use crate::stage::{Ports, Stage};
use crate::terminal::Terminal;
use crate::view::{Happening, Reach, Sts, Token, View, count};

/// Long enough to watch, short enough to wait for.
const SESSION: Duration = Duration::from_secs(20);
const ROTATION: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(500);
const FRAME: Duration = Duration::from_millis(150);
const THROTTLED: u32 = 3;
const YOU: &str = "you";

struct Live {
    stage: Stage,
    terminal: Terminal,
    canvas: Canvas,
    colourful: bool,
    clock: Clock,
    started_at: Instant,
    rotated_at: Instant,
    /// None while the token is corrupt.
    rotates_at: Option<Instant>,
    is_cut_off: bool,
    /// Throttling goes on until so many exchanges were throttled.
    throttles_until: usize,
    happened: Vec<Happening>,
    is_unread: bool,
    ear: Ear,
}

pub(crate) async fn run(colourful: bool) -> ExitCode {
    match show(colourful).await {
        Ok(goodbye) => {
            let _ = writeln!(io::stdout(), "{goodbye}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn show(colourful: bool) -> io::Result<String> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut stage = Stage::set(SESSION, Ports::Usual).await?;
    stage.sidecar.status(stage.admin, contract::PATH_READY, 200).await?;
    stage.start_application(PAUSE)?;
    let mut live = Live::new(stage, colourful)?;

    let mut frames = interval(FRAME);
    frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let is_over = tokio::select! {
            Some(key) = live.terminal.keys.recv() => live.press(key).await?,
            _ = frames.tick() => {
                live.turn().await?;
                live.is_unread
            }
            _ = interrupt.recv() => true,
            _ = terminate.recv() => true,
            _ = hangup.recv() => true,
        };
        if is_over {
            return live.end().await;
        }
    }
}

impl Live {
    fn new(stage: Stage, colourful: bool) -> io::Result<Self> {
        let terminal = Terminal::take()?;
        let clock = Clock::system();
        let now = clock.steady();
        let live = Self {
            stage,
            terminal,
            canvas: Canvas::default(),
            colourful,
            clock,
            started_at: now,
            rotated_at: now,
            rotates_at: Some(now + ROTATION),
            is_cut_off: false,
            throttles_until: 0,
            happened: Vec::new(),
            is_unread: false,
            ear: Ear::default(),
        };
        if !live.terminal.has_canvas {
            for line in commands(
                &live.stage.credentials_url(),
                &live.stage.world.sts.url(),
                &live.stage.environment(),
            ) {
                say(&line)?;
            }
        }
        Ok(live)
    }

    /// Does what a key asks for; `true` is the end.
    async fn press(&mut self, key: u8) -> io::Result<bool> {
        match key {
            b'q' | b'Q' => return Ok(true),
            b'c' => self.cut_off_or_restore().await?,
            b't' => {
                self.throttles_until = self.throttles_until.max(self.throttled()) + THROTTLED as usize;
                self.stage.throttle(THROTTLED);
                self.tell(
                    YOU,
                    format!("STS throttles the next {THROTTLED} exchanges (h: exchange now)"),
                    Colour::Yellow,
                );
            }
            b'k' if self.rotates_at.is_some() => {
                self.stage.corrupt_token()?;
                self.rotates_at = None;
                self.tell(
                    YOU,
                    "half a token in place of the whole (k or r: mend it)".to_owned(),
                    Colour::Yellow,
                );
            }
            b'k' | b'r' => self.rotate(YOU)?,
            b'h' => {
                self.stage.hang_up()?;
                self.tell(YOU, "SIGHUP".to_owned(), Colour::Bold);
            }
            _ => {}
        }
        Ok(false)
    }

    async fn cut_off_or_restore(&mut self) -> io::Result<()> {
        self.is_cut_off = !self.is_cut_off;
        if self.is_cut_off {
            self.stage.cut_sts_off();
            self.tell(
                YOU,
                "STS is cut off; watch the next refresh (h: exchange now)".to_owned(),
                Colour::Yellow,
            );
        } else {
            self.stage.restore_sts().await?;
            self.throttles_until = 0;
            self.tell(
                YOU,
                "STS is back; the next try will find it (r: a new token is tried at once)".to_owned(),
                Colour::Bold,
            );
        }
        Ok(())
    }

    fn rotate(&mut self, who: &'static str) -> io::Result<()> {
        self.stage.rotate_token()?;
        self.rotated_at = self.clock.steady();
        self.rotates_at = Some(self.rotated_at + ROTATION);
        self.tell(who, format!("{} swapped in", self.stage.token()), Colour::Bold);
        Ok(())
    }

    /// What is due, what happened, what is to be seen of it.
    async fn turn(&mut self) -> io::Result<()> {
        if self.rotates_at.is_some_and(|at| at <= self.clock.steady()) {
            self.rotate("kubelet")?;
        }
        for (who, what, colour) in self.ear.listen(&self.stage).await {
            self.tell(who, what, colour);
        }
        if let Some(who) = self.stage.ended() {
            let last = self.stage.log(0).pop().map(|entry| entry.message().to_owned()).unwrap_or_default();
            return Err(io::Error::other(format!("{who} has ended; the sidecar's last words: {last}")));
        }
        self.draw()
    }

    fn draw(&mut self) -> io::Result<()> {
        if !self.terminal.has_canvas {
            return Ok(());
        }
        let size = self.terminal.size();
        let lines = self.view().lines(size);
        self.canvas.draw(&lines, size)
    }

    fn view(&self) -> View<'_> {
        let now = self.clock.read();
        let exchanges = self.stage.exchanges(0);
        let succeeded = exchanges.iter().filter(|call| call.outcome == Outcome::Ok).count();
        let throttled = self.throttled();
        let reach = match self.throttles_until.saturating_sub(throttled) {
            _ if self.is_cut_off => Reach::CutOff,
            0 => Reach::Fine,
            times => Reach::Throttling(times),
        };
        View {
            now: now.wall,
            token: Token {
                name: self.stage.token(),
                age: now.steady - self.rotated_at,
                next_in: self.rotates_at.map(|at| at.saturating_duration_since(now.steady)),
            },
            sts: Sts { reach, succeeded, failed: exchanges.len() - succeeded },
            status: self.ear.status(),
            calls: self.ear.calls(),
            served: self.ear.served(),
            happened: &self.happened,
            credentials_url: self.stage.credentials_url(),
            environment: self.stage.environment(),
            sts_url: self.stage.world.sts.url(),
        }
    }

    fn throttled(&self) -> usize {
        let throttled = Outcome::Scripted("throttle".to_owned());
        self.stage.exchanges(0).iter().filter(|call| call.outcome == throttled).count()
    }

    fn tell(&mut self, who: &'static str, what: String, colour: Colour) {
        let happening = Happening { after: self.clock.steady() - self.started_at, who, what, colour };
        if !self.terminal.has_canvas {
            // Whoever read this has gone: `demo | head`.
            self.is_unread |= say(&happening.line(self.colourful)).is_err();
        }
        self.happened.push(happening);
    }

    async fn end(mut self) -> io::Result<String> {
        self.stage.application = None;
        self.stage.sidecar.signal(Signal::TERM)?;
        let status = self.stage.sidecar.exit().await?;
        let calls = self.ear.calls();
        Ok(format!(
            "{}, {} ({} failed); the sidecar ended with {status}",
            count(self.stage.exchanges(0).len(), "exchange"),
            count(calls.fine + calls.failed, "signed call"),
            calls.failed,
        ))
    }
}

fn say(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}

//! `--check`: the story of a rotating token, link by link; the first that does not hold ends it.
//!
//! Every wait is for a condition. Sessions last seconds, so that the sidecar's own schedule (a refresh at 40 % to 50 %
//! of a session's life) is what is watched; only the deadline of a link is generous.

use std::io;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use irsa_sidecar::clock::Clock;
use support::sts::{Call, Outcome};
use thiserror::Error;
use tokio::time::{sleep, timeout};

use crate::application::Called;
use crate::screen::{Colour, painted};
use crate::sidecar::Entry;
use crate::stage::{Ports, Stage};

mod links;

const SESSION: Duration = Duration::from_secs(5);
/// The session during which STS is away: after its refresh point there must be some of it left, on a slow machine too.
const LONG_SESSION: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(200);
/// Longer than this, no link takes on the slowest machine.
const DEADLINE: Duration = Duration::from_secs(40);
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// Why a link does not hold.
#[derive(Debug, Error)]
enum Broken {
    #[error("waited in vain for {0}")]
    Late(&'static str),
    #[error("waited for {0}, and {1} has ended")]
    Ended(&'static str, &'static str),
    #[error("{0}")]
    Wrong(String),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What a link tells when it holds.
type Held = Result<String, Broken>;

struct Story {
    stage: Stage,
    clock: Clock,
    colourful: bool,
    links: usize,
    /// The access key id in the application's latest signature.
    key: String,
    /// When the first session is due for its refresh, in whole seconds.
    refresh_at: SystemTime,
}

pub(crate) async fn run(colourful: bool) -> ExitCode {
    let clock = Clock::system();
    let started_at = clock.steady();
    say("irsa-sidecar, from a rotating token to an AWS SDK, all on this machine\n");
    let stage = match Stage::set(SESSION, Ports::Any).await {
        Ok(stage) => stage,
        Err(error) => {
            eprintln!("demo: the stage could not be set: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut story =
        Story { stage, clock, colourful, links: 0, key: String::new(), refresh_at: SystemTime::UNIX_EPOCH };
    let told = story.tell().await;
    let took = (story.clock.steady() - started_at).as_secs_f64();
    match told {
        Ok(()) => {
            let calls = story.stage.called(0).len();
            let exchanges = story.stage.exchanges(0).len();
            say(&format!(
                "\nAll {} links hold: {exchanges} exchanges, {calls} signed calls, none failed, in {took:.1} s",
                story.links,
            ));
            ExitCode::SUCCESS
        }
        Err(name) => {
            story.explain();
            say(&format!("\nBroken at link {}, {name}, after {took:.1} s", story.links));
            ExitCode::FAILURE
        }
    }
}

impl Story {
    async fn tell(&mut self) -> Result<(), &'static str> {
        self.link("the token is read", Self::token_is_read).await?;
        self.link("it is exchanged at STS", Self::token_is_exchanged).await?;
        self.link("the SDK gets credentials, and AWS accepts its signature", Self::sdk_is_served).await?;
        self.link("the token rotates, and the next exchange uses the new one", Self::token_rotates).await?;
        self.link("the SDK goes on with new credentials", Self::sdk_goes_on).await?;
        self.link("STS is cut off past the refresh point, and the SDK goes on", Self::sts_is_cut_off).await?;
        self.link("STS is back, throttles, and is asked again", Self::sts_throttles).await?;
        self.link("the token is corrupted, and the last good one serves", Self::token_is_corrupted).await?;
        self.link("all is mended, and nothing is wrong any more", Self::all_is_mended).await?;
        self.link("SIGTERM ends it with status 0", Self::sidecar_ends).await?;
        self.link("nothing secret is in its log", Self::nothing_secret_is_logged).await
    }

    /// Tells one link, and its name again when it does not hold.
    async fn link(
        &mut self,
        name: &'static str,
        holds: impl AsyncFnOnce(&mut Self) -> Held,
    ) -> Result<(), &'static str> {
        self.links += 1;
        let started_at = self.clock.steady();
        let held = holds(self).await;
        let took = (self.clock.steady() - started_at).as_secs_f64();
        let (mark, colour, detail) = match &held {
            Ok(detail) => ("✔", Colour::Green, detail.clone()),
            Err(broken) => ("✘", Colour::Red, broken.to_string()),
        };
        let mark = painted(mark, colour, self.colourful);
        let detail = painted(&detail, Colour::Dim, self.colourful);
        say(&format!("{mark} {:>2}  {name}  {took:.1} s\n      {detail}", self.links));
        held.map(drop).map_err(|_| name)
    }

    /// Waits for an exchange after the first `from` that succeeded with the token that was put in place last.
    async fn exchange_of_newest(&mut self, what: &'static str, from: usize) -> Result<Call, Broken> {
        let token = self.stage.token();
        let of_newest = |stage: &Stage| {
            let mut exchanges = stage.exchanges(from).into_iter().filter(|call| call.outcome == Outcome::Ok);
            exchanges.find(|call| call.token.as_ref().and_then(|seen| seen.jti.as_ref()) == Some(&token))
        };
        self.until(what, of_newest).await
    }

    async fn entry(
        &mut self,
        what: &'static str,
        from: usize,
        wanted: impl Fn(&Entry) -> bool,
    ) -> Result<Entry, Broken> {
        self.until(what, |stage| stage.log(from).into_iter().find(&wanted)).await
    }

    async fn call(
        &mut self,
        what: &'static str,
        from: usize,
        wanted: impl Fn(&Called) -> bool,
    ) -> Result<Called, Broken> {
        self.until(what, |stage| stage.called(from).into_iter().find(&wanted)).await
    }

    async fn until<T>(
        &mut self,
        what: &'static str,
        look: impl Fn(&Stage) -> Option<T>,
    ) -> Result<T, Broken> {
        let looking = async {
            loop {
                // Asked first: what it said before it ended still counts.
                let ended = self.stage.ended();
                if let Some(seen) = look(&self.stage) {
                    return Ok(seen);
                }
                if let Some(who) = ended {
                    return Err(Broken::Ended(what, who));
                }
                sleep(BETWEEN_LOOKS).await;
            }
        };
        timeout(DEADLINE, looking).await.unwrap_or(Err(Broken::Late(what)))
    }

    fn no_call_failed(&self) -> Result<(), Broken> {
        match self.stage.called(0).into_iter().find_map(|called| called.error) {
            Some(error) => Err(Broken::Wrong(format!("a call of the application failed: {error}"))),
            None => Ok(()),
        }
    }

    /// Everything that was seen, for whoever has to find out why.
    fn explain(&self) {
        say("\nThe sidecar's log:");
        say(&self.stage.sidecar.output());
        say("STS's calls of the sidecar:");
        for call in self.stage.exchanges(0) {
            say(&format!("{:?} {}", call.token.and_then(|token| token.jti), call.outcome));
        }
        say("\nThe application's last words:");
        let words = self.stage.application.iter().flat_map(|process| process.lines()).collect::<Vec<_>>();
        for (_, line) in words.iter().rev().take(5).rev() {
            say(line);
        }
    }
}

/// One reader may have gone; the exit status still tells.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

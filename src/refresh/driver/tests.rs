//! The driver against a scripted STS, on a paused clock: hours pass in milliseconds, and nothing here waits for real.
#![allow(clippy::unwrap_used)]

use std::collections::VecDeque;
use std::io::Write;
use std::sync::Mutex;

use tokio::task::JoinHandle;
use tracing_subscriber::fmt::MakeWriter;

use super::*;
use crate::cache;
use crate::cache::Reader;
use crate::clock::Manual;
use crate::credentials::Credentials;
use crate::secret::Secret;
use crate::sts::ErrorKind;
use crate::sts::Reply;
use crate::token::ReadTokenError;
use crate::token::Token;
use crate::token::watch::Kind;
use crate::token::watch::Observed;
use crate::token::watch::Tokens;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// What STS does at one call; the last line of a script is repeated for ever.
#[derive(Clone, Copy)]
enum Line {
    Gives { life: Duration },
    Fails(ErrorKind),
    FailsWithRetryAfter(Duration),
    Hangs,
}

struct Script {
    lines: Mutex<VecDeque<Line>>,
    calls: watch::Sender<Vec<Call>>,
    clock: Clock,
    /// STS's own time when the test began; it moves with the steady clock and never jumps.
    started: (SystemTime, Instant),
}

#[derive(Clone, Debug)]
struct Call {
    at: SystemTime,
    token: String,
}

impl Script {
    fn sts_time(&self) -> SystemTime {
        self.started.0 + (self.clock.steady() - self.started.1)
    }
}

impl Exchange for Script {
    async fn exchange(&self, basis: &Basis) -> Result<Exchanged, ExchangeError> {
        let token = match basis {
            Basis::Token(token) => token.secret().expose().to_owned(),
            Basis::Credentials(handed) => handed.credentials.session_token.expose().to_owned(),
            Basis::Nothing => "nothing".to_owned(),
        };
        let call = Call { at: self.sts_time(), token };
        self.calls.send_modify(|calls| calls.push(call));
        let line = {
            let mut lines = self.lines.lock().unwrap();
            if lines.len() > 1 { lines.pop_front().unwrap() } else { lines[0] }
        };
        let date = self.sts_time();
        let reply = Reply { request_id: Some("request-1".to_owned()), date: Some(date), retry_after: None };
        match line {
            Line::Gives { life } => {
                let credentials = Credentials {
                    access_key_id: "ASIAIOSFODNN7EXAMPLE".to_owned(),
                    secret_access_key: Secret::new("SECRET-MARKER".to_owned()),
                    session_token: Secret::new(format!("SESSION-MARKER-{}", self.calls.borrow().len())),
                    issued_at: date,
                    expires_at: date + life,
                    role_arn: Some("arn:aws:iam::111122223333:role/app".to_owned()),
                    account_id: None,
                };
                Ok(Exchanged { credentials, assumed_role_arn: None, pod: Arc::default(), reply })
            }
            Line::Fails(kind) => Err(ExchangeError { reply, ..ExchangeError::new(kind, "as scripted") }),
            Line::FailsWithRetryAfter(after) => Err(ExchangeError {
                reply: Reply { retry_after: Some(after), ..reply },
                ..ExchangeError::new(ErrorKind::Throttling, "Rate exceeded")
            }),
            Line::Hangs => std::future::pending().await,
        }
    }
}

struct Stage {
    clock: Clock,
    wall: Arc<Manual>,
    tokens: watch::Sender<Observed>,
    reader: Reader,
    calls: watch::Receiver<Vec<Call>>,
    hangups: watch::Sender<u64>,
    relayed: watch::Receiver<u64>,
    phases: watch::Sender<Phase>,
    driver: JoinHandle<()>,
    script: Arc<Script>,
    log: Log,
}

impl Stage {
    fn new(lines: &[Line]) -> Self {
        Self::with_sts_ahead(lines, Duration::ZERO)
    }

    /// Starts the driver with a token at hand.
    fn with_sts_ahead(lines: &[Line], ahead: Duration) -> Self {
        let (tokens, feed) = Tokens::scripted();
        let stage = Self::on(Ground::Tokens(feed, Kind::WebIdentity), tokens, lines, ahead);
        stage.rotate("a.b.1");
        stage
    }

    /// A role that starts from another, which the test plays.
    fn chained(lines: &[Line]) -> (watch::Sender<Handout>, Self) {
        let (source, handout) = watch::channel(Handout::default());
        let ground = Ground::Role("source".to_owned(), handout);
        (source, Self::on(ground, Tokens::scripted().0, lines, Duration::ZERO))
    }

    /// Starts the driver, and gives it the beat of the house.
    #[allow(clippy::disallowed_methods)] // tests may spawn
    fn on(ground: Ground, tokens: watch::Sender<Observed>, lines: &[Line], ahead: Duration) -> Self {
        let log = Log::default();
        let (clock, wall) = Clock::manual(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
        let (beats, beat) = Beat::scripted();
        let problem =
            Problem { code: "Start", message: String::new(), mend: String::new(), since: clock.wall() };
        let (publisher, reader) = cache::role("default", Some("arn"), clock.read(), problem);
        let script = Arc::new(Script {
            lines: Mutex::new(lines.iter().copied().collect()),
            calls: watch::channel(Vec::new()).0,
            clock: clock.clone(),
            started: (clock.wall() + ahead, clock.steady()),
        });
        let (hangups, hangup_count) = watch::channel(0);
        let (relay, relayed) = watch::channel(0);
        let (phases, phase) = crate::shutdown::phases();
        let driver = Driver {
            role: "default".to_owned(),
            exchange: script.clone(),
            ground,
            publisher,
            handout: watch::channel(Handout::default()).0,
            news: watch::channel(0).0,
            beat,
            clock: clock.clone(),
            metrics: Metrics::new(&ErrorKind::ALL.map(ErrorKind::code)),
            jitter: || 1.0,
            hangups: hangup_count,
            relay,
            phases: phase,
        };
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(30 * SECOND).await;
                beats.send_modify(|count| *count += 1);
            }
        });
        let subscriber = log.clone().subscriber();
        let driver = tokio::spawn(async move {
            let _quiet = tracing::subscriber::set_default(subscriber);
            driver.run().await;
        });
        let calls = script.calls.subscribe();
        Self { clock, wall, tokens, reader, calls, hangups, relayed, phases, driver, script, log }
    }

    fn rotate(&self, token: &str) {
        let token = Token::parse(token.as_bytes()).unwrap();
        self.tokens.send_modify(|observed| {
            observed.token = Some(Arc::new(token));
            observed.changes += 1;
        });
    }

    /// Waits until so many calls were made, however long that takes on the paused clock.
    async fn calls(&mut self, count: usize) -> Vec<Call> {
        self.calls.wait_for(|calls| calls.len() >= count).await.unwrap().clone()
    }

    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    fn served(&self) -> Option<String> {
        let state = self.reader.load();
        let snapshot = state.servable(self.clock.read())?;
        let body = str::from_utf8(&snapshot.container_body).unwrap();
        let at = body.find("SESSION-MARKER-").unwrap() + "SESSION-MARKER-".len();
        Some(body[at..].chars().take_while(char::is_ascii_digit).collect())
    }

    fn problem(&self) -> Option<&'static str> {
        self.reader.load().problem.as_ref().map(|problem| problem.code)
    }

    fn seconds_apart(calls: &[Call]) -> Vec<u64> {
        calls.windows(2).map(|pair| pair[1].at.duration_since(pair[0].at).unwrap().as_secs()).collect()
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn subscriber(self) -> impl tracing::Subscriber {
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::INFO)
            .with_ansi(false)
            .with_writer(self)
            .finish()
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    fn lines_with(&self, part: &str) -> usize {
        self.text().lines().filter(|line| line.contains(part)).count()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test(start_paused = true)]
async fn refreshes_at_half_the_life_for_a_whole_day() {
    let mut stage = Stage::new(&[Line::Gives { life: HOUR }]);
    let calls = stage.calls(48).await;
    assert!(Stage::seconds_apart(&calls).iter().all(|seconds| *seconds == 1800), "{calls:?}");
    stage.pass(SECOND).await;
    assert_eq!(stage.served().as_deref(), Some("48"));
    assert_eq!(stage.log.lines_with("credentials exchanged"), 48);
}

#[tokio::test(start_paused = true)]
async fn keeps_serving_old_credentials_while_sts_is_down_and_nothing_after_they_expire() {
    let mut stage = Stage::new(&[Line::Gives { life: HOUR }, Line::Fails(ErrorKind::ServiceUnavailable)]);
    stage.calls(2).await;
    stage.pass(59 * MINUTE - 30 * MINUTE - SECOND).await;
    assert_eq!(stage.served().as_deref(), Some("1"));
    assert_eq!(stage.problem(), Some("ServiceUnavailable"));
    stage.pass(2 * SECOND).await;
    assert_eq!(stage.served(), None, "not with under a minute left");
    assert_eq!(stage.log.lines_with("exchange failed"), 1, "{}", stage.log.text());
    assert_eq!(stage.log.lines_with("have expired"), 1, "{}", stage.log.text());
    assert!(stage.calls.borrow().len() > 30, "it went on trying");

    stage.script.lines.lock().unwrap().push_back(Line::Gives { life: HOUR });
    stage.pass(2 * MINUTE).await;
    assert!(stage.served().is_some());
    assert_eq!(stage.problem(), None);
}

#[tokio::test(start_paused = true)]
async fn tells_afterwards_what_happened() {
    use crate::cache::history::Event;
    let mut stage = Stage::new(&[Line::Gives { life: HOUR }, Line::Fails(ErrorKind::ServiceUnavailable)]);
    stage.calls(2).await;
    stage.pass(20 * MINUTE).await;
    stage.rotate("a.b.2");
    stage.script.lines.lock().unwrap().push_back(Line::Gives { life: HOUR });
    stage.pass(2 * MINUTE).await;
    assert_eq!(stage.problem(), None);
    let state = stage.reader.load();
    let [Event::Token(first), Event::Success { .. }, failure, Event::Token(second), Event::Success { .. }] =
        state.history.events()
    else {
        panic!("{:?}", state.history)
    };
    let Event::Failure { code: "ServiceUnavailable", count, first_at, last_at } = failure else {
        panic!("{failure:?}")
    };
    assert_eq!(*count as usize, stage.calls.borrow().len() - 2);
    let lasted = last_at.time().duration_since(first_at.time()).unwrap();
    assert!(lasted > 19 * MINUTE, "{lasted:?}");
    assert!(first.changed_at != second.changed_at && state.history.token() == Some(*second));
    let problem = state.history.problem().unwrap();
    assert_eq!(problem.code, "ServiceUnavailable");
    assert!(!problem.mend.is_empty());
}

#[tokio::test(start_paused = true)]
async fn says_what_is_wrong_with_the_token_until_there_is_one() {
    let stage = Stage::new(&[Line::Gives { life: HOUR }]);
    stage.tokens.send_replace(Observed {
        problem: Some(ReadTokenError::Missing),
        beat: 1,
        ..Observed::default()
    });
    stage.pass(SECOND).await;
    assert_eq!(stage.problem(), Some("TokenMissing"));
    assert!(stage.calls.borrow().is_empty());
    stage.rotate("a.b.2");
    stage.pass(SECOND).await;
    assert_eq!(stage.served().as_deref(), Some("1"));
}

#[tokio::test(start_paused = true)]
async fn uses_the_newest_token_at_the_next_refresh_and_not_before() {
    let mut stage = Stage::new(&[Line::Gives { life: HOUR }]);
    stage.calls(1).await;
    stage.pass(MINUTE).await;
    stage.rotate("a.b.2");
    stage.rotate("a.b.3");
    let calls = stage.calls(2).await;
    assert_eq!(Stage::seconds_apart(&calls), [1800]);
    assert_eq!(calls[1].token, "a.b.3");
}

#[tokio::test(start_paused = true)]
async fn an_expired_token_is_exchanged_again_as_soon_as_it_is_replaced() {
    let mut stage = Stage::new(&[Line::Fails(ErrorKind::ExpiredToken), Line::Gives { life: HOUR }]);
    stage.calls(1).await;
    stage.pass(40 * SECOND).await;
    assert_eq!(stage.calls.borrow().len(), 1, "the same token is not sent twice");
    stage.rotate("a.b.2");
    let calls = stage.calls(2).await;
    assert_eq!(Stage::seconds_apart(&calls), [40]);
    assert_eq!(calls[1].token, "a.b.2");
}

#[tokio::test(start_paused = true)]
async fn waits_as_long_as_sts_asks_but_not_longer_than_five_minutes() {
    let mut stage = Stage::new(&[
        Line::FailsWithRetryAfter(42 * SECOND),
        Line::FailsWithRetryAfter(24 * HOUR),
        Line::Gives { life: HOUR },
    ]);
    let calls = stage.calls(3).await;
    assert_eq!(Stage::seconds_apart(&calls), [42, 300]);
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_failure_ends_as_soon_as_sts_recovers() {
    for kind in ErrorKind::ALL {
        let mut stage = Stage::new(&[Line::Fails(kind), Line::Gives { life: HOUR }]);
        let calls = stage.calls(2).await;
        let apart = Stage::seconds_apart(&calls)[0];
        let expected = match kind.remedy() {
            Remedy::Retry | Remedy::RetryWhileStarting => 1,
            Remedy::FixSetup => 5,
            Remedy::WaitForToken => 300,
        };
        assert_eq!(apart, expected, "{kind:?}");
        stage.pass(SECOND).await;
        assert_eq!(stage.served().as_deref(), Some("2"), "{kind:?}");
        assert_eq!(stage.log.lines_with(kind.code()), 1, "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_slept_serves_nothing_expired_and_exchanges_within_thirty_seconds() {
    let mut stage = Stage::new(&[Line::Gives { life: HOUR }]);
    stage.calls(1).await;
    stage.pass(MINUTE + SECOND).await;
    stage.wall.suspend(2 * HOUR);
    assert_eq!(stage.served(), None);
    stage.pass(30 * SECOND).await;
    assert_eq!(stage.served().as_deref(), Some("2"));
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_is_set_either_way_takes_nothing_away_and_leads_to_an_exchange() {
    for forward in [true, false] {
        let mut stage = Stage::new(&[Line::Gives { life: HOUR }]);
        stage.calls(1).await;
        stage.pass(MINUTE + SECOND).await;
        if forward {
            stage.wall.jump_forward(2 * HOUR)
        } else {
            stage.wall.jump_back(24 * HOUR)
        }
        assert_eq!(stage.served().as_deref(), Some("1"));
        let calls = stage.calls(2).await;
        assert!(Stage::seconds_apart(&calls)[0] <= 91, "{calls:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_is_set_back_does_not_make_credentials_live_longer() {
    let mut stage = Stage::new(&[Line::Gives { life: HOUR }, Line::Fails(ErrorKind::TimedOut)]);
    stage.calls(1).await;
    stage.pass(MINUTE).await;
    stage.wall.jump_back(24 * HOUR);
    stage.calls(2).await;
    assert!(stage.served().is_some());
    stage.script.lines.lock().unwrap()[0] = Line::Hangs;
    stage.pass(HOUR).await;
    assert_eq!(stage.served(), None);
}

/// The node was two hours behind and STS's `Date` believed; then NTP mends the node, while STS is down.
#[tokio::test(start_paused = true)]
async fn a_node_whose_clock_is_mended_keeps_what_it_holds() {
    let mut stage = Stage::with_sts_ahead(&[Line::Gives { life: HOUR }, Line::Hangs], 2 * HOUR);
    stage.calls(1).await;
    stage.pass(MINUTE).await;
    stage.wall.jump_forward(2 * HOUR);
    stage.pass(50 * MINUTE).await;
    assert_eq!(stage.served().as_deref(), Some("1"));
    stage.pass(10 * MINUTE).await;
    assert_eq!(stage.served(), None);
}

#[tokio::test(start_paused = true)]
async fn the_published_schedule_follows_what_moves_it() {
    let mut stage = Stage::new(&[Line::Fails(ErrorKind::AccessDenied), Line::Hangs]);
    stage.calls(1).await;
    stage.pass(SECOND).await;
    assert!(stage.reader.load().next_exchange_at.is_some());
    stage.hangups.send_replace(1);
    stage.calls(2).await;
    stage.pass(SECOND).await;
    assert_eq!(stage.reader.load().next_exchange_at, None, "it is under way");
}

#[tokio::test(start_paused = true)]
async fn goes_by_the_time_of_sts_when_this_clock_is_an_hour_off_and_says_so_once() {
    let mut stage = Stage::with_sts_ahead(&[Line::Gives { life: HOUR }], HOUR);
    let calls = stage.calls(3).await;
    assert_eq!(Stage::seconds_apart(&calls), [1800, 1800]);
    stage.pass(MINUTE).await;
    assert!(stage.served().is_some());
    assert_eq!(stage.log.lines_with("clock and STS's are 3600 s apart"), 1, "{}", stage.log.text());
}

#[tokio::test(start_paused = true)]
async fn sighup_exchanges_now() {
    let mut stage = Stage::new(&[Line::Fails(ErrorKind::AccessDenied), Line::Gives { life: HOUR }]);
    stage.calls(1).await;
    stage.pass(SECOND).await;
    stage.hangups.send_replace(1);
    let calls = stage.calls(2).await;
    assert_eq!(Stage::seconds_apart(&calls), [1]);
}

#[tokio::test(start_paused = true)]
async fn shutdown_ends_an_exchange_in_flight_but_draining_does_not() {
    let mut stage = Stage::new(&[Line::Hangs]);
    stage.calls(1).await;
    stage.phases.send_replace(Phase::Draining);
    stage.pass(SECOND).await;
    assert!(!stage.driver.is_finished());
    stage.phases.send_replace(Phase::Stopping);
    stage.driver.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn warns_once_about_sessions_too_short_for_comfort() {
    let mut stage = Stage::new(&[Line::Gives { life: 15 * MINUTE }]);
    stage.calls(4).await;
    stage.pass(SECOND).await;
    assert_eq!(stage.log.lines_with("s3fs"), 1);
}

#[tokio::test(start_paused = true)]
async fn no_secret_is_logged() {
    let mut stage = Stage::new(&[Line::Gives { life: HOUR }, Line::Fails(ErrorKind::AccessDenied)]);
    stage.calls(3).await;
    let log = stage.log.text();
    for secret in ["SECRET-MARKER", "SESSION-MARKER", "a.b.1", "ASIAIOSFODNN7EXAMPLE"] {
        assert!(!log.contains(secret), "{log}");
    }
}

/// What the source of a chain holds, with a session token to tell it by.
fn handed(stage: &Stage, session_token: &str) -> Arc<Handed> {
    let now = stage.clock.read();
    let credentials = Credentials {
        access_key_id: "ASIAIOSFODNN7EXAMPLE".to_owned(),
        secret_access_key: Secret::new("SECRET-MARKER".to_owned()),
        session_token: Secret::new(session_token.to_owned()),
        issued_at: now.wall,
        expires_at: now.wall + HOUR,
        role_arn: Some("arn:aws:iam::111122223333:role/source".to_owned()),
        account_id: None,
    };
    Arc::new(Handed { credentials, timeline: Timeline::local(now), pod: Arc::default() })
}

#[tokio::test(start_paused = true)]
async fn a_chain_waits_for_its_source_and_says_what_is_wrong_with_it() {
    let (source, mut stage) = Stage::chained(&[Line::Gives { life: HOUR }]);
    stage.pass(MINUTE).await;
    assert!(stage.calls.borrow().is_empty());
    let (message, mend) = ("STS said AccessDenied: no".to_owned(), "Mend the trust policy.".to_owned());
    source.send_modify(|handout| {
        handout.problem = Some(Trouble { code: "AccessDenied", message, mend });
    });
    stage.pass(SECOND).await;
    let problem = stage.reader.load().problem.clone().unwrap();
    assert_eq!(problem.code, "SourceNotReady");
    assert!(
        problem.message.contains("role source") && problem.message.contains("AccessDenied"),
        "{problem:?}"
    );
    assert_eq!(problem.mend, "Mend the trust policy.");
    let held = Some(handed(&stage, "source-1"));
    source.send_replace(Handout { held, changes: 1, problem: None });
    assert_eq!(stage.calls(1).await[0].token, "source-1");
    stage.pass(SECOND).await;
    assert_eq!((stage.served().as_deref(), stage.problem()), (Some("1"), None));
}

#[tokio::test(start_paused = true)]
async fn a_chain_uses_its_sources_new_credentials_at_its_next_refresh_or_at_once_after_a_failure() {
    let (source, mut stage) = Stage::chained(&[
        Line::Gives { life: HOUR },
        Line::Fails(ErrorKind::ExpiredToken),
        Line::Gives { life: HOUR },
    ]);
    for (changes, token) in [(1, "source-1"), (2, "source-2")] {
        let held = Some(handed(&stage, token));
        source.send_replace(Handout { held, changes, problem: None });
        stage.pass(MINUTE).await;
    }
    let calls = stage.calls(2).await;
    assert_eq!((calls[0].token.as_str(), calls[1].token.as_str()), ("source-1", "source-2"));
    assert_eq!(Stage::seconds_apart(&calls), [1800]);
    stage.pass(40 * SECOND).await;
    let held = Some(handed(&stage, "source-3"));
    source.send_replace(Handout { held, changes: 3, problem: None });
    let calls = stage.calls(3).await;
    assert_eq!(calls[2].token, "source-3");
    assert_eq!(Stage::seconds_apart(&calls), [1800, 40]);
    assert!(stage.served().is_some(), "what was held went on being served");
}

#[tokio::test(start_paused = true)]
async fn sighup_is_passed_on_once_the_exchange_has_ended_well_or_not() {
    let mut stage = Stage::new(&[
        Line::Gives { life: HOUR },
        Line::Gives { life: HOUR },
        Line::Fails(ErrorKind::AccessDenied),
    ]);
    stage.calls(1).await;
    stage.pass(MINUTE).await;
    assert_eq!(*stage.relayed.borrow(), 0);
    for asked in 1..=2 {
        stage.hangups.send_modify(|count| *count += 1);
        stage.relayed.wait_for(|count| *count == asked).await.unwrap();
        assert_eq!(stage.calls.borrow().len() as u64, asked + 1);
        stage.pass(MINUTE).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_needs_no_basis_is_asked_at_once() {
    let ground = Ground::nothing();
    let mut stage = Stage::on(ground, Tokens::scripted().0, &[Line::Gives { life: HOUR }], Duration::ZERO);
    let calls = stage.calls(2).await;
    assert_eq!(calls[0].token, "nothing");
    assert_eq!(Stage::seconds_apart(&calls), [1800]);
}

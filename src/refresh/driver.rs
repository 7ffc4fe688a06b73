//! Carries out what [`step`] decides: the only writer of the cache, and the only caller of STS.
//!
//! It waits for whatever comes first (the token, the clock, SIGHUP, the end of an exchange, the end of the process),
//! tells the policy, and does what the policy says. There is nothing to decide here.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::beat::Beat;
use crate::cache::Problem;
use crate::cache::Publisher;
use crate::cache::Snapshot;
use crate::cache::State as Served;
use crate::cache::history::History;
use crate::cache::history::Holder;
use crate::cache::history::Token;
use crate::clock::Clock;
use crate::clock::Reading;
use crate::clock::TOLERATED_SKEW;
use crate::clock::Timeline;
use crate::clock::skew;
use crate::metrics::Metrics;
use crate::refresh::Action;
use crate::refresh::Event;
use crate::refresh::State;
use crate::refresh::basis::Ground;
use crate::refresh::basis::Handout;
use crate::refresh::basis::Seen;
use crate::refresh::basis::Trouble;
use crate::refresh::report::Report;
use crate::refresh::step;
use crate::shutdown::Phase;
use crate::sts::Basis;
use crate::sts::Exchange;
use crate::sts::ExchangeError;
use crate::sts::Exchanged;
use crate::sts::Handed;
use crate::sts::Remedy;
use crate::token::Claims;

/// Everything that one role's refresh touches.
#[allow(missing_debug_implementations)] // holds secrets
pub struct Driver<E> {
    pub role: String,
    pub exchange: Arc<E>,
    pub ground: Ground,
    pub publisher: Publisher,
    /// To whoever starts from this role, or keeps its credentials elsewhere.
    pub handout: watch::Sender<Handout>,
    /// To whoever waits for any role's: counts what was handed out.
    pub news: watch::Sender<u64>,
    pub beat: Beat,
    pub clock: Clock,
    pub metrics: Metrics,
    /// In `0.0..1.0`, drawn afresh at each call.
    pub jitter: fn() -> f64,
    /// Changes with each SIGHUP; for a role that starts from another, once that one has done its part.
    pub hangups: watch::Receiver<u64>,
    /// Passes SIGHUP on to the roles that start from this one.
    pub relay: watch::Sender<u64>,
    pub phases: watch::Receiver<Phase>,
}

/// What came first.
enum Woken {
    Beat,
    Basis,
    Clock,
    Exchange(Box<Result<Exchanged, ExchangeError>>),
    Hangup,
    Shutdown,
}

type InFlight = Pin<Box<dyn Future<Output = Result<Exchanged, ExchangeError>> + Send>>;

struct Running<E> {
    driver: Driver<E>,
    state: State,
    timeline: Timeline,
    basis: Option<Basis>,
    basis_changes: u64,
    /// SIGHUP came, and the exchange that it led to has not ended.
    owes_relay: bool,
    in_flight: Option<InFlight>,
    started_at: Instant,
    /// The clocks when they were last looked at.
    looked_at: Reading,
    report: Report,
}

impl<E: Exchange> Driver<E> {
    /// Keeps the role's credentials fresh until accepting stops; an exchange in flight is dropped then.
    pub async fn run(self) {
        let reading = self.clock.read();
        let mut running = Running {
            state: State::new(reading.boot),
            timeline: Timeline::local(reading),
            basis: None,
            basis_changes: 0,
            owes_relay: false,
            in_flight: None,
            started_at: reading.steady,
            looked_at: reading,
            report: Report::new(&self.role),
            driver: self,
        };
        let mut action = running.basis_looked_at();
        while action != Action::Stop {
            let deadline = running.carry_out(action);
            let woken = running.wait(deadline).await;
            action = match woken {
                Woken::Clock | Woken::Beat => running.tell(Event::Tick),
                Woken::Basis => running.basis_looked_at(),
                Woken::Hangup => {
                    running.owes_relay = true;
                    running.report.hangup();
                    running.tell(Event::ExchangeNow)
                }
                Woken::Shutdown => running.tell(Event::Shutdown),
                Woken::Exchange(result) => running.exchange_ended(*result),
            };
            if running.wall_clock_jumped() && matches!(action, Action::Wait | Action::WaitUntil(_)) {
                action = running.tell(Event::ExchangeNow);
            }
            running.publish_schedule();
            running.watch_expiry();
        }
    }
}

impl<E: Exchange> Running<E> {
    fn tell(&mut self, event: Event) -> Action {
        let now = self.driver.clock.read().boot;
        let (state, action) = step(self.state.clone(), event, now, (self.driver.jitter)());
        self.state = state;
        action
    }

    /// Starts an exchange if that is what is to be done, and finds out until when to wait.
    fn carry_out(&mut self, action: Action) -> Option<Instant> {
        let due = match action {
            Action::Exchange => {
                self.start_exchange();
                None
            }
            Action::WaitUntil(at) => Some(at),
            Action::Wait | Action::Stop => None,
        };
        let now = self.driver.clock.read();
        let wait = due.map(|at| at.saturating_sub(now.boot));
        Some(now.steady + wait.into_iter().chain(self.unservable_in(now)).min()?)
    }

    fn start_exchange(&mut self) {
        let basis = self.basis.clone().expect("the policy must not exchange before there is a basis");
        let basis = self.driver.ground.newest(basis);
        let exchange = self.driver.exchange.clone();
        self.started_at = self.driver.clock.steady();
        self.in_flight = Some(Box::pin(async move { exchange.exchange(&basis).await }));
    }

    /// How long until what is held may not be served: a moment to speak at, though there is nothing to do.
    fn unservable_in(&self, now: Reading) -> Option<Duration> {
        let held = self.driver.publisher.current();
        let until = held.snapshot.as_ref()?.lifetime.serve_until();
        until.duration_since(held.timeline.now(now)).ok().filter(|wait| !wait.is_zero())
    }

    /// Whether somebody has set the wall clock since the last look. Nothing here goes by it, but what it shows next to
    /// STS's `Date` is worth knowing, and only an exchange tells that.
    fn wall_clock_jumped(&mut self) -> bool {
        let (before, now) = (self.looked_at, self.driver.clock.read());
        self.looked_at = now;
        skew(before.wall + now.boot.saturating_sub(before.boot), now.wall) > TOLERATED_SKEW
    }

    async fn wait(&mut self, deadline: Option<Instant>) -> Woken {
        let in_flight = &mut self.in_flight;
        tokio::select! {
            result = async { match in_flight { Some(call) => call.await, None => std::future::pending().await } } => {
                *in_flight = None;
                Woken::Exchange(Box::new(result))
            }
            () = async { match deadline { Some(at) => tokio::time::sleep_until(at).await, None => std::future::pending().await } } => Woken::Clock,
            () = self.driver.ground.looked() => Woken::Basis,
            () = self.driver.beat.next() => Woken::Beat,
            Ok(()) = self.driver.hangups.changed() => Woken::Hangup,
            _ = self.driver.phases.wait_for(|phase| *phase == Phase::Stopping) => Woken::Shutdown,
        }
    }

    /// What exchanges start from was looked at, with or without news.
    fn basis_looked_at(&mut self) -> Action {
        let Seen { basis, changes, problem } = self.driver.ground.observe();
        self.basis = basis;
        if changes != self.basis_changes && self.basis.is_some() {
            let is_first = std::mem::replace(&mut self.basis_changes, changes) == 0;
            let action = self.tell(Event::BasisChanged);
            self.note_token(is_first);
            return action;
        }
        if self.basis.is_none()
            && let Some(Trouble { code, message, mend }) = problem
        {
            self.publish_problem(code, message, &mend, &self.driver.publisher.current().history);
        }
        self.tell(Event::Tick)
    }

    fn exchange_ended(&mut self, result: Result<Exchanged, ExchangeError>) -> Action {
        let took = self.driver.clock.steady() - self.started_at;
        let date = match &result {
            Ok(exchanged) => exchanged.reply.date,
            Err(error) => error.reply.date,
        };
        if let Some(date) = date {
            self.report.date(date, self.driver.clock.wall());
        }
        let action = match result {
            Ok(exchanged) => self.succeeded(exchanged, took),
            Err(error) => self.failed(&error, took),
        };
        if std::mem::take(&mut self.owes_relay) {
            self.driver.relay.send_modify(|count| *count += 1);
        }
        action
    }

    fn succeeded(&mut self, exchanged: Exchanged, took: Duration) -> Action {
        let lifetime = exchanged.credentials.lifetime();
        // STS's time goes with the credentials whose life it measures: no failure, whoever sent it, changes that.
        self.timeline = Timeline::since(lifetime.issued_at, self.driver.clock.read());
        let failures = self.state.failures();
        let action = self.tell(Event::ExchangeSucceeded(lifetime));
        let next = self.next_exchange_at();
        let snapshot = Snapshot::new(&exchanged.credentials, exchanged.assumed_role_arn.clone());
        self.report.success(&exchanged, &snapshot.access_key_id, next, took, failures);
        self.driver.metrics.exchange_succeeded(
            &self.driver.role,
            lifetime.issued_at,
            lifetime.expires_at,
            next.unwrap_or(lifetime.expires_at),
            took,
        );
        let history =
            self.driver.publisher.current().history.succeeded(lifetime.issued_at, lifetime.expires_at);
        self.publish(Some(Arc::new(snapshot)), None, history);
        let Exchanged { credentials, pod, .. } = exchanged;
        let held = Some(Arc::new(Handed { credentials, timeline: self.timeline, pod }));
        self.driver.handout.send_modify(|handout| {
            *handout = Handout { held, changes: handout.changes + 1, problem: None };
        });
        self.driver.news.send_modify(|count| *count += 1);
        action
    }

    fn failed(&mut self, error: &ExchangeError, took: Duration) -> Action {
        if matches!(error.remedy(), Remedy::WaitForToken | Remedy::RetryWhileStarting) {
            // It may have been replaced since it was read, and the news be on its way.
            self.driver.ground.ask();
        }
        let retry_after = error.reply.retry_after;
        let action = self.tell(Event::ExchangeFailed { remedy: error.remedy(), retry_after });
        let now = self.driver.clock.read().boot;
        let retry_in = self.state.next_exchange_at().unwrap_or(now).saturating_sub(now);
        self.driver.metrics.exchange_failed(&self.driver.role, error.code(), self.next_exchange_at(), took);
        self.report.failure(error, self.state.failures(), retry_in, took);
        let at = self.timeline.now(self.driver.clock.read());
        let history = self.driver.publisher.current().history.failed(error.code(), at);
        self.publish_problem(error.code(), error.to_string(), error.mend(), &history);
        action
    }

    /// In STS's time, for people.
    fn next_exchange_at(&self) -> Option<SystemTime> {
        let now = self.driver.clock.read();
        let wait = self.state.next_exchange_at()?.saturating_sub(now.boot);
        Some(self.timeline.now(now) + wait)
    }

    fn publish(&self, snapshot: Option<Arc<Snapshot>>, problem: Option<Problem>, history: History) {
        self.driver.publisher.publish(Served {
            timeline: self.timeline,
            snapshot,
            problem,
            next_exchange_at: self.next_exchange_at(),
            history,
        });
    }

    /// Changes what is said, never what is served.
    fn publish_problem(&self, code: &'static str, message: String, mend: &str, history: &History) {
        let held = self.driver.publisher.current();
        let since = match &held.problem {
            Some(problem) if problem.code == code => problem.since,
            _ => self.timeline.now(self.driver.clock.read()),
        };
        self.driver.handout.send_if_modified(|handout| {
            // Whoever starts from here and has something to start from need not know.
            let trouble = Trouble { code, message: message.clone(), mend: mend.to_owned() };
            let is_news = handout.held.is_none() && handout.problem.as_ref() != Some(&trouble);
            if is_news {
                handout.problem = Some(trouble);
            }
            is_news
        });
        let problem = Problem { code, message, mend: mend.to_owned(), since };
        let history = history.troubled(&problem);
        self.publish(held.snapshot.clone(), Some(problem), history);
    }

    /// The next exchange may have moved without one having ended: a token came, or SIGHUP.
    fn publish_schedule(&self) {
        let held = self.driver.publisher.current();
        let next = self.next_exchange_at();
        let apart = next.zip(held.next_exchange_at).map(|(a, b)| skew(a, b));
        let is_same = apart.map_or(next == held.next_exchange_at, |apart| apart < Duration::from_secs(1));
        if !is_same {
            self.driver.metrics.next_exchange(&self.driver.role, next);
            self.publish(held.snapshot.clone(), held.problem.clone(), held.history.clone());
        }
    }

    /// Another token than before was found, if that is what exchanges start from. A successor starts with the token that its
    /// predecessor recorded, which is not recorded twice.
    fn note_token(&self, is_first: bool) {
        let held = self.driver.publisher.current();
        let Some(Basis::Token(token)) = &self.basis else {
            if held.history.token().is_some() {
                self.publish(held.snapshot.clone(), held.problem.clone(), held.history.without_token());
            }
            return;
        };
        let claims = token.claims();
        let found = Token {
            changed_at: self.timeline.now(self.driver.clock.read()).into(),
            issued_at: claims.issued_at().map(Into::into),
            expires_at: claims.expires_at().map(Into::into),
        };
        let is_same =
            |known: Token| (known.issued_at, known.expires_at) == (found.issued_at, found.expires_at);
        if !(is_first && held.history.token().is_some_and(is_same)) {
            self.publish(
                held.snapshot.clone(),
                held.problem.clone(),
                held.history.token_found(found, holder(claims)),
            );
        }
    }

    fn watch_expiry(&mut self) {
        let held = self.driver.publisher.current();
        if let Some(snapshot) = &held.snapshot
            && held.servable(self.driver.clock.read()).is_none()
        {
            self.report.unservable(snapshot.lifetime, held.problem.as_ref().map(|problem| problem.code));
        }
    }
}

fn holder(claims: &Claims) -> Holder {
    let (namespace, service_account) = claims.service_account().unzip();
    Holder {
        namespace: namespace.map(str::to_owned),
        service_account: service_account.map(str::to_owned),
        pod: claims.kubernetes(&["pod", "name"]).map(str::to_owned),
    }
}

#[cfg(test)]
mod tests;

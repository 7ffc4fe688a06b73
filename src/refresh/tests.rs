//! The policy as stories: at this second this happens, and that is done. The draw is always 1, so delays are the bounds.

use std::time::Duration;
use std::time::SystemTime;

use super::*;

/// Seconds since the start at which something happens, what happens, what must be done.
type Line = (f64, Event, Then);

/// An [`Action`], with seconds since the start in place of times.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    Exchange,
    Until(f64),
    Wait,
    Stop,
}

use Event::BasisChanged as Token;
use Event::ExchangeNow as Hangup;
use Event::Shutdown;
use Event::Tick;
use Then::Exchange;
use Then::Stop;
use Then::Until;
use Then::Wait;

/// The machine has been up for a day.
fn at(seconds: f64) -> Moment {
    Duration::from_secs(86_400) + Duration::from_millis((seconds * 1000.0) as u64)
}

/// Credentials that live for so many seconds.
fn ok(life: f64) -> Event {
    let issued_at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let expires_at = issued_at + Duration::from_millis((life * 1000.0) as u64);
    Event::ExchangeSucceeded(Lifetime { issued_at, expires_at })
}

fn failed(remedy: Remedy) -> Event {
    Event::ExchangeFailed { remedy, retry_after: None }
}

fn throttled(retry_after: u64) -> Event {
    Event::ExchangeFailed { remedy: Remedy::Retry, retry_after: Some(Duration::from_secs(retry_after)) }
}

fn play(name: &str, story: &[Line]) {
    let mut state = State::new(at(0.0));
    for (line, (second, event, expected)) in story.iter().enumerate() {
        let (next, action) = step(state, *event, at(*second), 1.0);
        state = next;
        let expected = match expected {
            Exchange => Action::Exchange,
            Until(second) => Action::WaitUntil(at(*second)),
            Wait => Action::Wait,
            Stop => Action::Stop,
        };
        assert_eq!(action, expected, "{name}, line {}: {event:?} at {second} s; state {state:?}", line + 1);
    }
}

const RETRY: Remedy = Remedy::Retry;
const STARTING_UP: Remedy = Remedy::RetryWhileStarting;
const TOKEN: Remedy = Remedy::WaitForToken;
const PERSON: Remedy = Remedy::FixSetup;

#[test]
fn start_and_steady_state() {
    play(
        "waits for a token, however long",
        &[(0.0, Tick, Wait), (600.0, Tick, Wait), (601.0, Token, Exchange)],
    );
    play(
        "an hour is refreshed after half an hour",
        &[
            (0.0, Token, Exchange),
            (1.0, ok(3600.0), Until(1801.0)),
            (31.0, Tick, Until(1801.0)),
            (1801.0, Tick, Exchange),
            (1802.0, ok(3600.0), Until(3602.0)),
        ],
    );
    play(
        "a session of seconds too",
        &[(0.0, Token, Exchange), (0.5, ok(6.0), Until(3.5)), (3.5, Tick, Exchange)],
    );
    play(
        "one exchange at a time",
        &[(0.0, Token, Exchange), (1.0, Tick, Wait), (2.0, Token, Wait), (3.0, Hangup, Wait)],
    );
    play("a session of no length does not spin", &[(0.0, Token, Exchange), (0.0, ok(0.0), Until(0.25))]);
}

#[test]
fn a_changed_token_counts_at_once_only_while_something_is_wrong() {
    play(
        "healthy: at the next refresh",
        &[(0.0, Token, Exchange), (1.0, ok(3600.0), Until(1801.0)), (60.0, Token, Until(1801.0))],
    );
    for remedy in [RETRY, STARTING_UP, TOKEN, PERSON] {
        play(
            "failing without credentials: at once",
            &[
                (0.0, Token, Exchange),
                (
                    200.0,
                    failed(remedy),
                    Until(
                        200.0
                            + if remedy == RETRY {
                                1.0
                            } else if remedy == TOKEN {
                                300.0
                            } else {
                                5.0
                            },
                    ),
                ),
                (200.5, Token, Exchange),
            ],
        );
    }
    play(
        "failing with credentials: at once",
        &[
            (0.0, Token, Exchange),
            (1.0, ok(3600.0), Until(1801.0)),
            (1801.0, Tick, Exchange),
            (1802.0, failed(PERSON), Until(1807.0)),
            (1803.0, Token, Exchange),
        ],
    );
    play(
        "in flight: at once if that one fails",
        &[
            (0.0, Token, Exchange),
            (5.0, Token, Wait),
            (6.0, failed(TOKEN), Exchange),
            (6.1, failed(TOKEN), Until(306.1)),
        ],
    );
    play(
        "in flight: not at all if that one succeeds",
        &[(0.0, Token, Exchange), (5.0, Token, Wait), (6.0, ok(3600.0), Until(1806.0))],
    );
    play(
        "a file that flaps does not hammer STS",
        &[
            (0.0, Token, Exchange),
            (0.1, failed(PERSON), Until(5.1)),
            (0.15, Token, Until(0.25)),
            (0.2, Token, Until(0.25)),
            (0.25, Tick, Exchange),
        ],
    );
    play(
        "expired credentials are not healthy",
        &[(0.0, Token, Exchange), (1.0, ok(3600.0), Until(1801.0)), (3600.0, Token, Exchange)],
    );
}

#[test]
fn failures_are_retried_as_fast_as_their_remedy_allows() {
    play(
        "what passes: 1 s to 60 s",
        &[
            (0.0, Token, Exchange),
            (1.0, failed(RETRY), Until(2.0)),
            (2.0, Tick, Exchange),
            (3.0, failed(RETRY), Until(5.0)),
            (5.0, Tick, Exchange),
            (6.0, failed(RETRY), Until(10.0)),
            (10.0, Tick, Exchange),
            (10.5, ok(3600.0), Until(1810.5)),
            (1810.5, Tick, Exchange),
            (1811.0, failed(RETRY), Until(1812.0)),
        ],
    );
    play(
        "what a person must mend: 5 s to 5 min",
        &[
            (0.0, Token, Exchange),
            (1.0, failed(PERSON), Until(6.0)),
            (6.0, Tick, Exchange),
            (7.0, failed(PERSON), Until(17.0)),
        ],
    );
    play(
        "InvalidIdentityToken is held for a new provider for two minutes",
        &[
            (0.0, Token, Exchange),
            (1.0, failed(STARTING_UP), Until(2.0)),
            (119.0, Tick, Exchange),
            (119.5, failed(STARTING_UP), Until(121.5)),
            (121.5, Tick, Exchange),
            (122.0, failed(STARTING_UP), Until(142.0)),
        ],
    );
    play(
        "an expired token waits for the file, or five minutes",
        &[
            (0.0, Token, Exchange),
            (1.0, failed(TOKEN), Until(301.0)),
            (31.0, Tick, Until(301.0)),
            (301.0, Tick, Exchange),
        ],
    );
}

#[test]
fn retry_after_is_honoured_within_bounds() {
    play("longer than our own delay", &[(0.0, Token, Exchange), (1.0, throttled(20), Until(21.0))]);
    play(
        "shorter than our own delay",
        &[
            (0.0, Token, Exchange),
            (1.0, throttled(0), Until(2.0)),
            (2.0, Tick, Exchange),
            (3.0, throttled(1), Until(5.0)),
        ],
    );
    play("absurdly long", &[(0.0, Token, Exchange), (1.0, throttled(u64::MAX), Until(301.0))]);
    play(
        "a token that changes is no reason to come earlier",
        &[
            (0.0, Token, Exchange),
            (1.0, throttled(20), Until(21.0)),
            (2.0, Token, Until(21.0)),
            (3.0, Hangup, Until(21.0)),
            (21.0, Tick, Exchange),
            (22.0, Token, Wait),
            (23.0, throttled(20), Until(43.0)),
            (43.0, Tick, Exchange),
            (44.0, failed(PERSON), Until(64.0)),
            (45.0, Token, Exchange),
        ],
    );
}

#[test]
fn an_outage_past_expiry_is_retried_to_its_end() {
    play(
        "outage",
        &[
            (0.0, Token, Exchange),
            (0.0, ok(3600.0), Until(1800.0)),
            (1800.0, Tick, Exchange),
            (1810.0, failed(RETRY), Until(1811.0)),
            (1811.0, Tick, Exchange),
            (3590.0, failed(RETRY), Until(3592.0)),
            (3592.0, Tick, Exchange),
            (3602.0, failed(RETRY), Until(3606.0)),
            (3606.0, Tick, Exchange),
            (3607.0, ok(3600.0), Until(5407.0)),
        ],
    );
}

#[test]
fn a_machine_that_slept_exchanges_at_the_first_look() {
    play(
        "past the refresh",
        &[(0.0, Token, Exchange), (0.0, ok(3600.0), Until(1800.0)), (7200.0, Tick, Exchange)],
    );
    play(
        "past a retry",
        &[(0.0, Token, Exchange), (0.0, failed(PERSON), Until(5.0)), (900.0, Tick, Exchange)],
    );
}

#[test]
fn sighup_exchanges_now_at_most_once_in_ten_seconds() {
    play("without a token there is nothing to exchange", &[(0.0, Hangup, Wait), (1.0, Token, Exchange)]);
    play(
        "healthy",
        &[
            (0.0, Token, Exchange),
            (1.0, ok(3600.0), Until(1801.0)),
            (60.0, Hangup, Exchange),
            (61.0, ok(3600.0), Until(1861.0)),
            (62.0, Hangup, Until(70.0)),
            (63.0, Hangup, Until(70.0)),
            (70.0, Tick, Exchange),
        ],
    );
    play("failing", &[(0.0, Token, Exchange), (1.0, failed(PERSON), Until(6.0)), (2.0, Hangup, Exchange)]);
    play(
        "in flight: again at once if that one fails",
        &[(0.0, Token, Exchange), (1.0, Hangup, Wait), (2.0, failed(PERSON), Exchange)],
    );
    play(
        "never later than what was due anyway",
        &[
            (0.0, Token, Exchange),
            (1.0, failed(PERSON), Until(6.0)),
            (1.5, Hangup, Exchange),
            (2.0, failed(RETRY), Until(4.0)),
            (2.5, Hangup, Until(4.0)),
        ],
    );
}

#[test]
fn shutdown_ends_it_in_any_state() {
    play("before a token", &[(0.0, Shutdown, Stop), (1.0, Token, Stop)]);
    play("in flight", &[(0.0, Token, Exchange), (1.0, Shutdown, Stop), (2.0, ok(3600.0), Stop)]);
    play("between", &[(0.0, Token, Exchange), (1.0, ok(3600.0), Until(1801.0)), (2.0, Shutdown, Stop)]);
}

#[test]
fn whatever_happens_an_exchange_never_starts_within_250_ms_of_the_last_one() {
    let mut seed = fastrand::Rng::with_seed(37);
    for _ in 0..200 {
        let mut state = State::new(at(0.0));
        let (mut now, mut last_start, mut in_flight) = (0.0, f64::NEG_INFINITY, false);
        for _ in 0..200 {
            now += seed.f64() * if seed.bool() { 0.1 } else { 400.0 };
            let remedy = [RETRY, STARTING_UP, TOKEN, PERSON][seed.usize(..4)];
            let event = match seed.u8(..6) {
                0 if in_flight => ok(seed.f64() * 3600.0),
                1 | 2 if in_flight => failed(remedy),
                3 => Token,
                4 => Hangup,
                _ => Tick,
            };
            in_flight &= !matches!(event, Event::ExchangeSucceeded(_) | Event::ExchangeFailed { .. });
            let (next, action) = step(state, event, at(now), seed.f64());
            state = next;
            if action == Action::Exchange {
                assert!(!in_flight, "two at a time");
                assert!(now - last_start >= 0.248, "{} s after the last one", now - last_start);
                (last_start, in_flight) = (now, true);
            }
        }
    }
}

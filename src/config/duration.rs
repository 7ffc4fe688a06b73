//! Durations: always with a unit, so that nobody has to guess whether `3600` means seconds or milliseconds.

use std::time::Duration;

use crate::config::SessionDuration;
use crate::config::mistake::Reason;
use crate::config::mistake::quoted;
use crate::config::types;
use crate::contract::MAX_CHAINED_DURATION;
use crate::contract::MAX_SESSION_DURATION;
use crate::contract::MIN_SESSION_DURATION;

/// Nobody waits longer; far beyond it arithmetic on instants would overflow.
const MAX_WAIT: Duration = Duration::from_secs(24 * 3600);

/// 15m to 12h in whole seconds, as STS takes them, or `max`.
pub(super) fn parse_session_duration(text: &str) -> Result<SessionDuration, Reason> {
    if text == "max" {
        return Ok(SessionDuration::Max);
    }
    let duration = parse_duration(text)?;
    if duration < MIN_SESSION_DURATION || duration > MAX_SESSION_DURATION {
        return Err("STS takes 15m to 12h, and not more than the role's maximum session duration".into());
    }
    whole_seconds(duration)
}

/// The same, for who only wants to know whether it would be taken.
pub(crate) fn check_session_duration(text: &str) -> Result<(), String> {
    parse_session_duration(text).map(|_| ()).map_err(|reason| reason.why().to_owned())
}

/// The same for a step of a chain.
pub(super) fn parse_chained_duration(text: &str) -> Result<SessionDuration, Reason> {
    let capped =
        |why: &str| Reason::from(format!("{why}: STS ends a chained session after an hour")).mend("Write 1h");
    if text == "max" {
        return Err(capped("there is no longer one to ask for"));
    }
    let duration = parse_duration(text)?;
    if duration > MAX_CHAINED_DURATION {
        return Err(capped("it is longer than 1h"));
    }
    if duration < MIN_SESSION_DURATION {
        return Err("STS takes 15m to 1h in a chain".into());
    }
    whole_seconds(duration)
}

fn whole_seconds(duration: Duration) -> Result<SessionDuration, Reason> {
    if duration.subsec_nanos() != 0 {
        return Err("STS takes whole seconds".into());
    }
    Ok(SessionDuration::Fixed(duration))
}

pub(super) fn parse_drain(text: &str) -> Result<Duration, Reason> {
    let duration = parse_duration(text)?;
    if duration > MAX_WAIT {
        return Err(Reason::from("it is longer than a day")
            .mend("Give the pod's terminationGracePeriodSeconds less a second, for example 29s"));
    }
    Ok(duration)
}

pub(super) fn parse_wait(text: &str) -> Result<Duration, Reason> {
    let duration = parse_duration(text)?;
    if duration > MAX_WAIT {
        return Err("it is longer than a day".into());
    }
    Ok(duration)
}

fn parse_duration(text: &str) -> Result<Duration, Reason> {
    if text.trim_start().starts_with('-') {
        return Err("a duration cannot be negative".into());
    }
    if text != "0" && text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Reason::from("it has no unit").mend(format!("Write {text}s, {text}m or {text}h")));
    }
    types::parse_duration(text).ok_or_else(|| {
        let why = format!("{} is not a duration; one is a number and a unit (s, m, h)", quoted(text));
        Reason::from(why)
    })
}

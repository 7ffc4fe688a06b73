//! Durations: always with a unit, so that nobody has to guess whether `3600` means seconds or milliseconds.

use std::time::Duration;

use crate::config::mistake::Reason;
use crate::config::mistake::quoted;
use crate::config::types;
use crate::contract::MAX_SESSION_DURATION;
use crate::contract::MIN_SESSION_DURATION;

/// Nobody waits longer; far beyond it arithmetic on instants would overflow.
const MAX_WAIT: Duration = Duration::from_secs(24 * 3600);

/// 15m to 12h in whole seconds, as STS takes them.
pub(super) fn parse_session_duration(text: &str) -> Result<Duration, Reason> {
    if text == "max" {
        return Err(Reason::from("asking for the longest session that the role allows is not built yet")
            .mend("Give the role's maximum session duration, for example 12h"));
    }
    let duration = parse_duration(text)?;
    if duration < MIN_SESSION_DURATION || duration > MAX_SESSION_DURATION {
        return Err("STS takes 15m to 12h, and not more than the role's maximum session duration".into());
    }
    if duration.subsec_nanos() != 0 {
        return Err("STS takes whole seconds".into());
    }
    Ok(duration)
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

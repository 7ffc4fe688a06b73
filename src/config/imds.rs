//! What the instance metadata service (IMDS) answers, and to whom.
//!
//! The region is the environment's, as an SDK reads it. Zone, instance id and type are told only when a setting says
//! them: an application that is told a made-up one would act on it.

use crate::config::Imds;
use crate::config::ImdsMode;
use crate::config::Listener;
use crate::config::log::one_of;
use crate::config::mistake::Reason;
use crate::config::parser::Parser;
use crate::config::settings::DEFAULT_REGION;
use crate::config::settings::IMDS;
use crate::config::settings::IMDS_AVAILABILITY_ZONE;
use crate::config::settings::IMDS_INSTANCE_ID;
use crate::config::settings::IMDS_INSTANCE_TYPE;
use crate::config::settings::REGION;

pub(super) fn imds(parser: &mut Parser<'_>, listeners: Option<&[Listener]>) -> Imds {
    let mode = parser.value(&IMDS, mode);
    let region = parser.given(&REGION).or_else(|| parser.given(&DEFAULT_REGION));
    let region = region.map(|given| given.value.to_string());
    let imds = Imds {
        mode: mode.unwrap_or_default(),
        availability_zone: parser.value(&IMDS_AVAILABILITY_ZONE, availability_zone),
        instance_id: parser.value(&IMDS_INSTANCE_ID, instance_id),
        instance_type: parser.value(&IMDS_INSTANCE_TYPE, instance_type),
        region,
    };
    if let (Some(zone), Some(region)) = (&imds.availability_zone, &imds.region)
        && !zone.starts_with(region.as_str())
        && let Some(given) = parser.given(&IMDS_AVAILABILITY_ZONE)
    {
        let reason =
            format!("{zone} is not a zone of {region}, which {} says the region is", REGION.variable);
        parser.conflict(
            &given,
            reason,
            "SDKs make the region of the zone: let both name the same".to_owned(),
        );
    }
    if mode == Some(ImdsMode::Required)
        && listeners.is_some_and(|listeners| !listeners.iter().any(Listener::serves_imds))
    {
        let message =
            format!("{} does nothing: no listener serves the metadata service (IMDS)", IMDS.variable);
        parser.warn("ImdsIdle", message);
    }
    imds
}

fn mode(text: &str) -> Result<ImdsMode, Reason> {
    let modes = [ImdsMode::Off, ImdsMode::Optional, ImdsMode::Required];
    one_of(text, &modes.map(|mode| (mode.name(), mode)))
}

fn availability_zone(text: &str) -> Result<String, Reason> {
    let is_plain = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !is_plain || !text.contains('-') {
        return Err("a zone is a region and a letter".into());
    }
    let words = text.trim_end_matches(|c: char| c.is_ascii_digit());
    if words.len() < text.len() && !words.contains(|c: char| c.is_ascii_digit()) {
        return Err(Reason::from("it is a region, not a zone").mend(format!("For example {text}a")));
    }
    Ok(text.to_owned())
}

fn instance_id(text: &str) -> Result<String, Reason> {
    let digits = text.strip_prefix("i-").unwrap_or_default();
    let is_hex = digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if is_hex && matches!(digits.len(), 8 | 17) {
        return Ok(text.to_owned());
    }
    Err("an instance id is i- and 17 (once 8) hexadecimal digits".into())
}

fn instance_type(text: &str) -> Result<String, Reason> {
    let is_plain = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    match text.split_once('.') {
        Some((family, size)) if is_plain(family) && is_plain(size) => Ok(text.to_owned()),
        _ => Err("an instance type is a family and a size with a dot between them".into()),
    }
}

//! Which STS is asked, and how it is reached: AWS's own variables, the specific beating the general.
//!
//! Whether there is a region at all, the environment's or the profile's, is decided where STS is called; here is told
//! what is wrong with the variables themselves.

use crate::config::log::one_of;
use crate::config::mistake::Reason;
use crate::config::mistake::Warning;
use crate::config::parser::Parser;
use crate::config::proxy;
use crate::config::settings::DEFAULT_REGION;
use crate::config::settings::ENDPOINT_URL;
use crate::config::settings::ENDPOINT_URL_STS;
use crate::config::settings::REGION;
use crate::config::settings::STS_REGIONAL_ENDPOINTS;
use crate::config::settings::USE_DUALSTACK_ENDPOINT;
use crate::config::settings::USE_FIPS_ENDPOINT;
use crate::config::url::parse_endpoint;

/// Tells what is wrong with them. What they mean, the AWS SDK's own rules decide, together with the profile.
pub(super) fn check(parser: &mut Parser<'_>) {
    region(parser);
    endpoint(parser);
    proxy::check(parser);
}

fn region(parser: &mut Parser<'_>) {
    let given = parser.given(&REGION).or_else(|| parser.given(&DEFAULT_REGION));
    if let Some(given) = given {
        parser.parse(&given, check_region);
    }
}

fn check_region(text: &str) -> Result<(), Reason> {
    let is_plain =
        |text: &str| text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    let like_a_region = text.trim().to_ascii_lowercase().replace(['_', ' '], "-");
    if !is_plain(text) || text.starts_with('-') || text.ends_with('-') {
        let reason = Reason::from("a region has a-z, 0-9 and - alone");
        let is_near = is_plain(&like_a_region) && like_a_region.contains('-');
        return Err(if is_near { reason.mend(format!("Did you mean {like_a_region}?")) } else { reason });
    }
    let region = text.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let is_zone = region.len() + 1 == text.len()
        && region.ends_with(|c: char| c.is_ascii_digit())
        && text.contains('-');
    if is_zone {
        return Err(Reason::from("it is an availability zone, not a region").mend(format!("Write {region}")));
    }
    Ok(())
}

fn endpoint(parser: &mut Parser<'_>) {
    parser.value(&STS_REGIONAL_ENDPOINTS, check_regional);
    let is_true = |text: &str| one_of(&text.to_ascii_lowercase(), &[("true", true), ("false", false)]);
    let variants = [&USE_FIPS_ENDPOINT, &USE_DUALSTACK_ENDPOINT].map(|setting| {
        let given = parser.given(setting)?;
        parser.parse(&given, is_true)?.then_some(given)
    });
    let specific = parser.given(&ENDPOINT_URL_STS);
    let general = if specific.is_none() { parser.given(&ENDPOINT_URL) } else { None };
    let Some(given) = specific.or(general) else { return };
    for variant in variants.into_iter().flatten() {
        let reason = format!("it chooses among AWS's own endpoints, but {} names another", given.spelling);
        parser.conflict(&variant, reason, "Unset one of them".to_owned());
    }
    if parser.parse(&given, parse_endpoint).is_some()
        && let Some(warning) = in_clear(&given.spelling.to_string(), &given.value)
    {
        parser.warn(warning.code, warning.message);
    }
}

/// Of plain HTTP to another host; `named_by` says who wants that.
pub(crate) fn in_clear(named_by: &str, url: &str) -> Option<Warning> {
    let target = parse_endpoint(url).ok().filter(|target| !target.is_https && !target.is_loopback());
    target.map(|_| Warning {
        code: "EndpointInClear",
        message: format!(
            "{named_by} begins with http://: the token and the credentials travel in clear, for everyone on the way to take"
        ),
    })
}

fn check_regional(text: &str) -> Result<(), Reason> {
    one_of(&text.to_ascii_lowercase(), &[("regional", ()), ("legacy", ())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_a_region_from_what_people_write_for_one() {
        for region in [
            "eu-central-1",
            "us-gov-west-1",
            "cn-north-1",
            "us-iso-east-1",
            "local",
            "aws-global",
            "us-east-1",
        ] {
            assert!(check_region(region).is_ok(), "{region}");
        }
        for wrong in [
            "eu-central-1a",
            "us-east-1f",
            "EU-CENTRAL-1",
            "eu_central_1",
            "Frankfurt",
            "eu-central-1 ",
            "-",
            "a.b",
        ] {
            assert!(check_region(wrong).is_err(), "{wrong}");
        }
        // A Local Zone's or a Wavelength Zone's parent is not to be told from its name.
        assert!(check_region("us-west-2-lax-1a").is_err());
    }
}

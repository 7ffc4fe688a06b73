//! Temporary credentials, and the arithmetic of their freshness.
//!
//! Nothing here reads a clock: `now` is STS's time and comes from outside. The numbers are the freshness contract's
//! (README, "Freshness"): refresh between 40 % and 50 % of a session's life, never serve one about to end.

use std::time::Duration;
use std::time::SystemTime;

use bytes::Bytes;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// What STS gave for one role.
#[derive(Clone)]
#[allow(missing_debug_implementations)] // holds secrets
pub struct Credentials {
    pub access_key_id: String,
    pub secret_access_key: Secret,
    pub session_token: Secret,
    /// When STS stops honouring them, in STS's time.
    pub expires_at: SystemTime,
    /// When STS issued them, in STS's time.
    pub issued_at: SystemTime,
    /// The role that was asked for; not every source tells it.
    pub role_arn: Option<String>,
    /// The account of that role, or of the assumed one; other STS implementations know none.
    pub account_id: Option<String>,
}

/// Below this much life left, credentials are worse than a 503: rusoto asks again without end, JavaScript v2 hangs.
const FLOOR: Duration = Duration::from_secs(60);
/// Sessions shorter than STS allows come from test servers alone; for them the floor shrinks along.
const SHORT_SESSION: Duration = Duration::from_secs(900);
const SHORT_SESSION_FLOOR_DIVISOR: u32 = 15;
/// The part of a session's life after which it is refreshed, at the earliest, and how much later at most.
const REFRESH_AFTER: f64 = 0.4;
const REFRESH_SPREAD: f64 = 0.1;
/// Sessions shorter than this cannot always have 25 minutes left.
pub const COMFORTABLE_SESSION: Duration = Duration::from_secs(3600);

/// What a body holds beside the session token, at most: keys, an ARN of 2,048 characters, two keys, a date.
const BODY_OVERHEAD: usize = 3072;

/// 9999-12-31T23:59:59Z.
const LATEST_SECOND: u64 = 253_402_300_799;

/// The life of one set of credentials, without the credentials.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lifetime {
    pub issued_at: SystemTime,
    pub expires_at: SystemTime,
}

impl Lifetime {
    pub fn length(&self) -> Duration {
        self.expires_at.duration_since(self.issued_at).unwrap_or_default()
    }

    /// How old they are when they are to be replaced; `jitter` is in `0.0..1.0`, so that a fleet does not move in step.
    pub fn refresh_after(&self, jitter: f64) -> Duration {
        self.length().mul_f64(REFRESH_AFTER + REFRESH_SPREAD * jitter.clamp(0.0, 1.0))
    }

    /// How old they may be and still be served.
    pub fn serve_for(&self) -> Duration {
        self.length() - self.floor()
    }

    /// The first moment at which they may not be served any more.
    pub fn serve_until(&self) -> SystemTime {
        self.expires_at - self.floor()
    }

    pub fn may_be_served(&self, now: SystemTime) -> bool {
        now < self.serve_until()
    }

    pub fn remaining(&self, now: SystemTime) -> Duration {
        self.expires_at.duration_since(now).unwrap_or_default()
    }

    fn floor(&self) -> Duration {
        let length = self.length();
        if length < SHORT_SESSION { length / SHORT_SESSION_FLOOR_DIVISOR } else { FLOOR }
    }
}

impl Credentials {
    pub fn lifetime(&self) -> Lifetime {
        Lifetime { issued_at: self.issued_at, expires_at: self.expires_at }
    }

    /// The body that the container endpoint serves: one flat object on one line, which the pickiest parsers accept:
    /// `RoleArn` for s3fs, `Expiration` in whole seconds for boto, no empty value for Fluent Bit.
    ///
    /// The buffer is wiped when the last response that points at it has gone.
    pub fn container_body(&self) -> Bytes {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Body<'a> {
            code: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            role_arn: Option<&'a str>,
            access_key_id: &'a str,
            secret_access_key: &'a str,
            token: &'a str,
            expiration: String,
            #[serde(skip_serializing_if = "Option::is_none")]
            account_id: Option<&'a str>,
        }
        let body = Body {
            code: "Success",
            role_arn: self.role_arn.as_deref(),
            access_key_id: &self.access_key_id,
            secret_access_key: self.secret_access_key.expose(),
            token: self.session_token.expose(),
            expiration: rfc3339(self.expires_at),
            account_id: self.account_id.as_deref().filter(|account| !account.is_empty()),
        };
        // Sized ahead: growing would leave a copy behind in freed memory.
        let mut buffer = Zeroizing::new(Vec::with_capacity(self.body_size()));
        serde_json::to_writer(&mut *buffer, &body).expect("a flat structure of strings must serialize");
        Bytes::from_owner(buffer)
    }
}

impl Credentials {
    /// The body that the metadata service serves. No `RoleArn`: s3fs counts four fields that it knows, not five.
    ///
    /// Wiped as the other is.
    pub fn imds_body(&self) -> Bytes {
        let (issued, expires) = (rfc3339(self.issued_at), rfc3339(self.expires_at));
        let fields = [
            ("Code", "Success"),
            ("LastUpdated", issued.as_str()),
            ("Type", "AWS-HMAC"),
            ("AccessKeyId", self.access_key_id.as_str()),
            ("SecretAccessKey", self.secret_access_key.expose()),
            ("Token", self.session_token.expose()),
            ("Expiration", expires.as_str()),
        ];
        Bytes::from_owner(Zeroizing::new(laid_out(&fields, self.body_size())))
    }

    fn body_size(&self) -> usize {
        BODY_OVERHEAD + self.session_token.len()
    }
}

/// A flat object as EC2 lays it out: shell scripts read its metadata line by line. `size` is how much it takes at most, so
/// that no copy is left behind in freed memory.
pub fn laid_out<V: Serialize>(fields: &[(&str, V)], size: usize) -> Vec<u8> {
    let mut buffer = Vec::with_capacity(size);
    for (index, (name, value)) in fields.iter().enumerate() {
        buffer.extend_from_slice(if index == 0 { b"{\n  " } else { b",\n  " });
        serde_json::to_writer(&mut buffer, name).expect("a string must serialize");
        buffer.extend_from_slice(b" : ");
        serde_json::to_writer(&mut buffer, value).expect("a value without maps of its own must serialize");
    }
    buffer.extend_from_slice(b"\n}");
    buffer
}

/// `YYYY-MM-DDTHH:MM:SSZ`, the only form that every SDK reads. A time that it cannot express, which only a hostile or
/// broken party sends, is shown as the nearest that it can.
pub fn rfc3339(time: SystemTime) -> String {
    let latest = SystemTime::UNIX_EPOCH + Duration::from_secs(LATEST_SECOND);
    humantime::format_rfc3339_seconds(time.clamp(SystemTime::UNIX_EPOCH, latest)).to_string()
}

/// The same the other way round, with fractions of a second as Go and Java write them.
pub fn parse_rfc3339(text: &str) -> Option<SystemTime> {
    humantime::parse_rfc3339(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
    }

    fn lifetime(seconds: u64) -> Lifetime {
        Lifetime { issued_at: at(0), expires_at: at(seconds) }
    }

    #[test]
    fn refreshes_between_forty_and_fifty_percent() {
        assert_eq!(lifetime(3600).refresh_after(0.0), Duration::from_secs(1440));
        assert_eq!(lifetime(3600).refresh_after(1.0), Duration::from_secs(1800));
        assert_eq!(lifetime(10).refresh_after(0.5), Duration::from_millis(4500));
    }

    #[test]
    fn an_hour_refreshed_on_time_always_has_25_minutes_left() {
        for jitter in [0.0, 0.3, 0.99, 1.0] {
            let left = lifetime(3600).length() - lifetime(3600).refresh_after(jitter);
            assert!(left >= Duration::from_secs(25 * 60), "{left:?} at jitter {jitter}");
        }
    }

    #[test]
    fn is_not_served_with_less_than_a_minute_left() {
        assert!(lifetime(3600).may_be_served(at(3539)));
        assert!(!lifetime(3600).may_be_served(at(3540)));
        assert!(!lifetime(3600).may_be_served(at(9999)));
    }

    #[test]
    fn the_floor_of_a_test_servers_short_session_is_a_fifteenth() {
        assert_eq!(lifetime(15).serve_until(), at(14));
        assert_eq!(lifetime(900).serve_until(), at(840));
        assert_eq!(lifetime(0).serve_until(), at(0));
    }

    #[test]
    fn an_expiry_before_the_issue_is_never_served() {
        let backwards = Lifetime { issued_at: at(10), expires_at: at(0) };
        assert!(!backwards.may_be_served(at(5)));
        assert_eq!(backwards.refresh_after(0.5), Duration::ZERO);
    }

    #[test]
    fn a_time_that_has_no_text_is_shown_as_the_nearest_that_has() {
        let far = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40);
        assert_eq!(rfc3339(far), "9999-12-31T23:59:59Z");
        assert_eq!(rfc3339(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn the_metadata_body_is_laid_out_as_ec2_does_it() {
        let body = example().imds_body();
        assert_eq!(
            body,
            r#"{
  "Code" : "Success",
  "LastUpdated" : "2027-01-15T08:00:00Z",
  "Type" : "AWS-HMAC",
  "AccessKeyId" : "ASIAIOSFODNN7EXAMPLE",
  "SecretAccessKey" : "wJalrXUtnFEMI/K7MDENG",
  "Token" : "IQoJ//b3Jp+Z2lu=",
  "Expiration" : "2027-01-15T09:00:00Z"
}"#
        );
    }

    fn example() -> Credentials {
        Credentials {
            access_key_id: "ASIAIOSFODNN7EXAMPLE".to_owned(),
            secret_access_key: Secret::new("wJalrXUtnFEMI/K7MDENG".to_owned()),
            session_token: Secret::new("IQoJ//b3Jp+Z2lu=".to_owned()),
            expires_at: at(3600),
            issued_at: at(0),
            role_arn: Some("arn:aws:iam::111122223333:role/app".to_owned()),
            account_id: Some("111122223333".to_owned()),
        }
    }

    #[test]
    fn the_container_body_is_one_flat_line_in_the_documented_order() {
        let mut credentials = example();
        assert_eq!(
            credentials.container_body(),
            r#"{"Code":"Success","RoleArn":"arn:aws:iam::111122223333:role/app","AccessKeyId":"ASIAIOSFODNN7EXAMPLE","SecretAccessKey":"wJalrXUtnFEMI/K7MDENG","Token":"IQoJ//b3Jp+Z2lu=","Expiration":"2027-01-15T09:00:00Z","AccountId":"111122223333"}"#
        );
        for unknown in [None, Some(String::new())] {
            credentials.account_id = unknown;
            let body = credentials.container_body();
            assert!(!body.windows(9).any(|window| window == b"AccountId"));
        }
    }
}

//! AWS Signature Version 4, checked as a service checks it: in the `Authorization` header or in a presigned query.
//!
//! The arithmetic ([`signature`]) is anchored by the vectors of AWS's public test suite, in `data/sigv4.json`.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use crate::sts::failure::Failure;

pub(crate) use crate::sts::sigv4::canonical::{ALGORITHM, Message, Scope, signature};

mod canonical;
#[cfg(test)]
mod tests;

const SERVICES: [&str; 2] = ["sts", "iam"];

/// How far a client's clock may be from ours.
const MAX_SKEW: Duration = Duration::from_secs(300);

/// `AWS4-HMAC-SHA256 Credential=…/SCOPE, SignedHeaders=…, Signature=…`, wherever it stood.
#[derive(Debug)]
pub(crate) struct Authorization {
    pub(crate) access_key_id: String,
    pub(crate) session_token: Option<String>,
    pub(crate) scope: Scope,
    signed_headers: Vec<String>,
    signature: String,
    /// As sent: `20150830T123600Z`.
    timestamp: String,
    signed_at: SystemTime,
    /// For a presigned query: how long it is good.
    expires_in: Option<Duration>,
}

impl Authorization {
    /// What the request says of its signature; nothing is checked yet but its form.
    pub(crate) fn read(message: &Message<'_>) -> Result<Self, Failure> {
        match message.header("authorization") {
            Some(header) => Self::of_header(message, &header),
            None if message.parameter("X-Amz-Signature").is_some() => Self::of_query(message),
            None => Err(Failure::named("MissingAuthenticationToken")),
        }
    }

    fn of_header(message: &Message<'_>, header: &str) -> Result<Self, Failure> {
        let fields = header
            .strip_prefix(ALGORITHM)
            .ok_or_else(|| incomplete("Authorization header requires 'AWS4-HMAC-SHA256'."))?;
        let field = |name: &str| {
            let found = fields.split(',').find_map(|f| f.trim().strip_prefix(name)?.strip_prefix('='));
            found.ok_or_else(|| incomplete(format!("Authorization header requires '{name}' parameter.")))
        };
        let timestamp = message
            .header("x-amz-date")
            .ok_or_else(|| incomplete("Authorization header requires existence of a 'X-Amz-Date' header."))?;
        let session_token = message.header("x-amz-security-token");
        Self::of(
            field("Credential")?,
            field("SignedHeaders")?,
            field("Signature")?,
            timestamp,
            session_token,
            None,
        )
    }

    fn of_query(message: &Message<'_>) -> Result<Self, Failure> {
        let field = |name: &str| {
            message.parameter(name).ok_or_else(|| {
                incomplete(format!("Query-string authentication requires the {name} parameter."))
            })
        };
        if field("X-Amz-Algorithm")? != ALGORITHM {
            return Err(incomplete("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\""));
        }
        let expires: u64 = field("X-Amz-Expires")?
            .parse()
            .map_err(|_| incomplete("X-Amz-Expires must be a number of seconds"))?;
        Self::of(
            &field("X-Amz-Credential")?,
            &field("X-Amz-SignedHeaders")?,
            &field("X-Amz-Signature")?,
            field("X-Amz-Date")?,
            message.parameter("X-Amz-Security-Token"),
            Some(Duration::from_secs(expires)),
        )
    }

    fn of(
        credential: &str,
        signed_headers: &str,
        signature: &str,
        timestamp: String,
        session_token: Option<String>,
        expires_in: Option<Duration>,
    ) -> Result<Self, Failure> {
        let mut parts = credential.split('/');
        let (Some(key), Some(date), Some(region), Some(service), Some("aws4_request"), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(incomplete(
                "Credential must have at least 5 slash-delimited elements \
                 (e.g. keyid/date/region/service/term)",
            ));
        };
        let signed_at = parse_timestamp(&timestamp)
            .ok_or_else(|| incomplete("Date must be in ISO-8601 'basic format'."))?;
        Ok(Self {
            access_key_id: key.to_owned(),
            session_token,
            scope: Scope { date: date.to_owned(), region: region.to_owned(), service: service.to_owned() },
            signed_headers: signed_headers.split(';').map(str::to_ascii_lowercase).collect(),
            signature: signature.to_owned(),
            timestamp,
            signed_at,
            expires_in,
        })
    }

    /// Whether the holder of `secret` signed this message, for us, and just now.
    pub(crate) fn verify(&self, message: &Message<'_>, secret: &str, now: SystemTime) -> Result<(), Failure> {
        if !self.signed_headers.iter().any(|name| name == "host") {
            return Err(mismatch(
                "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
            ));
        }
        self.check_scope()?;
        self.check_age(now)?;
        if self.computed(message, secret) == self.signature {
            Ok(())
        } else {
            Err(Failure::named("SignatureDoesNotMatch"))
        }
    }

    fn check_scope(&self) -> Result<(), Failure> {
        if !SERVICES.contains(&self.scope.service.as_str()) {
            return Err(mismatch(format!(
                "Credential should be scoped to correct service: '{}'.",
                SERVICES[0]
            )));
        }
        if !self.timestamp.starts_with(&self.scope.date) {
            let Scope { date, .. } = &self.scope;
            let day = &self.timestamp[..8];
            return Err(mismatch(format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: \
                 '{date}' != '{day}', from '{}'.",
                self.timestamp
            )));
        }
        Ok(())
    }

    fn check_age(&self, now: SystemTime) -> Result<(), Failure> {
        let good_for = self.expires_in.unwrap_or(MAX_SKEW);
        let stamp = &self.timestamp;
        if now > self.signed_at + good_for {
            let (oldest, now) = (format_timestamp(now - good_for), format_timestamp(now));
            return Err(mismatch(format!(
                "Signature expired: {stamp} is now earlier than {oldest} ({now} - {} min.)",
                good_for.as_secs() / 60
            )));
        }
        if self.signed_at > now + MAX_SKEW {
            let (newest, now) = (format_timestamp(now + MAX_SKEW), format_timestamp(now));
            return Err(mismatch(format!(
                "Signature not yet current: {stamp} is still later than {newest} ({now} + 5 min.)"
            )));
        }
        Ok(())
    }

    fn computed(&self, message: &Message<'_>, secret: &str) -> String {
        let signed: Vec<&str> = self.signed_headers.iter().map(String::as_str).collect();
        signature(message, &signed, &self.timestamp, &self.scope, secret)
    }
}

/// `20150830T123600Z`.
pub(crate) fn format_timestamp(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string().replace(['-', ':'], "")
}

fn parse_timestamp(text: &str) -> Option<SystemTime> {
    if !text.is_ascii() || text.len() != 16 {
        return None;
    }
    let (date, time) = text.split_once('T')?;
    if date.len() != 8 {
        return None;
    }
    let rfc3339 = format!(
        "{}-{}-{}T{}:{}:{}",
        &date[..4],
        &date[4..6],
        &date[6..],
        &time[..2],
        &time[2..4],
        &time[4..]
    );
    humantime::parse_rfc3339(&rfc3339).ok()
}

fn incomplete(message: impl Into<Cow<'static, str>>) -> Failure {
    Failure::new("IncompleteSignature", message)
}

fn mismatch(message: impl Into<Cow<'static, str>>) -> Failure {
    Failure::new("SignatureDoesNotMatch", message)
}

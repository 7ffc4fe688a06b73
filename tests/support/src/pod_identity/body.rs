//! The answers' bytes.

use std::time::SystemTime;

use serde::Serialize;
use serde_json::{Value, json};

use crate::pod_identity::settings::{Settings, Shape};
use crate::sts::Credentials;

/// One of the two agents' own, with the fields in the agent's own order.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role_arn: Option<&'a str>,
    access_key_id: &'a str,
    secret_access_key: &'a str,
    token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<&'a str>,
    expiration: String,
}

/// What a request is told that gets no credentials.
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) text: String,
}

impl Refusal {
    pub(super) fn new(status: u16, text: impl Into<String>) -> Self {
        Self { status, text: text.into() }
    }

    pub(super) fn body(&self, shape: Shape) -> (&'static str, String) {
        match shape {
            Shape::Agent => ("text/plain; charset=utf-8", format!("{}\n", self.text)),
            Shape::Container => {
                let code = if self.status == 404 { "InvalidIdInRequest" } else { "AccessDenied" };
                let body = json!({ "code": code, "message": self.text, "HTTPErrorCode": self.status });
                ("application/json", body.to_string())
            }
        }
    }
}

pub(super) fn text(settings: &Settings, credentials: &Credentials) -> String {
    let body = Body {
        role_arn: (settings.shape == Shape::Container).then_some(settings.role_arn.as_str()),
        access_key_id: &credentials.access_key_id,
        secret_access_key: &credentials.secret_access_key,
        token: &credentials.session_token,
        account_id: settings.account_id.as_deref(),
        expiration: match settings.shape {
            Shape::Agent => rfc3339_nano(credentials.expires_at),
            Shape::Container => humantime::format_rfc3339_seconds(credentials.expires_at).to_string(),
        },
    };
    serde_json::to_string(&body).expect("texts must serialise")
}

/// The credentials with one field changed or, for `None`, left out.
pub(super) fn with(body: &str, field: &str, value: Option<&Value>) -> String {
    let mut body: Value = serde_json::from_str(body).expect("our own body must be JSON");
    let fields = body.as_object_mut().expect("our own body must be an object");
    match value {
        Some(value) => fields.insert(field.to_owned(), value.clone()),
        None => fields.remove(field),
    };
    body.to_string()
}

/// As Go writes it: no zeros at the end of the fraction, and no fraction where there is none.
fn rfc3339_nano(time: SystemTime) -> String {
    let whole = humantime::format_rfc3339_nanos(time).to_string();
    let digits = whole.trim_end_matches('Z').trim_end_matches('0').trim_end_matches('.');
    format!("{digits}Z")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_fraction_ends_in_no_zero() {
        for (nanos, text) in [
            (123_456_789, "1970-01-01T00:01:00.123456789Z"),
            (120_000_000, "1970-01-01T00:01:00.12Z"),
            (0, "1970-01-01T00:01:00Z"),
        ] {
            assert_eq!(rfc3339_nano(SystemTime::UNIX_EPOCH + Duration::new(60, nanos)), text);
        }
    }
}

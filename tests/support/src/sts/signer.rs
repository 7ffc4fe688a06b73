//! The client's side, as small as it can be: a form, signed or not, in the bytes that go out.

use std::net::SocketAddr;
use std::time::SystemTime;

use hyper::HeaderMap;
use hyper::header::{HOST, HeaderName, HeaderValue};

use crate::sts::form::Form;
use crate::sts::sessions::Credentials;
use crate::sts::sigv4::{ALGORITHM, Message, Scope, format_timestamp, signature};

const REGION: &str = "eu-central-1";
const X_AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
const X_AMZ_SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

pub(super) fn unsigned(address: SocketAddr, parameters: &[(&str, &str)]) -> Vec<u8> {
    let host = [(HOST.as_str().to_owned(), address.to_string())];
    request(&host, &Form::encode(parameters))
}

/// Signed as of `now`, by the rules of the header form.
pub(super) fn signed(
    address: SocketAddr,
    parameters: &[(&str, &str)],
    credentials: &Credentials,
    now: SystemTime,
) -> Vec<u8> {
    let body = Form::encode(parameters);
    let timestamp = format_timestamp(now);
    let host = address.to_string();
    let sent = [(HOST, &host), (X_AMZ_DATE, &timestamp), (X_AMZ_SECURITY_TOKEN, &credentials.session_token)];
    let mut headers = HeaderMap::new();
    for (name, value) in &sent {
        // What cannot stand in a header is sent as nothing, and the emulator refuses it.
        let value = HeaderValue::from_str(value).unwrap_or_else(|_| HeaderValue::from_static(""));
        headers.insert(name, value);
    }
    let (date, region, service) = (timestamp[..8].to_owned(), REGION.to_owned(), "sts".to_owned());
    let scope = Scope { date, region, service };
    let message = Message { method: "POST", path: "/", query: "", headers: &headers, body: body.as_bytes() };
    let names = sent.each_ref().map(|(name, _)| name.as_str());
    let signature = signature(&message, &names, &timestamp, &scope, &credentials.secret_access_key);

    let Scope { date, region, service } = scope;
    let authorization = format!(
        "{ALGORITHM} Credential={}/{date}/{region}/{service}/aws4_request, SignedHeaders={}, Signature={signature}",
        credentials.access_key_id,
        names.join(";"),
    );
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let mut lines: Vec<_> = headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    lines.push(("authorization".to_owned(), authorization));
    request(&lines, &body)
}

fn request(headers: &[(String, String)], body: &str) -> Vec<u8> {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!(
        "POST / HTTP/1.1\r\n{headers}content-type: application/x-www-form-urlencoded\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

//! What a signature is made over, and how: the canonical request, the string to sign, the derived key.

use hyper::HeaderMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ring::digest::{SHA256, digest};
use ring::hmac;

use crate::random::encode_hex;
use crate::sts::form::Form;

pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// RFC 3986's unreserved characters stand for themselves; all others are escaped.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A request, as far as a signature covers it.
#[derive(Debug)]
pub(crate) struct Message<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) date: String,
    pub(crate) region: String,
    pub(crate) service: String,
}

/// The signature that this secret makes for this message.
pub(crate) fn signature(
    message: &Message<'_>,
    signed_headers: &[&str],
    timestamp: &str,
    scope: &Scope,
    secret: &str,
) -> String {
    let Scope { date, region, service } = scope;
    let canonical = sha256_hex(message.canonical(signed_headers).as_bytes());
    let to_sign = format!("{ALGORITHM}\n{timestamp}\n{date}/{region}/{service}/aws4_request\n{canonical}");
    let key = [date.as_str(), region, service, "aws4_request"]
        .iter()
        .fold(format!("AWS4{secret}").into_bytes(), |key, part| hmac_sha256(&key, part));
    encode_hex(&hmac_sha256(&key, &to_sign))
}

impl Message<'_> {
    pub(super) fn header(&self, name: &str) -> Option<String> {
        let mut values =
            self.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        let first = values.next()?.into_owned();
        Some(values.fold(first, |all, value| format!("{all},{value}")))
    }

    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        Form::parse(self.query).value(name).map(str::to_owned)
    }

    fn canonical(&self, signed_headers: &[&str]) -> String {
        let form = Form::parse(self.query);
        let mut query: Vec<(String, String)> = form
            .pairs()
            .filter(|(name, _)| *name != "X-Amz-Signature")
            .map(|(name, value)| (encode(name), encode(value)))
            .collect();
        query.sort();
        let query: Vec<String> = query.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        let headers: String = signed_headers
            .iter()
            .map(|name| format!("{name}:{}\n", single_spaced(&self.header(name).unwrap_or_default())))
            .collect();
        // Every service but S3 escapes the path once more than it was on the wire.
        let path: Vec<String> = self.path.split('/').map(encode).collect();
        let (path, query, signed) = (path.join("/"), query.join("&"), signed_headers.join(";"));
        format!("{}\n{path}\n{query}\n{headers}\n{signed}\n{}", self.method, sha256_hex(self.body))
    }
}

fn single_spaced(value: &str) -> String {
    value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

fn hmac_sha256(key: &[u8], message: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message.as_bytes()).as_ref().to_vec()
}

fn sha256_hex(bytes: &[u8]) -> String {
    encode_hex(digest(&SHA256, bytes).as_ref())
}

//! The vectors of the public test suite, and what must not pass.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use serde::Deserialize;

use super::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const TIMESTAMP: &str = "20150830T123600Z";

#[derive(Deserialize)]
struct Suite {
    secret: String,
    timestamp: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    service: String,
    method: String,
    query: String,
    body: String,
    headers: BTreeMap<String, String>,
    signature: String,
}

impl Case {
    fn headers(&self) -> HeaderMap {
        headers(self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }
}

fn headers<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> HeaderMap {
    let parse = |(name, value): (&str, &str)| {
        (HeaderName::try_from(name).unwrap(), HeaderValue::from_str(value).unwrap())
    };
    pairs.into_iter().map(parse).collect()
}

fn scope(service: &str) -> Scope {
    Scope { date: "20150830".to_owned(), region: "us-east-1".to_owned(), service: service.to_owned() }
}

#[test]
fn agrees_with_the_public_test_suite() {
    let suite: Suite = serde_json::from_str(include_str!("../../../data/sigv4.json")).unwrap();
    assert_eq!(suite.cases.len(), 6);
    for case in &suite.cases {
        let headers = case.headers();
        let message = Message {
            method: &case.method,
            path: "/",
            query: &case.query,
            headers: &headers,
            body: case.body.as_bytes(),
        };
        let signed: Vec<&str> = case.headers.keys().map(String::as_str).collect();
        let made = signature(&message, &signed, &suite.timestamp, &scope(&case.service), &suite.secret);
        assert_eq!(made, case.signature, "{}", case.name);
    }
}

/// A `GetCallerIdentity` signed in its header, with whatever a test changes after that.
struct Request {
    headers: HeaderMap,
    query: String,
    body: Vec<u8>,
}

impl Request {
    fn signed() -> Self {
        let headers = headers([("host", "sts.amazonaws.com"), ("x-amz-date", TIMESTAMP)]);
        let mut request = Self { headers, query: String::new(), body: b"Action=GetCallerIdentity".to_vec() };
        let made = signature(&request.message(), &["host", "x-amz-date"], TIMESTAMP, &scope("sts"), SECRET);
        request.authorize(&format!(
            "AWS4-HMAC-SHA256 Credential=ASIAEXAMPLE/20150830/us-east-1/sts/aws4_request, \
             SignedHeaders=host;x-amz-date, Signature={made}"
        ));
        request
    }

    fn presigned(expires: u64) -> Self {
        let query = format!(
            "Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256\
             &X-Amz-Credential=ASIAEXAMPLE%2F20150830%2Fus-east-1%2Fsts%2Faws4_request\
             &X-Amz-Date={TIMESTAMP}&X-Amz-Expires={expires}&X-Amz-SignedHeaders=host\
             &X-Amz-Security-Token=a%2Bb%2Fc%3D%3D"
        );
        let headers = headers([("host", "sts.amazonaws.com")]);
        let mut request = Self { headers, query, body: Vec::new() };
        let made = signature(&request.message(), &["host"], TIMESTAMP, &scope("sts"), SECRET);
        request.query += &format!("&X-Amz-Signature={made}");
        request
    }

    fn authorize(&mut self, value: &str) {
        self.headers.insert("authorization", HeaderValue::from_str(value).unwrap());
    }

    fn replace(&mut self, from: &str, to: &str) {
        let value = self.headers["authorization"].to_str().unwrap().replace(from, to);
        self.authorize(&value);
    }

    fn message(&self) -> Message<'_> {
        Message { method: "POST", path: "/", query: &self.query, headers: &self.headers, body: &self.body }
    }

    fn verify_after(&self, seconds: i64) -> Result<(), Failure> {
        let now = crate::clock::offset(parse_timestamp(TIMESTAMP).unwrap(), seconds * 1000);
        Authorization::read(&self.message())?.verify(&self.message(), SECRET, now)
    }

    fn code_after(&self, seconds: i64) -> String {
        self.verify_after(seconds).unwrap_err().code.into_owned()
    }
}

#[test]
fn accepts_what_is_signed_within_five_minutes() {
    for seconds in [-300, 0, 300] {
        assert_eq!(Request::signed().verify_after(seconds), Ok(()), "{seconds}");
    }
}

#[test]
fn refuses_a_clock_more_than_five_minutes_off_in_aws_s_words() {
    let early = Request::signed().verify_after(-301).unwrap_err();
    assert_eq!(
        early.message,
        "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z \
         (20150830T123059Z + 5 min.)"
    );
    let late = Request::signed().verify_after(301).unwrap_err();
    assert_eq!(
        late.message,
        "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - 5 min.)"
    );
}

#[test]
fn refuses_what_was_changed_after_signing() {
    let mut body = Request::signed();
    body.body.push(b' ');
    let mut query = Request::signed();
    query.query = "a=b".to_owned();
    let mut host = Request::signed();
    host.headers.insert("host", HeaderValue::from_static("sts.eu-central-1.amazonaws.com"));
    let mut region = Request::signed();
    region.replace("us-east-1", "us-east-2");
    let mut service = Request::signed();
    service.replace("/sts/", "/iam/");
    let mut headers = Request::signed();
    headers.replace("host;x-amz-date", "x-amz-date");
    for request in [body, query, host, region, service, headers] {
        assert_eq!(request.code_after(0), "SignatureDoesNotMatch", "{:?}", request.headers);
    }
}

#[test]
fn says_what_is_missing_from_an_incomplete_signature() {
    let mut basic = Request::signed();
    basic.authorize("Basic YTpi");
    let mut half = Request::signed();
    half.replace("SignedHeaders=host;x-amz-date, ", "");
    let mut credential = Request::signed();
    credential.replace("/aws4_request", "");
    let mut undated = Request::signed();
    undated.headers.remove("x-amz-date");
    let mut misdated = Request::signed();
    misdated.headers.insert("x-amz-date", HeaderValue::from_static("2015-08-30T12:36"));
    for request in [basic, half, credential, undated, misdated] {
        assert_eq!(request.code_after(0), "IncompleteSignature", "{:?}", request.headers);
    }
    let mut bare = Request::signed();
    bare.headers.remove("authorization");
    assert_eq!(bare.code_after(0), "MissingAuthenticationToken");
}

#[test]
fn a_presigned_query_is_good_until_it_expires() {
    assert_eq!(Request::presigned(60).verify_after(60), Ok(()));
    assert_eq!(Request::presigned(60).code_after(61), "SignatureDoesNotMatch");
    let mut changed = Request::presigned(60);
    changed.query = changed.query.replace("Expires=60", "Expires=3600");
    assert_eq!(changed.code_after(0), "SignatureDoesNotMatch");
}

#[test]
fn a_presigned_session_token_is_decoded() {
    let request = Request::presigned(60);
    let read = Authorization::read(&request.message()).unwrap();
    assert_eq!(read.session_token.as_deref(), Some("a+b/c=="));
}

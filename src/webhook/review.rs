//! AdmissionReview, in and out. Pure: bytes to a review, a verdict to bytes.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use serde_json::json;
use thiserror::Error;

use crate::patch::Op;

/// What the API server asks.
#[derive(Clone, Debug, PartialEq)]
pub struct Review {
    pub uid: String,
    pub namespace: String,
    pub asks: Asks,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Asks {
    /// What is to be done to this pod, before it is created.
    Pod(Box<Value>),
    /// About something that is not ours to change: another kind, an update, a subresource.
    SomethingElse,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    Allowed { patch: Vec<Op>, warnings: Vec<String> },
    Refused(String),
}

/// Why this is no review, in words for whoever configured it.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum ReadReviewError {
    #[error("the body is no JSON: {0}")]
    NotJson(String),
    #[error("the body is {0}, not an AdmissionReview of {API_VERSION}; set admissionReviewVersions to [v1]")]
    AnotherKind(String),
    #[error("the AdmissionReview has no request; this is not an answer's place")]
    NoRequest,
    #[error("the AdmissionReview's request has no uid")]
    NoUid,
    #[error("the AdmissionReview's request has no object, and a pod is to be created")]
    NoObject,
}

const API_VERSION: &str = "admission.k8s.io/v1";
/// What Kubernetes passes on of one warning, and of all of them.
const MAX_WARNING: usize = 256;
const MAX_WARNINGS: usize = 4096;
/// 403, and the reason that the API server tells with it.
const FORBIDDEN: u16 = 403;

pub fn read(body: &[u8]) -> Result<Review, ReadReviewError> {
    let mut review: Value =
        serde_json::from_slice(body).map_err(|error| ReadReviewError::NotJson(error.to_string()))?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (version, kind) = (text(&review["apiVersion"]), text(&review["kind"]));
    if version != API_VERSION || kind != "AdmissionReview" {
        let of = |what: String, otherwise: &str| if what.is_empty() { otherwise.to_owned() } else { what };
        let found = format!("{} of {}", of(kind, "something"), of(version, "no version"));
        return Err(ReadReviewError::AnotherKind(found.chars().take(120).collect()));
    }
    let request = review.get_mut("request").filter(|request| request.is_object());
    let request = request.ok_or(ReadReviewError::NoRequest)?;
    let uid = text(&request["uid"]);
    if uid.is_empty() {
        return Err(ReadReviewError::NoUid);
    }
    let is_pod =
        request["kind"]["group"].as_str().is_none_or(str::is_empty) && request["kind"]["kind"] == "Pod";
    let is_whole = request["subResource"].as_str().is_none_or(str::is_empty);
    let namespace = text(&request["namespace"]);
    if !is_pod || !is_whole || request["operation"] != "CREATE" {
        return Ok(Review { uid, namespace, asks: Asks::SomethingElse });
    }
    let object = request["object"].take();
    if !object.is_object() {
        return Err(ReadReviewError::NoObject);
    }
    Ok(Review { uid, namespace, asks: Asks::Pod(Box::new(object)) })
}

pub fn answer(uid: &str, verdict: &Verdict) -> Vec<u8> {
    let mut response = json!({ "uid": uid });
    match verdict {
        Verdict::Allowed { patch, warnings } => {
            response["allowed"] = true.into();
            if !patch.is_empty() {
                response["patchType"] = "JSONPatch".into();
                response["patch"] = BASE64_STANDARD.encode(json!(patch).to_string()).into();
            }
            let warnings = fitting(warnings);
            if !warnings.is_empty() {
                response["warnings"] = json!(warnings);
            }
        }
        Verdict::Refused(why) => {
            response["allowed"] = false.into();
            response["status"] = json!({ "code": FORBIDDEN, "reason": "Forbidden", "message": why });
        }
    }
    json!({ "apiVersion": API_VERSION, "kind": "AdmissionReview", "response": response })
        .to_string()
        .into_bytes()
}

/// As many as are passed on, and of each as much, with a sign where something is left out.
fn fitting(warnings: &[String]) -> Vec<String> {
    let mut room = MAX_WARNINGS;
    let cut = warnings.iter().map(|warning| {
        if warning.len() <= MAX_WARNING {
            return warning.clone();
        }
        let end = (0..=MAX_WARNING - '…'.len_utf8()).rev().find(|end| warning.is_char_boundary(*end));
        format!("{}…", &warning[..end.unwrap_or_default()])
    });
    cut.take_while(|warning| {
        let fits = warning.len() <= room;
        room = room.saturating_sub(warning.len());
        fits
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patch::Pointer;

    fn request(more: &Value) -> Value {
        let mut request = json!({
            "uid": "u-1", "kind": { "group": "", "version": "v1", "kind": "Pod" }, "operation": "CREATE",
            "namespace": "shop", "object": { "kind": "Pod" },
        });
        for (key, value) in more.as_object().unwrap() {
            request[key] = value.clone();
        }
        json!({ "apiVersion": API_VERSION, "kind": "AdmissionReview", "request": request })
    }

    fn asks(more: &Value) -> Result<Asks, ReadReviewError> {
        read(request(more).to_string().as_bytes()).map(|review| review.asks)
    }

    #[test]
    fn only_pods_that_are_to_be_created_are_looked_at() {
        assert_eq!(asks(&json!({})), Ok(Asks::Pod(Box::new(json!({ "kind": "Pod" })))));
        for other in [
            json!({ "operation": "UPDATE" }),
            json!({ "operation": "CONNECT", "object": null }),
            json!({ "subResource": "ephemeralcontainers" }),
            json!({ "kind": { "group": "apps", "kind": "Deployment" } }),
            json!({ "kind": { "group": "other.example", "kind": "Pod" } }),
        ] {
            assert_eq!(asks(&other), Ok(Asks::SomethingElse), "{other}");
        }
    }

    #[test]
    fn what_is_no_review_is_told_in_words() {
        for (body, told) in [
            (String::new(), "the body is no JSON"),
            ("{".to_owned(), "the body is no JSON"),
            ("[".repeat(100_000), "the body is no JSON"),
            ("[]".to_owned(), "something of no version"),
            (r#"{"apiVersion":"v1","kind":"Pod"}"#.to_owned(), "Pod of v1"),
            (r#"{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview"}"#.to_owned(), "v1beta1"),
            (
                r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{}}"#.to_owned(),
                "no request",
            ),
            (request(&json!({ "uid": "" })).to_string(), "no uid"),
            (request(&json!({ "uid": 7 })).to_string(), "no uid"),
            (request(&json!({ "object": "x" })).to_string(), "no object"),
        ] {
            let error = read(body.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn a_patch_goes_out_in_base64_and_none_when_there_is_none() {
        let add = Op::Add { path: Pointer::root().field("a"), value: json!(1) };
        let sent = |patch| {
            let answer = answer("u-1", &Verdict::Allowed { patch, warnings: Vec::new() });
            serde_json::from_slice::<Value>(&answer).unwrap()
        };
        let answer = sent(vec![add]);
        assert_eq!(answer["response"]["uid"], "u-1");
        let patch = BASE64_STANDARD.decode(answer["response"]["patch"].as_str().unwrap()).unwrap();
        assert_eq!(patch, br#"[{"op":"add","path":"/a","value":1}]"#);
        assert_eq!(sent(Vec::new())["response"], json!({ "uid": "u-1", "allowed": true }));
    }

    #[test]
    fn warnings_are_cut_to_what_kubernetes_passes_on() {
        let long = "ä".repeat(200);
        let cut = fitting(&vec![long; 30]);
        assert!(cut.iter().all(|warning| warning.len() <= MAX_WARNING && warning.ends_with('…')));
        assert!(cut.iter().map(String::len).sum::<usize>() <= MAX_WARNINGS);
        assert!(cut.len() > 10);
    }
}

//! `irsa-sidecar token [FILE|-] [--json]`: what a web identity token says about itself.
//!
//! The claims with their meanings, its age, the time it has left, and what about it cannot work. Nothing is verified,
//! and neither the signature nor the token itself is printed. `--json` gives
//! `{"schema":1,"verified":false,"header":{…},"claims":{…},"issued_at","expires_at","age_seconds","seconds_left","notes":[…]}`.

use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::time::Duration;
use std::time::SystemTime;

use serde_json::Value;
use serde_json::json;

use crate::cli::input;
use crate::cli::say;
use crate::clock::Clock;
use crate::config::env::Strings;
use crate::config::parse_token_file;
use crate::config::quoted;
use crate::config::types::format_duration;
use crate::contract::MAX_TOKEN_BYTES;
use crate::contract::exit;
use crate::credentials::rfc3339;
use crate::harmless::harmless;
use crate::token::Claims;
use crate::token::ReadTokenError;
use crate::token::Token;
use crate::token::doubt::doubts;
use crate::token::doubt::rotated_at;

/// One claim as people are told it.
struct Line {
    claim: &'static str,
    value: String,
    meaning: String,
}

/// The objects that a projected token is bound to, and what that means.
const KUBERNETES: [(&str, &str); 3] = [
    ("serviceaccount", "without which the API server takes the token no more"),
    ("pod", "with whose end the API server takes the token no more; STS takes it until it expires"),
    ("node", "on which the pod was when the token was made"),
];
/// The claims that have lines of their own.
const TOLD: [&str; 7] = ["aud", "exp", "iat", "iss", "kubernetes.io", "nbf", "sub"];

/// Prints the token; gives the exit status.
pub fn run(file: Option<&Path>, json: bool, strings: &dyn Strings, clock: &Clock) -> u8 {
    let token = match open(file, strings) {
        Ok(token) => token,
        Err(status) => return status,
    };
    let claims = token.claims();
    let out = &mut io::stdout().lock();
    let now = clock.wall();
    say(out, &if json { as_json(claims, now) } else { as_text(claims, now) });
    0
}

/// The token in the file, on stdin (`-`), or in the file that the environment names; else it is said why there is none, and
/// the exit status is given.
pub(super) fn open(file: Option<&Path>, strings: &dyn Strings) -> Result<Token, u8> {
    let err = &mut io::stderr().lock();
    let (source, token) = match file {
        Some(file) => {
            let bytes = input::read(file, MAX_TOKEN_BYTES).map_err(ReadTokenError::from);
            (input::shown(file), bytes.and_then(|bytes| Token::parse(&bytes)))
        }
        None => match parse_token_file(strings) {
            Ok((file, warnings)) => {
                warnings.iter().for_each(|warning| say(err, &format!("warning: {warning}")));
                (quoted(&file.to_string_lossy()), Token::read(&file))
            }
            Err(mistakes) => {
                say(err, &mistakes.to_string());
                return Err(exit::USAGE);
            }
        },
    };
    let token = match token {
        Ok(token) => token,
        Err(error) => {
            say(err, &format!("No token in {source}: {error}.\n{}", error.mend()));
            return Err(exit::UNAVAILABLE);
        }
    };
    if token.claims().payload.is_empty() {
        say(err, &format!("The token in {source} has no claims that could be decoded; STS would refuse it."));
        return Err(exit::UNAVAILABLE);
    }
    Ok(token)
}

fn as_text(claims: &Claims, now: SystemTime) -> String {
    let mut text = String::from("Decoded, not verified: STS decides what it is worth.\n\n");
    for Line { claim, value, meaning } in lines(claims, now) {
        writeln!(text, "{claim:<14} {}", on_one_line(&value)).expect("writing to a String must succeed");
        if !meaning.is_empty() {
            writeln!(text, "{:<14} {}", "", on_one_line(&meaning)).expect("writing to a String must succeed");
        }
    }
    let others: Vec<_> = claims.payload.iter().filter(|(claim, _)| !TOLD.contains(&claim.as_str())).collect();
    for (claim, value) in others {
        let (claim, value) = (on_one_line(claim), on_one_line(&plain(value)));
        writeln!(text, "{claim:<14} {value}").expect("writing to a String must succeed");
    }
    let notes = notes(claims, now);
    if !notes.is_empty() {
        text.push_str("\nTo look at:\n");
    }
    for note in notes {
        writeln!(text, "  - {}", on_one_line(&note)).expect("writing to a String must succeed");
    }
    text
}

fn as_json(claims: &Claims, now: SystemTime) -> String {
    let time = |time: Option<SystemTime>| time.map(rfc3339);
    let document = json!({
        "schema": 1,
        "verified": false,
        "header": claims.header,
        "claims": claims.payload,
        "issued_at": time(claims.issued_at()),
        "expires_at": time(claims.expires_at()),
        "age_seconds": claims.issued_at().map(|issued_at| seconds_between(issued_at, now)),
        "seconds_left": claims.expires_at().map(|expires_at| seconds_between(now, expires_at)),
        "notes": notes(claims, now),
    });
    serde_json::to_string_pretty(&document).expect("a JSON value must serialize")
}

fn lines(claims: &Claims, now: SystemTime) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut line = |claim, value: Option<String>, meaning: String| {
        if let Some(value) = value {
            lines.push(Line { claim, value, meaning });
        }
    };
    let owned = |text: Option<&str>| text.map(str::to_owned);
    line("sub", owned(claims.subject()), who(claims));
    line(
        "iss",
        owned(claims.issuer()),
        "who issued it: IAM must have an OIDC identity provider of this URL".to_owned(),
    );
    let audiences = claims.audiences();
    let audiences = (!audiences.is_empty()).then(|| audiences.join(", "));
    line(
        "aud",
        audiences,
        "for whom it is meant: the identity provider must list it as a client id".to_owned(),
    );
    line("iat", claims.issued_at().map(rfc3339), issued(claims, now));
    line("nbf", claims.not_before().map(rfc3339), "it is not valid before".to_owned());
    line("exp", claims.expires_at().map(rfc3339), expires(claims, now));
    for (object, meaning) in KUBERNETES {
        let uid = claims.kubernetes(&[object, "uid"]).map(|uid| format!("uid {uid}, {meaning}"));
        line(object, owned(claims.kubernetes(&[object, "name"])), uid.unwrap_or_default());
    }
    let header = |key| claims.header.get(key).and_then(Value::as_str);
    let key = header("kid").map(|kid| format!("signed with the issuer's key {kid}")).unwrap_or_default();
    line("alg", owned(header("alg")), key);
    lines
}

fn who(claims: &Claims) -> String {
    let Some((namespace, account)) = claims.service_account() else {
        return "who it is: a trust policy's condition names it".to_owned();
    };
    let mut who = format!("who it is: ServiceAccount {account} in namespace {namespace}");
    if let Some(pod) = claims.kubernetes(&["pod", "name"]) {
        who.push_str(&format!(", pod {pod}"));
    }
    if let Some(node) = claims.kubernetes(&["node", "name"]) {
        who.push_str(&format!(", node {node}"));
    }
    who
}

fn issued(claims: &Claims, now: SystemTime) -> String {
    let Some(issued_at) = claims.issued_at() else {
        return String::new();
    };
    let mut text = match seconds_between(issued_at, now) {
        age @ 0.. => format!("issued {} ago", span(age)),
        age => format!("issued {} from now, by this machine's clock", span(age)),
    };
    if let Some(rotated_at) = rotated_at(claims) {
        text.push_str(&format!("; the kubelet replaces it from {} on", rfc3339(rotated_at)));
    }
    text
}

fn expires(claims: &Claims, now: SystemTime) -> String {
    let Some(expires_at) = claims.expires_at() else {
        return String::new();
    };
    match seconds_between(now, expires_at) {
        left @ 1.. => format!("{} left", span(left)),
        left => format!("expired {} ago", span(left)),
    }
}

/// What cannot work, or is about to stop working.
fn notes(claims: &Claims, now: SystemTime) -> Vec<String> {
    doubts(claims, now).into_iter().map(|doubt| doubt.what).collect()
}

/// Negative when `to` is before `from`.
fn seconds_between(from: SystemTime, to: SystemTime) -> i64 {
    match to.duration_since(from) {
        Ok(after) => after.as_secs().cast_signed(),
        Err(before) => -before.duration().as_secs().cast_signed(),
    }
}

fn span(seconds: i64) -> String {
    format_duration(Duration::from_secs(seconds.unsigned_abs()))
}

/// A claim that holds a line break must not look like another.
fn on_one_line(text: &str) -> String {
    harmless(&text.replace(char::is_control, " "))
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;

    const ISSUED: u64 = 1_800_000_000;

    fn claims(payload: Value) -> Claims {
        let Value::Object(payload) = payload else { panic!("claims are an object") };
        let header = Map::from_iter([("alg".to_owned(), json!("RS256")), ("kid".to_owned(), json!("abc"))]);
        Claims { header, payload }
    }

    fn projected() -> Claims {
        claims(json!({
            "aud": ["sts.amazonaws.com"],
            "exp": ISSUED + 86_400,
            "iat": ISSUED,
            "iss": "https://oidc.eks.eu-central-1.amazonaws.com/id/ABC",
            "jti": "1-2-3",
            "kubernetes.io": {
                "namespace": "shop", "node": {"name": "n1"}, "pod": {"name": "app-0", "uid": "9a-1"},
                "serviceaccount": {"name": "app", "uid": "5c-2"},
            },
            "nbf": ISSUED,
            "sub": "system:serviceaccount:shop:app",
        }))
    }

    fn after(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(ISSUED + seconds)
    }

    #[test]
    fn tells_people_who_it_is_and_how_long_it_lasts() {
        assert_eq!(
            as_text(&projected(), after(3600)),
            "\
Decoded, not verified: STS decides what it is worth.

sub            system:serviceaccount:shop:app
               who it is: ServiceAccount app in namespace shop, pod app-0, node n1
iss            https://oidc.eks.eu-central-1.amazonaws.com/id/ABC
               who issued it: IAM must have an OIDC identity provider of this URL
aud            sts.amazonaws.com
               for whom it is meant: the identity provider must list it as a client id
iat            2027-01-15T08:00:00Z
               issued 1h ago; the kubelet replaces it from 2027-01-16T03:12:00Z on
nbf            2027-01-15T08:00:00Z
               it is not valid before
exp            2027-01-16T08:00:00Z
               23h left
serviceaccount app
               uid 5c-2, without which the API server takes the token no more
pod            app-0
               uid 9a-1, with whose end the API server takes the token no more; STS takes it until it expires
node           n1
alg            RS256
               signed with the issuer's key abc
jti            1-2-3
"
        );
    }

    /// Whoever made the token wrote its claims: they make no line of their own, and do nothing to the terminal.
    #[test]
    fn a_claim_cannot_pass_for_another_nor_play_with_the_terminal() {
        let nasty = "x\nexp            2099-01-01T00:00:00Z\r\u{1b}[2J\u{9b}1m\u{2028}\u{202e}y";
        let mut payload = json!({ "exp": ISSUED + 86_400, "other": nasty, "nested": { "a": nasty } });
        for claim in ["aud", "iss", "sub", nasty] {
            payload[claim] = json!(nasty);
        }
        payload["kubernetes.io"] = json!({ "pod": { "name": nasty, "uid": nasty } });
        let mut claims = claims(payload);
        claims.header.insert("alg".to_owned(), json!(nasty));
        claims.header.insert("kid".to_owned(), json!(nasty));
        let text = as_text(&claims, after(0));
        assert_eq!(text.lines().filter(|line| line.starts_with("exp ")).count(), 1, "{text}");
        let is_bad = |c: char| c.is_control() && c != '\n' || ['\u{2028}', '\u{202e}'].contains(&c);
        assert!(!text.contains(is_bad), "{text:?}");
        assert!(!as_json(&claims, after(0)).contains('\u{1b}'));
    }

    #[test]
    fn gives_scripts_numbers() {
        let document: Value = serde_json::from_str(&as_json(&projected(), after(86_460))).unwrap();
        assert_eq!(document["schema"], 1);
        assert_eq!(document["verified"], false);
        assert_eq!(document["age_seconds"], 86_460);
        assert_eq!(document["seconds_left"], -60);
        assert_eq!(document["expires_at"], "2027-01-16T08:00:00Z");
        assert_eq!(document["claims"]["kubernetes.io"]["pod"]["name"], "app-0");
        assert_eq!(document["header"]["alg"], "RS256");
    }

    #[test]
    fn notes_what_cannot_work() {
        let with = |claim: &str, value: Value| {
            let mut claims = projected();
            claims.payload.insert(claim.to_owned(), value);
            claims
        };
        let cases = [
            (projected(), 3600, ""),
            (projected(), 86_400, "It has expired"),
            (projected(), 70_000, "It should have been replaced"),
            (with("nbf", json!(ISSUED + 9000)), 0, "valid in the future"),
            (with("exp", json!("soon")), 0, "no expiry"),
            (with("aud", json!("https://kubernetes.default.svc")), 0, "Its audience is not sts"),
            (with("sub", json!("repo:org/name")), 0, "not a Kubernetes ServiceAccount"),
            (with("iss", json!("http://issuer")), 0, "Its issuer is no https://"),
        ];
        for (claims, seconds, expected) in cases {
            let notes = notes(&claims, after(seconds));
            match expected {
                "" => assert_eq!(notes, [""; 0]),
                expected => {
                    assert!(matches!(&notes[..], [one] if one.contains(expected)), "{expected}: {notes:?}")
                }
            }
        }
    }
}

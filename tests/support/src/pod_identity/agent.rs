//! From a request to an answer: log it, let the script have its way, else look at it as the agent does.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, LOCATION};
use hyper::{Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::journal::{Journal, Outcome};
use crate::listen::Reply;
use crate::listen::reply::Paced;
use crate::pod_identity::body::{self, Refusal};
use crate::pod_identity::calls::PodCall;
use crate::pod_identity::faults::{Faults, PodFaultKind};
use crate::pod_identity::lock;
use crate::pod_identity::settings::{Settings, Taken};
use crate::random;
use crate::sts::Credentials;

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

#[derive(Debug)]
pub(super) struct State {
    pub(super) settings: Mutex<Settings>,
    pub(super) faults: Mutex<Faults>,
    pub(super) calls: Arc<Journal<PodCall>>,
    pub(super) issued: Mutex<Vec<Credentials>>,
}

struct Answer {
    status: u16,
    content_type: String,
    body: Paced,
    location: Option<String>,
}

impl State {
    pub(super) fn settings(&self) -> MutexGuard<'_, Settings> {
        lock(&self.settings)
    }

    pub(super) fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.faults)
    }

    pub(super) async fn answer(&self, request: Request<Bytes>) -> Reply {
        let settings = self.settings().clone();
        let mut ticket = self.calls.begin(PodCall::of(&request, settings.clock.now()));
        let script = self.faults().take();
        if !script.latency.is_zero() {
            sleep(script.latency).await;
        }
        let (answer, outcome) = match &script.instead {
            Some(PodFaultKind::Reset) => {
                ticket.settle(Outcome::Scripted("reset".to_owned()), None);
                return Reply::Reset;
            }
            Some(PodFaultKind::Hang) => {
                ticket.settle(Outcome::Scripted("hang".to_owned()), None);
                return std::future::pending().await;
            }
            Some(fault) => (self.scripted(fault, &settings), Outcome::Scripted(fault.name().to_owned())),
            None => match settings.examine(&request).and_then(|()| self.credentials(&settings)) {
                Ok(credentials) => (Answer::json(body::text(&settings, &credentials)), Outcome::Ok),
                Err(refusal) => {
                    let (content_type, text) = refusal.body(settings.shape);
                    let outcome = Outcome::Refused(refusal.text);
                    (Answer::new(refusal.status, content_type, Paced::whole(text)), outcome)
                }
            },
        };
        ticket.settle(outcome, Some(answer.status));
        Reply::Send(answer.into_response())
    }

    fn credentials(&self, settings: &Settings) -> Result<Credentials, Refusal> {
        let mut issued = lock(&self.issued);
        let enough = settings.clock.now() + settings.session_life / 2;
        match issued.last().filter(|last| settings.caching && last.expires_at > enough) {
            Some(kept) => Ok(kept.clone()),
            None => {
                let fresh = settings.fresh_credentials().map_err(|error| {
                    refused_upstream(404, "ResourceNotFoundException", &error.to_string())
                })?;
                issued.push(fresh.clone());
                Ok(fresh)
            }
        }
    }

    /// Faults that change credentials change those that would else be good.
    fn scripted(&self, fault: &PodFaultKind, settings: &Settings) -> Answer {
        let good = || match self.credentials(settings) {
            Ok(credentials) => body::text(settings, &credentials),
            Err(refusal) => refusal.text,
        };
        match fault {
            PodFaultKind::Upstream { status, code, message } => {
                let refusal = refused_upstream(*status, code, message);
                Answer::new(*status, TEXT, Paced::whole(format!("{}\n", refusal.text)))
            }
            PodFaultKind::UpstreamUnreachable => Answer::new(500, TEXT, Paced::whole("[]\n")),
            PodFaultKind::TooManyRequests => Answer::new(429, TEXT, Paced::whole("Too Many Requests\n")),
            PodFaultKind::Text { status, body } => Answer::new(*status, TEXT, Paced::whole(body.clone())),
            PodFaultKind::Json { status, body } => Answer::new(*status, JSON, Paced::whole(body.to_string())),
            PodFaultKind::Huge(length) => {
                let mut body = good();
                body.extend(std::iter::repeat_n(' ', length.saturating_sub(body.len())));
                Answer::json(body)
            }
            PodFaultKind::Cut => Answer::new(200, JSON, Paced::cut(&Bytes::from(good()))),
            PodFaultKind::ContentType(other) => Answer::new(200, other, Paced::whole(good())),
            PodFaultKind::Without(field) => Answer::json(body::with(&good(), field, None)),
            PodFaultKind::With(field, value) => Answer::json(body::with(&good(), field, Some(value))),
            PodFaultKind::ExpiredFor(ago) => {
                let expires_at = settings.clock.now() - *ago;
                let expired = Credentials { expires_at, ..Credentials::fresh(expires_at) };
                Answer::json(body::text(settings, &expired))
            }
            PodFaultKind::Redirect(to) => {
                Answer { location: Some(to.clone()), ..Answer::new(302, TEXT, Paced::whole("elsewhere\n")) }
            }
            PodFaultKind::Garbage | PodFaultKind::Latency(_) | PodFaultKind::Hang | PodFaultKind::Reset => {
                Answer::json("\u{1}\u{2} this is no JSON {]<<>".to_owned())
            }
        }
    }
}

impl Settings {
    /// In the agent's own order: the path, the host, the token.
    fn examine(&self, request: &Request<Bytes>) -> Result<(), Refusal> {
        if request.uri().path() != self.path {
            return Err(Refusal::new(404, "404 page not found"));
        }
        let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        let host = host_of(header(HOST).unwrap_or_default());
        if !self.hosts.is_empty() && !self.hosts.iter().any(|wanted| wanted == host) {
            let hosts = self.hosts.join(" ");
            return Err(Refusal::new(
                403,
                format!(
                    "Access Denied. Called agent through invalid address, please use either [{hosts}] address not {host}"
                ),
            ));
        }
        let authorization = header(AUTHORIZATION).unwrap_or_default();
        match &self.taken {
            Taken::Anything => Ok(()),
            Taken::TokensOf(audience) => self.examine_token(authorization, audience),
            Taken::Only(good) => examine_value(authorization, good),
        }
    }

    /// The agent reads the claims and checks the times; the audience is the first thing that EKS then looks at.
    fn examine_token(&self, token: &str, audience: &str) -> Result<(), Refusal> {
        if token.is_empty() {
            return Err(Refusal::new(400, "Service account token cannot be empty"));
        }
        let claims = claims_of(token).map_err(|why| {
            Refusal::new(400, format!("Service account token cannot be parsed: token is malformed: {why}"))
        })?;
        let now = self.clock.unix_seconds();
        let invalid = |why: &str| {
            Refusal::new(400, format!("Service account token failed basic claim validations: {why}"))
        };
        if claims["exp"].as_i64().is_some_and(|at| now >= at) {
            return Err(invalid("token is expired"));
        }
        if claims["nbf"].as_i64().is_some_and(|at| now < at) {
            return Err(invalid("token is not valid yet"));
        }
        let names = match &claims["aud"] {
            Value::Array(audiences) => audiences.contains(&json!(audience)),
            one => *one == json!(audience),
        };
        if names { Ok(()) } else { Err(not_taken()) }
    }
}

impl Answer {
    fn new(status: u16, content_type: &str, body: Paced) -> Self {
        Self { status, content_type: content_type.to_owned(), body, location: None }
    }

    fn json(body: String) -> Self {
        Self::new(200, JSON, Paced::whole(body))
    }

    fn into_response(self) -> Response<Paced> {
        let header =
            |text: &str| HeaderValue::from_str(text).expect("what is scripted must fit into a header");
        let mut response = Response::new(self.body);
        *response.status_mut() = StatusCode::from_u16(self.status).expect("a scripted status must be one");
        response.headers_mut().insert(CONTENT_TYPE, header(&self.content_type));
        if let Some(location) = &self.location {
            response.headers_mut().insert(LOCATION, header(location));
        }
        response
    }
}

fn examine_value(value: &str, good: &HashSet<String>) -> Result<(), Refusal> {
    match value {
        "" => Err(Refusal::new(400, "Service account token cannot be empty")),
        value if good.contains(value) => Ok(()),
        _ => Err(not_taken()),
    }
}

fn not_taken() -> Refusal {
    refused_upstream(
        400,
        "InvalidTokenException",
        "The specified Kubernetes service account token is invalid.",
    )
}

fn refused_upstream(status: u16, code: &str, message: &str) -> Refusal {
    let fault = match code {
        "InternalServerException" | "ServiceUnavailableException" => "server",
        code if code.ends_with("Exception") => "client",
        _ => "unknown",
    };
    Refusal::new(status, format!("[{}]: ({code}): {message}, fault: {fault}", random::uuid()))
}

/// The claims of a JWT that nobody has verified, or what Go's parser says of it.
fn claims_of(token: &str) -> Result<Value, String> {
    let segments: Vec<&str> = token.split('.').collect();
    let [header, claims, _signature] = segments[..] else {
        return Err("token contains an invalid number of segments".to_owned());
    };
    let decode = |segment: &str, what: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(segment).map_err(|_| format!("could not base64 decode {what}"))?;
        serde_json::from_slice::<Value>(&bytes).map_err(|_| format!("could not JSON decode {what}"))
    };
    decode(header, "header")?;
    decode(claims, "claim")
}

/// Without its port and without brackets.
fn host_of(host: &str) -> &str {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
            if name.contains(':') && !name.starts_with('[') { host } else { name }
        }
        _ => host,
    };
    name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name)
}

//! From an HTTP request to an answer: log it, let the script have its way, else perform it.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, DATE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, Response, StatusCode};
use tokio::time::sleep;

use crate::journal::{Outcome, Ticket};
use crate::listen::reply::Paced;
use crate::listen::{Handler, Reply};
use crate::random;
use crate::sts::State;
use crate::sts::calls::Call;
use crate::sts::failure::Failure;
use crate::sts::faults::{FaultKind, Script};
use crate::sts::form::Form;
use crate::sts::sigv4::Message;
use crate::sts::xml;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const XML: &str = "text/xml";
const GARBAGE: &str = "\u{1}\u{2} this is no XML {]<<>";

/// An answer before it is shaped by the script.
struct Answer {
    status: u16,
    content_type: &'static str,
    body: String,
    retry_after: Option<u64>,
    outcome: Outcome,
}

pub(super) fn handler(state: Arc<State>) -> Handler {
    Arc::new(move |request| {
        let state = Arc::clone(&state);
        Box::pin(async move { state.answer(request).await })
    })
}

impl State {
    async fn answer(&self, request: Request<Bytes>) -> Reply {
        let (head, body) = request.into_parts();
        let query = head.uri.query().unwrap_or_default();
        let form = read_form(&head.method, query, &body);
        let message = Message {
            method: head.method.as_str(),
            path: head.uri.path(),
            query,
            headers: &head.headers,
            body: &body,
        };
        let action = form.value("Action");
        let request_id = random::uuid();
        let mut ticket = self.calls.begin(self.record(&message, head.extensions.get(), &form, &request_id));
        let mut script = self.faults.take(action, form.value("RoleArn"));
        script.released().await;
        if !script.latency.is_zero() {
            sleep(script.latency).await;
        }
        let answer = match &script.instead {
            Some(FaultKind::Reset) => {
                ticket.settle(Outcome::Scripted("reset".to_owned()), None);
                return Reply::Reset;
            }
            Some(FaultKind::Hang) => return hang(ticket).await,
            Some(fault) => scripted(fault, &request_id),
            None => self.performed(action, &form, &message, &request_id).await,
        };
        ticket.settle(answer.outcome.clone(), Some(answer.status));
        Reply::Send(answer.shaped(&script, &request_id, self.date(script.date_skew_seconds)))
    }

    async fn performed(&self, action: Option<&str>, form: &Form, message: &Message<'_>, id: &str) -> Answer {
        let result = match (action, message.path) {
            (Some(action), "/") => self.perform(action, form, message).await.map(|result| (action, result)),
            (None, "/") => Err(Failure::named("MissingAction")),
            _ => {
                return Answer::bare(
                    404,
                    "<UnknownOperationException/>\n",
                    Outcome::Refused("not found".to_owned()),
                );
            }
        };
        match result {
            Ok((action, elements)) => Answer {
                status: 200,
                content_type: XML,
                body: xml::result(action, &elements, id),
                retry_after: None,
                outcome: Outcome::Ok,
            },
            Err(failure) => {
                let outcome = Outcome::Refused(failure.code.clone().into_owned());
                Answer::failed(&failure, id, outcome)
            }
        }
    }
}

impl Answer {
    fn failed(failure: &Failure, request_id: &str, outcome: Outcome) -> Self {
        Self {
            status: failure.status,
            content_type: XML,
            body: xml::error(failure, request_id),
            retry_after: None,
            outcome,
        }
    }

    fn bare(status: u16, body: &str, outcome: Outcome) -> Self {
        Self { status, content_type: "text/html", body: body.to_owned(), retry_after: None, outcome }
    }

    fn shaped(self, script: &Script, request_id: &str, date: SystemTime) -> Response<Paced> {
        let bytes = Bytes::from(self.body);
        let body = match script.drip {
            _ if script.truncate => Paced::cut(&bytes),
            Some(over) => Paced::dripping(&bytes, over),
            None => Paced::whole(bytes),
        };
        let mut response = Response::new(body);
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.insert(REQUEST_ID, ascii(request_id));
        headers.insert(DATE, ascii(&httpdate::fmt_http_date(date)));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

fn scripted(fault: &FaultKind, request_id: &str) -> Answer {
    let outcome = Outcome::Scripted(fault.name().to_owned());
    match fault {
        FaultKind::Error { code, status, message } => {
            let mut failure = Failure::named(code.clone());
            failure.status = status.unwrap_or(failure.status);
            if let Some(message) = message {
                failure.message = message.clone().into();
            }
            Answer::failed(&failure, request_id, Outcome::Scripted(code.clone()))
        }
        FaultKind::Throttle { retry_after } => {
            let answer = Answer::failed(&Failure::named("Throttling"), request_id, outcome);
            Answer { retry_after: *retry_after, ..answer }
        }
        FaultKind::Http { status, body, retry_after } => {
            let default = format!("<html><body><h1>{status}</h1></body></html>\n");
            let answer = Answer::bare(*status, body.as_deref().unwrap_or(&default), outcome);
            Answer { retry_after: *retry_after, ..answer }
        }
        _ => Answer { content_type: XML, ..Answer::bare(200, GARBAGE, outcome) },
    }
}

/// Holds the connection until the client gives up, or the emulator closes it.
async fn hang(mut ticket: Ticket<Call>) -> Reply {
    ticket.settle(Outcome::Scripted("hang".to_owned()), None);
    std::future::pending().await
}

fn read_form(method: &Method, query: &str, body: &[u8]) -> Form {
    let query = Form::parse(query);
    if method == Method::POST { query.and(Form::parse(&String::from_utf8_lossy(body))) } else { query }
}

fn ascii(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("ids and dates must be ASCII")
}

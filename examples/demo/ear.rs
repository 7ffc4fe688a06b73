//! Listens to the sidecar's log, to the application's calls and to the sidecar's counts, and tells what is new.

use crate::application::{Called, shortened};
use crate::screen::Colour;
use crate::sidecar::{Entry, Served, Status, served, status};
use crate::stage::{SIDECAR, Stage};
use crate::view::{APPLICATIONS_SDK, Calls, sdk_name};

const APPLICATION: &str = "application";

/// How far everybody was listened to.
#[derive(Default)]
pub(crate) struct Ear {
    entries: usize,
    fine_calls: usize,
    failed_calls: usize,
    last_call: Option<Called>,
    served: Served,
    status: Option<Status>,
}

/// Who, what, and how good that is.
pub(crate) type News = (&'static str, String, Colour);

impl Ear {
    pub(crate) async fn listen(&mut self, stage: &Stage) -> Vec<News> {
        let mut news = Vec::new();
        let entries = stage.log(self.entries);
        self.entries += entries.len();
        let is_troubled = self.status.as_ref().is_some_and(|status| status.problem.is_some());
        let told = entries.iter().filter_map(|entry| told(entry, is_troubled));
        news.extend(told.map(|(what, colour)| (SIDECAR, what, colour)));
        for call in stage.called(self.fine_calls + self.failed_calls) {
            news.extend(self.called(call));
        }
        self.status = status(stage.admin).await.ok();
        if let Ok(served) = served(stage.admin).await {
            news.extend(self.served_to(served));
        }
        news
    }

    /// None while the sidecar does not answer.
    pub(crate) fn status(&self) -> Option<&Status> {
        self.status.as_ref()
    }

    pub(crate) fn served(&self) -> &Served {
        &self.served
    }

    pub(crate) fn calls(&self) -> Calls<'_> {
        Calls { fine: self.fine_calls, failed: self.failed_calls, last: self.last_call.as_ref() }
    }

    /// A call is news when it differs from the one before: the first, another key, a failure, its end.
    fn called(&mut self, call: Called) -> Option<News> {
        let last = self.last_call.replace(call.clone());
        if let Some(error) = call.error {
            self.failed_calls += 1;
            let is_new = last.is_none_or(|last| last.error.is_none());
            return is_new.then(|| (APPLICATION, format!("its calls fail: {error}"), Colour::Red));
        }
        self.fine_calls += 1;
        let key = call.access_key_id.as_deref().map(shortened).unwrap_or_default();
        let what = match last {
            None => format!("is {} with {key}", call.arn.unwrap_or_default()),
            Some(last) if last.error.is_some() => format!("works again, with {key}"),
            Some(last) if last.access_key_id != call.access_key_id => format!("signs with {key} now"),
            Some(_) => return None,
        };
        Some((APPLICATION, what, Colour::Green))
    }

    /// The application's own fetches are in the table; here is who came beside it.
    fn served_to(&mut self, served: Served) -> Vec<News> {
        let mut news = Vec::new();
        for ((sdk, status), count) in &served {
            let before = self.served.get(&(sdk.clone(), *status)).copied().unwrap_or_default();
            if *count > before && sdk != APPLICATIONS_SDK {
                let (what, colour) = match status {
                    200 => (format!("served credentials to {}", sdk_name(sdk)), Colour::Green),
                    _ => (format!("answered {status} to {}", sdk_name(sdk)), Colour::Yellow),
                };
                news.push((SIDECAR, what, colour));
            }
        }
        self.served = served;
        news
    }
}

/// A line of the sidecar's log in fewer words; none for what is no event of the demo.
fn told(entry: &Entry, is_troubled: bool) -> Option<(String, Colour)> {
    let field = |name: &str| entry.field(name).unwrap_or("?").to_owned();
    let told = match entry.message() {
        "token read" => (format!("token read: {}", field("subject")), Colour::Green),
        "token rotated" if is_troubled => {
            ("saw the new token and tries it at once".to_owned(), Colour::Green)
        }
        "token rotated" => ("saw the new token; the next refresh will use it".to_owned(), Colour::Green),
        "credentials exchanged" => {
            let took = entry.number("took_ms").unwrap_or_default();
            let failures = entry.number("after_failures").filter(|failures| *failures > 0);
            let after =
                failures.map(|failures| format!(", after {failures} that failed")).unwrap_or_default();
            (format!("exchanged: {} in {took} ms{after}", field("access_key_id")), Colour::Green)
        }
        message if message.starts_with("exchange failed") => {
            let retry = entry.number("retry_in_ms").unwrap_or_default() as f64 / 1000.0;
            let again = if message.starts_with("exchange failed again") { " again" } else { "" };
            (format!("exchange failed{again}: {}; next try in {retry:.1} s", field("code")), Colour::Yellow)
        }
        message if message.starts_with("no token in") => {
            (format!("no token in the file: {}; the last good one is kept", field("code")), Colour::Yellow)
        }
        message if message.starts_with("the token can be read again") || message.starts_with("SIGHUP") => {
            (message.to_owned(), Colour::Green)
        }
        // True, and the very idea of this demo.
        message if message.starts_with("sessions under an hour") => return None,
        message if entry.is_trouble() => (message.to_owned(), Colour::Red),
        _ => return None,
    };
    Some(told)
}

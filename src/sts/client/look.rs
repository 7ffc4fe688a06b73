//! A plain GET on the connection that an exchange would take: the same authorities, proxy and time-outs, and no
//! credentials. What a person wants to know who finds out why exchanges fail.

use std::time::Duration;
use std::time::SystemTime;

use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use http_body_util::BodyExt;
use http_body_util::Limited;
use tokio::time::timeout;

use crate::sts::ErrorKind;
use crate::sts::ExchangeError;
use crate::sts::client::Sts;
use crate::sts::client::failure::not_connected;
use crate::sts::client::parse_date;

/// Discovery documents and key sets have a few KB.
const MAX_BODY_BYTES: usize = 256 * 1024;
/// A person waits.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Neither STS nor what stands in for it by somebody's choice sends these.
const OF_PROXIES: [&str; 3] = ["proxy-authenticate", "x-squid-error", "x-bluecoat-via"];

/// What was there.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub status: u16,
    /// Whether it has a request's id, as all that STS answers has, and what stands in its place has not.
    pub has_request_id: bool,
    /// Whether a header is there that proxies alone set.
    pub is_proxys: bool,
    /// What answers calls itself so.
    pub server: String,
    pub date: Option<SystemTime>,
    pub body: Vec<u8>,
}

impl Sts {
    /// `whom` is how an error calls it.
    pub async fn look(&self, whom: &str, url: &str) -> Result<Seen, ExchangeError> {
        let call = async {
            let connector = self.connector().await?;
            let mut request = HttpRequest::empty();
            let unusable = |why: String| ExchangeError::new(ErrorKind::Other, format!("{whom}: {why}"));
            request.set_uri(url).map_err(|error| unusable(error.to_string()))?;
            let response = connector.call(request).await.map_err(|error| not_connected(whom, &error))?;
            let status = response.status().as_u16();
            let has_id = |name: &str| response.headers().get(name).is_some();
            let has_request_id = has_id("x-amzn-requestid") || has_id("x-amz-request-id");
            let is_proxys = OF_PROXIES.into_iter().any(has_id);
            let server = response.headers().get("server").unwrap_or_default().to_owned();
            let date = response.headers().get("date").and_then(parse_date);
            let body = Limited::new(response.into_body(), MAX_BODY_BYTES).collect().await;
            let body = body.map_err(|error| unusable(format!("its answer could not be read: {error}")))?;
            Ok(Seen { status, has_request_id, is_proxys, server, date, body: body.to_bytes().to_vec() })
        };
        timeout(TIMEOUT, call).await.unwrap_or_else(|_| {
            let message = format!("{whom} did not answer within {} s", TIMEOUT.as_secs());
            Err(ExchangeError::new(ErrorKind::TimedOut, message))
        })
    }
}

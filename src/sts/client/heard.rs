//! What passes on either side of one call: our name in front of the SDK's, the reply's headers, a bound on its body.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use aws_sdk_sts::config::ConfigBag;
use aws_sdk_sts::config::Intercept;
use aws_sdk_sts::config::RuntimeComponents;
use aws_sdk_sts::config::interceptors::BeforeDeserializationInterceptorContextMut;
use aws_sdk_sts::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_sts::error::BoxError;
use aws_smithy_types::body::SdkBody;
use http_body_util::Limited;

use crate::build_info::VERSION;
use crate::sts::Reply;

/// A reply of STS has some 3 KB; whatever answers in its place must not fill our memory.
const MAX_REPLY_BYTES: usize = 256 * 1024;

/// Listens in on one call.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard(Arc<Mutex<Reply>>);

impl Heard {
    /// A proxy's clock is not STS's.
    pub(super) fn forget_date(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).date = None;
    }

    pub(super) fn take(&self) -> Reply {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Intercept for Heard {
    fn name(&self) -> &'static str {
        "irsa-sidecar"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.request_mut().headers_mut();
        let sdk = headers.get("user-agent").unwrap_or_default().to_owned();
        headers.try_insert("user-agent", format!("irsa-sidecar/{VERSION} {sdk}"))?;
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response_mut().take_body();
        *context.response_mut().body_mut() = SdkBody::from_body_1_x(Limited::new(body, MAX_REPLY_BYTES));
        let headers = context.response().headers();
        let date = headers.get("date").and_then(|date| httpdate::parse_http_date(date).ok());
        let retry_after = headers.get("retry-after").and_then(|value| match value.trim().parse() {
            Ok(seconds) => Some(Duration::from_secs(seconds)),
            Err(_) => httpdate::parse_http_date(value).ok()?.duration_since(date?).ok(),
        });
        let request_id = headers.get("x-amzn-requestid").filter(|id| is_request_id(id)).map(str::to_owned);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Reply { request_id, date, retry_after };
        Ok(())
    }
}

/// AWS's are UUIDs; whatever else comes must not fill our log.
fn is_request_id(id: &str) -> bool {
    id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_graphic())
}

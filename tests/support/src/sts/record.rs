//! What the log keeps of a request, read from it as it came: nothing here is checked.

use std::collections::BTreeMap;

use hyper::HeaderMap;

use crate::journal::Outcome;
use crate::listen::Encrypted;
use crate::sts::State;
use crate::sts::calls::Call;
use crate::sts::form::Form;
use crate::sts::sigv4::{Authorization, Message};
use crate::sts::tags::RequestedTags;
use crate::sts::web_identity;

impl State {
    pub(super) fn record(
        &self,
        message: &Message<'_>,
        encrypted: Option<&Encrypted>,
        form: &Form,
        request_id: &str,
    ) -> Call {
        let parameter = |name| form.value(name).map(str::to_owned);
        let authorization = Authorization::read(message).ok();
        let session = authorization.as_ref().and_then(|auth| self.sessions.of_key(&auth.access_key_id));
        let tags = RequestedTags::read(form);
        Call {
            number: 0,
            at: self.clock.now(),
            method: message.method.to_owned(),
            host: text_of(message.headers, "host"),
            tls: encrypted.is_some(),
            server_name: encrypted.and_then(|encrypted| encrypted.server_name.clone()),
            action: parameter("Action"),
            role_arn: parameter("RoleArn"),
            role_session_name: parameter("RoleSessionName"),
            duration_seconds: parameter("DurationSeconds"),
            external_id: parameter("ExternalId"),
            source_identity: parameter("SourceIdentity"),
            tags: tags
                .pairs()
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect::<BTreeMap<_, _>>(),
            transitive_tag_keys: owned(tags.transitive_keys()),
            policy: parameter("Policy"),
            policy_arns: owned(&form.members("PolicyArns", ".arn")),
            token: form.value("WebIdentityToken").map(web_identity::seen),
            signed: message.headers.contains_key("authorization")
                || message.query.contains("X-Amz-Signature="),
            access_key_id: authorization.as_ref().map(|auth| auth.access_key_id.clone()),
            caller_arn: session.map(|session| session.arn()),
            signing_region: authorization.as_ref().map(|auth| auth.scope.region.clone()),
            signing_service: authorization.map(|auth| auth.scope.service),
            user_agent: text_of(message.headers, "user-agent"),
            request_id: request_id.to_owned(),
            outcome: Outcome::Pending,
            status: None,
        }
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

fn text_of(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

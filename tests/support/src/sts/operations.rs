//! The three actions: what each demands, decides and answers.

use std::sync::Arc;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

use crate::sts::State;
use crate::sts::account::Role;
use crate::sts::arn::RoleArn;
use crate::sts::failure::Failure;
use crate::sts::form::{Constraints, Form};
use crate::sts::parameters::{NAME_PATTERN, Wanted, chained_context, is_name, packed_size};
use crate::sts::policy::{Context, Principal};
use crate::sts::sessions::{Opening, Session};
use crate::sts::sigv4::{Authorization, Message};
use crate::sts::tags::{RequestedTags, SessionTags};
use crate::sts::web_identity;
use crate::sts::xml::Element::{self, Nested, Text};

pub(crate) const API_VERSION: &str = "2011-06-15";
pub(crate) const IAM_VERSION: &str = "2010-05-08";
/// However long the role's own maximum is.
const CHAINED_LIMIT: u64 = 3600;

/// The elements of the result, or why there are none.
type Answer = Result<Vec<Element>, Failure>;

impl State {
    /// Does what the request asks for.
    pub(super) async fn perform(&self, action: &str, form: &Form, message: &Message<'_>) -> Answer {
        let version = form.value("Version");
        match (action, version) {
            ("AssumeRoleWithWebIdentity", Some(API_VERSION)) => self.assume_with_web_identity(form).await,
            ("AssumeRole", Some(API_VERSION)) => self.assume(form, message),
            ("GetCallerIdentity", Some(API_VERSION)) => self.caller_identity(message),
            ("GetRole", Some(IAM_VERSION)) => self.get_role(form, message),
            _ => {
                let version = version.unwrap_or("NO_VERSION_SPECIFIED");
                Err(Failure::new(
                    "InvalidAction",
                    format!("Could not find operation {action} for version {version}"),
                ))
            }
        }
    }

    async fn assume_with_web_identity(&self, form: &Form) -> Answer {
        let mut constraints = Constraints::default();
        let token = form.value("WebIdentityToken");
        constraints.on("webIdentityToken", token).secret().required().length(4, 20_000);
        constraints.on("providerId", form.value("ProviderId")).length(4, 2048);
        let wanted = Wanted::read(form, constraints)?;
        if form.value("ProviderId").is_some() {
            return Err(Failure::validation("ProviderId is only for OAuth 2.0 access tokens"));
        }

        let token = token.unwrap_or_default();
        let identity =
            web_identity::verify(token, &wanted.role, &self.account, &self.jwks, &self.clock).await?;
        let host = &identity.provider.host;
        let context = Context::default()
            .with(&format!("{host}:sub"), &identity.subject)
            .with(&format!("{host}:aud"), &identity.audience)
            .with("sts:RoleSessionName", &wanted.session_name);
        let principal = Principal::federated(&identity.provider.arn);
        let role = self
            .account
            .role(&wanted.role)
            .filter(|role| role.trust.allows(&principal, "sts:AssumeRoleWithWebIdentity", &context))
            .ok_or_else(Failure::not_authorized_with_web_identity)?;

        let mut answer = self.open_session(&wanted, role, SessionTags::default(), None)?;
        answer.push(Text("Provider", identity.provider.arn.clone()));
        answer.push(Text("Audience", identity.audience));
        answer.push(Text("SubjectFromWebIdentityToken", identity.subject));
        Ok(answer)
    }

    fn assume(&self, form: &Form, message: &Message<'_>) -> Answer {
        let caller = self.authenticate(message)?;
        let mut constraints = Constraints::default();
        let external_id = form.value("ExternalId");
        constraints
            .on("externalId", external_id)
            .length(2, 1224)
            .pattern(r"[\w+=,.@:\/-]*", |c| is_name(c) || matches!(c, ':' | '/'));
        let source_identity = form.value("SourceIdentity");
        constraints.on("sourceIdentity", source_identity).length(2, 64).pattern(NAME_PATTERN, is_name);
        let requested = RequestedTags::read(form);
        requested.constrain(&mut constraints);
        let wanted = Wanted::read(form, constraints)?;
        if wanted.duration > CHAINED_LIMIT {
            return Err(Failure::validation(
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
            ));
        }

        let source_identity = inherited_source_identity(&caller, source_identity)?;
        let tags = requested.on_top_of(caller.tags.inherited())?;
        // What is inherited needs the target's leave as much as what is new.
        let mut actions = vec!["sts:AssumeRole"];
        actions.extend(source_identity.map(|_| "sts:SetSourceIdentity"));
        actions.extend((!tags.is_empty()).then_some("sts:TagSession"));
        let context = caller.describe(chained_context(&wanted, external_id, source_identity, &requested));
        let target = self.trusting(&wanted.role, &caller, &actions, &context)?;
        let mut answer = self.open_session(&wanted, target, tags, source_identity)?;
        answer.extend(source_identity.map(|identity| Text("SourceIdentity", identity.to_owned())));
        Ok(answer)
    }

    /// The role, if it lets this caller do all that. One that does not exist lets nobody do anything.
    fn trusting(
        &self,
        role: &RoleArn,
        caller: &Session,
        actions: &[&str],
        context: &Context,
    ) -> Result<Arc<Role>, Failure> {
        let principal = Principal::aws(caller.names());
        let target = self.account.role(role);
        let allows =
            |action: &str| target.as_ref().is_some_and(|role| role.trust.allows(&principal, action, context));
        match actions.iter().find(|action| !allows(action)) {
            Some(action) => Err(Failure::new(
                "AccessDenied",
                format!("User: {} is not authorized to perform: {action} on resource: {role}", caller.arn()),
            )),
            None => target.ok_or_else(|| Failure::named("AccessDenied")),
        }
    }

    fn caller_identity(&self, message: &Message<'_>) -> Answer {
        let caller = self.authenticate(message)?;
        Ok(vec![
            Text("Arn", caller.arn()),
            Text("UserId", caller.user_id()),
            Text("Account", caller.role.arn.account().to_owned()),
        ])
    }

    /// IAM's, of the caller's own account: by the name alone, whatever the path.
    fn get_role(&self, form: &Form, message: &Message<'_>) -> Answer {
        let caller = self.authenticate(message)?;
        let name = form.value("RoleName").unwrap_or_default();
        let role = self.account.role_named(caller.role.arn.account(), name).ok_or_else(|| {
            Failure::new("NoSuchEntity", format!("The role with name {name} cannot be found."))
        })?;
        let policy = percent_encode(role.trust.source().as_bytes(), NON_ALPHANUMERIC).to_string();
        Ok(vec![Nested(
            "Role",
            vec![
                Text("RoleName", name.to_owned()),
                Text("Arn", role.arn.as_str().to_owned()),
                Text("AssumeRolePolicyDocument", policy),
                Text("MaxSessionDuration", role.max_session.as_secs().to_string()),
            ],
        )])
    }

    /// Who signed this: the key must be one that was given out, with its own session token, and not yet expired.
    fn authenticate(&self, message: &Message<'_>) -> Result<Arc<Session>, Failure> {
        let authorization = Authorization::read(message)?;
        let session = self
            .sessions
            .of_key(&authorization.access_key_id)
            .filter(|session| {
                authorization.session_token.as_deref() == Some(session.credentials.session_token.as_str())
            })
            .ok_or_else(|| Failure::named("InvalidClientTokenId"))?;
        let now = self.clock.now();
        authorization.verify(message, &session.credentials.secret_access_key, now)?;
        if now >= session.credentials.expires_at {
            return Err(Failure::named("ExpiredToken"));
        }
        Ok(session)
    }

    fn open_session(
        &self,
        wanted: &Wanted,
        role: Arc<Role>,
        tags: SessionTags,
        source_identity: Option<&str>,
    ) -> Answer {
        if wanted.duration > role.max_session.as_secs() {
            return Err(Failure::validation(
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            ));
        }
        let packed_size = packed_size(wanted.policy_size, &tags)?;
        let settings = self.settings();
        let life = settings.session_life.unwrap_or(Duration::from_secs(wanted.duration));
        let session = self.sessions.open(Opening {
            role,
            name: wanted.session_name.clone(),
            expires_at: self.clock.now() + life,
            tags,
            source_identity: source_identity.map(str::to_owned),
        });
        let credentials = &session.credentials;
        let mut answer = Vec::new();
        if settings.assumed_role_user {
            answer.push(Nested(
                "AssumedRoleUser",
                vec![Text("AssumedRoleId", session.user_id()), Text("Arn", session.arn())],
            ));
        }
        answer.push(Nested(
            "Credentials",
            vec![
                Text("AccessKeyId", credentials.access_key_id.clone()),
                Text("SecretAccessKey", credentials.secret_access_key.clone()),
                Text("SessionToken", credentials.session_token.clone()),
                Text("Expiration", humantime::format_rfc3339_seconds(credentials.expires_at).to_string()),
            ],
        ));
        answer.extend(packed_size.map(|size| Text("PackedPolicySize", size.to_string())));
        Ok(answer)
    }
}

/// The one that the caller's session has, which a request may repeat and not change.
fn inherited_source_identity<'a>(
    caller: &'a Session,
    requested: Option<&'a str>,
) -> Result<Option<&'a str>, Failure> {
    let inherited = caller.source_identity.as_deref();
    match (inherited, requested) {
        (Some(inherited), Some(requested)) if inherited != requested => {
            Err(Failure::validation("The source identity is already set for this assume role session"))
        }
        _ => Ok(inherited.or(requested)),
    }
}

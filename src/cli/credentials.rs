//! `irsa-sidecar credentials --format process|json|env`: how one set of credentials is printed.
//!
//! - `process`: what AWS's `credential_process` takes, `{"Version":1,…}` on one line
//! - `json`: what the container endpoint serves, on one line
//! - `env`: `export NAME='value'` lines for a POSIX shell

use std::io::Write;

use serde::Serialize;

use crate::app::once::ObtainError;
use crate::app::once::obtain;
use crate::cli::process;
use crate::clock::Clock;
use crate::config::Roles;
use crate::contract::exit;
use crate::credentials::Credentials;
use crate::credentials::rfc3339;
use crate::secret::Secret;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    Process,
    Json,
    Env,
}

/// Names and help; the first is the default.
pub(super) const FORMATS: [(&str, Format, &str); 3] = [
    ("process", Format::Process, "JSON for credential_process in ~/.aws/config"),
    ("json", Format::Json, "JSON as the container endpoint serves it"),
    ("env", Format::Env, "export lines for a shell"),
];

/// One role's credentials, obtained and printed; gives the exit status.
pub(super) fn run(roles: Roles, role: &str, format: Format) -> u8 {
    let Ok(obtained) = process::block_on(obtain(roles, role, Clock::system())) else { return exit::SOFTWARE };
    let error = match obtained {
        Ok(credentials) => {
            let text = render(&credentials, format);
            // To a closed pipe nothing can be said, but whoever waits for credentials must not take it for success.
            return match std::io::stdout().lock().write_all(text.expose().as_bytes()) {
                Ok(()) => 0,
                Err(_) => exit::UNAVAILABLE,
            };
        }
        Err(error) => error,
    };
    match &error {
        ObtainError::Token { path, error: read } => {
            tracing::error!(code = read.code(), token_file = %path.display(), "{error}");
            exit::UNAVAILABLE
        }
        ObtainError::Exchange { role, error: failed } => {
            let request_id = failed.reply.request_id.as_deref();
            tracing::error!(role, code = failed.code(), request_id, "{error}");
            exit::UNAVAILABLE
        }
        ObtainError::Resolve(_) | ObtainError::NoRole(_) => {
            tracing::error!("{error}");
            exit::USAGE
        }
    }
}

/// The credentials as text that ends with a newline.
pub fn render(credentials: &Credentials, format: Format) -> Secret {
    match format {
        Format::Process => process(credentials),
        Format::Json => json(credentials),
        Format::Env => env(credentials),
    }
}

fn process(credentials: &Credentials) -> Secret {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Process<'a> {
        version: u8,
        access_key_id: &'a str,
        secret_access_key: &'a str,
        session_token: &'a str,
        expiration: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        account_id: Option<&'a str>,
    }
    let process = Process {
        version: 1,
        access_key_id: &credentials.access_key_id,
        secret_access_key: credentials.secret_access_key.expose(),
        session_token: credentials.session_token.expose(),
        expiration: rfc3339(credentials.expires_at),
        account_id: credentials.account_id.as_deref().filter(|account| !account.is_empty()),
    };
    let mut text = serde_json::to_string(&process).expect("a flat structure of strings must serialize");
    text.push('\n');
    Secret::new(text)
}

fn json(credentials: &Credentials) -> Secret {
    let body = credentials.container_body();
    let text = str::from_utf8(&body).expect("JSON must be UTF-8");
    Secret::new(format!("{text}\n"))
}

fn env(credentials: &Credentials) -> Secret {
    let expiration = rfc3339(credentials.expires_at);
    let variables = [
        ("AWS_ACCESS_KEY_ID", credentials.access_key_id.as_str()),
        ("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key.expose()),
        ("AWS_SESSION_TOKEN", credentials.session_token.expose()),
        // The name that the AWS CLI's own `export-credentials` uses.
        ("AWS_CREDENTIAL_EXPIRATION", &expiration),
    ];
    let mut text = String::new();
    for (name, value) in variables {
        text.push_str(&format!("export {name}={}\n", shell_quoted(value)));
    }
    Secret::new(text)
}

/// In single quotes nothing has a meaning to the shell but the quote itself.
fn shell_quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;
    use std::time::SystemTime;

    use super::*;

    fn credentials() -> Credentials {
        let issued_at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        Credentials {
            access_key_id: "ASIAIOSFODNN7EXAMPLE".to_owned(),
            secret_access_key: Secret::new("wJalr'XUtn/FEMI+K7".to_owned()),
            session_token: Secret::new("IQoJ//b3Jp+Z2lu=".to_owned()),
            expires_at: issued_at + Duration::from_secs(3600),
            issued_at,
            role_arn: Some("arn:aws:iam::111122223333:role/app".to_owned()),
            account_id: Some("111122223333".to_owned()),
        }
    }

    #[test]
    fn process_is_what_credential_process_wants() {
        assert_eq!(
            render(&credentials(), Format::Process).expose(),
            "{\"Version\":1,\"AccessKeyId\":\"ASIAIOSFODNN7EXAMPLE\",\"SecretAccessKey\":\"wJalr'XUtn/FEMI+K7\",\
             \"SessionToken\":\"IQoJ//b3Jp+Z2lu=\",\"Expiration\":\"2027-01-15T09:00:00Z\",\
             \"AccountId\":\"111122223333\"}\n"
        );
    }

    #[test]
    fn json_is_what_the_container_endpoint_serves() {
        let credentials = credentials();
        let body = credentials.container_body();
        assert_eq!(render(&credentials, Format::Json).expose().as_bytes(), [&body[..], b"\n"].concat());
    }

    #[test]
    fn env_survives_a_shell() {
        assert_eq!(
            render(&credentials(), Format::Env).expose(),
            "export AWS_ACCESS_KEY_ID='ASIAIOSFODNN7EXAMPLE'\n\
             export AWS_SECRET_ACCESS_KEY='wJalr'\\''XUtn/FEMI+K7'\n\
             export AWS_SESSION_TOKEN='IQoJ//b3Jp+Z2lu='\n\
             export AWS_CREDENTIAL_EXPIRATION='2027-01-15T09:00:00Z'\n"
        );
    }
}

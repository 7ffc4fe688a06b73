//! `irsa-sidecar credentials --role NAME --format FORMAT`: one role's credentials, printed.
//!
//! - `process`: what AWS's `credential_process` takes, `{"Version":1,…}` on one line
//! - `json`: what the container endpoint serves, on one line
//! - `env`, `env-no-export`, `fish`, `powershell`: the variables, one a line, as `aws configure export-credentials` names them

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
use crate::shell;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    Process,
    Json,
    Env,
    EnvNoExport,
    Fish,
    PowerShell,
}

/// Names and help; the first is the default.
pub(super) const FORMATS: [(&str, Format, &str); 6] = [
    ("process", Format::Process, "JSON for credential_process in ~/.aws/config"),
    ("json", Format::Json, "JSON as the container endpoint serves it"),
    ("env", Format::Env, "export lines for a POSIX shell"),
    ("env-no-export", Format::EnvNoExport, "the same without export, as docker run --env-file takes them"),
    ("fish", Format::Fish, "set -gx lines for fish"),
    ("powershell", Format::PowerShell, "$Env: lines for PowerShell"),
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
        Format::Env => lines(credentials, |name, value| format!("export {name}={}", shell::quoted(value))),
        Format::EnvNoExport => {
            lines(credentials, |name, value| format!("{name}={}", quoted_if_need_be(value)))
        }
        Format::Fish => lines(credentials, |name, value| format!("set -gx {name} {}", fish_quoted(value))),
        Format::PowerShell => {
            lines(credentials, |name, value| format!("$Env:{name}={}", powershell_quoted(value)))
        }
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

fn lines(credentials: &Credentials, line: fn(&str, &str) -> String) -> Secret {
    let expiration = rfc3339(credentials.expires_at);
    let variables = [
        ("AWS_ACCESS_KEY_ID", credentials.access_key_id.as_str()),
        ("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key.expose()),
        ("AWS_SESSION_TOKEN", credentials.session_token.expose()),
        ("AWS_CREDENTIAL_EXPIRATION", &expiration),
    ];
    Secret::new(variables.map(|(name, value)| line(name, value) + "\n").concat())
}

/// An env file has no quotes, and takes them for part of the value. What AWS gives needs none; what does gets them, since a
/// shell may read it.
fn quoted_if_need_be(value: &str) -> String {
    let is_harmless = |c: char| c.is_ascii_alphanumeric() || "+/=_.:@%,-".contains(c);
    if value.chars().all(is_harmless) { value.to_owned() } else { shell::quoted(value) }
}

/// As in a POSIX shell, but that a backslash has a meaning before a quote or another one.
fn fish_quoted(value: &str) -> String {
    format!("'{}'", value.replace('\\', r"\\").replace('\'', r"\'"))
}

/// In single quotes nothing has a meaning but the quote, which is doubled.
fn powershell_quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
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
    fn every_format_writes_the_variables_in_its_own_quotes() {
        for (format, secret) in [
            (Format::Env, r"export AWS_SECRET_ACCESS_KEY='wJalr'\''XUtn/FEMI+K7'"),
            (Format::EnvNoExport, r"AWS_SECRET_ACCESS_KEY='wJalr'\''XUtn/FEMI+K7'"),
            (Format::Fish, r"set -gx AWS_SECRET_ACCESS_KEY 'wJalr\'XUtn/FEMI+K7'"),
            (Format::PowerShell, "$Env:AWS_SECRET_ACCESS_KEY='wJalr''XUtn/FEMI+K7'"),
        ] {
            let text = render(&credentials(), format);
            let lines: Vec<&str> = text.expose().lines().collect();
            assert_eq!(lines.len(), 4);
            assert_eq!(lines[1], secret);
            assert!(text.expose().ends_with('\n'));
        }
        let plain = render(&credentials(), Format::EnvNoExport);
        assert!(plain.expose().contains("AWS_SESSION_TOKEN=IQoJ//b3Jp+Z2lu=\n"), "an env file has no quotes");
        assert!(plain.expose().contains("AWS_CREDENTIAL_EXPIRATION=2027-01-15T09:00:00Z\n"));
    }

    #[test]
    fn a_shell_reads_what_was_meant() {
        let awkward = r#"a'b"c$(echo d)`e`\f;&|<>*"#;
        let credentials = Credentials { secret_access_key: Secret::new(awkward.to_owned()), ..credentials() };
        for format in [Format::Env, Format::EnvNoExport] {
            let text = render(&credentials, format);
            let script = format!("{}printf %s \"$AWS_SECRET_ACCESS_KEY\"", text.expose());
            let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), awkward);
        }
    }
}

//! The profile that SDKs take, as far as it says where credentials come from: `~/.aws/credentials` and `~/.aws/config`, read
//! by the AWS SDK's own parser.
//!
//! The AWS SDKs and Tools Reference Guide ("Shared config and credentials files") has the files and their variables.

use std::path::Path;
use std::path::PathBuf;

use aws_runtime::env_config::file::EnvConfigFileKind;
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_runtime::env_config::section::EnvConfigSections;
use aws_runtime::env_config::section::Profile as Section;
use aws_runtime::env_config::source;
use aws_types::os_shim_internal::Env;
use aws_types::os_shim_internal::Fs;

use crate::config::env::Strings;
use crate::config::quoted;
use crate::contract::ENV_DEFAULT_PROFILE;
use crate::contract::ENV_PROFILE;
use crate::file::read_bounded;
use crate::sts::client::profile_files::CONFIG;
use crate::sts::client::profile_files::CREDENTIALS;
use crate::sts::client::profile_files::MAX_BYTES;
use crate::sts::client::profile_files::place;

/// The selected profile.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Profile {
    pub(super) name: String,
    /// The variable that names it; none for the default one.
    pub(super) named_by: Option<&'static str>,
    /// Whether one of the files has it.
    pub(super) exists: bool,
    pub(super) source: Option<Written>,
}

/// Where a profile has credentials from, and the file that says so.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Written {
    pub(super) source: Source,
    file: PathBuf,
    pub(super) is_in_config: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Source {
    Keys,
    /// `credential_process`
    Process,
    /// A role that is assumed with another profile's credentials.
    Role,
    /// A role and a token's file.
    WebIdentity,
    Sso,
}

const DEFAULT: &str = "default";

impl Profile {
    pub(super) async fn selected(strings: &dyn Strings) -> Self {
        let set = |name: &str| strings.var(name).ok().flatten().filter(|value| !value.is_empty());
        let named_by = [ENV_PROFILE, ENV_DEFAULT_PROFILE].into_iter().find(|name| set(name).is_some());
        let name = named_by.and_then(set).unwrap_or_else(|| DEFAULT.to_owned());
        let mut profile = Self { name, named_by, exists: false, source: None };
        for (kind, (variable, usual)) in
            [(EnvConfigFileKind::Credentials, CREDENTIALS), (EnvConfigFileKind::Config, CONFIG)]
        {
            let Some((path, _)) = place(strings, variable, usual) else { continue };
            let path = PathBuf::from(path);
            let Some(sections) = sections(kind, &path).await else { continue };
            let Some(section) = sections.get_profile(&profile.name) else { continue };
            profile.exists = true;
            // Of both files, that with the credentials comes first.
            let is_in_config = matches!(kind, EnvConfigFileKind::Config);
            profile.source = profile
                .source
                .or_else(|| Some(Written { source: Source::of(section)?, file: path, is_in_config }));
        }
        profile
    }

    /// As people know it.
    pub(super) fn shown(&self) -> String {
        match &self.source {
            Some(Written { source, file, .. }) => {
                format!(
                    "profile {} in {} ({})",
                    quoted(&self.name),
                    quoted(&file.to_string_lossy()),
                    source.what()
                )
            }
            None => format!("profile {}", quoted(&self.name)),
        }
    }
}

impl Source {
    fn of(section: &Section) -> Option<Self> {
        let has = |name: &str| section.get(name).is_some_and(|value| !value.is_empty());
        if has("role_arn") && has("web_identity_token_file") {
            Some(Self::WebIdentity)
        } else if has("role_arn") && (has("source_profile") || has("credential_source")) {
            Some(Self::Role)
        } else if has("aws_access_key_id") {
            Some(Self::Keys)
        } else if has("credential_process") {
            Some(Self::Process)
        } else if has("sso_session") || has("sso_start_url") {
            Some(Self::Sso)
        } else {
            None
        }
    }

    fn what(self) -> &'static str {
        match self {
            Self::Keys => "aws_access_key_id",
            Self::Process => "credential_process",
            Self::Role => "role_arn and the profile that it starts from",
            Self::WebIdentity => "role_arn and web_identity_token_file",
            Self::Sso => "IAM Identity Center",
        }
    }
}

/// None where there is no such file, or none that the SDK could read.
async fn sections(kind: EnvConfigFileKind, path: &Path) -> Option<EnvConfigSections> {
    let bytes = read_bounded(path, MAX_BYTES).ok()?;
    let text = std::str::from_utf8(&bytes).ok()?;
    let files = EnvConfigFiles::builder().with_contents(kind, text).build();
    // Nothing but what is given is read.
    let source = source::load(&Env::from_slice(&[]), &Fs::from_slice(&[]), &files).await.ok()?;
    EnvConfigSections::parse(source).ok()
}

//! Every setting there is: one list, from which the flags, their help, the table of docs/settings.md and the messages are made.
//!
//! A setting of ours has the variable `IRSA_SIDECAR_` + its flag in capitals. AWS's own variables have no flag.

use std::fmt::Write;

use crate::contract::ENV_ADMIN_LISTEN;
use crate::contract::ENV_ALLOW_UNAUTHENTICATED;
use crate::contract::ENV_AUTHORIZATION_TOKEN;
use crate::contract::ENV_AUTHORIZATION_TOKEN_FILE;
use crate::contract::ENV_CREDENTIALS_FILE;
use crate::contract::ENV_DRAIN;
use crate::contract::ENV_HOST_IP;
use crate::contract::ENV_IMDS;
use crate::contract::ENV_IMDS_AVAILABILITY_ZONE;
use crate::contract::ENV_IMDS_INSTANCE_ID;
use crate::contract::ENV_IMDS_INSTANCE_TYPE;
use crate::contract::ENV_IMDS_UPSTREAM;
use crate::contract::ENV_IMDS_UPSTREAM_ALLOW;
use crate::contract::ENV_LISTEN;
use crate::contract::ENV_LOG;
use crate::contract::ENV_LOG_FORMAT;
use crate::contract::ENV_POD_IP;
use crate::contract::ENV_PORT;
use crate::contract::ENV_PREFIX;
use crate::contract::ENV_ROLES_FILE;
use crate::contract::ENV_SESSION_DURATION;

mod aws;

pub use aws::*;

/// What is to be known about one setting.
#[derive(Debug)]
pub struct Setting {
    /// Without its dashes; none where `ps` would show a secret, and for AWS's variables.
    pub flag: Option<&'static str>,
    /// Empty for a flag that belongs to one call.
    pub variable: &'static str,
    /// What stands for the value in the help.
    pub value: &'static str,
    /// For people; empty for none.
    pub default: &'static str,
    pub meaning: &'static str,
    /// A value that would be right.
    pub example: &'static str,
}

pub static LISTEN: Setting = Setting {
    flag: Some("listen"),
    variable: ENV_LISTEN,
    value: "ADDRESS,…",
    default: "127.0.0.1:9911,[::1]:9911",
    meaning: "where credentials are served: a comma list of loopback and of AWS's link-local addresses, with ports",
    example: "127.0.0.1:9911,[::1]:9911",
};

pub static PORT: Setting = Setting {
    flag: Some("port"),
    variable: ENV_PORT,
    value: "PORT",
    default: "9911",
    meaning: "moves the default listeners to another port; not together with a list of listeners",
    example: "9911",
};

pub static ADMIN_LISTEN: Setting = Setting {
    flag: Some("admin-listen"),
    variable: ENV_ADMIN_LISTEN,
    value: "ADDRESS",
    default: "[::]:9912",
    meaning: "where health and metrics are served, never a credential; the default is 0.0.0.0 where IPv6 is not",
    example: "[::]:9912",
};

pub static SESSION_DURATION: Setting = Setting {
    flag: Some("session-duration"),
    variable: ENV_SESSION_DURATION,
    value: "DURATION",
    default: "1h",
    meaning: "how long a session lasts, 15m to 12h and not above the role's maximum; `max` asks for the longest that it allows",
    example: "1h",
};

pub static AUTHORIZATION_TOKEN_FILE: Setting = Setting {
    flag: Some("authorization-token-file"),
    variable: ENV_AUTHORIZATION_TOKEN_FILE,
    value: "FILE",
    default: "",
    meaning: "a file, followed as it changes, with the Authorization that requests must carry (several old SDKs cannot)",
    example: "/etc/irsa-sidecar/authorization-token",
};

pub static AUTHORIZATION_TOKEN: Setting = Setting {
    flag: None,
    variable: ENV_AUTHORIZATION_TOKEN,
    value: "VALUE",
    default: "",
    meaning: "the same, as a value; never a flag, which `ps` would show",
    example: "Z0m1vbfkVvUGiV2lNw",
};

pub static ALLOW_UNAUTHENTICATED: Setting = Setting {
    flag: Some("allow-unauthenticated"),
    variable: ENV_ALLOW_UNAUTHENTICATED,
    value: "ADDRESS,…",
    default: "",
    meaning: "those of the listeners that answer without the authorization token although one is set",
    example: "127.0.0.1:9911",
};

pub static IMDS: Setting = Setting {
    flag: Some("imds"),
    variable: ENV_IMDS,
    value: "off|optional|required",
    default: "optional",
    meaning: "what the IMDS listeners answer, in AWS's words: nothing (403), v1 and v2, or v2 alone",
    example: "optional",
};

pub static IMDS_UPSTREAM: Setting = Setting {
    flag: Some("imds-upstream"),
    variable: ENV_IMDS_UPSTREAM,
    value: "URL",
    default: "",
    meaning: "the node's metadata service, to which other paths are passed on: http://IP[%INTERFACE][:PORT]",
    example: "http://[fd00:ec2::254%eth0]",
};

pub static IMDS_UPSTREAM_ALLOW: Setting = Setting {
    flag: Some("imds-upstream-allow"),
    variable: ENV_IMDS_UPSTREAM_ALLOW,
    value: "PATH,…",
    default: "names, place and addresses",
    meaning: "the paths that may be, `/` at the end for all below, `default` for the default; never `iam`, `user-data`",
    example: "default,meta-data/tags/",
};

pub static IMDS_AVAILABILITY_ZONE: Setting = Setting {
    flag: Some("imds-availability-zone"),
    variable: ENV_IMDS_AVAILABILITY_ZONE,
    value: "ZONE",
    default: "",
    meaning: "the availability zone that IMDS tells; 404 without it",
    example: "eu-central-1a",
};

pub static IMDS_INSTANCE_ID: Setting = Setting {
    flag: Some("imds-instance-id"),
    variable: ENV_IMDS_INSTANCE_ID,
    value: "ID",
    default: "",
    meaning: "the instance id that IMDS tells; 404 without it",
    example: "i-0123456789abcdef0",
};

pub static IMDS_INSTANCE_TYPE: Setting = Setting {
    flag: Some("imds-instance-type"),
    variable: ENV_IMDS_INSTANCE_TYPE,
    value: "TYPE",
    default: "",
    meaning: "the instance type that IMDS tells; 404 without it",
    example: "m7g.large",
};

pub static ROLES_FILE: Setting = Setting {
    flag: Some("roles-file"),
    variable: ENV_ROLES_FILE,
    value: "FILE",
    default: "",
    meaning: "a YAML file, followed as it changes, with several roles, chains and session policies",
    example: "/etc/irsa-sidecar/roles.yaml",
};

pub static CREDENTIALS_FILE: Setting = Setting {
    flag: Some("credentials-file"),
    variable: ENV_CREDENTIALS_FILE,
    value: "FILE",
    default: "",
    meaning: "a shared credentials file to keep up to date, for software that reads nothing else: secrets on a volume",
    example: "/var/run/irsa-sidecar/credentials",
};

pub static DRAIN: Setting = Setting {
    flag: Some("drain"),
    variable: ENV_DRAIN,
    value: "DURATION",
    default: "0s",
    meaning: "how long to go on serving after SIGTERM",
    example: "25s",
};

pub static LOG: Setting = Setting {
    flag: Some("log"),
    variable: ENV_LOG,
    value: "off|error|warn|info|debug|trace",
    default: "info",
    meaning: "what is logged, to stderr",
    example: "info",
};

pub static LOG_FORMAT: Setting = Setting {
    flag: Some("log-format"),
    variable: ENV_LOG_FORMAT,
    value: "text|json",
    default: "text on a terminal, else json",
    meaning: "how it is logged",
    example: "json",
};

/// A flag of the commands that are about one role, without a variable: it belongs to one call.
pub static ROLE: Setting = Setting {
    flag: Some("role"),
    variable: "",
    value: "NAME",
    default: "default",
    meaning: "the role whose credentials are printed",
    example: "default",
};

/// A flag of the commands that wait, without a variable: it belongs to one call.
pub static WAIT: Setting = Setting {
    flag: Some("wait"),
    variable: "",
    value: "DURATION",
    default: "",
    meaning: "ask again until it is ready, for so long at most (5m when no duration is given)",
    example: "1m",
};

/// A flag of `exec`, without a value and without a variable: it belongs to one call.
pub static NO_AUTHORIZATION_TOKEN: Setting = Setting {
    flag: Some("no-authorization-token"),
    variable: "",
    value: "",
    default: "",
    meaning: "serve without the authorization token",
    example: "",
};

/// A flag of `net-init`, without a value and without a variable: it belongs to one call.
pub static REMOVE: Setting = Setting {
    flag: Some("remove"),
    variable: "",
    value: "",
    default: "",
    meaning: "take the addresses off lo again",
    example: "",
};

/// The same.
pub static HOST: Setting = Setting {
    flag: Some("host"),
    variable: "",
    value: "",
    default: "",
    meaning: "do it although this is, or looks like, the network namespace of the node",
    example: "",
};

/// Flags of `webhook`.
pub static WEBHOOK_LISTEN: Setting = Setting {
    flag: Some("listen"),
    variable: "",
    value: "ADDRESS",
    default: "[::]:8443",
    meaning: "where reviews are taken, over TLS; the default is 0.0.0.0 where IPv6 is not",
    example: "[::]:8443",
};

pub static TLS_CERT_FILE: Setting = Setting {
    flag: Some("tls-cert-file"),
    variable: "",
    value: "PATH",
    default: "/etc/irsa-sidecar/tls/tls.crt",
    meaning: "the serving certificate and its chain (PEM); read again as it changes",
    example: "/etc/irsa-sidecar/tls/tls.crt",
};

pub static TLS_KEY_FILE: Setting = Setting {
    flag: Some("tls-key-file"),
    variable: "",
    value: "PATH",
    default: "/etc/irsa-sidecar/tls/tls.key",
    meaning: "its private key (PEM)",
    example: "/etc/irsa-sidecar/tls/tls.key",
};

/// A variable for `net-init`, of the downward API's.
pub static POD_IP: Setting = Setting {
    flag: None,
    variable: ENV_POD_IP,
    value: "ADDRESS",
    default: "",
    meaning: "It is the pod's address: a fieldRef to status.podIP",
    example: "10.0.0.7",
};

/// The same.
pub static HOST_IP: Setting = Setting {
    flag: None,
    variable: ENV_HOST_IP,
    value: "ADDRESS",
    default: "",
    meaning: "It is the node's address: a fieldRef to status.hostIP",
    example: "10.0.0.1",
};

/// Ours, in the order of the help.
pub static SETTINGS: [&Setting; 18] = [
    &LISTEN,
    &PORT,
    &ADMIN_LISTEN,
    &SESSION_DURATION,
    &AUTHORIZATION_TOKEN_FILE,
    &AUTHORIZATION_TOKEN,
    &ALLOW_UNAUTHENTICATED,
    &IMDS,
    &IMDS_UPSTREAM,
    &IMDS_UPSTREAM_ALLOW,
    &IMDS_AVAILABILITY_ZONE,
    &IMDS_INSTANCE_ID,
    &IMDS_INSTANCE_TYPE,
    &ROLES_FILE,
    &CREDENTIALS_FILE,
    &DRAIN,
    &LOG,
    &LOG_FORMAT,
];

/// The tables of docs/settings.md, in Markdown.
pub fn settings_table() -> String {
    let mut table = String::from("| flag | variable | default | means |\n|---|---|---|---|\n");
    for setting in SETTINGS {
        let flag = setting.flag.map_or("—".to_owned(), |flag| format!("`--{flag}`"));
        let default = match setting.default {
            "" => "none".to_owned(),
            words if words.contains(' ') => words.to_owned(),
            value => format!("`{value}`"),
        };
        let meaning = setting.meaning;
        row(&mut table, &[&flag, &format!("`{}`", setting.variable), &default, meaning]);
    }
    table.push_str("\n| AWS's variable | means |\n|---|---|\n");
    for setting in AWS_SETTINGS {
        row(&mut table, &[&format!("`{}`", setting.variable), setting.meaning]);
    }
    table
}

impl Setting {
    /// One for each setting, whether it has a variable or not.
    pub fn name(&self) -> &'static str {
        self.flag.unwrap_or(self.variable)
    }

    pub fn is_ours(&self) -> bool {
        self.variable.starts_with(ENV_PREFIX)
    }
}

fn row(table: &mut String, cells: &[&str]) {
    writeln!(table, "| {} |", cells.join(" | ")).expect("writing to a String must succeed");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_of_ours_in_the_contract_is_a_setting() {
        let in_contract: Vec<&str> = include_str!("../contract.rs")
            .split('"')
            .filter(|text| text.starts_with(ENV_PREFIX) && *text != ENV_PREFIX)
            .collect();
        let mut known: Vec<&str> = SETTINGS.iter().map(|setting| setting.variable).collect();
        assert!(in_contract.len() > 10);
        for variable in &in_contract {
            assert!(known.contains(variable), "{variable}");
        }
        known.sort_unstable();
        known.dedup();
        assert_eq!(known.len(), in_contract.len());
    }

    #[test]
    fn a_flag_and_its_variable_say_the_same() {
        for setting in SETTINGS {
            let Some(flag) = setting.flag else { continue };
            let expected = format!("{ENV_PREFIX}{}", flag.replace('-', "_").to_uppercase());
            assert_eq!(setting.variable, expected);
        }
    }

    #[test]
    fn every_cell_of_the_table_keeps_its_row_on_one_line() {
        for line in settings_table().lines().filter(|line| !line.is_empty()) {
            assert!(line.starts_with('|') && line.ends_with('|'), "{line}");
            assert!(!line.contains("  "), "{line}");
        }
    }
}

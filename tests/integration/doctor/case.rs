//! One pitfall, as its directory says it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use support::sts::Fault;

/// In the order of the report.
const CHECKS: [&str; 11] = [
    "environment",
    "sdk-chain",
    "token-file",
    "token",
    "issuer",
    "network",
    "exchange",
    "trust-policy",
    "identity",
    "sidecar",
    "node-metadata",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    pub(super) situation: String,
    /// What the machine must have.
    #[serde(default)]
    pub(super) needs: Option<String>,
    /// A file with the role's own policy, in place of the usual one.
    #[serde(default)]
    pub(super) trust_policy: Option<String>,
    /// The roles that there are, in place of the usual one.
    #[serde(default)]
    pub(super) roles: Vec<String>,
    #[serde(default)]
    pub(super) tls: bool,
    #[serde(default)]
    pub(super) setup: Vec<Setup>,
    #[serde(default)]
    pub(super) environment: Environment,
    /// The variables of another process, which `--against` names.
    #[serde(default)]
    pub(super) process: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub(super) arguments: Vec<String>,
    /// The token's volume is a mount, as the kubelet makes one; this takes root.
    #[serde(default)]
    pub(super) mounted: bool,
    /// In a network namespace with nothing in it; this takes root.
    #[serde(default)]
    pub(super) isolated: bool,
    /// The user that doctor runs as.
    #[serde(default)]
    pub(super) user: Option<u32>,
    pub(super) expect: Expected,
    #[serde(skip)]
    pub(super) directory: PathBuf,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Environment {
    #[serde(default)]
    pub(super) set: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) unset: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "do")]
pub(super) enum Setup {
    /// Nobody reaches STS: what is sent there is swallowed.
    BlackHole,
    /// Others than the owner may enter the directories on the way to the token.
    Enterable,
    Fault {
        fault: Fault,
    },
    NodeImds,
    /// An operator's keys in the environment, of the account 111122223333, and IAM at the emulator.
    Operator,
    /// A proxy before STS, in the variable of this name; it answers this status to everything, if it is given.
    Proxy {
        variable: String,
        refuses: Option<u16>,
    },
    /// STS refuses connections.
    Refuse,
    RefuseIssuer,
    /// The issuer signs with new keys, and publishes no others.
    RotateKeys,
    /// A real sidecar, to which the application is pointed.
    Sidecar,
    /// The clock of STS and of the API server, beside this machine's.
    Skew {
        seconds: i64,
    },
    /// STS is asked by an address that is none of loopback's.
    StsInClear,
    Token(TokenChange),
    /// What stands in the file, with `${TOKEN}`, or `${TOKEN_IN_BASE64}`, for the token.
    TokenFile {
        content: String,
    },
    TokenOfAnotherCluster,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenChange {
    pub(super) audience: Option<String>,
    pub(super) expired_for_seconds: Option<u64>,
    pub(super) age_seconds: Option<u64>,
    pub(super) life_seconds: Option<u64>,
    pub(super) starting_in_seconds: Option<u64>,
    #[serde(default)]
    pub(super) forged: bool,
    /// A plain file in place of the kubelet's volume.
    #[serde(default)]
    pub(super) copy: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expected {
    pub(super) exit: i32,
    /// `CHECK CODE` of all that is a warning or broken, and of nothing else.
    pub(super) fails: Vec<String>,
    /// Words of a mend.
    pub(super) mend: String,
    /// Words of what one of the checks found.
    #[serde(default)]
    pub(super) found: String,
    #[serde(default)]
    pub(super) causes: Vec<String>,
    /// Codes of what is said of a trust policy's lines.
    #[serde(default)]
    pub(super) remarks: Vec<String>,
    /// Where the first line of a trust policy that fails parts from the token.
    #[serde(default)]
    pub(super) differs_at: Option<u64>,
}

impl Case {
    pub(super) fn read(directory: &Path) -> Self {
        let path = directory.join("case.json");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let case: Self =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { directory: directory.to_owned(), ..case }
    }

    pub(super) fn fails(&self) -> bool {
        !self.expect.fails.is_empty()
    }

    /// Where the first check that fails stands in the report.
    pub(super) fn first_check(&self) -> Option<usize> {
        let check = self.expect.fails.first()?.split(' ').next()?;
        CHECKS.iter().position(|name| *name == check)
    }

    /// Its row of the table for people.
    pub(super) fn row(&self) -> String {
        let code = |text: &String| format!("`{text}`");
        let list = |texts: &[String]| texts.iter().map(code).collect::<Vec<_>>().join(", ");
        let causes = if self.expect.causes.is_empty() { "—".to_owned() } else { list(&self.expect.causes) };
        format!(
            "| {} | {} | {causes} | … {} … |\n",
            list(&self.expect.fails),
            self.situation,
            self.expect.mend.replace('|', "\\|")
        )
    }
}

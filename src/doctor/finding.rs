//! What a check says: what it looked at, what it found, and how to mend it.

use serde::Serialize;

use crate::doctor::text::without_labels;
use crate::doctor::text::wrapped;
use crate::harmless::harmless;
use crate::trust_policy::Verdict;

/// The code of a check that is left out with `--offline`.
pub(super) const NOT_ASKED: &str = "Offline";

/// The checks, in the order in which data flows.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Check {
    Environment,
    SdkChain,
    TokenFile,
    Token,
    Issuer,
    Network,
    Exchange,
    TrustPolicy,
    Identity,
    Sidecar,
    NodeMetadata,
}

/// How bad it is. Broken is what stops the exchange, or a client in this environment, from working, and nothing else.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Severity {
    /// It could not be looked at, or need not be.
    Skipped,
    Fine,
    Note,
    Warning,
    Broken,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Finding {
    pub check: Check,
    pub severity: Severity,
    /// Stable.
    pub code: &'static str,
    pub looked_at: String,
    pub found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
    /// Where the answer leaves several: all of them, likeliest first. None of them is certain.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Cause>,
    /// All causes but the first in one line, where people need no more of them.
    #[serde(skip)]
    pub besides: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust_policy: Option<Verdict>,
}

/// One of several things that it can be.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(super) struct Cause {
    /// Stable.
    pub code: &'static str,
    pub what: String,
    pub mend: String,
    /// What would tell it from the others.
    pub told_apart_by: String,
}

impl Check {
    /// Those that ask somebody.
    pub(super) const ONLINE: [Self; 6] =
        [Self::Issuer, Self::Network, Self::Exchange, Self::Identity, Self::Sidecar, Self::NodeMetadata];

    /// As it is shown and named in JSON.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::SdkChain => "sdk-chain",
            Self::TokenFile => "token-file",
            Self::Token => "token",
            Self::Issuer => "issuer",
            Self::Network => "network",
            Self::Exchange => "exchange",
            Self::TrustPolicy => "trust-policy",
            Self::Identity => "identity",
            Self::Sidecar => "sidecar",
            Self::NodeMetadata => "node-metadata",
        }
    }

    pub(super) fn fine(self, looked_at: impl Into<String>, found: impl Into<String>) -> Finding {
        self.finding(Severity::Fine, "Fine", looked_at, found)
    }

    pub(super) fn skipped(self, looked_at: impl Into<String>, why: impl Into<String>) -> Finding {
        self.finding(Severity::Skipped, "Skipped", looked_at, why)
    }

    pub(super) fn not_asked(self) -> Finding {
        self.finding(Severity::Skipped, NOT_ASKED, "--offline", "It is not looked at: it asks somebody.")
    }

    pub(super) fn finding(
        self,
        severity: Severity,
        code: &'static str,
        looked_at: impl Into<String>,
        found: impl Into<String>,
    ) -> Finding {
        let (looked_at, found) = (harmless(&looked_at.into()), harmless(&found.into()));
        Finding {
            check: self,
            severity,
            code,
            looked_at,
            found,
            mend: None,
            causes: Vec::new(),
            besides: None,
            trust_policy: None,
        }
    }
}

impl Finding {
    #[must_use]
    pub(super) fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(harmless(&mend.into()));
        self
    }

    #[must_use]
    pub(super) fn causes(mut self, causes: Vec<Cause>) -> Self {
        self.causes = causes;
        self
    }

    /// As paragraphs of this width; the first line is the finding's own.
    pub(super) fn lines(&self, width: usize) -> Vec<String> {
        let mut lines = wrapped(&without_labels(&self.found), width, "", "  ");
        if let Some(policy) = &self.trust_policy {
            lines.extend(super::trust::lines(policy, width));
        }
        if let Some(mend) = &self.mend {
            lines.extend(wrapped(mend, width, "mend: ", "      "));
        }
        let told = if self.besides.is_some() { 1 } else { self.causes.len() };
        for (index, cause) in self.causes.iter().take(told).enumerate() {
            let number = if told == 1 { String::new() } else { format!("{}. ", index + 1) };
            let indent = " ".repeat(number.len());
            let what = format!("{} [{}]", without_labels(&cause.what), cause.code);
            lines.extend(wrapped(&what, width, &number, &format!("{indent}  ")));
            let mut put = |text: &str, first: &str| {
                lines.extend(wrapped(text, width, first, &" ".repeat(first.len())));
            };
            put(&cause.mend, &format!("{indent}mend: "));
            if !cause.told_apart_by.is_empty() {
                put(&cause.told_apart_by, &format!("{indent}to check: "));
            }
        }
        lines.extend(self.besides.iter().flat_map(|besides| wrapped(besides, width, "", "")));
        lines
    }
}

impl Cause {
    pub(super) fn new(
        code: &'static str,
        what: impl Into<String>,
        mend: impl Into<String>,
        told_apart_by: impl Into<String>,
    ) -> Self {
        let [what, mend, told_apart_by] =
            [what.into(), mend.into(), told_apart_by.into()].map(|text| harmless(&text));
        Self { code, what, mend, told_apart_by }
    }
}

//! What a sidecar's `/status` says of its roles, as far as it matters here. Whoever listens there may say anything: the
//! mend is ours, by the code.

use serde::Deserialize;

use crate::contract::STATUS_SCHEMA;
use crate::doctor::finding::Check;
use crate::doctor::finding::Finding;
use crate::doctor::finding::Severity::Broken;
use crate::doctor::finding::Severity::Warning;
use crate::sts::ErrorKind;
use crate::sts::given::shorten;

#[derive(Deserialize)]
pub(super) struct Status {
    schema: u32,
    roles: Vec<Role>,
}

#[derive(Deserialize)]
struct Role {
    name: String,
    is_ready: bool,
    problem: Option<Problem>,
}

#[derive(Deserialize)]
struct Problem {
    code: String,
    message: String,
}

/// So many are told one by one.
const MOST: usize = 20;

impl Status {
    /// None where it is not of our form.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok().filter(|status: &Self| status.schema == STATUS_SCHEMA)
    }

    /// A role without credentials is broken where it is this client's own that was refused.
    pub(super) fn findings(&self, looked_at: &str, is_own_refused: bool) -> Vec<Finding> {
        let wrong = self.roles.iter().filter(|role| !role.is_ready || role.problem.is_some());
        let mut findings: Vec<Finding> = wrong
            .take(MOST)
            .map(|role| {
                let (severity, stable) = match role.is_ready {
                    true => (Warning, "SidecarRefreshFails"),
                    false if is_own_refused => (Broken, "SidecarRoleMissing"),
                    false => (Warning, "SidecarRoleMissing"),
                };
                let said =
                    role.problem.as_ref().map(|problem| format!(": {}: {}", problem.code, problem.message));
                let found = format!("Role {}{}.", shorten(&role.name), shorten(&said.unwrap_or_default()));
                Check::Sidecar.finding(severity, stable, looked_at, found).mend(mend(role.problem.as_ref()))
            })
            .collect();
        if findings.is_empty() {
            let found = format!("It holds credentials for all of its roles ({}).", self.roles.len());
            findings.push(Check::Sidecar.fine(looked_at, found));
        }
        findings
    }
}

fn mend(problem: Option<&Problem>) -> &'static str {
    let kind =
        problem.and_then(|problem| ErrorKind::ALL.into_iter().find(|kind| kind.code() == problem.code));
    kind.map_or("Its log says more: kubectl logs POD -c irsa-sidecar.", ErrorKind::mend)
}

//! A review and its verdict: the pod, its ServiceAccount, and what `inject` says of them.

use serde_json::Value;

use crate::inject::Injection;
use crate::inject::Settings;
use crate::inject::inject;
use crate::inject::service_account_name;
use crate::inject::wants;
use crate::webhook::accounts::Accounts;
use crate::webhook::metrics::Outcome;
use crate::webhook::review::Asks;
use crate::webhook::review::Review;
use crate::webhook::review::Verdict;

pub(super) struct Reviewer {
    /// For clusters with native sidecars, and without.
    settings: [Settings; 2],
    accounts: Accounts,
}

impl Reviewer {
    pub(super) fn new(settings: Settings, accounts: Accounts) -> Self {
        let ordinary = Settings { native_sidecars: false, ..settings.clone() };
        let native = Settings { native_sidecars: true, ..settings };
        Self { settings: [ordinary, native], accounts }
    }

    pub(super) async fn review(&self, review: &Review, native_sidecars: bool) -> (Verdict, Outcome) {
        let untouched = Verdict::Allowed { patch: Vec::new(), warnings: Vec::new() };
        let Asks::Pod(pod) = &review.asks else { return (untouched, Outcome::Untouched) };
        if !wants(pod) {
            return (untouched, Outcome::Untouched);
        }
        let (verdict, outcome) = self.verdict(pod, &review.namespace, native_sidecars).await;
        log(pod, review, &verdict, outcome);
        (verdict, outcome)
    }

    async fn verdict(&self, pod: &Value, namespace: &str, native_sidecars: bool) -> (Verdict, Outcome) {
        let account = match self.accounts.get(namespace, service_account_name(pod)).await {
            Ok(account) => account,
            Err(error) => return (Verdict::Refused(error.to_string()), Outcome::Failed),
        };
        let settings = &self.settings[usize::from(native_sidecars)];
        match inject(pod, namespace, account.as_ref(), settings) {
            Ok(Injection { patch, warnings }) => {
                let outcome = if patch.is_empty() { Outcome::Untouched } else { Outcome::Injected };
                (Verdict::Allowed { patch, warnings }, outcome)
            }
            Err(refusal) => (Verdict::Refused(refusal.0), Outcome::Refused),
        }
    }
}

/// One line for each pod; never the pod itself.
fn log(pod: &Value, review: &Review, verdict: &Verdict, outcome: Outcome) {
    let text = |field: &str| pod["metadata"][field].as_str().filter(|name| !name.is_empty());
    let name = text("name").or_else(|| text("generateName")).unwrap_or_default();
    let (namespace, result) = (review.namespace.as_str(), outcome.name());
    let service_account = service_account_name(pod);
    match verdict {
        Verdict::Allowed { warnings, .. } => tracing::info!(
            namespace,
            pod = name,
            service_account,
            uid = review.uid,
            result,
            warnings = warnings.len(),
            "reviewed"
        ),
        Verdict::Refused(why) => {
            tracing::warn!(
                namespace,
                pod = name,
                service_account,
                uid = review.uid,
                result,
                "refused: {why}"
            );
        }
    }
}

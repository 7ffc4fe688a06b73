//! ServiceAccounts: a watch on their metadata, and a direct question where it has not seen one; a door to kube.
//!
//! Of each that has annotations of `eks.amazonaws.com` those alone are kept, as text. Whatever is not there is asked for:
//! a pod may come in the same second as its ServiceAccount, and the watch some milliseconds later. While the watch is
//! broken every one is asked for, and what is held is used only if no answer comes.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use futures_util::StreamExt;
use k8s_openapi::api::core::v1::ServiceAccount as Resource;
use kube::Api;
use kube::Client;
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher;
use kube::runtime::watcher::Config;
use kube::runtime::watcher::Event;
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::contract::EKS_ANNOTATION_PREFIX;
use crate::inject::ServiceAccount;
use crate::webhook::cluster::PATIENCE;
use crate::webhook::metrics::Lookup;
use crate::webhook::metrics::Metrics;

/// Direct questions at one time; the others wait, within their patience.
const MAX_QUESTIONS: usize = 32;

#[derive(Clone)]
pub(super) struct Accounts {
    client: Client,
    store: Arc<Mutex<Store>>,
    questions: Arc<Semaphore>,
    metrics: Metrics,
}

/// Nobody could be asked.
#[derive(Debug, Error)]
#[error("ServiceAccount {0} cannot be read from the API server: {1}; try again")]
pub(super) struct LookupError(String, String);

#[derive(Default)]
struct Store {
    /// By `NAMESPACE/NAME`; annotations as JSON, a sixth of a map's size.
    held: HashMap<Box<str>, Box<str>>,
    /// A list that is not complete yet.
    incoming: HashMap<Box<str>, Box<str>>,
    is_current: bool,
}

type Metadata = PartialObjectMeta<Resource>;

impl Accounts {
    pub(super) fn new(client: Client, metrics: Metrics) -> Self {
        let questions = Arc::new(Semaphore::new(MAX_QUESTIONS));
        Self { client, store: Arc::default(), questions, metrics }
    }

    /// None where there is no such ServiceAccount.
    pub(super) async fn get(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<ServiceAccount>, LookupError> {
        let key = format!("{namespace}/{name}");
        let (held, is_current) = {
            let store = self.store();
            (store.held.get(key.as_str()).map(|annotations| read(annotations)), store.is_current)
        };
        if is_current && held.is_some() {
            self.metrics.looked_up(Lookup::Watch);
            return Ok(held);
        }
        match (self.ask(namespace, name).await, held) {
            (Ok(Some(annotations)), _) => {
                self.metrics.looked_up(Lookup::Direct);
                Ok(Some(ServiceAccount { annotations }))
            }
            (Ok(None), _) => {
                self.metrics.looked_up(Lookup::Missing);
                Ok(None)
            }
            (Err(_), Some(held)) => {
                self.metrics.looked_up(Lookup::Watch);
                Ok(Some(held))
            }
            (Err(why), None) => {
                self.metrics.looked_up(Lookup::Failed);
                Err(LookupError(key, why))
            }
        }
    }

    async fn ask(&self, namespace: &str, name: &str) -> Result<Option<BTreeMap<String, String>>, String> {
        let api: Api<Resource> = Api::namespaced(self.client.clone(), namespace);
        let question = async {
            let _place = self.questions.acquire().await.map_err(|error| error.to_string())?;
            api.get_metadata_opt(name).await.map_err(|error| error.to_string())
        };
        let answer = timeout(PATIENCE, question).await;
        let answer = answer.map_err(|_| format!("no answer within {} s", PATIENCE.as_secs()))??;
        Ok(answer.map(|object| object.metadata.annotations.unwrap_or_default()))
    }

    /// Follows them until dropped; rings once the first list is complete.
    pub(super) async fn follow(self, listed: watch::Sender<bool>) {
        let api: Api<Metadata> = Api::all(self.client.clone());
        let mut events = watcher(api, Config::default()).default_backoff().boxed();
        let mut told = String::new();
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => {
                    let is_complete = matches!(event, Event::InitDone);
                    let known = self.store().take(event);
                    self.metrics.knows(known);
                    if is_complete {
                        tracing::info!(service_accounts = known, "the list of ServiceAccounts is complete");
                        listed.send_replace(true);
                        told.clear();
                    }
                }
                Err(error) => {
                    self.store().is_current = false;
                    self.metrics.watch_failed();
                    let error = error.to_string();
                    if error != told {
                        tracing::warn!(
                            code = "WatchFailed",
                            "the watch on ServiceAccounts failed: {error}; trying again"
                        );
                        told = error;
                    }
                }
            }
        }
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// How many are held after it.
    fn take(&mut self, event: Event<Metadata>) -> usize {
        match event {
            Event::Init => {
                self.incoming.clear();
                self.is_current = false;
            }
            Event::InitApply(object) => keep(&mut self.incoming, &object),
            Event::InitDone => {
                self.held = std::mem::take(&mut self.incoming);
                self.held.shrink_to_fit();
                self.is_current = true;
            }
            Event::Apply(object) => {
                keep(&mut self.held, &object);
                self.is_current = true;
            }
            Event::Delete(object) => {
                self.held.remove(key(&object).as_str());
                self.is_current = true;
            }
        }
        self.held.len()
    }
}

/// Of one without annotations of interest nothing is kept.
fn keep(into: &mut HashMap<Box<str>, Box<str>>, object: &Metadata) {
    let annotations = object.metadata.annotations.iter().flatten();
    let annotations: BTreeMap<_, _> =
        annotations.filter(|(name, _)| name.starts_with(EKS_ANNOTATION_PREFIX)).collect();
    let key = key(object).into_boxed_str();
    match serde_json::to_string(&annotations) {
        Ok(text) if !annotations.is_empty() => drop(into.insert(key, text.into_boxed_str())),
        _ => drop(into.remove(&key)),
    }
}

fn key(object: &Metadata) -> String {
    let part = |part: &Option<String>| part.clone().unwrap_or_default();
    format!("{}/{}", part(&object.metadata.namespace), part(&object.metadata.name))
}

fn read(annotations: &str) -> ServiceAccount {
    ServiceAccount { annotations: serde_json::from_str(annotations).unwrap_or_default() }
}

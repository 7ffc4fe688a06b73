//! The API server: how to reach it, and its version; a door to kube.

use std::time::Duration;

use kube::Client;
use kube::Config;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio::time::timeout;

use crate::contract::NATIVE_SIDECARS_SINCE;
use crate::inject::version;

/// One question.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
const CONNECT: Duration = Duration::from_secs(2);
/// A cluster is upgraded once in some months; until its version is known nobody is served.
const AGAIN: Duration = Duration::from_secs(600);
const SOON: Duration = Duration::from_secs(2);

/// From the pod's own ServiceAccount, else from `KUBECONFIG` or `~/.kube/config`.
pub(super) async fn client() -> Result<Client, String> {
    let mut config = Config::infer().await.map_err(|error| error.to_string())?;
    config.connect_timeout = Some(CONNECT);
    Client::try_from(config).map_err(|error| error.to_string())
}

/// Whether the cluster has native sidecars, asked again and again, until dropped.
pub(super) async fn follow_version(client: Client, native: watch::Sender<Option<bool>>) {
    let mut told = String::new();
    loop {
        let asked = timeout(PATIENCE, client.apiserver_version()).await;
        let answer = match asked {
            Ok(Ok(info)) => {
                version(&format!("{}.{}", info.major, info.minor)).map(|version| (version, info.git_version))
            }
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
        };
        match answer {
            Ok((version, name)) => {
                told.clear();
                let is_native = version >= NATIVE_SIDECARS_SINCE;
                if native.borrow().is_none_or(|known| known != is_native) {
                    tracing::info!(
                        version = name,
                        native_sidecars = is_native,
                        "the API server has answered"
                    );
                    native.send_replace(Some(is_native));
                }
            }
            Err(error) if error != told => {
                tracing::warn!(
                    code = "ApiServerUnreachable",
                    "the API server does not tell its version: {error}"
                );
                told = error;
            }
            Err(_) => {}
        }
        sleep(if native.borrow().is_some() { AGAIN } else { SOON }).await;
    }
}

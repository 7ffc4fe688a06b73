//! CPU from exec to the first answers. STS's own work is another process's, and not counted.

use std::net::SocketAddr;
use std::time::Duration;

use support::raw::RawClient;
use tokio::time::timeout;

use crate::Result;
use crate::build::Variant;
use crate::pod::{AUTHORIZATION, Pod};
use crate::process::cpu;
use crate::table::{Measured, Table, least, median};

/// Longer than this is a hang.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn measure(variants: &[Variant], starts: usize, table: &mut Table) -> Result<()> {
    // Without a token nothing else goes on while `/live` is asked for.
    let pods = [(Pod::without_token().await?, false), (Pod::start().await?, true)];
    for (pod, to_credentials) in &pods {
        let (figure, target) = match to_credentials {
            false => ("CPU from exec to /live", 2.5),
            true => ("CPU from exec to the first credentials, HTTPS", 6.0),
        };
        let mut taken = vec![Vec::new(); variants.len()];
        // The first start of each brings its pages into memory.
        for round in 0..=starts {
            for (variant, taken) in variants.iter().zip(&mut taken) {
                let millis = start(pod, variant, *to_credentials).await?;
                if round > 0 {
                    taken.push(millis);
                }
            }
        }
        for (variant, taken) in variants.iter().zip(taken) {
            let measured = Measured { value: median(taken.iter().copied()), digits: 2, unit: "ms" };
            let beside = format!("least of {starts}: {:.2} ms", least(taken));
            table.at_most(figure, &variant.name, measured, target, beside);
        }
    }
    Ok(())
}

/// In milliseconds.
async fn start(pod: &Pod, variant: &Variant, to_credentials: bool) -> Result<f64> {
    let sidecar = pod.sidecar(variant)?;
    let (address, path) = match to_credentials {
        false => (sidecar.admin, "/live"),
        true => (sidecar.container, "/v1/credentials"),
    };
    let answered = timeout(PATIENCE, until_answered(address, path)).await;
    let taken = cpu(sidecar.pid)?;
    answered.map_err(|_| format!("no 200 from {path}; the log:\n{}", sidecar.process.output()))?;
    Ok(taken.as_secs_f64() * 1e3)
}

/// Without a pause between attempts: what the sidecar does after the answer must not count.
async fn until_answered(address: SocketAddr, path: &str) {
    loop {
        if let Ok(mut client) = RawClient::connect(address).await
            && let Ok(response) = client.request("GET", path, &[("Authorization", AUTHORIZATION)]).await
            && response.status == 200
        {
            return;
        }
        tokio::task::yield_now().await;
    }
}

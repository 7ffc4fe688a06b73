//! CPU per request, with every guard, metrics and authorization, beside nginx.
//!
//! In each round every server is loaded in turn; a ratio is taken within its round, and the median of them counts.

use std::iter::once;
use std::net::SocketAddr;
use std::time::Duration;

use support::raw::RawClient;

use crate::Result;
use crate::build::Variant;
use crate::load::{Load, Served, Tools};
use crate::nginx::Nginx;
use crate::pod::{AUTHORIZATION, Pod};
use crate::table::{Measured, Table, median};

const CONNECTIONS: usize = 16;
const KEEP_ALIVE: Load = Load { connections: CONNECTIONS, keep_alive: true, time: Duration::from_secs(2) };
const CLOSING: Load = Load { keep_alive: false, ..KEEP_ALIVE };
const FIGURES: [(&str, Load, f64); 2] = [
    ("CPU per request / nginx's, keep-alive, 16 conn.", KEEP_ALIVE, 1.05),
    ("CPU per request / nginx's, one conn. each", CLOSING, 1.15),
];

pub(crate) async fn measure(
    tools: &Tools,
    variants: &[Variant],
    rounds: usize,
    table: &mut Table,
) -> Result<()> {
    let pod = Pod::start().await?;
    let mut sidecars = Vec::new();
    for variant in variants {
        let mut sidecar = pod.sidecar(variant)?;
        sidecar.wait_until_ready().await?;
        tools.pin(sidecar.pid).await?;
        sidecars.push(sidecar);
    }
    let nginx = Nginx::start(tools, &body(sidecars[0].container).await?).await?;
    tools.pin(nginx.pid).await?;

    let ours = sidecars.iter().map(|sidecar| (sidecar.pid, sidecar.container));
    let servers: Vec<(u32, SocketAddr)> = once((nginx.pid, nginx.address)).chain(ours).collect();
    for (figure, load, target) in FIGURES {
        // One value for each server in each round; the first round only warms up.
        let mut served: Vec<Vec<Served>> = vec![Vec::new(); servers.len()];
        for round in 0..=rounds {
            for turn in 0..servers.len() {
                let index = (turn + round) % servers.len();
                let (pid, address) = servers[index];
                let result = tools.load(load, pid, address).await?;
                if round > 0 {
                    served[index].push(result);
                }
            }
        }
        let of_nginx = &served[0];
        for (variant, of_ours) in variants.iter().zip(&served[1..]) {
            let ratios = of_ours.iter().zip(of_nginx).map(|(a, b)| a.cpu_per_request / b.cpu_per_request);
            let cpu = |of: &[Served]| median(of.iter().map(|served| served.cpu_per_request));
            let beside = format!(
                "{:.2} µs; nginx {:.2} µs ({:.1} million requests)",
                cpu(of_ours),
                cpu(of_nginx),
                of_ours.iter().map(|served| served.requests).sum::<f64>() / 1e6
            );
            let measured = Measured { value: median(ratios), digits: 3, unit: "×" };
            table.at_most(figure, &variant.name, measured, target, beside);
        }
    }
    Ok(())
}

async fn body(address: SocketAddr) -> Result<String> {
    let mut client = RawClient::connect(address).await?;
    let response = client.request("GET", "/v1/credentials", &[("Authorization", AUTHORIZATION)]).await?;
    if response.status == 200 { Ok(response.text()) } else { Err(response.text().into()) }
}

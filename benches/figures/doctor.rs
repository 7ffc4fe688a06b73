//! How long a person waits for `doctor`.

use std::process::Stdio;
use std::time::{Duration, Instant};

use support::sts::Fault;
use support::world::World;
use tokio::process::Command;

use crate::Result;
use crate::build::Variant;
use crate::table::{Measured, Table, least, median};

const RUNS: usize = 15;
/// STS's own time for each call, as from another continent.
const LATENCY: Duration = Duration::from_millis(200);

pub(crate) async fn measure(variants: &[Variant], table: &mut Table) -> Result<()> {
    let world = World::builder().tls().start().await?;
    world.sts.inject(Fault::latency(LATENCY));
    for variant in variants {
        let offline = waited(variant, &world, &["doctor", "--offline"]).await?;
        let measured = Measured { value: median(offline.iter().copied()), digits: 1, unit: "ms" };
        let beside = format!("least of {RUNS}: {:.1} ms", least(offline));
        table.at_most("doctor --offline", &variant.name, measured, 50.0, beside);
        let online = waited(variant, &world, &["doctor"]).await?;
        let latency = LATENCY.as_secs_f64() * 1e3;
        let measured = Measured { value: median(online.iter().copied()), digits: 0, unit: "ms" };
        let beside = format!("the exchange takes {latency:.0} ms, and as long again who it is");
        table.at_most(
            "doctor, STS answering after 200 ms",
            &variant.name,
            measured,
            2.0 * latency + 50.0,
            beside,
        );
    }
    Ok(())
}

/// In milliseconds, by the clock on the wall.
async fn waited(variant: &Variant, world: &World, arguments: &[&str]) -> Result<Vec<f64>> {
    let mut all = Vec::new();
    for _ in 0..RUNS {
        let mut command = Command::new(&variant.path);
        command.args(arguments).env_clear().envs(world.env()).stdout(Stdio::null()).stderr(Stdio::null());
        let began = Instant::now();
        let status = command.status().await?;
        all.push(began.elapsed().as_secs_f64() * 1e3);
        if !status.success() {
            return Err(format!("doctor ended with {status}").into());
        }
    }
    Ok(all)
}

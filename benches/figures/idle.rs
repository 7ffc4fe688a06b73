//! A sidecar that nobody asks for anything: memory after an HTTPS exchange and after a spike, wake-ups.

use std::process::Command;
use std::time::Duration;

use tokio::time::sleep;

use crate::Result;
use crate::build::{Variant, run};
use crate::load::{Load, Tools};
use crate::pod::Pod;
use crate::process;
use crate::process::Memory;
use crate::table::{Measured, Table};

/// tokio's thread for blocking work ends 10 s after its last task, and the sidecar's own beat comes each 30 s.
const SETTLED_AFTER: Duration = Duration::from_secs(35);
const WATCHED_FOR: Duration = Duration::from_secs(90);
const SPIKE: Load = Load { connections: 256, keep_alive: true, time: Duration::from_secs(1) };

const RESIDENT: f64 = 6000.0;
const ANONYMOUS: f64 = 1200.0;
const AFTER_SPIKE: f64 = 1.1;
const WAKE_UPS: f64 = 4.0;

pub(crate) async fn measure(tools: &Tools, variants: &[Variant], table: &mut Table) -> Result<()> {
    println!("idle      about three minutes");
    let pod = Pod::start().await?;
    let mut sidecars = Vec::new();
    for variant in variants {
        let mut sidecar = pod.sidecar(variant)?;
        sidecar.wait_until_ready().await?;
        sidecars.push(sidecar);
    }
    // The pages of a file that was just written count as the process's own until they are on disk.
    run(&mut Command::new("sync"))?;
    sleep(SETTLED_AFTER).await;

    let memory = || sidecars.iter().map(|sidecar| Ok(process::memory(sidecar.pid)?)).collect();
    let switches = || sidecars.iter().map(|sidecar| Ok(process::context_switches(sidecar.pid)?)).collect();
    let idle: Result<Vec<Memory>> = memory();
    let idle = idle?;
    let before: Result<Vec<f64>> = switches();
    let before = before?;
    sleep(WATCHED_FOR).await;
    let after: Result<Vec<f64>> = switches();
    let after = after?;
    for sidecar in &sidecars {
        tools.load(SPIKE, sidecar.pid, sidecar.container).await?;
    }
    sleep(SETTLED_AFTER).await;
    let spiked: Result<Vec<Memory>> = memory();
    let spiked = spiked?;

    let kilobytes = |value| Measured { value, digits: 0, unit: "kB" };
    for (index, variant) in variants.iter().enumerate() {
        let (idle, spiked, name) = (idle[index], spiked[index], &variant.name);
        let threads = format!("{} threads", process::threads(sidecars[index].pid)?);
        table.at_most("idle memory, resident", name, kilobytes(idle.resident), RESIDENT, threads);
        table.at_most("idle memory, anonymous", name, kilobytes(idle.anonymous), ANONYMOUS, "");
        for (figure, idle, spiked, beside) in [
            ("resident, after 256 connections / before", idle.resident, spiked.resident, spiked.peak),
            ("anonymous, after 256 connections / before", idle.anonymous, spiked.anonymous, f64::NAN),
        ] {
            let ratio = Measured { value: spiked / idle, digits: 3, unit: "×" };
            let peak = if beside.is_nan() { String::new() } else { format!(", at most {beside:.0} kB") };
            table.at_most(figure, name, ratio, AFTER_SPIKE, format!("{idle:.0} → {spiked:.0} kB{peak}"));
        }
        let a_minute = (after[index] - before[index]) / WATCHED_FOR.as_secs_f64() * 60.0;
        let beside = format!("{:.0} in {} s", after[index] - before[index], WATCHED_FOR.as_secs());
        let measured = Measured { value: a_minute, digits: 1, unit: "/min" };
        table.at_most("wake-ups, idle", name, measured, WAKE_UPS, beside);
    }
    Ok(())
}

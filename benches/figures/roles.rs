//! Fifty roles beside one: how much later all are held than the first, and what each costs in memory.

use std::time::{Duration, Instant};

use serde_json::Value;
use support::raw;
use tokio::time::{sleep, timeout};

use crate::Result;
use crate::build::Variant;
use crate::pod::{Pod, Sidecar};
use crate::process;
use crate::table::{Measured, Table, median};

const ROLES: usize = 50;
const STARTS: usize = 5;
/// As in `idle`: until the thread for blocking work has ended and the beat has given memory back.
const SETTLED_AFTER: Duration = Duration::from_secs(35);
const PATIENCE: Duration = Duration::from_secs(30);

const ALL_AFTER_THE_FIRST: f64 = 1000.0;
const MEMORY_PER_ROLE: f64 = 64.0;

pub(crate) async fn measure(variants: &[Variant], table: &mut Table) -> Result<()> {
    println!("roles     about a minute");
    let (one, many) = (Pod::with_roles(1).await?, Pod::with_roles(ROLES).await?);
    for variant in variants {
        let mut apart = Vec::new();
        for _ in 0..STARTS {
            apart.push(timeout(PATIENCE, first_to_last(&many.sidecar(variant)?)).await??);
        }
        let measured = Measured { value: median(apart), digits: 0, unit: "ms" };
        let figure = "from the first of 50 roles to the last, HTTPS";
        table.at_most(
            figure,
            &variant.name,
            measured,
            ALL_AFTER_THE_FIRST,
            format!("median of {STARTS} starts"),
        );
    }
    let mut sidecars = Vec::new();
    for variant in variants {
        let (mut few, mut lot) = (one.sidecar(variant)?, many.sidecar(variant)?);
        few.wait_until_ready().await?;
        lot.wait_until_ready().await?;
        sidecars.push((variant, few, lot));
    }
    sleep(SETTLED_AFTER).await;
    for (variant, few, lot) in &sidecars {
        let (few, lot) = (process::memory(few.pid)?, process::memory(lot.pid)?);
        let value = (lot.anonymous - few.anonymous) / (ROLES - 1) as f64;
        let beside =
            format!("anonymous: {:.0} kB with 1, {:.0} kB with {ROLES}", few.anonymous, lot.anonymous);
        let measured = Measured { value, digits: 1, unit: "kB" };
        table.at_most("memory for each further role", &variant.name, measured, MEMORY_PER_ROLE, beside);
    }
    Ok(())
}

/// In milliseconds, as `/status` shows them.
async fn first_to_last(sidecar: &Sidecar) -> Result<f64> {
    let mut first = None;
    loop {
        let ready = match raw::get(sidecar.admin, "/status").await {
            Ok(response) => response.json()?["roles"].as_array().map_or(0, |roles| ready(roles)),
            Err(_) => 0,
        };
        let now = Instant::now();
        if ready > 0 {
            first.get_or_insert(now);
        }
        match first {
            Some(first) if ready == ROLES => return Ok((now - first).as_secs_f64() * 1e3),
            _ => tokio::task::yield_now().await,
        }
    }
}

fn ready(roles: &[Value]) -> usize {
    roles.iter().filter(|role| role["is_ready"] == true).count()
}

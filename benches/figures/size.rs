//! What the binary weighs, and what it takes to build it.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::Instant;

use support::scratch::Scratch;

use crate::Result;
use crate::build::{Variant, cargo, run};
use crate::table::{Measured, Table};

const MEGABYTES: f64 = 6.0;
const PACKAGES: f64 = 200.0;
const COLD_MINUTES: f64 = 4.0;

pub(crate) fn measure(variants: &[Variant], cold: bool, table: &mut Table) -> Result<()> {
    for variant in variants {
        #[allow(clippy::cast_precision_loss)] // no binary is that large
        let bytes = fs::metadata(&variant.path)?.len() as f64;
        let measured = Measured { value: bytes / 1e6, digits: 2, unit: "MB" };
        table.at_most("binary, stripped", &variant.name, measured, MEGABYTES, format!("{bytes:.0} bytes"));
    }
    let (normal, lock) = (packages()?, locked()?);
    #[allow(clippy::cast_precision_loss)]
    let measured = Measured { value: normal as f64, digits: 0, unit: "" };
    let beside = format!("Cargo.lock, with tests and every platform: {lock}");
    table.at_most("packages in a build", "", measured, PACKAGES, beside);
    if cold {
        let minutes = build_from_nothing()? / 60.0;
        let measured = Measured { value: minutes, digits: 1, unit: "min" };
        table.at_most("release build from nothing, -j2", "", measured, COLD_MINUTES, "");
    }
    Ok(())
}

fn packages() -> Result<usize> {
    let arguments = ["tree", "--locked", "--edges=normal,build", "--prefix=none", "--format={p}"];
    let output = cargo().args(arguments).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // `name vVERSION`, and then perhaps what it is; one package can be named more than once.
    let words = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    Ok(text.lines().map(words).collect::<BTreeSet<_>>().len())
}

fn locked() -> Result<usize> {
    let lock = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock"))?;
    Ok(lock.lines().filter(|line| *line == "[[package]]").count())
}

/// In seconds; downloading is not counted.
fn build_from_nothing() -> Result<f64> {
    run(cargo().args(["fetch", "--locked"]))?;
    let scratch = Scratch::new("irsa-sidecar-cold-build")?;
    let mut command: Command = cargo();
    command.args(["build", "--release", "--locked", "--offline", "-j2", "--target-dir"]).arg(scratch.path());
    let began = Instant::now();
    run(&mut command)?;
    Ok(began.elapsed().as_secs_f64())
}

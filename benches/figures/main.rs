//! `make bench`: the figures that the README quotes, each beside its target and, where there is one, its rival.
//!
//! The program that is measured is the one that ships. `cargo bench` cannot build it: a bench's binaries are compiled
//! with the tests' features (tokio's test clock) and unwinding. So the shipping build is made first, by
//! `cargo build --release`, and once more with a static glibc, as an image holds it.
//!
//! | file | |
//! |---|---|
//! | `build` | makes the two binaries |
//! | `pod` | issuer, token, an STS that speaks TLS; and the sidecar in it |
//! | `nginx`, `load` | the rival, and wrk |
//! | `requests`, `start`, `idle`, `roles`, `doctor`, `size` | the figures |
//! | `process`, `machine` | what the kernel tells of a process, and of this machine |
//! | `table` | the rows |
//!
//! A shared machine is noisy, so what is compared is the server's CPU time for each request, from the scheduler's own
//! books, in interleaved rounds, the medians of them. Nothing fails on a figure; a target that is missed is marked ✗.
//! Everything runs on loopback and ends after a given count or time.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads real clocks and waits for real programs")]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

mod build;
mod doctor;
mod idle;
mod load;
mod machine;
mod nginx;
mod pod;
mod process;
mod requests;
mod roles;
mod size;
mod start;
mod table;

use build::Variant;
use table::Table;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Measures the release binary: CPU per request beside nginx, start, memory, wake-ups, size.
#[derive(Debug, Parser)]
#[command(name = "figures", bin_name = "cargo bench --profile dev --bench figures --")]
struct Arguments {
    /// Measure these binaries instead of building; may be given more than once
    #[arg(long, value_name = "PATH")]
    binary: Vec<PathBuf>,
    /// Only these; may be given more than once
    #[arg(long, value_enum, value_name = "PART")]
    only: Vec<Part>,
    /// Rounds of load, each with every server in turn
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Starts that are measured
    #[arg(long, default_value_t = 21)]
    starts: usize,
    /// Also time a release build from nothing, which takes minutes
    #[arg(long)]
    cold: bool,
    /// What cargo calls every bench with
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Part {
    Requests,
    Start,
    Idle,
    Roles,
    Doctor,
    Size,
}

impl Arguments {
    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(table) => {
            println!("\n{table}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("figures: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<Table> {
    let tools = load::Tools::find()?;
    let variants = match arguments.binary.as_slice() {
        [] => build::shipping()?,
        given => given.iter().map(|path| Variant::given(path)).collect(),
    };
    println!("{}", machine::facts());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut table = Table::default();
        if arguments.wants(Part::Requests) {
            requests::measure(&tools, &variants, arguments.rounds, &mut table).await?;
        }
        if arguments.wants(Part::Start) {
            start::measure(&variants, arguments.starts, &mut table).await?;
        }
        if arguments.wants(Part::Idle) {
            idle::measure(&tools, &variants, &mut table).await?;
        }
        if arguments.wants(Part::Roles) {
            roles::measure(&variants, &mut table).await?;
        }
        if arguments.wants(Part::Doctor) {
            doctor::measure(&variants, &mut table).await?;
        }
        if arguments.wants(Part::Size) {
            size::measure(&variants, arguments.cold, &mut table)?;
        }
        Ok(table)
    })
}

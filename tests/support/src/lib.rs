//! Test furniture for irsa-sidecar: an OIDC issuer, a kubelet's token volume, an STS that verifies everything, and a
//! hand that starts the real program and watches it. It never depends on the product, so it can bear witness.
//!
//! # Reading order
//!
//! 1. [`world`]: the three together, as one value; what nearly every test begins with.
//! 2. [`sts`]: the emulator; its module doc is the table of what it verifies. Then [`sts::Fault`], what goes wrong on
//!    purpose, and [`sts::Call`], what happened.
//! 3. [`issuer`] mints tokens, good and bad; [`kubelet`] puts them where a pod finds them.
//! 4. [`process`] starts a program; [`raw`] speaks HTTP to it byte by byte; [`blackhole`] swallows connections.
//! 5. [`proxy`] stands between a client and an emulator; [`tls`] makes a CA and certificates for any names.
//! 6. [`namespace`] gives a test a network of its own, with the addresses that SDKs have built in.
//! 7. [`node_imds`] is what a sidecar passes metadata requests on to.
//! 8. [`pod_identity`] is the other place that a role may come from: EKS's agent, or any container-credentials
//!    endpoint.
//! 9. [`wait`] looks again and again at what tells nobody.
//! 10. [`control`] and the program `sts-emulator` give all this to shells and other languages.
//!
//! # Example
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use std::time::Duration;
//! use support::process::{Process, Signal};
//! use support::sts::Fault;
//! use support::world::World;
//!
//! let world = World::builder().session_life(Duration::from_secs(6)).start().await?;
//! let mut program = Process::start("target/debug/irsa-sidecar", &["serve"], world.env())?;
//! program.status("127.0.0.1:9912".parse().expect("an address"), "/ready", 200).await?;
//!
//! world.sts.inject(Fault::throttle(2));
//! world.rotate_token()?;
//! world.sts.wait_until(|calls| calls.iter().filter(|call| call.succeeded()).count() >= 2).await?;
//!
//! program.signal(Signal::TERM)?;
//! assert!(program.exit().await?.success());
//! for credentials in world.sts.issued() {
//!     assert!(!program.output().contains(&credentials.secret_access_key));
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Waiting is always for a condition, under one generous deadline that only a hang can reach.
#![allow(
    clippy::disallowed_methods,
    reason = "test furniture reads the real clock through its own `clock` module"
)]

pub mod blackhole;
pub mod clock;
pub mod control;
pub mod issuer;
mod journal;
pub mod kubelet;
mod listen;
pub mod namespace;
pub mod node_imds;
pub mod pod_identity;
pub mod process;
pub mod proxy;
mod random;
pub mod raw;
pub mod scratch;
pub mod sts;
pub mod tls;
pub mod wait;
pub mod world;

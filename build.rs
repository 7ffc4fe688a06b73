//! Writes down what was built and for what, for `--version` and the `build_info` metric.
#![allow(clippy::disallowed_methods)] // a build script's environment is its input

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=IRSA_SIDECAR_COMMIT");
    println!("cargo::rerun-if-changed=.git/HEAD");
    println!("cargo::rerun-if-changed=.git/refs/heads");
    // An image is built without `.git`: whoever builds it says the commit.
    let commit = env::var("IRSA_SIDECAR_COMMIT").ok().filter(|commit| !commit.is_empty()).or_else(head);
    println!("cargo::rustc-env=IRSA_SIDECAR_COMMIT={}", commit.as_deref().unwrap_or("unknown"));
    println!("cargo::rustc-env=IRSA_SIDECAR_TARGET={}", env::var("TARGET").unwrap_or_default());
}

fn head() -> Option<String> {
    let output = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

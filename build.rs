//! Writes down what was built and for what, for `--version` and the `build_info` metric.
#![allow(clippy::disallowed_methods)] // a build script's environment is its input

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=IRSA_SIDECAR_COMMIT");
    // In a worktree or an unpacked archive they are not there, and cargo would build anew each time.
    for path in [".git/HEAD", ".git/refs/heads"] {
        if Path::new(path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    println!("cargo::rerun-if-changed=build.rs");
    // An image is built without `.git`: whoever builds it says the commit.
    let commit = env::var("IRSA_SIDECAR_COMMIT").ok().filter(|commit| !commit.is_empty()).or_else(head);
    println!("cargo::rustc-env=IRSA_SIDECAR_COMMIT={}", commit.as_deref().unwrap_or("unknown"));
    println!("cargo::rustc-env=IRSA_SIDECAR_TARGET={}", env::var("TARGET").unwrap_or_default());
}

fn head() -> Option<String> {
    let output = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

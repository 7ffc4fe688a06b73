//! The two builds that ship: `cargo build --release` as it is, and with a static glibc, for an image without one.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;

const NAME: &str = "irsa-sidecar";
/// What cargo tells this program about itself. Passed on, it would make build scripts run again for nothing.
const OF_THIS_PROGRAM: [&str; 4] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];

/// A binary that is measured.
#[derive(Clone, Debug)]
pub(crate) struct Variant {
    pub name: String,
    pub path: PathBuf,
}

impl Variant {
    pub(crate) fn given(path: &Path) -> Self {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        Self { name: name.unwrap_or_default(), path: path.to_owned() }
    }
}

/// Builds both, below the target directory of this very program.
pub(crate) fn shipping() -> Result<Vec<Variant>> {
    let target = target_directory()?;
    let host = host()?;
    println!("building  {}", target.join("release").join(NAME).display());
    run(cargo().args(["build", "--release", "--locked", "--target-dir"]).arg(&target))?;
    let mut variants = vec![Variant { name: "dynamic".to_owned(), path: target.join("release").join(NAME) }];
    if host.ends_with("-linux-gnu") {
        let path = target.join(&host).join("release").join(NAME);
        println!("building  {} (static)", path.display());
        let arguments = ["build", "--release", "--locked", "--target", &host, "--target-dir"];
        run(cargo().env("RUSTFLAGS", static_flags()).args(arguments).arg(&target))?;
        variants.push(Variant { name: "static".to_owned(), path });
    }
    Ok(variants)
}

/// What an image's build is called with.
///
/// Packed relocations take 0.4 MB off the file and off the resident memory; a glibc before 2.36 cannot read them, which
/// is why a plain build, that may run with another glibc than it was built with, goes without.
fn static_flags() -> String {
    let mut flags = "-C target-feature=+crt-static".to_owned();
    let glibc = Command::new("getconf").arg("GNU_LIBC_VERSION").output();
    let glibc = glibc.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let minor = glibc.trim().strip_prefix("glibc 2.").and_then(|minor| minor.split('.').next()?.parse().ok());
    if minor.is_some_and(|minor: u32| minor >= 36) {
        flags += " -C link-arg=-Wl,-z,pack-relative-relocs";
    }
    flags
}

/// cargo, as from a shell in the root of the project.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("LD_LIBRARY_PATH");
    for (name, _) in env::vars_os() {
        if OF_THIS_PROGRAM.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            cargo.env_remove(name);
        }
    }
    cargo
}

pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} failed: {status}").into()) }
}

/// This program lies in `target/PROFILE/deps`.
fn target_directory() -> Result<PathBuf> {
    let program = env::current_exe()?;
    let target = program.ancestors().nth(3).map(Path::to_owned);
    target.ok_or_else(|| format!("{} lies in no target directory", program.display()).into())
}

fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.ok_or("rustc -vV names no host")?.to_owned())
}

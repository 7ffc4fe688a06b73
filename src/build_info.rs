//! What was built, as `--version`, `/status`, the metric `build_info` and our User-Agent tell it; `build.rs` finds it out.

pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The User-Agent of `doctor`, so that a sidecar can tell it from an SDK.
pub const DOCTOR_AGENT: &str = concat!("irsa-sidecar-doctor/", env!("CARGO_PKG_VERSION"));
pub const COMMIT: &str = match option_env!("IRSA_SIDECAR_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};
pub const TARGET: &str = match option_env!("IRSA_SIDECAR_TARGET") {
    Some(target) => target,
    None => "unknown",
};

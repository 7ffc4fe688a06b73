//! A network namespace for one test, in which the whole test runs: emulator, program and client.
//!
//! A test that needs AWS's link-local addresses, or port 80, begins with [`in_a_namespace!`](crate::in_a_namespace). It is
//! then run once more, by itself, as a process in a namespace of its own that vanishes with it, as does its `/dev/shm`; what it says and how it
//! ends is what the test says and how it ends. There `lo` is up and nothing leads out.

use std::env;
use std::process::{Command, Output};

/// Set for what runs inside.
const INSIDE: &str = "SUPPORT_IN_A_NAMESPACE";
/// Ends with the test, whatever becomes of us.
const UNSHARE: [&str; 5] = ["unshare", "--net", "--mount", "--fork", "--kill-child"];
/// What a pod has of its own beside the network: shared memory.
const RUN: &str = "ip link set lo up && mount -t tmpfs tmpfs /dev/shm && exec \"$@\"";

/// Begins a test that runs in a network namespace of its own, and only there.
#[macro_export]
macro_rules! in_a_namespace {
    () => {{
        fn here() {}
        if !$crate::namespace::entered(std::any::type_name_of_val(&here)) {
            return;
        }
    }};
}

/// Whether this is the test inside; else it is run there, and this returns when it has passed.
///
/// Without the right to make a namespace the test is left out, by name and with the reason; with CI set it fails.
pub fn entered(here: &str) -> bool {
    if is_inside() {
        return true;
    }
    let may = run(&["true"]);
    if !may.status.success() {
        let what = "root (or CAP_SYS_ADMIN), and Debian's packages util-linux and iproute2";
        assert!(env::var_os("CI").is_none(), "CI must have {what}: {may:?}");
        eprintln!("SKIPPED {here}: a network namespace needs {what}; {may:?}");
        return false;
    }
    let program = env::current_exe().expect("a test must have a file");
    let program = program.to_str().expect("its path must be text");
    let output = run(&[program, "--exact", &test_name(here), "--nocapture", "--test-threads=1"]);
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let passed = output.status.success() && stdout.contains("1 passed");
    assert!(passed, "in its namespace it failed:\n{stdout}\n{stderr}");
    false
}

pub(crate) fn is_inside() -> bool {
    env::var_os(INSIDE).is_some()
}

fn run(command: &[&str]) -> Output {
    let [unshare, options @ ..] = UNSHARE;
    let all = options.iter().chain(&["sh", "-c", RUN, "sh"]).chain(command);
    let output = Command::new(unshare).args(all).env(INSIDE, "1").output();
    output.expect("Debian's util-linux must be there")
}

/// `integration::room::test::{{closure}}::here` is `room::test` to the test runner.
fn test_name(here: &str) -> String {
    let segments: Vec<&str> = here.split("::").collect();
    let inner = segments.iter().filter(|segment| !segment.starts_with("{{") && **segment != "here");
    inner.skip(1).copied().collect::<Vec<_>>().join("::")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_known_by_where_it_stands() {
        for here in ["integration::room::test::{{closure}}::here", "integration::room::test::here"] {
            assert_eq!(test_name(here), "room::test");
        }
    }
}

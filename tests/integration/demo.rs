//! The demo's own check: from a rotating token to the AWS SDK for Rust, through every fault that it can play.

use std::iter::empty;
use std::path::PathBuf;

use support::process::Process;

#[tokio::test]
async fn the_demo_tells_its_whole_story() {
    let mut demo = Process::start(demo(), &["--check"], empty::<(String, String)>()).unwrap();
    let status = demo.exit().await.unwrap();
    let told = demo.output();
    println!("{told}");
    assert!(status.success(), "{status}: a link does not hold\n{told}");
    assert_eq!(told.lines().filter(|line| line.starts_with('✔')).count(), 11, "{told}");
}

/// `target/PROFILE/examples/demo`, beside this test's `target/PROFILE/deps`. Cargo builds it before a plain
/// `cargo test`, but not when this one test binary is asked for by name.
fn demo() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let profile = this.parent().and_then(|deps| deps.parent()).unwrap();
    let demo = profile.join("examples/demo");
    assert!(
        demo.is_file(),
        "{} is missing: run `cargo build --example demo`, or all of `cargo test`",
        demo.display()
    );
    demo
}

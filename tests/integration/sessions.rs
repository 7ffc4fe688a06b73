//! Sessions: how long they are asked for, and what they are called.

use std::fs;
use std::time::Duration;

use support::sts::Fault;
use support::world::ROLE_ARN;
use support::world::World;

use crate::sidecar::Sidecar;
use crate::sidecar::run;

const HOUR: u64 = 3600;

fn asked(world: &World) -> Vec<u64> {
    let calls = world.sts.calls();
    calls.iter().map(|call| call.duration_seconds.as_deref().unwrap().parse().unwrap()).collect()
}

#[tokio::test]
async fn max_walks_down_to_what_the_role_allows_says_it_and_remembers_it() {
    let world = World::builder()
        .max_session(Duration::from_secs(4 * HOUR))
        .session_life(Duration::from_secs(12))
        .start()
        .await
        .unwrap();
    let mut sidecar = Sidecar::start_with(&world, &["--session-duration", "max"], &[]).await;
    sidecar.wait_until_ready().await;
    let first = asked(&world);
    assert_eq!(first[0], 12 * HOUR);
    assert!(first.len() <= 7, "{first:?}");
    let given: Vec<u64> = first.iter().copied().filter(|seconds| *seconds <= 4 * HOUR).collect();
    assert_eq!(given.last(), Some(&(4 * HOUR)), "{first:?}");
    let line = sidecar.process.line_with("the role allows sessions of 4h").await.unwrap();
    assert!(line.contains(r#""session_seconds":14400"#), "{line}");

    world.sts.wait_for_calls(first.len() + 1).await.unwrap();
    assert_eq!(asked(&world)[first.len()..][0], 4 * HOUR, "one call, for what is allowed");
    assert_eq!(sidecar.log_lines_with("the role allows sessions of"), 1);
    assert_eq!(sidecar.log_lines_with("exchange failed"), 0, "a search is no failure");
}

#[tokio::test]
async fn max_takes_what_twelve_hours_give() {
    let world = World::builder().max_session(Duration::from_secs(12 * HOUR)).start().await.unwrap();
    let mut sidecar = Sidecar::start_with(&world, &["--session-duration", "max"], &[]).await;
    sidecar.wait_until_ready().await;
    assert_eq!(asked(&world), [12 * HOUR]);
}

#[tokio::test]
async fn another_failure_while_max_is_looked_for_is_what_it_always_is() {
    let world = World::start().await.unwrap();
    world.sts.inject(Fault::error("AccessDenied"));
    let sidecar = Sidecar::start_with(&world, &["--session-duration", "max"], &[]).await;
    let line = sidecar.process.line_with("exchange failed").await.unwrap();
    assert!(line.contains("AccessDenied"), "{line}");
    assert_eq!(asked(&world).len(), 1, "one refusal is enough");
}

#[tokio::test]
async fn a_session_is_named_after_the_pod_whoever_tells_its_names() {
    let world = World::start().await.unwrap();
    let path = world.directory().join("roles.yaml");
    let role = |name: &str, template: &str| {
        format!("  - {{ name: {name}, role_arn: \"{ROLE_ARN}\", session_name: \"{template}\" }}\n")
    };
    let roles = [
        role("claims", "{namespace}.{service_account}"),
        role("downward", "{pod}@{node}"),
        role("nobody", "x-{node}-{hostname}"),
    ];
    fs::write(&path, format!("roles:\n{}", roles.concat())).unwrap();
    let arguments = ["--roles-file", path.to_str().unwrap()];
    let names = async |variables: &[(&str, &str)]| {
        let begun = world.sts.calls().len();
        let mut sidecar = Sidecar::start_with(&world, &arguments, variables).await;
        sidecar.wait_until_ready().await;
        let calls = world.sts.calls();
        let mut names: Vec<String> =
            calls[begun..].iter().map(|call| call.role_session_name.clone().unwrap()).collect();
        names.sort();
        names
    };
    let told = names(&[("POD_NAME", "app/0"), ("NODE_NAME", "node-7"), ("HOSTNAME", "host")]).await;
    assert_eq!(told, ["app-0@node-7", "shop.legacy-app", "x-node-7-host"]);
}

#[tokio::test]
async fn credentials_prints_any_role_and_lists_them_when_asked_for_another() {
    let world = World::start().await.unwrap();
    let path = world.directory().join("roles.yaml");
    let role = |name: &str| format!("  - {{ name: {name}, role_arn: \"{ROLE_ARN}\" }}\n");
    fs::write(&path, format!("roles:\n{}{}", role("a"), role("b"))).unwrap();
    let command = ["credentials", "--roles-file", path.to_str().unwrap()];
    let (status, printed) = run(&[&command[..], &["--role", "b"]].concat(), world.env()).await;
    assert_eq!(status, 0, "{printed}");
    assert!(printed.contains("\"SessionToken\""), "{printed}");
    let (status, printed) = run(&[&command[..], &["--role", "c"]].concat(), world.env()).await;
    assert_eq!(status, 64);
    assert!(printed.contains("a, b"), "{printed}");
    let (status, printed) = run(&command, world.env()).await;
    assert_eq!(status, 64);
    assert!(printed.contains("--role") && printed.contains("a, b"), "{printed}");
}

//! Fifty roles: together at the start, and never all at once.

use std::fs;
use std::time::Duration;

use support::sts::Fault;
use support::world::World;

use crate::sidecar::Sidecar;

const ROLES: usize = 50;

fn arn(index: usize) -> String {
    format!("arn:aws:iam::111122223333:role/app-{index}")
}

#[tokio::test]
async fn fifty_roles_come_eight_at_a_time_and_are_refreshed_apart() {
    let world = World::builder().roles((0..ROLES).map(arn)).start().await.unwrap();
    let path = world.directory().join("roles.yaml");
    let roles: String =
        (0..ROLES).map(|index| format!("  - {{ name: r{index}, role_arn: \"{}\" }}\n", arn(index))).collect();
    fs::write(&path, format!("roles:\n{roles}")).unwrap();
    // So long that all fifty would be seen together.
    world.sts.inject(Fault::latency(Duration::from_millis(50)));
    let mut sidecar = Sidecar::start_with(&world, &["--roles-file", path.to_str().unwrap()], &[]).await;
    sidecar.wait_until_ready().await;
    assert_eq!(world.sts.calls().len(), ROLES);
    let most = world.sts.most_in_progress();
    assert!((2..=8).contains(&most), "{most} calls at the same time");

    let status = sidecar.status().await;
    let mut next: Vec<String> = status["roles"]
        .as_array()
        .unwrap()
        .iter()
        .map(|role| role["next_exchange_at"].as_str().unwrap().to_owned())
        .collect();
    next.sort();
    // In six minutes, to the second; the same one twice is likely, the same one for many is not.
    next.dedup();
    assert!(next.len() > ROLES / 2, "{next:?}");
    let seconds = |text: &String| humantime::parse_rfc3339(text).unwrap();
    let spread = seconds(&next[next.len() - 1]).duration_since(seconds(&next[0])).unwrap();
    assert!(spread > Duration::from_secs(120), "{spread:?} of six minutes");
}

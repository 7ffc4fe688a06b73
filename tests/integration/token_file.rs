//! The token file as the kubelet, and as people, treat it.

use std::time::Duration;

use support::kubelet::Corruption;
use support::kubelet::Mode;
use support::process::Signal;
use support::sts::TokenSeen;
use support::wait;
use support::world::World;
use tokio::task::JoinSet;

use crate::sidecar::BINARY;
use crate::sidecar::Sidecar;
use crate::sidecar::can_run;

const SHORT: Duration = Duration::from_secs(6);

#[tokio::test]
async fn a_token_that_is_not_there_yet_is_waited_for() {
    let world = World::builder().without_token().mode(Mode::FsGroup).start().await.unwrap();
    let mut sidecar = Sidecar::start(&world).await;
    let line = sidecar.process.line_with("TokenMissing").await.unwrap();
    assert!(line.contains("AWS_WEB_IDENTITY_TOKEN_FILE"), "{line}");
    let body = sidecar.credentials().await;
    assert_eq!(body.status, 503);
    assert_eq!(body.json().unwrap()["code"], "TokenMissing");
    world.rotate_token().unwrap();
    sidecar.wait_until_ready().await;
}

/// The news of a rotation takes a tenth of a second; an exchange that begins meanwhile reads the file itself.
#[tokio::test]
async fn sighup_right_after_a_rotation_exchanges_the_new_token() {
    let world = World::start().await.unwrap();
    let mut sidecar = Sidecar::start(&world).await;
    sidecar.wait_until_ready().await;
    let token = world.rotate_token().unwrap();
    sidecar.process.signal(Signal::HUP).unwrap();
    let calls = world.sts.wait_for_calls(2).await.unwrap();
    assert_eq!(calls[1].token, Some(TokenSeen::of(&token)));
}

#[tokio::test]
async fn the_kubelets_rotation_is_seen_and_used_at_the_next_refresh() {
    let world = World::builder().session_life(SHORT).start().await.unwrap();
    let mut sidecar = Sidecar::start(&world).await;
    sidecar.wait_until_ready().await;
    for rotation in 0..3 {
        let before = world.sts.calls().last().unwrap().token.clone();
        world.rotate_token().unwrap();
        let calls = world
            .sts
            .wait_until(|calls| calls.last().is_some_and(|call| call.succeeded() && call.token != before))
            .await
            .unwrap_or_else(|error| panic!("rotation {rotation}: {error}\n{}", sidecar.process.output()));
        assert!(calls.iter().all(|call| call.succeeded()));
    }
    assert!(
        sidecar.metrics().await.contains("irsa_sidecar_token_changes_total 4"),
        "{}",
        sidecar.metrics().await
    );
}

#[tokio::test]
async fn whatever_happens_to_the_file_the_last_good_token_is_kept() {
    let mut cases = JoinSet::new();
    for (corruption, code) in [
        (Corruption::HalfWritten, "TokenMalformed"),
        (Corruption::Empty, "TokenEmpty"),
        (Corruption::Oversized, "TokenTooLong"),
        (Corruption::NotUtf8, "TokenNotUtf8"),
    ] {
        cases.spawn(keeps_the_last_good_token(corruption, code, true));
        cases.spawn(keeps_the_last_good_token(corruption, code, false));
    }
    cases.join_all().await;
}

async fn keeps_the_last_good_token(corruption: Corruption, code: &'static str, in_place: bool) {
    let world = World::builder().session_life(SHORT).start().await.unwrap();
    let mut sidecar = Sidecar::start(&world).await;
    sidecar.wait_until_ready().await;
    if in_place { world.volume.corrupt_in_place(corruption) } else { world.volume.corrupt(corruption) }
        .unwrap();
    let line = sidecar.process.line_with("the last good one is kept").await.unwrap();
    // What is cut in half may be cut in any of its three parts.
    assert!(line.contains(code) || line.contains("TokenTruncated"), "{corruption:?}: {line}");
    let so_far = world.sts.calls().len();
    let calls = world.sts.wait_for_calls(so_far + 1).await.unwrap();
    assert!(calls.iter().all(|call| call.succeeded()), "{corruption:?}: {calls:?}");
}

#[tokio::test]
async fn a_token_file_that_goes_away_and_comes_back_is_followed() {
    let world = World::builder().session_life(SHORT).start().await.unwrap();
    let mut sidecar = Sidecar::start(&world).await;
    sidecar.wait_until_ready().await;
    world.volume.remove().unwrap();
    sidecar.process.line_with("TokenMissing").await.unwrap();
    world.rotate_token().unwrap();
    sidecar.process.line_with("can be read again").await.unwrap();
    assert_eq!(sidecar.credentials().await.status, 200);
}

#[tokio::test]
async fn an_expired_token_is_replaced_by_the_next_one_at_once() {
    let world = World::builder().without_token().start().await.unwrap();
    world.volume.rotate(world.token().expired_for(Duration::from_secs(60)).mint()).unwrap();
    let mut sidecar = Sidecar::start(&world).await;
    let line = sidecar.process.line_with("ExpiredTokenException").await.unwrap();
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert!(
        (299_000..=300_000).contains(&line["retry_in_ms"].as_u64().unwrap()),
        "five minutes, or the file: {line}"
    );
    world.rotate_token().unwrap();
    sidecar.wait_until_ready().await;
    assert_eq!(world.sts.calls().len(), 2);
}

/// A user namespace may have no inotify instance at all: what a node that has run out of them is like.
#[tokio::test]
async fn without_inotify_the_file_is_read_every_ten_seconds_which_is_said_once() {
    if !can_run("a user namespace", &["unshare", "--user", "--map-root-user", "true"]) {
        return;
    }
    let world = World::start().await.unwrap();
    let script = format!("echo 0 > /proc/sys/user/max_inotify_instances && exec {BINARY} \"$@\"");
    let wrapper = ["--user", "--map-root-user", "sh", "-c", &script, "sh"];
    let mut sidecar = Sidecar::start_under(&world, "unshare", &wrapper).await;
    sidecar.wait_until_ready().await;
    world.rotate_token().unwrap();
    sidecar.process.line_with("token rotated").await.unwrap();
    assert_eq!(sidecar.log_lines_with("no inotify watch"), 1, "{}", sidecar.process.output());
}

#[tokio::test]
async fn sighup_exchanges_now() {
    let world = World::start().await.unwrap();
    let mut sidecar = Sidecar::start(&world).await;
    sidecar.wait_until_ready().await;
    let before = sidecar.credentials().await.text();
    sidecar.process.signal(Signal::HUP).unwrap();
    world.sts.wait_until(|calls| calls.iter().filter(|call| call.succeeded()).count() == 2).await.unwrap();
    sidecar.process.line_with("SIGHUP").await.unwrap();
    wait::until("other credentials are served", async || sidecar.credentials().await.text() != before).await;
}

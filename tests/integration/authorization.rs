//! The file of the authorization token, as whoever keeps it and whoever reads it treat it.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use support::in_a_namespace;
use support::kubelet::Corruption;
use support::kubelet::Mode;
use support::kubelet::Volume;
use support::raw::RawClient;
use support::raw::RawResponse;
use support::wait;
use support::world::World;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::pod::Pod;
use crate::sidecar::Sidecar;

const CREDENTIALS: &str = "/v1/credentials";
const FILE: &str = "IRSA_SIDECAR_AUTHORIZATION_TOKEN_FILE";
const POD_IDENTITY: [&str; 2] = ["169.254.170.23:80", "[fd00:ec2::23]:80"];

fn token(number: usize) -> String {
    format!("AUTHORIZATION-MARKER-{number:08}")
}

/// A volume beside the one with the web identity token, with the first token in it.
fn volume(world: &World) -> Volume {
    let directory = world.directory().join("authorization");
    let volume = Volume::new(directory, Mode::OwnerOnly, world.clock.clone()).unwrap();
    volume.rotate(token(0)).unwrap();
    volume
}

async fn start(world: &World, volume: &Volume) -> Sidecar {
    let file = volume.token_file();
    Sidecar::start_with(world, &["--log=trace"], &[(FILE, file.to_str().unwrap())]).await
}

async fn ask(address: SocketAddr, token: &str) -> RawResponse {
    let mut client = RawClient::connect(address).await.unwrap();
    client.request("GET", CREDENTIALS, &[("Authorization", token)]).await.unwrap()
}

fn reads(metrics: &str, result: &str) -> usize {
    let start = format!(r#"irsa_sidecar_authorization_reads_total{{result="{result}"}} "#);
    metrics.lines().find_map(|line| line.strip_prefix(&start)).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_rotated_value_is_good_at_once_and_so_is_the_one_before_it() {
    let world = World::start().await.unwrap();
    let volume = volume(&world);
    let mut sidecar = start(&world, &volume).await;
    sidecar.wait_until_ready().await;
    let mut shown = String::new();
    for number in 1..=5 {
        volume.rotate(token(number)).unwrap();
        for (token, status) in [(token(number), 200), (token(number - 1), 200)] {
            assert_eq!(ask(sidecar.container, &token).await.status, status, "{token}");
        }
        if number > 1 {
            let refused = ask(sidecar.container, &token(number - 2)).await;
            assert_eq!(refused.status, 403, "two changes ago");
            shown += &refused.text();
        }
    }
    let metrics = sidecar.metrics().await;
    assert_eq!((reads(&metrics, "changed"), reads(&metrics, "failed")), (5, 0));
    assert_eq!(sidecar.process.lines_with("the authorization token changed", 5).await.unwrap().len(), 5);
    shown += &(metrics + &sidecar.process.output());
    assert!(!shown.contains("AUTHORIZATION-MARKER"), "{shown}");
}

#[tokio::test]
async fn whatever_happens_to_the_file_the_last_good_value_is_kept_which_is_said_once() {
    let world = World::start().await.unwrap();
    let volume = volume(&world);
    let mut sidecar = start(&world, &volume).await;
    sidecar.wait_until_ready().await;
    type Break<'a> = &'a dyn Fn() -> std::io::Result<()>;
    let broken = || volume.rotate("AUTHORIZATION\nMARKER");
    let breaks: [(&str, &str, Break<'_>); 5] = [
        ("it is empty", "printf %s", &|| volume.corrupt(Corruption::Empty)),
        ("longer than 4096 bytes", "the token alone", &|| volume.corrupt(Corruption::Oversized)),
        ("a byte outside ASCII", "printf %s", &|| volume.corrupt(Corruption::NotUtf8)),
        ("a line break", "printf %s", &broken),
        ("there is no such file", "the volume that is mounted there", &|| volume.remove()),
    ];
    for (turn, (reason, mend, break_it)) in breaks.into_iter().enumerate() {
        break_it().unwrap();
        for _ in 0..3 {
            // It leads to a read.
            assert_eq!(ask(sidecar.container, "wrong").await.status, 403);
            assert_eq!(ask(sidecar.container, &token(turn)).await.status, 200, "{reason}");
        }
        let said = sidecar.process.lines_with("AuthorizationFileUnusable", turn + 1).await.unwrap();
        assert_eq!(said.len(), turn + 1, "once each: {said:#?}");
        let line = said.last().unwrap();
        for part in [FILE, volume.token_file().to_str().unwrap(), reason, mend, "last good"] {
            assert!(line.contains(part), "{part}: {line}");
        }
        volume.rotate(token(turn + 1)).unwrap();
        assert_eq!(ask(sidecar.container, &token(turn + 1)).await.status, 200, "after {reason}");
        let said = sidecar.process.lines_with("can be read again", turn + 1).await.unwrap();
        assert_eq!(said.len(), turn + 1, "{said:#?}");
    }
    assert!(!sidecar.process.output().contains("AUTHORIZATION-MARKER"));
    assert!(!sidecar.process.output().contains("AUTHORIZATION\\nMARKER"));
}

#[tokio::test]
async fn a_newline_at_its_end_is_told_once_whenever_it_comes() {
    let world = World::start().await.unwrap();
    let volume = volume(&world);
    let mut sidecar = start(&world, &volume).await;
    sidecar.wait_until_ready().await;
    assert_eq!(sidecar.log_lines_with("AuthorizationTokenNewline"), 0);
    for number in 1..=3 {
        volume.rotate(token(number) + "\n").unwrap();
        assert_eq!(ask(sidecar.container, &token(number)).await.status, 200);
    }
    // Without one; what was said before it has been heard then.
    volume.rotate(token(4)).unwrap();
    assert_eq!(ask(sidecar.container, &token(4)).await.status, 200);
    sidecar.process.lines_with("the authorization token changed", 4).await.unwrap();
    assert_eq!(sidecar.log_lines_with("AuthorizationTokenNewline"), 1);
}

#[tokio::test]
async fn a_thousand_wrong_values_lead_to_few_reads_and_are_in_nobodys_way() {
    let world = World::start().await.unwrap();
    let volume = volume(&world);
    let mut sidecar = start(&world, &volume).await;
    sidecar.wait_until_ready().await;
    let began = Instant::now();
    let mut wrong = JoinSet::new();
    for connection in 0..100 {
        let address = sidecar.container;
        wrong.spawn(async move {
            let mut client = RawClient::connect(address).await.unwrap();
            for request in 0..10 {
                let value = format!("wrong-{connection}-{request}");
                let answer = client.request("GET", CREDENTIALS, &[("Authorization", &value)]).await.unwrap();
                // Whoever is one too many to be waited for is not refused for good: it may be right.
                let code = answer.json().unwrap()["code"].as_str().unwrap().to_owned();
                let expected = match answer.status {
                    403 => "AuthorizationTokenMismatch",
                    503 => "AuthorizationTokenBusy",
                    other => panic!("{other}"),
                };
                assert_eq!(code, expected);
            }
        });
    }
    let mut served: u64 = 0;
    while !wrong.is_empty() {
        while let Some(ended) = wrong.try_join_next() {
            ended.unwrap();
        }
        assert_eq!(ask(sidecar.container, &token(0)).await.status, 200);
        served += 1;
    }
    // One read in 250 ms, the first at once, and one for whoever rang last.
    let allowed = began.elapsed().as_millis() / 250 + 2;
    let metrics = sidecar.metrics().await;
    let reads = reads(&metrics, "unchanged");
    assert!(reads as u128 <= allowed, "{reads} reads, {allowed} allowed");
    let counted = |status: u16| {
        let series = format!(r#"requests_total{{endpoint="container",status="{status}",sdk="none"}} "#);
        let count = metrics.split(&series).nth(1).and_then(|rest| rest.lines().next());
        count.map_or(0, |count| count.parse::<u64>().unwrap())
    };
    assert_eq!(counted(403) + counted(503), 1000, "{metrics}");
    assert!(counted(403) >= 64, "those that there was a place for were judged");
    assert_eq!(counted(200), served, "right requests were answered meanwhile");
}

/// The beat is the token watch's, so a rotation that it sees is a beat as well.
#[tokio::test]
async fn the_file_is_looked_at_when_the_web_identity_token_is() {
    let world = World::start().await.unwrap();
    let volume = volume(&world);
    let mut sidecar = start(&world, &volume).await;
    sidecar.wait_until_ready().await;
    volume.rotate(token(1)).unwrap();
    world.rotate_token().unwrap();
    sidecar.process.line_with("the authorization token changed").await.unwrap();
    assert_eq!(ask(sidecar.container, &token(1)).await.status, 200);
}

/// A client that comes with the first rotation before the first credentials is told what is waited for.
#[tokio::test]
async fn a_newer_value_comes_first_and_then_the_wait_for_credentials() {
    let world = World::builder().without_token().start().await.unwrap();
    let volume = volume(&world);
    let mut sidecar = start(&world, &volume).await;
    sidecar.process.line_with("TokenMissing").await.unwrap();
    volume.rotate(token(1)).unwrap();
    let answer = ask(sidecar.container, &token(1)).await;
    assert_eq!((answer.status, answer.json().unwrap()["code"].as_str()), (503, Some("TokenMissing")));
    world.rotate_token().unwrap();
    sidecar.wait_until_ready().await;
    assert_eq!(ask(sidecar.container, &token(1)).await.status, 200);
}

/// What the file holds, as an SDK reads it: while the kubelet swaps directories, a path may lead into the one that goes.
async fn contents(file: &Path) -> String {
    wait::found("the file can be read", || fs::read_to_string(file).ok()).await
}

/// The clients of AWS's Pod Identity Agent read the file anew at each fetch; rotations fall wherever they fall.
#[tokio::test]
async fn clients_of_the_pod_identity_agent_are_never_refused_across_rotations() {
    in_a_namespace!();
    const ROTATIONS: usize = 20;
    let world = World::start().await.unwrap();
    let volume = volume(&world);
    let file: Arc<Path> = volume.token_file().into();
    let settings = [
        (FILE, file.to_str().unwrap()),
        ("IRSA_SIDECAR_ALLOW_UNAUTHENTICATED", "169.254.169.254,fd00:ec2::254"),
    ];
    let pod = Pod::start_with(world, &settings).await;

    let mut clients = JoinSet::new();
    let mut progress = Vec::new();
    for address in POD_IDENTITY.into_iter().cycle().take(8) {
        let address: SocketAddr = address.parse().unwrap();
        let (used, using) = watch::channel(String::new());
        progress.push(using);
        let file = file.clone();
        clients.spawn(async move {
            loop {
                let token = contents(&file).await;
                let answer = ask(address, &token).await;
                assert_eq!(answer.status, 200, "{address}: {}", answer.text());
                used.send_replace(token);
            }
        });
    }
    // Somebody in the pod tries values all the while.
    clients.spawn(async move {
        loop {
            let answer = ask(POD_IDENTITY[0].parse().unwrap(), "tried").await;
            assert_eq!(answer.status, 403);
        }
    });

    for number in 0..=ROTATIONS {
        if number > 0 {
            volume.rotate(token(number)).unwrap();
        }
        for using in &mut progress {
            let used = using.wait_for(|used| *used == token(number));
            let used = tokio::time::timeout(Duration::from_secs(60), used).await;
            if !used.is_ok_and(|used| used.is_ok()) {
                // A client that was refused has ended; why, it says itself.
                clients.join_next().await.unwrap().unwrap();
            }
        }
    }
    assert!(clients.try_join_next().is_none(), "a client has ended");
    let metrics = pod.sidecar.metrics().await;
    assert_eq!(reads(&metrics, "changed"), ROTATIONS);
}

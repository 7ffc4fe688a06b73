//! The pass-through against a metadata service on a real socket. Its time-outs are real ones; nothing else waits.
#![allow(clippy::unwrap_used)]

use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::thread;
use std::time::SystemTime;

use support::node_imds::Manner;
use support::node_imds::NODE_SECRET;
use support::node_imds::NodeImds;

use super::*;
use crate::clock::Manual;
use crate::config::PathRule;

const INSTANCE_ID: &str = "/latest/meta-data/instance-id";

/// A passage to a node of its own, on a clock that the test moves.
struct Scene {
    node: NodeImds,
    passage: Passage,
    clock: Arc<Manual>,
    metrics: Metrics,
    task: JoinSet<()>,
}

impl Scene {
    async fn start(manner: Manner) -> Self {
        let node = NodeImds::start((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
        node.behave(manner);
        let (passage, clock, metrics, task) = open(node.address());
        Self { node, passage, clock, metrics, task }
    }

    async fn get(&self, path: &str) -> Result<(u16, String), PassError> {
        get(&self.passage, path).await
    }

    fn counted(&self, result: &str, count: usize) -> bool {
        let line = format!("irsa_sidecar_upstream_requests_total{{result=\"{result}\"}} {count}");
        self.metrics.text().lines().any(|found| found == line)
    }
}

fn open(address: SocketAddr) -> (Passage, Arc<Manual>, Metrics, JoinSet<()>) {
    let (clock, manual) = Clock::manual(SystemTime::UNIX_EPOCH);
    let metrics = Metrics::new(&[]);
    metrics.role_added("default");
    let allow = vec![
        PathRule { path: "meta-data".to_owned(), is_tree: true },
        PathRule { path: "dynamic".to_owned(), is_tree: true },
    ];
    let (passage, task) = start(Upstream { address, interface: None, allow }, clock, metrics.clone());
    let mut tasks = JoinSet::new();
    tasks.spawn(task);
    (passage, manual, metrics, tasks)
}

async fn get(passage: &Passage, path: &str) -> Result<(u16, String), PassError> {
    let passed = passage.get(passage.allows(path).unwrap()).await?;
    Ok((passed.status, String::from_utf8(passed.body.to_vec()).unwrap()))
}

fn instance_id() -> Result<(u16, String), PassError> {
    Ok((200, "i-0123456789abcdef0".to_owned()))
}

#[tokio::test]
async fn passes_a_path_on_and_nothing_else_with_one_session_for_all() {
    let scene = Scene::start(Manner::Required).await;
    assert_eq!(scene.get(INSTANCE_ID).await, instance_id());
    assert_eq!(scene.get("/latest/x/../meta-data/%6Dac/").await, Ok((200, "02:00:00:00:00:01".to_owned())));
    assert_eq!(scene.get("/latest/meta-data/nothing").await, Ok((404, "no such thing".to_owned())));
    let passed = scene.passage.get(scene.passage.allows(INSTANCE_ID).unwrap()).await.unwrap();
    assert_eq!(passed.content_type.unwrap(), "text/plain");

    let asked = scene.node.asked();
    let targets: Vec<_> = asked.iter().map(|asked| (asked.method.as_str(), asked.target.as_str())).collect();
    assert_eq!(
        targets,
        [
            ("PUT", "/latest/api/token"),
            ("GET", INSTANCE_ID),
            ("GET", "/latest/meta-data/mac/"),
            ("GET", "/latest/meta-data/nothing"),
            ("GET", INSTANCE_ID),
        ]
    );
    let host = scene.node.address().to_string();
    for asked in &asked {
        let names: Vec<&str> = asked.headers.iter().map(|(name, _)| name.as_str()).collect();
        let session = match asked.method.as_str() {
            "PUT" => "x-aws-ec2-metadata-token-ttl-seconds",
            _ => "x-aws-ec2-metadata-token",
        };
        assert_eq!(names, [session, "host", "connection"]);
        assert_eq!(asked.headers[1].1, host);
    }
    assert_eq!(asked[0].headers[0].1, "21600");
    assert!(scene.counted("success", 4));
}

#[tokio::test]
async fn nothing_of_the_nodes_identity_can_be_asked_for() {
    let scene = Scene::start(Manner::Required).await;
    for path in ["/latest/user-data", "/latest/meta-data/iam/security-credentials/", "/latest/api/token"] {
        assert_eq!(scene.passage.allows(path), None);
    }
    // The node would have told.
    scene.node.behave(Manner::Optional);
    let told = support::raw::get(scene.node.address(), "/latest/user-data").await.unwrap();
    assert!(told.text().contains(NODE_SECRET));
}

#[tokio::test]
async fn a_refused_session_is_begun_anew_once() {
    let scene = Scene::start(Manner::Required).await;
    assert_eq!(scene.get(INSTANCE_ID).await, instance_id());
    scene.node.expire_sessions();
    assert_eq!(scene.get(INSTANCE_ID).await, instance_id());
    assert_eq!((scene.node.count("PUT"), scene.node.count("GET")), (2, 3));

    scene.node.behave(Manner::RefusesAll);
    assert_eq!(scene.get(INSTANCE_ID).await, Err(PassError::SessionRefused));
    assert_eq!((scene.node.count("PUT"), scene.node.count("GET")), (3, 5));
    assert!(scene.counted("session_refused", 1));
}

#[tokio::test]
async fn many_who_ask_together_begin_one_session() {
    let scene = Scene::start(Manner::Required).await;
    for sessions in [1, 2] {
        let mut asking = JoinSet::new();
        for _ in 0..AT_ONCE {
            let passage = scene.passage.clone();
            asking.spawn(async move { get(&passage, INSTANCE_ID).await });
        }
        assert!(asking.join_all().await.into_iter().all(|result| result == instance_id()));
        assert_eq!(scene.node.count("PUT"), sessions);
        scene.node.expire_sessions();
    }
}

#[tokio::test]
async fn a_session_is_begun_anew_ahead_of_its_end_and_kept_while_that_fails() {
    let scene = Scene::start(Manner::Required).await;
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    assert_eq!(scene.get(INSTANCE_ID).await, instance_id());
    scene.clock.suspend(hours(5));
    assert_eq!(scene.get(INSTANCE_ID).await, instance_id());
    assert_eq!(scene.node.count("PUT"), 1);
    scene.clock.suspend(hours(1) - Duration::from_secs(300));
    assert_eq!(scene.get(INSTANCE_ID).await, instance_id());
    assert_eq!(scene.node.count("PUT"), 2);

    scene.clock.suspend(hours(6) - Duration::from_secs(300));
    scene.node.behave(Manner::StrangeTokens);
    for _ in 0..3 {
        assert_eq!(scene.get(INSTANCE_ID).await, instance_id());
    }
    assert_eq!(scene.node.count("PUT"), 3);
}

#[tokio::test]
async fn where_there_are_no_sessions_it_is_asked_without() {
    for status in [403, 404, 405, 501] {
        let scene = Scene::start(Manner::NoSessions(status)).await;
        for _ in 0..3 {
            assert_eq!(scene.get(INSTANCE_ID).await, instance_id());
        }
        assert_eq!(scene.node.count("PUT"), 1);
        scene.clock.suspend(Duration::from_secs(301));
        assert_eq!(scene.get(INSTANCE_ID).await, instance_id());
        assert_eq!(scene.node.count("PUT"), 2);
    }
}

#[tokio::test]
async fn where_the_session_does_not_come_this_far_it_is_asked_without_in_time() {
    let scene = Scene::start(Manner::HopLimit).await;
    for _ in 0..3 {
        assert_eq!(scene.get(INSTANCE_ID).await, instance_id());
    }
    assert_eq!(scene.node.count("PUT"), 1);
}

#[tokio::test]
async fn a_session_that_is_none_is_not_used() {
    let scene = Scene::start(Manner::StrangeTokens).await;
    let error = scene.get(INSTANCE_ID).await.unwrap_err();
    assert_eq!(error.code(), "UpstreamUnintelligible");
    assert_eq!(scene.node.count("GET"), 0);
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_a_failure_not_passed_on() {
    let elsewhere = NodeImds::start((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
    let scene = Scene::start(Manner::Required).await;
    assert_eq!(scene.get(INSTANCE_ID).await, instance_id());
    scene.node.behave(Manner::Redirecting(elsewhere.address().port()));
    assert_eq!(scene.get(INSTANCE_ID).await, Err(PassError::Failed(301)));
    assert_eq!(elsewhere.asked(), []);
    for status in [204, 400, 403, 429, 500, 503] {
        scene.node.behave(Manner::Failing(status));
        assert_eq!(scene.get(INSTANCE_ID).await, Err(PassError::Failed(status)));
    }
    assert!(scene.counted("failed", 7));
}

#[tokio::test]
async fn a_body_is_bounded() {
    let scene = Scene::start(Manner::Bodies(64 * 1024)).await;
    assert_eq!(scene.get(INSTANCE_ID).await.unwrap().1.len(), 64 * 1024);
    scene.node.behave(Manner::Bodies(64 * 1024 + 1));
    assert_eq!(scene.get(INSTANCE_ID).await, Err(PassError::TooLarge));
    scene.node.behave(Manner::Cut);
    assert_eq!(scene.get(INSTANCE_ID).await.unwrap_err().code(), "UpstreamUnreachable");
}

#[tokio::test]
async fn an_upstream_that_does_not_answer_is_given_up_before_the_client_gives_us_up() {
    let scene = Scene::start(Manner::Required).await;
    assert_eq!(scene.get(INSTANCE_ID).await, instance_id());
    scene.node.behave(Manner::Silent);
    assert_eq!(scene.get(INSTANCE_ID).await, Err(PassError::Timeout));
    assert!(scene.counted("timeout", 1));
}

#[tokio::test]
async fn an_upstream_that_is_not_there_or_is_something_else_is_told_apart() {
    // A port that nobody listens on: it was free a moment ago.
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let (passage, _clock, _metrics, _task) = open(free);
    let error = get(&passage, INSTANCE_ID).await.unwrap_err();
    assert_eq!(error.code(), "UpstreamUnreachable");
    assert!(error.to_string().contains("Connection refused"), "{error}");

    let ssh = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = ssh.local_addr().unwrap();
    let serving = thread::spawn(move || {
        let (mut stream, _) = ssh.accept().unwrap();
        stream.write_all(b"SSH-2.0-OpenSSH_9.6\r\n").unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let (passage, _clock, _metrics, _task) = open(address);
    let error = get(&passage, INSTANCE_ID).await.unwrap_err();
    assert_eq!(error.code(), "UpstreamUnintelligible");
    serving.join().unwrap();
}

#[tokio::test]
async fn a_crowd_is_sent_away_and_leaves_nothing_behind() {
    let scene = Scene::start(Manner::Required).await;
    assert_eq!(scene.get(INSTANCE_ID).await, instance_id());
    scene.node.behave(Manner::Silent);
    let crowd = AT_ONCE + WAITING + 20;
    let mut asking = JoinSet::new();
    for _ in 0..crowd {
        let passage = scene.passage.clone();
        asking.spawn(async move { get(&passage, INSTANCE_ID).await });
    }
    let mut busy = 0;
    // Those who are sent away are so at once, before any other has an answer.
    while busy < 20 {
        assert_eq!(asking.join_next().await.unwrap().unwrap(), Err(PassError::Busy));
        busy += 1;
    }
    let asked = scene.node.asked().len();
    assert!(asked <= 2 + AT_ONCE, "{asked} connections at once");

    // The crowd walks away: its questions go with it, and the next is answered at once.
    asking.shutdown().await;
    scene.node.behave(Manner::Required);
    assert_eq!(scene.get(INSTANCE_ID).await, instance_id());
}

#[tokio::test]
async fn the_task_ends_with_the_last_handle_and_a_handle_outlives_the_task() {
    let scene = Scene::start(Manner::Required).await;
    let Scene { passage, mut task, node, .. } = scene;
    let second = passage.clone();
    drop(passage);
    assert_eq!(get(&second, INSTANCE_ID).await, instance_id());
    drop(second);
    task.join_next().await.unwrap().unwrap();

    let (passage, _clock, _metrics, task) = open(node.address());
    drop(task);
    assert_eq!(get(&passage, INSTANCE_ID).await, Err(PassError::Ending));
}

//! Metadata that is passed on to the node's service: the real program in a pod of its own, the node in a namespace beside
//! it, by each of the ways that lead there.

use support::in_a_namespace;
use support::node_imds::Manner;
use support::node_imds::NODE_SECRET;
use support::node_imds::NodeImds;
use support::raw::RawClient;
use support::raw::RawResponse;
use support::world::World;

use crate::node::Node;
use crate::node::PROXY;
use crate::node::sh;
use crate::pod::imds;
use crate::pod::metadata;
use crate::pod::role_path;
use crate::sidecar::Sidecar;
use crate::sidecar::run;

const INSTANCE_ID: &str = "/latest/meta-data/instance-id";
/// What is listened on is claimed; what is sent there ends in the pod.
const V4: &str = "--listen=127.0.0.1:0,169.254.169.254:80";
const BOTH: &str = "--listen=127.0.0.1:0,169.254.169.254:80,[fd00:ec2::254]:80";
const ACCEPT_LOCAL: &str = "sysctl -qw net.ipv4.conf.$1.accept_local=1";
const REVERSE_PATH: &str = "sysctl -qw net.ipv4.conf.all.rp_filter=$1";

/// As in a pod, by an init container.
async fn claim(listen: &str) {
    let (status, output) = run(&["net-init", listen], []).await;
    assert_eq!(status, 0, "{output}");
}

async fn start(world: &World, listen: &str, upstream: &str) -> Sidecar {
    let mut sidecar = Sidecar::start_with(world, &[listen, "--imds-upstream", upstream], &[]).await;
    sidecar.wait_until_ready().await;
    sidecar
}

async fn refusal(world: &World, upstream: &str) -> String {
    let arguments =
        ["serve", "--log-format=json", "--admin-listen=127.0.0.1:0", BOTH, "--imds-upstream", upstream];
    let (status, output) = run(&arguments, world.env()).await;
    assert_eq!(status, 64, "{output}");
    output
}

/// The target as it is, which no client library would send.
async fn asked_raw(target: &str) -> RawResponse {
    let mut client = RawClient::connect(imds()).await.unwrap();
    client
        .send(format!("GET {target} HTTP/1.1\r\nHost: 169.254.169.254\r\nConnection: close\r\n\r\n"))
        .await
        .unwrap();
    client.response().await.unwrap()
}

/// What is allowed comes from the node, over a session of the sidecar's, and what is the node's alone does not.
async fn passes_on(node: &NodeImds) {
    let answer = metadata(INSTANCE_ID).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "i-0123456789abcdef0"), "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("text/plain"));
    assert_eq!(answer.header("server"), Some("EC2ws"));
    assert_eq!(metadata("/2021-07-15/meta-data/mac/").await.text(), "02:00:00:00:00:01");
    assert_eq!(metadata("/latest/meta-data/tags/instance/team").await.status, 404);
    assert_eq!(metadata("/latest/user-data").await.status, 404);
    let asked: Vec<String> =
        node.asked().into_iter().map(|asked| format!("{} {}", asked.method, asked.target)).collect();
    assert_eq!(
        asked,
        ["PUT /latest/api/token", "GET /latest/meta-data/instance-id", "GET /2021-07-15/meta-data/mac/"]
    );
}

#[tokio::test]
async fn an_address_that_is_not_claimed_is_reached_as_it_is() {
    in_a_namespace!();
    claim(V4).await;
    let world = World::start().await.unwrap();
    {
        let node = Node::join().await;
        let _sidecar = start(&world, V4, "http://[fd00:ec2::254]").await;
        passes_on(&node.v6).await;
        assert_eq!(node.v6.asked()[0].headers[1], ("host".to_owned(), "[fd00:ec2::254]".to_owned()));
        assert_eq!(node.v4.asked(), []);
    }
    let node = Node::join().await;
    let _sidecar = start(&world, V4, &format!("http://{PROXY}")).await;
    passes_on(&node.proxy).await;
    assert_eq!(node.proxy.asked()[0].headers[1], ("host".to_owned(), PROXY.to_owned()));
}

#[tokio::test]
async fn an_address_that_is_claimed_is_reached_through_the_interface() {
    in_a_namespace!();
    claim(BOTH).await;
    let world = World::start().await.unwrap();
    {
        let node = Node::join().await;
        let _sidecar = start(&world, BOTH, "http://[fd00:ec2::254%eth0]").await;
        passes_on(&node.v6).await;
    }
    // Either of the two sysctls is enough.
    for interface in ["eth0", "all"] {
        let node = Node::join().await;
        sh(ACCEPT_LOCAL, interface);
        let _sidecar = start(&world, BOTH, "http://169.254.169.254%eth0").await;
        passes_on(&node.v4).await;
        assert_eq!(node.v4.asked()[0].headers[1], ("host".to_owned(), "169.254.169.254".to_owned()));
    }
}

#[tokio::test]
async fn serve_does_not_start_where_nothing_could_be_passed_on() {
    in_a_namespace!();
    claim(BOTH).await;
    let world = World::start().await.unwrap();
    let node = Node::join().await;
    for upstream in [
        "http://169.254.169.254",
        "http://[fd00:ec2::254]:8080",
        "http://10.92.0.2:8080",
        "http://[fd00:ec2::254%lo]",
    ] {
        let told = refusal(&world, upstream).await;
        assert!(told.contains("UpstreamIsSelf") && told.contains("%eth0"), "{told}");
    }
    let told = refusal(&world, "http://169.254.169.254%eth7").await;
    assert!(told.contains("UpstreamInterfaceMissing") && told.contains("there are lo, eth0"), "{told}");

    let through = "http://169.254.169.254%eth0";
    let told = refusal(&world, through).await;
    for part in
        ["UpstreamAcceptLocalMissing", "net.ipv4.conf.all.accept_local", "sysctls:", "allowed-unsafe-sysctls"]
    {
        assert!(told.contains(part), "{part} is not in {told}");
    }
    sh(ACCEPT_LOCAL, "all");
    sh(REVERSE_PATH, "1");
    let told = refusal(&world, through).await;
    assert!(told.contains("UpstreamReversePathStrict") && told.contains("rp_filter"), "{told}");
    sh(REVERSE_PATH, "2");
    let _sidecar = start(&world, BOTH, through).await;
    passes_on(&node.v4).await;
}

#[tokio::test]
async fn nothing_that_is_the_nodes_alone_is_passed_on_however_it_is_asked_for() {
    in_a_namespace!();
    claim(V4).await;
    let world = World::start().await.unwrap();
    let node = Node::join().await;
    // It would tell whoever gets through, with a session or without.
    node.proxy.behave(Manner::Optional);
    let upstream = format!("http://{PROXY}");
    // The widest list that can be written.
    let arguments = [V4, "--imds-upstream", &upstream, "--imds-upstream-allow", "meta-data/,dynamic/"];
    let mut sidecar = Sidecar::start_with(&world, &arguments, &[]).await;
    sidecar.wait_until_ready().await;
    let mut targets = Vec::new();
    for never in ["iam/security-credentials/the-nodes-own-role", "iam/info", "identity-credentials/ec2/info"]
    {
        let (first, rest) = never.split_once('/').unwrap();
        let escaped: String = first.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let twice = escaped.replace('%', "%25");
        let spellings = [
            first.to_owned(),
            first.to_uppercase(),
            escaped,
            twice,
            format!("./{first}"),
            format!("placement/../{first}"),
            format!("placement/%2e%2e/{first}"),
            format!("placement%2f..%2f{first}"),
            format!("/{first}/"),
            format!("{first};x"),
            format!("{first}%00"),
            format!("x%5c..%5c{first}"),
            format!("x\\..\\{first}"),
        ];
        targets.extend(spellings.map(|first| format!("/latest/meta-data/{first}/{rest}")));
    }
    for user_data in [
        "/latest/user-data",
        "/latest/meta-data/../user-data",
        "/latest/meta-data/%2e%2e/user-data",
        "/latest/meta-data/..%2fuser-data",
        "/latest/meta-data/x/../../user-data/",
        "//latest//user-data",
        "/2009-04-04/user-data",
        "/latest/%75ser-data",
        "/latest/USER-DATA",
        "http://169.254.169.254/latest/user-data",
        "/latest/api/token",
    ] {
        targets.push(user_data.to_owned());
    }
    for target in &targets {
        let answer = asked_raw(target).await;
        assert!([400, 404, 405].contains(&answer.status) || is_ours(&answer), "{target}: {answer:?}");
        assert!(!answer.text().contains(NODE_SECRET), "{target}: {answer:?}");
    }
    assert_eq!(node.proxy.asked(), [], "nothing of this may leave the pod");

    // The same list does let through what is not the node's alone.
    assert_eq!(metadata("/latest/meta-data/tags/instance/team").await.text(), "shop");
    assert_eq!(asked_raw("/latest/x/../meta-data/%69nstance-id").await.text(), "i-0123456789abcdef0");
}

/// Some spellings of `iam/info` are our own.
fn is_ours(answer: &RawResponse) -> bool {
    answer.status == 200 && answer.text().contains("InstanceProfileArn")
}

#[tokio::test]
async fn ours_wins_and_the_identity_document_says_what_both_know() {
    in_a_namespace!();
    claim(V4).await;
    let world = World::start().await.unwrap();
    let node = Node::join().await;
    let _sidecar = start(&world, V4, &format!("http://{PROXY}")).await;
    let region = metadata("/latest/meta-data/placement/region").await.text();
    assert_ne!(region, "eu-north-9");
    assert_eq!(metadata("/latest/meta-data/placement/availability-zone").await.text(), "eu-north-9b");
    let document = metadata("/latest/dynamic/instance-identity/document").await.json().unwrap();
    assert_eq!((&document["region"], &document["accountId"]), (&region.into(), &"444455556666".into()));

    node.proxy.behave(Manner::Failing(500));
    let alone = metadata("/latest/dynamic/instance-identity/document").await.json().unwrap();
    assert_eq!((&alone["region"], alone.get("accountId")), (&document["region"], None));
}

#[tokio::test]
async fn a_node_that_does_not_answer_costs_a_client_no_second_and_no_credentials() {
    in_a_namespace!();
    claim(V4).await;
    let world = World::start().await.unwrap();
    let node = Node::join().await;
    let sidecar = start(&world, V4, &format!("http://{PROXY}")).await;
    assert_eq!(metadata(INSTANCE_ID).await.status, 200);

    node.proxy.behave(Manner::Silent);
    let role_path = role_path().await;
    for _ in 0..3 {
        let (slow, credentials) = tokio::join!(metadata(INSTANCE_ID), metadata(&role_path));
        assert_eq!(slow.status, 504);
        assert!(slow.header("x-irsa-sidecar-error").unwrap().starts_with("UpstreamTimeout: "), "{slow:?}");
        assert_eq!(credentials.status, 200);
    }
    node.proxy.behave(Manner::Failing(503));
    assert_eq!(metadata(INSTANCE_ID).await.status, 503);
    node.proxy.behave(Manner::Required);
    assert_eq!(metadata(INSTANCE_ID).await.status, 200);

    sidecar.process.line_with("answers again").await.unwrap();
    assert_eq!(sidecar.log_lines_with("UpstreamTimeout"), 1);
    assert_eq!(sidecar.log_lines_with("UpstreamFailed"), 1);
    let metrics = sidecar.metrics().await;
    for line in [
        r#"irsa_sidecar_upstream_requests_total{result="success"} 2"#,
        r#"irsa_sidecar_upstream_requests_total{result="timeout"} 3"#,
        r#"irsa_sidecar_upstream_requests_total{result="failed"} 1"#,
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in {metrics}");
    }
    // The session with the node is nobody's to see.
    let token = &node.proxy.asked()[1].headers[0];
    assert_eq!(token.0, "x-aws-ec2-metadata-token");
    assert!(!sidecar.process.output().contains(&token.1));
}

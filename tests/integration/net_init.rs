//! `net-init` with real network namespaces: what it claims, what it refuses, and that the node is out of reach then.

use std::io;
use std::io::ErrorKind;
use std::io::Read as _;
use std::io::Write as _;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use crate::netns::NetNs;
use crate::sidecar::BINARY;
use crate::sidecar::run;

const IMDS: [&str; 2] = ["169.254.169.254", "fd00:ec2::254"];
const BOTH: &str = "127.0.0.1:9911,169.254.169.254,[fd00:ec2::254]";

/// `capsh`'s way to say what Kubernetes gives with `drop: [ALL]`, and with `add: [NET_ADMIN]`.
const NO_CAPABILITY: [&str; 3] = ["--bounding-set=-all", "--inh-caps=-all", "--"];
const NET_ADMIN_ALONE: [&str; 3] = ["--bounding-set=-all,+net_admin", "--inh-caps=-all", "--"];

async fn net_init(
    namespace: &NetNs,
    listen: &str,
    flags: &[&str],
    variables: &[(&str, &str)],
) -> (i32, String) {
    let arguments = [&["net-init", "--listen", listen], flags].concat();
    namespace.run(BINARY, &arguments, variables).await
}

/// What `lo` has beside the addresses that it always has, in the order of the kernel.
async fn on_lo(namespace: &NetNs) -> Vec<String> {
    let output = namespace.sh("ip -o address show dev lo").await;
    let addresses = output.lines().filter_map(|line| line.split_whitespace().nth(3));
    addresses.filter(|address| !["127.0.0.1/8", "::1/128"].contains(address)).map(str::to_owned).collect()
}

#[tokio::test]
async fn claims_exactly_the_asked_addresses_and_twice_is_the_same() {
    let Some(pod) = NetNs::new().await else { return };
    // `lo` is down in a new namespace.
    let (status, output) = net_init(&pod, BOTH, &[], &[]).await;
    assert_eq!(status, 0, "{output}");
    assert_eq!(output.matches("claimed on lo").count(), 2, "{output}");
    assert_eq!(on_lo(&pod).await, ["169.254.169.254/32", "fd00:ec2::254/128"]);
    let lo = pod.sh("ip address show dev lo").await;
    assert!(lo.contains(",UP,") && lo.contains("169.254.169.254/32 scope host lo"), "{lo}");
    let (status, output) = net_init(&pod, BOTH, &[], &[]).await;
    assert_eq!(status, 0, "{output}");
    assert_eq!(output.matches("already there on lo").count(), 2, "{output}");
    let (status, output) = net_init(&pod, "169.254.170.2,[fd00:ec2::23]:80", &[], &[]).await;
    assert_eq!(status, 0, "{output}");
    let all = ["169.254.169.254/32", "169.254.170.2/32", "fd00:ec2::23/128", "fd00:ec2::254/128"];
    let mut now = on_lo(&pod).await;
    now.sort_unstable();
    assert_eq!(now, all);
}

#[tokio::test]
async fn an_ipv6_address_can_be_bound_at_once() {
    let Some(pod) = NetNs::new().await else { return };
    let (status, output) = net_init(&pod, BOTH, &[], &[]).await;
    assert_eq!(status, 0, "{output}");
    for ip in IMDS {
        pod.enter(|| TcpListener::bind((ip, 80))).unwrap();
    }
}

#[tokio::test]
async fn remove_undoes_it_and_what_is_not_there_is_fine() {
    let Some(pod) = NetNs::new().await else { return };
    assert_eq!(net_init(&pod, "169.254.170.2,169.254.169.254,[fd00:ec2::254]", &[], &[]).await.0, 0);
    // Whoever put it there with another prefix meant the same address.
    pod.sh("ip address add fd00:ec2::23/64 dev lo nodad").await;
    let asked = format!("{BOTH},[fd00:ec2::23]");
    let (status, output) = net_init(&pod, &asked, &["--remove"], &[]).await;
    assert_eq!(status, 0, "{output}");
    assert_eq!(output.matches("removed from lo").count(), 3, "{output}");
    assert_eq!(on_lo(&pod).await, ["169.254.170.2/32"]);
    let (status, output) = net_init(&pod, &asked, &["--remove"], &[]).await;
    assert_eq!(status, 0, "{output}");
    assert_eq!(output.matches("not there on lo").count(), 3, "{output}");
}

/// The proof: the pod's way to the node's metadata service is seen, and then it is not there any more.
#[tokio::test]
async fn after_it_the_nodes_metadata_service_is_out_of_reach() {
    let Some((pod, node)) = NetNs::pair().await else { return };
    node.sh("ip link set lo up && ip link set node0 up && ip address add 10.0.0.1/24 dev node0 && \
         ip address add fd00:1::1/64 dev node0 nodad && ip address add 169.254.169.254/32 dev lo && \
         ip address add fd00:ec2::254/128 dev lo nodad")
        .await;
    pod.sh("ip link set lo up && ip link set eth0 up && ip address add 10.0.0.2/24 dev eth0 && \
         ip address add fd00:1::2/64 dev eth0 nodad && ip route add default via 10.0.0.1 && \
         ip route add default via fd00:1::1")
        .await;
    for ip in IMDS {
        serve(&node, ip, "the node's role");
        assert_eq!(ask(&pod, ip).unwrap(), "the node's role", "before, at {ip}");
    }

    let (status, output) = net_init(&pod, BOTH, &[], &[]).await;
    assert_eq!(status, 0, "{output}");
    let segments = tcp_segments(&node);
    for ip in IMDS {
        let error = ask(&pod, ip).expect_err("nobody listens in the pod yet");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{ip}: {error}");
        serve(&pod, ip, "ours");
        assert_eq!(ask(&pod, ip).unwrap(), "ours", "{ip}");
    }
    assert_eq!(tcp_segments(&node), segments, "nothing reached the node");

    // Taken back, the way is there again: nothing else stood in it.
    let (status, output) = net_init(&pod, BOTH, &["--remove"], &[]).await;
    assert_eq!(status, 0, "{output}");
    for ip in IMDS {
        assert_eq!(ask(&pod, ip).unwrap(), "the node's role", "afterwards, at {ip}");
    }
    assert!(tcp_segments(&node) > segments, "what is counted counts");
}

#[tokio::test]
async fn refuses_what_another_interface_has_and_changes_nothing() {
    let Some((pod, _node)) = NetNs::pair().await else { return };
    pod.sh("ip address add 169.254.170.23/32 dev eth0").await;
    let (status, output) = net_init(&pod, "169.254.169.254,169.254.170.23", &[], &[]).await;
    assert_eq!(status, 69, "{output}");
    assert!(output.contains("169.254.170.23 is already on the interface eth0"), "{output}");
    assert_eq!(on_lo(&pod).await, [""; 0]);
    // It is not ours to take away either.
    let (status, output) = net_init(&pod, "169.254.170.23", &["--remove"], &[]).await;
    assert_eq!(status, 0, "{output}");
    assert!(pod.sh("ip address show dev eth0").await.contains("169.254.170.23/32"));
}

#[tokio::test]
async fn refuses_the_nodes_namespace_by_its_address() {
    let Some(node) = NetNs::new().await else { return };
    let variables = [("POD_IP", "10.0.0.1"), ("HOST_IP", "10.0.0.1")];
    let (status, output) = net_init(&node, BOTH, &[], &variables).await;
    assert_eq!(status, 64, "{output}");
    assert!(output.contains("NodeNamespace") && output.contains("--host"), "{output}");
    assert_eq!(on_lo(&node).await, [""; 0]);
    assert_eq!(net_init(&node, BOTH, &["--host"], &variables).await.0, 0);
    let (status, output) = net_init(&node, BOTH, &["--remove"], &variables).await;
    assert_eq!(status, 64, "{output}");
    assert_eq!(on_lo(&node).await.len(), 2);
}

/// No kernel here can make a device for a namespace, so its entry in sysfs is made by hand and mounted over the real one.
#[tokio::test]
async fn refuses_the_nodes_namespace_by_its_device() {
    let Some((node, _other)) = NetNs::pair().await else { return };
    node.sh("index=$(cat /sys/class/net/eth0/ifindex) && mount -t tmpfs tmpfs /sys/class/net && \
         mkdir -p /sys/class/net/eth0/device && echo $index > /sys/class/net/eth0/ifindex")
        .await;
    let (status, output) = net_init(&node, BOTH, &[], &[]).await;
    assert_eq!(status, 64, "{output}");
    assert!(output.contains("the interface eth0 has a device") && output.contains("--host"), "{output}");
    assert_eq!(on_lo(&node).await, [""; 0]);
    let (status, output) = net_init(&node, BOTH, &["--host"], &[]).await;
    assert_eq!(status, 0, "{output}");
    assert_eq!(on_lo(&node).await.len(), 2);
}

#[tokio::test]
async fn does_not_believe_a_sysfs_that_shows_another_namespace() {
    let Some((pod, _node)) = NetNs::pair().await else { return };
    // A name that the machine itself does not have.
    pod.sh("ip link set eth0 name irsa-test0").await;
    let arguments = ["net-init", "--listen", BOTH];
    let (status, output) = pod.run_with_foreign_sys(BINARY, &arguments, &[]).await;
    assert_eq!(status, 64, "{output}");
    assert!(output.contains("UnknownNamespace") && output.contains("status.hostIP"), "{output}");
    assert_eq!(on_lo(&pod).await, [""; 0]);
    let variables = [("POD_IP", "10.0.0.7"), ("HOST_IP", "10.0.0.1")];
    let (status, output) = pod.run_with_foreign_sys(BINARY, &arguments, &variables).await;
    assert_eq!(status, 0, "{output}");
}

#[tokio::test]
async fn net_admin_alone_is_enough_and_without_it_the_error_names_the_manifests_lines() {
    let Some(pod) = NetNs::new().await else { return };
    let net_init = [BINARY, "net-init", "--listen", BOTH];
    let (status, output) = pod.run("setpriv", &[&NO_CAPABILITY[..], &net_init].concat(), &[]).await;
    assert_eq!(status, 69, "{output}");
    for words in ["CAP_NET_ADMIN", "runAsUser: 0", "runAsNonRoot: false", "drop: [ALL], add: [NET_ADMIN]"] {
        assert!(output.contains(words), "{words}: {output}");
    }
    assert_eq!(on_lo(&pod).await, [""; 0]);
    let (status, output) = pod.run("setpriv", &[&NET_ADMIN_ALONE[..], &net_init].concat(), &[]).await;
    assert_eq!(status, 0, "{output}");
    assert_eq!(on_lo(&pod).await.len(), 2);
    // What is there needs no right.
    let (status, output) = pod.run("setpriv", &[&NO_CAPABILITY[..], &net_init].concat(), &[]).await;
    assert_eq!(status, 0, "{output}");
}

#[tokio::test]
async fn where_there_is_no_ipv6_its_addresses_are_left_out_with_a_warning() {
    let Some(pod) = NetNs::new().await else { return };
    pod.sh("echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6").await;
    let (status, output) = net_init(&pod, BOTH, &[], &[]).await;
    assert_eq!(status, 0, "{output}");
    let left_out: Vec<&str> = output.lines().filter(|line| line.contains("left out")).collect();
    assert!(matches!(left_out[..], [one] if one.contains("WARN") && one.contains(IMDS[1])), "{output}");
    assert_eq!(on_lo(&pod).await, ["169.254.169.254/32"]);
}

/// Left out, it would be open: `lo` has no IPv6, and eth0 has.
#[tokio::test]
async fn an_ipv6_address_that_leads_to_the_node_is_never_left_out() {
    let Some((pod, _node)) = NetNs::pair().await else { return };
    pod.sh("echo 1 > /proc/sys/net/ipv6/conf/lo/disable_ipv6 && ip link set eth0 up && \
         ip address add fd00:1::2/64 dev eth0 nodad && ip route add default via fd00:1::1")
        .await;
    let (status, output) = net_init(&pod, BOTH, &[], &[]).await;
    assert_eq!(status, 69, "{output}");
    assert!(output.contains("net.ipv6.conf.lo.disable_ipv6"), "{output}");
    assert_eq!(on_lo(&pod).await, [""; 0]);
}

/// The kernel refuses the second address after all: /proc says that IPv6 is there, by a file mounted over the real one.
#[tokio::test]
async fn takes_back_what_it_claimed_when_a_later_claim_fails() {
    let Some(pod) = NetNs::new().await else { return };
    pod.sh(
        "echo 1 > /proc/sys/net/ipv6/conf/lo/disable_ipv6 && mount -t tmpfs tmpfs /mnt && echo 0 > /mnt/0 && \
         mount --bind /mnt/0 /proc/sys/net/ipv6/conf/lo/disable_ipv6",
    )
    .await;
    // One that is there already is not taken away.
    pod.sh("ip address add 169.254.170.2/32 dev lo").await;
    let (status, output) = net_init(&pod, "169.254.170.2,169.254.169.254,[fd00:ec2::254]", &[], &[]).await;
    assert_eq!(status, 69, "{output}");
    assert!(output.contains("claim fd00:ec2::254 on lo") && !output.contains("claimed on lo"), "{output}");
    assert_eq!(on_lo(&pod).await, ["169.254.170.2/32"]);
}

#[tokio::test]
async fn with_nothing_to_claim_it_is_a_mistake_in_the_settings() {
    for arguments in [&["net-init"][..], &["net-init", "--listen=127.0.0.1:9911"]] {
        let (status, output) = run(arguments, []).await;
        assert_eq!(status, 64, "{output}");
        assert!(output.contains("mend:") && output.contains("169.254.169.254"), "{output}");
    }
}

/// Answers every connection with these words, from this namespace.
fn serve(namespace: &NetNs, ip: &str, words: &'static str) {
    let listener = namespace.enter(|| TcpListener::bind((ip, 80))).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut request = [0; 1024];
            let _ = stream.read(&mut request);
            let length = words.len();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
            let _ = stream.write_all((head + words).as_bytes());
        }
    });
}

/// The body that a client in this namespace is answered.
fn ask(namespace: &NetNs, ip: &str) -> io::Result<String> {
    let address = SocketAddr::new(ip.parse::<IpAddr>().unwrap(), 80);
    namespace.enter(|| {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(10))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let path = "/latest/meta-data/iam/security-credentials/";
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned())
    })
}

/// How many segments of TCP this namespace has received, of IPv4 and IPv6.
fn tcp_segments(namespace: &NetNs) -> u64 {
    let table = namespace.enter(|| std::fs::read_to_string("/proc/thread-self/net/snmp")).unwrap();
    let mut lines = table.lines().filter(|line| line.starts_with("Tcp:"));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let column = names.split(' ').position(|name| name == "InSegs").unwrap();
    values.split(' ').nth(column).unwrap().parse().unwrap()
}

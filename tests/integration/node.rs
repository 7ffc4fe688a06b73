//! The node that a pod of a test's own runs on: a second network namespace, the pod's `eth0` leading there, with EC2's
//! metadata service at its own addresses and behind a proxy.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use irsa_sidecar::contract::IMDS_ADDRESSES;
use support::node_imds::NodeImds;

use crate::netns::NetNs;
use crate::pod::at;

/// Where the node's proxy is.
pub(crate) const PROXY: &str = "10.92.0.1:8080";

/// `$1` is a process of the node's.
const CABLE: &str = "
    ip link add eth0 type veth peer name node0 netns $1
    ip addr add 10.92.0.2/24 dev eth0
    ip addr add fd92::2/64 dev eth0 nodad
    ip link set eth0 up
    ip route add default via 10.92.0.1
    ip route add default via fd92::1";
const ADDRESSES: &str = "
    ip link set lo up &&
    ip addr add 169.254.169.254/32 dev lo &&
    ip addr add fd00:ec2::254/128 dev lo nodad &&
    ip addr add 10.92.0.1/24 dev node0 &&
    ip addr add fd92::1/64 dev node0 nodad &&
    ip link set node0 up";

pub(crate) struct Node {
    pub(crate) v4: NodeImds,
    pub(crate) v6: NodeImds,
    pub(crate) proxy: NodeImds,
    _there: NetNs,
}

impl Node {
    /// Beside the namespace that this runs in, which is a pod's.
    pub(crate) async fn join() -> Self {
        let there = NetNs::new().await.expect("who may make one namespace must be able to make another");
        sh(CABLE, &there.id().to_string());
        there.sh(ADDRESSES).await;
        wait_for_the_cable();
        let serve = |address: SocketAddr| {
            let socket = there.enter(|| TcpListener::bind(address).unwrap());
            socket.set_nonblocking(true).unwrap();
            NodeImds::on(tokio::net::TcpListener::from_std(socket).unwrap()).unwrap()
        };
        let [v4, v6] = IMDS_ADDRESSES.map(|ip| serve(at(ip)));
        let proxy = serve(PROXY.parse().unwrap());
        Self { v4, v6, proxy, _there: there }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // At once, and not when the kernel comes round to it: the next node brings another cable.
        let _ = Command::new("ip").args(["link", "delete", "eth0"]).output();
    }
}

/// Runs a shell command in the pod, which must succeed.
pub(crate) fn sh(command: &str, argument: &str) {
    let done = Command::new("sh").args(["-ec", command, "sh", argument]).output().unwrap();
    assert!(done.status.success(), "{command}: {done:?}");
}

/// A new cable loses its first packets, and IPv6 asks for its neighbour again only a second later. A port that nobody
/// listens on says so as soon as both ends have found each other.
fn wait_for_the_cable() {
    for nobody in ["10.92.0.1:9", "[fd92::1]:9"] {
        let answer = TcpStream::connect_timeout(&nobody.parse().unwrap(), Duration::from_secs(30));
        assert_eq!(answer.unwrap_err().kind(), ErrorKind::ConnectionRefused, "{nobody}");
    }
}

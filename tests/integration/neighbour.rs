//! Another pod on the same wire: a second network namespace, joined to the first by a cable.

use crate::netns::NetNs;
use crate::node::sh;

pub(crate) struct Neighbour(NetNs);

/// The pod's addresses on the cable, as the neighbour knows them.
pub(crate) const POD_V4: &str = "10.91.0.1";
pub(crate) const POD_V6: &str = "fd91::1";

/// `$1` is a process of the neighbour's.
const CABLE: &str = "
    ip link add cable type veth peer name cable netns $1
    ip addr add 10.91.0.1/24 dev cable
    ip addr add fd91::1/64 dev cable nodad
    ip link set cable up";
const ADDRESSES: &str = "
    ip link set lo up &&
    ip addr add 10.91.0.2/24 dev cable &&
    ip addr add fd91::2/64 dev cable nodad &&
    ip link set cable up";

impl Neighbour {
    /// Beside the namespace that this runs in.
    pub(crate) async fn join() -> Self {
        let there = NetNs::new().await.expect("who may make one namespace must be able to make another");
        sh(CABLE, &there.id().to_string());
        there.sh(ADDRESSES).await;
        Self(there)
    }

    /// Runs a command over there: what it printed.
    pub(crate) async fn run(&self, command: &[&str]) -> String {
        let (program, arguments) = command.split_first().unwrap();
        self.0.run(program, arguments, &[]).await.1.trim_end().to_owned()
    }
}

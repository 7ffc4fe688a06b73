//! Another pod on the same wire: a second network namespace, joined to the first by a cable.

use std::process::Child;
use std::process::Command;
use std::process::Stdio;

/// Kept alive by a process that does nothing.
pub(crate) struct Neighbour(Child);

/// The pod's addresses on the cable, as the neighbour knows them.
pub(crate) const POD_V4: &str = "10.91.0.1";
pub(crate) const POD_V6: &str = "fd91::1";
const PREPARE: &str = "
    ip link add cable type veth peer name cable netns $1 &&
    ip addr add 10.91.0.1/24 dev cable && ip addr add fd91::1/64 dev cable nodad && ip link set cable up &&
    nsenter --net=/proc/$1/ns/net sh -c '
        ip link set lo up && ip addr add 10.91.0.2/24 dev cable && ip addr add fd91::2/64 dev cable nodad &&
        ip link set cable up'";

impl Neighbour {
    /// Beside the namespace that this runs in.
    pub(crate) fn join() -> Self {
        let mut there = Command::new("unshare");
        // It says so when it is there.
        there.args(["--net", "sh", "-c", "echo there; exec sleep infinity"]).stdout(Stdio::piped());
        // Its own end is nobody's to wait for: what it would hold open would keep the test from ending.
        there.stderr(Stdio::null());
        let mut neighbour = Self(there.spawn().unwrap());
        let mut said = [0; 6];
        std::io::Read::read_exact(neighbour.0.stdout.as_mut().unwrap(), &mut said).unwrap();
        let id = neighbour.0.id().to_string();
        let done = Command::new("sh").args(["-c", PREPARE, "sh", &id]).output().unwrap();
        assert!(done.status.success(), "{done:?}");
        neighbour
    }

    /// Runs a command over there: what it printed.
    pub(crate) fn run(&self, command: &[&str]) -> String {
        let net = format!("--net=/proc/{}/ns/net", self.0.id());
        let output = Command::new("nsenter").arg(net).args(command).output().unwrap();
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

//! Network namespaces of a test's own: the only places where a link-local address is touched.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::thread;

use rustix::thread::LinkNameSpaceType;
use rustix::thread::move_into_link_name_space;
use support::process::Process;

use crate::sidecar::can_run;
use crate::sidecar::run_under;

/// A network namespace with a mount namespace whose /sys shows it, as a container has them. Gone when dropped.
pub(crate) struct NetNs {
    holder: Process,
}

impl NetNs {
    /// None where the machine does not let us, which is told, and fails where `CI` is set.
    pub(crate) async fn new() -> Option<Self> {
        let probe = ["unshare", "--net", "--mount", "mount", "-t", "sysfs", "sysfs", "/sys"];
        if !can_run("root, a network and a mount namespace", &probe) {
            return None;
        }
        let hold = "mount -t sysfs sysfs /sys && echo held && exec sleep 600";
        let arguments = ["--net", "--mount", "sh", "-c", hold];
        let holder = Process::start("unshare", &arguments, [("", ""); 0]).unwrap();
        holder.line_with("held").await.unwrap();
        Some(Self { holder })
    }

    pub(crate) fn id(&self) -> u32 {
        self.holder.id().unwrap()
    }

    /// Two of them with a cable between: `eth0` in the one, `node0` in the other.
    pub(crate) async fn pair() -> Option<(Self, Self)> {
        let (pod, node) = (Self::new().await?, Self::new().await?);
        let other = node.id();
        pod.sh(&format!("ip link add eth0 type veth peer name node0 netns {other}")).await;
        Some((pod, node))
    }

    /// Runs a shell command in it, which must succeed; gives what it printed.
    pub(crate) async fn sh(&self, command: &str) -> String {
        let (status, output) = self.run("sh", &["-c", command], &[]).await;
        assert_eq!(status, 0, "{command}: {output}");
        output
    }

    /// Runs a program in it: exit status, everything printed.
    pub(crate) async fn run(
        &self,
        program: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> (i32, String) {
        self.run_with(&["--mount"], program, arguments, variables).await
    }

    /// The same with the machine's own /sys, which shows another namespace.
    pub(crate) async fn run_with_foreign_sys(
        &self,
        program: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> (i32, String) {
        self.run_with(&[], program, arguments, variables).await
    }

    async fn run_with(
        &self,
        namespaces: &[&str],
        program: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> (i32, String) {
        let target = format!("--target={}", self.id());
        let wrapper = [&[target.as_str(), "--net"], namespaces, &["--", program]].concat();
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        run_under("nsenter", &wrapper, arguments, variables).await
    }

    /// Calls this on a thread in the namespace. A socket stays where it was made, whoever uses it then.
    pub(crate) fn enter<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let namespace = File::open(format!("/proc/{}/ns/net", self.id())).unwrap();
        let enter = || {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            act()
        };
        thread::scope(|scope| scope.spawn(enter).join().unwrap())
    }
}

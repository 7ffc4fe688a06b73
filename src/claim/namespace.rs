//! Whose network namespace this is, and whether it has IPv6.
//!
//! A node has an interface with a device behind it, which sysfs shows; a pod's interfaces are software. sysfs shows the
//! namespace of whoever mounted it, which in a container is the container's own; what it shows is believed only where its
//! interfaces are those that the kernel names over netlink. A pod in the node's namespace has the node's address, too.

use std::fs;
use std::io;
use std::io::ErrorKind;
use std::path::Path;

use crate::claim::ClaimError;
use crate::claim::plan::Interface;
use crate::claim::plan::Seen;
use crate::config::NetInit;
use crate::contract::ENV_HOST_IP;
use crate::contract::ENV_POD_IP;

/// Where the kernel's files are: elsewhere in a test.
#[derive(Clone, Copy, Debug)]
pub(super) struct Namespace<'a> {
    pub(super) sys: &'a Path,
    pub(super) proc: &'a Path,
}

impl Namespace<'_> {
    /// An error where this is the node's namespace, or where nothing shows that it is not.
    pub(super) fn refuse_the_nodes(&self, seen: &Seen, asked: &NetInit) -> Result<(), ClaimError> {
        let is_nodes_address = match (asked.pod_ip, asked.host_ip) {
            (Some(pod), Some(host)) => Some((pod == host, pod)),
            _ => None,
        };
        if let Some((true, address)) = is_nodes_address {
            let evidence = format!("{ENV_POD_IP} and {ENV_HOST_IP} are both {address}");
            return Err(ClaimError::NodeNamespace { evidence });
        }
        // Whoever has nothing but `lo` needs no sysfs to be believed.
        for interface in &seen.others {
            match self.has_device(interface) {
                Ok(false) => {}
                Ok(true) => {
                    let evidence = format!("the interface {} has a device", interface.name);
                    return Err(ClaimError::NodeNamespace { evidence });
                }
                // The two addresses differ, which a pod in the node's namespace never sees.
                Err(_) if is_nodes_address.is_some() => {}
                Err(why) => return Err(ClaimError::UnknownNamespace { why }),
            }
        }
        Ok(())
    }

    /// Whether an address of IPv6 can be had on `lo`. The files are those of whoever reads them, whoever mounted /proc.
    pub(super) fn has_ipv6(&self, lo: &str) -> bool {
        let file = self.proc.join("sys/net/ipv6/conf").join(lo).join("disable_ipv6");
        match fs::read_to_string(file) {
            Ok(text) => text.trim() == "0",
            // Where it cannot be read for another reason, the kernel answers when it is asked for the address.
            Err(error) => error.kind() != ErrorKind::NotFound,
        }
    }

    fn has_device(&self, interface: &Interface) -> Result<bool, String> {
        let Interface { name, index, .. } = interface;
        let directory = self.sys.join("class/net").join(name);
        let unreadable =
            |error: io::Error| format!("{} cannot be read ({})", directory.display(), error.kind());
        let shown = fs::read_to_string(directory.join("ifindex")).map_err(unreadable)?;
        if shown.trim() != index.to_string() {
            let sys = self.sys.display();
            return Err(format!("{sys} shows another network namespace, whose {name} is not the one here"));
        }
        match fs::symlink_metadata(directory.join("device")) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(unreadable(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use tracing::level_filters::LevelFilter;

    use super::*;
    use crate::config::Log;
    use crate::config::LogFormat;

    /// A /sys and a /proc of our own.
    struct Files(PathBuf);

    impl Files {
        fn new(name: &str) -> Self {
            let root = std::env::temp_dir().join(format!("irsa-sidecar-{name}-{}", std::process::id()));
            fs::create_dir_all(&root).unwrap();
            Self(root)
        }

        fn with(self, path: &str, text: &str) -> Self {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
            self
        }

        fn namespace(&self) -> Namespace<'_> {
            Namespace { sys: &self.0, proc: &self.0 }
        }
    }

    impl Drop for Files {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn seen(others: &[(&str, u32)]) -> Seen {
        let others = others.iter().map(|(name, index)| Interface {
            index: *index,
            name: (*name).to_owned(),
            is_up: true,
        });
        Seen { others: others.collect(), ..Seen::default() }
    }

    fn asked(pod_ip: &str, host_ip: &str) -> NetInit {
        NetInit {
            addresses: Vec::new(),
            remove: false,
            host: false,
            pod_ip: pod_ip.parse().ok(),
            host_ip: host_ip.parse().ok(),
            log: Log { level: LevelFilter::OFF, format: LogFormat::Text },
        }
    }

    fn judged(files: &Files, others: &[(&str, u32)], pod_ip: &str, host_ip: &str) -> String {
        match files.namespace().refuse_the_nodes(&seen(others), &asked(pod_ip, host_ip)) {
            Ok(()) => "a pod's".to_owned(),
            Err(error) => format!("{}: {error}", error.code()),
        }
    }

    #[test]
    fn an_interface_with_a_device_is_the_nodes() {
        let files = Files::new("device")
            .with("class/net/eth0/ifindex", "2\n")
            .with("class/net/eth0/device/vendor", "0x1d0f\n");
        let files = files.with("class/net/eni1/ifindex", "3\n");
        let both = [("eni1", 3), ("eth0", 2)];
        assert_eq!(
            judged(&files, &both, "", ""),
            "NodeNamespace: this is the node's network namespace: the interface eth0 has a device"
        );
        // Two addresses that somebody wrote down do not talk a device away.
        assert!(judged(&files, &both, "10.0.0.7", "10.0.0.1").starts_with("NodeNamespace"));
        assert_eq!(judged(&files, &[("eni1", 3)], "", ""), "a pod's");
    }

    #[test]
    fn the_nodes_address_is_the_nodes_namespace() {
        let files = Files::new("address");
        assert!(judged(&files, &[], "10.0.0.1", "10.0.0.1").contains("POD_IP and HOST_IP are both 10.0.0.1"));
        assert_eq!(judged(&files, &[], "10.0.0.7", "10.0.0.1"), "a pod's");
        assert_eq!(judged(&files, &[], "10.0.0.1", ""), "a pod's");
    }

    #[test]
    fn what_sysfs_does_not_show_is_not_taken_for_a_pods() {
        let files = Files::new("unknown").with("class/net/eth0/ifindex", "2\n");
        assert!(judged(&files, &[("eth0", 3)], "", "").contains("shows another network namespace"));
        assert!(judged(&files, &[("eth1", 3)], "", "").contains("class/net/eth1 cannot be read"));
        assert_eq!(judged(&files, &[("eth1", 3)], "10.0.0.7", "10.0.0.1"), "a pod's");
    }

    #[test]
    fn tells_whether_lo_may_have_ipv6() {
        let file = "sys/net/ipv6/conf/lo/disable_ipv6";
        assert!(Files::new("v6").with(file, "0\n").namespace().has_ipv6("lo"));
        assert!(!Files::new("v4").with(file, "1\n").namespace().has_ipv6("lo"));
        assert!(!Files::new("none").namespace().has_ipv6("lo"));
    }
}

//! Where the token's file is: in the volume that the kubelet keeps, or in what only looks like one.
//!
//! The kubelet makes a projected volume of a tmpfs, and containers have it read-only (pkg/volume/projected, GetAttributes;
//! proc_pid_mountinfo(5)). A copy has the same links in it (`cp -a`), and lies on whatever holds the directory that it was
//! made in. A volume that a sandbox passes in by a file system of its own is taken for what it looks like.

use std::fs;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;

use rustix::fs::major;
use rustix::fs::minor;

use crate::doctor::facts::Facts;
use crate::file::read_bounded;

#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::doctor) enum Place {
    Projected,
    /// The volume's links, on a file system of this kind.
    CopyOfVolume(String),
    /// A mount of the one file.
    SubPath,
    Elsewhere,
}

const MAX_MOUNTS: usize = 4 * 1024 * 1024;
/// What files are copied to.
const DISKS: [&str; 12] = [
    "aufs",
    "btrfs",
    "erofs",
    "ext2",
    "ext3",
    "ext4",
    "fuse.fuse-overlayfs",
    "nfs",
    "nfs4",
    "overlay",
    "xfs",
    "zfs",
];
/// A directory of the kubelet's own, as it is seen on a node.
const OF_KUBELET: &str = "kubernetes.io~projected";

impl Place {
    pub(in crate::doctor) fn of(facts: &Facts<'_>, path: &Path) -> Self {
        let own = || read_bounded(Path::new("/proc/self/mountinfo"), MAX_MOUNTS).unwrap_or_default();
        let mounts = facts.asked.mounts.clone();
        let mounts = mounts.unwrap_or_else(|| String::from_utf8_lossy(&own()).into_owned());
        match volume(path).map(fs::metadata) {
            Some(Ok(metadata)) => Self::of_volume(&mounts, metadata.dev()),
            Some(Err(_)) => Self::Projected,
            None if is_mounted_alone(facts, &mounts, path) => Self::SubPath,
            None => Self::Elsewhere,
        }
    }

    /// By the mounts of the device that the volume's directory is on: a path may lead through links.
    fn of_volume(mounts: &str, device: u64) -> Self {
        let number = format!("{}:{}", major(device), minor(device));
        let mut of_device = mounts.lines().filter(|line| line.split(' ').nth(2) == Some(&number)).peekable();
        let Some(kind) = of_device.peek().and_then(|line| line.split_once(" - ")?.1.split(' ').next()) else {
            return Self::Projected;
        };
        let is_kubelets = |line: &str| {
            let mut fields = line.split(' ').skip(4);
            let (point, options) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
            point.contains(OF_KUBELET) || options.split(',').any(|option| option == "ro")
        };
        let is_copy = DISKS.contains(&kind) || kind == "tmpfs" && !of_device.any(is_kubelets);
        if is_copy { Self::CopyOfVolume(kind.to_owned()) } else { Self::Projected }
    }
}

/// The directory with the kubelet's links in it: `token -> ..data/token`, `..data -> ..2026_…`.
fn volume(path: &Path) -> Option<PathBuf> {
    let target = fs::read_link(path).unwrap_or_default();
    data_link(path).filter(|_| target.starts_with("..data")).and_then(|_| Some(path.parent()?.to_owned()))
}

/// Its time is that of the last renewal.
pub(super) fn data_link(path: &Path) -> Option<Metadata> {
    fs::symlink_metadata(path.parent()?.join("..data")).ok().filter(Metadata::is_symlink)
}

/// Whether it is a mount point of its own.
fn is_mounted_alone(facts: &Facts<'_>, mounts: &str, path: &Path) -> bool {
    let mut points = mounts.lines().filter_map(|line| line.split(' ').nth(4)).map(unescape);
    points.any(|point| facts.seen(&point) == path || Path::new(&point) == path)
}

/// What would end a field is written in octal.
fn unescape(point: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(point.to_owned(), |point, (escape, character)| point.replace(escape, character))
}

#[cfg(test)]
mod tests {
    use rustix::fs::makedev;

    use super::*;

    const MOUNTS: &str = "\
1200 1100 0:49 / / rw,relatime master:1 - overlay overlay rw,lowerdir=/a
1201 1200 0:55 / /run/secrets/eks.amazonaws.com/serviceaccount ro,relatime - tmpfs tmpfs rw,size=1024k
1202 1200 0:56 / /scratch rw,relatime - tmpfs tmpfs rw,size=65536k
1203 1200 259:1 /var/lib/kubelet/pods/1-2/volumes/kubernetes.io~empty-dir/copy /copy ro,noatime - xfs /dev/nvme0n1p1 rw
1204 1200 0:57 / /sandbox ro,relatime - virtiofs none rw
1205 1200 0:58 / /var/lib/kubelet/pods/1-2/volumes/kubernetes.io~projected/token rw,relatime - tmpfs tmpfs rw
";

    #[test]
    fn a_copy_of_the_volume_is_told_from_the_volume() {
        let copy = |kind: &str| Place::CopyOfVolume(kind.to_owned());
        for (device, expected) in [
            (makedev(0, 55), Place::Projected),
            (makedev(0, 49), copy("overlay")),
            (makedev(0, 56), copy("tmpfs")),
            (makedev(259, 1), copy("xfs")),
            (makedev(0, 57), Place::Projected),
            (makedev(0, 58), Place::Projected),
            (makedev(9, 9), Place::Projected),
        ] {
            assert_eq!(Place::of_volume(MOUNTS, device), expected, "{device}");
        }
    }

    #[test]
    fn a_space_in_a_mount_point_is_read_back() {
        assert_eq!(unescape("/a\\040b\\134c"), "/a b\\c");
    }
}

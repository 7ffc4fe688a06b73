//! The token's file: there, readable by this user, the kubelet's own, and replaced in time.

use std::fs;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::config::quoted;
use crate::doctor::facts::Facts;
use crate::doctor::finding::Check;
use crate::doctor::finding::Finding;
use crate::doctor::finding::Severity::Broken;
use crate::doctor::finding::Severity::Note;
use crate::doctor::finding::Severity::Warning;
use crate::doctor::text::about;
use crate::file::read_bounded;
use crate::token::ReadTokenError;

const MAX_MOUNTS: usize = 4 * 1024 * 1024;

pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let (Some(path), Some(token)) = (facts.token_file(), &facts.token) else {
        let why = "No file is named: credentials do not come from a web identity token here.";
        return vec![Check::TokenFile.skipped("AWS_WEB_IDENTITY_TOKEN_FILE", why)];
    };
    let looked_at = quoted(&path.to_string_lossy());
    match token {
        Err(error) => vec![unreadable(&path, error).unwrap_or_else(|| {
            let found = format!("{looked_at}: {error}.");
            Check::TokenFile.finding(Broken, error.code(), looked_at, found).mend(error.mend())
        })],
        Ok(_) => {
            let mut findings = vec![readable(facts, &path)];
            findings.extend(copied(facts, &path));
            findings
        }
    }
}

/// With the numbers that decide it.
fn unreadable(path: &Path, error: &ReadTokenError) -> Option<Finding> {
    if *error != ReadTokenError::PermissionDenied {
        return None;
    }
    let looked_at = quoted(&path.to_string_lossy());
    let (uid, gid) = (rustix::process::getuid(), rustix::process::getgid());
    let who = format!("this process is uid {}, gid {}", uid.as_raw(), gid.as_raw());
    let found = match fs::metadata(path) {
        Ok(metadata) => {
            format!("{looked_at} is {}, and {who}: it may not read it.", modes(&metadata))
        }
        Err(_) => format!("{looked_at} is in a directory that this user may not enter; {who}."),
    };
    Some(Check::TokenFile.finding(Broken, error.code(), looked_at, found).mend(
        "Set the pod's securityContext.fsGroup (any number, such as 65534): the kubelet then gives the file to that group, mode \
         0640. Or set runAsUser for every container alike.",
    ))
}

fn modes(metadata: &Metadata) -> String {
    format!("mode {:04o}, owner {}, group {}", metadata.mode() & 0o7777, metadata.uid(), metadata.gid())
}

fn readable(facts: &Facts<'_>, path: &Path) -> Finding {
    let looked_at = quoted(&path.to_string_lossy());
    let modes = fs::metadata(path).map(|metadata| modes(&metadata)).unwrap_or_default();
    let written =
        data_link(path).or_else(|| fs::metadata(path).ok()).and_then(|metadata| metadata.modified().ok());
    let ago = written.and_then(|written| facts.now.duration_since(written).ok());
    let ago = ago.map(|ago| format!("; written {} ago", about(ago)));
    let projected = if is_projected(path) { ", in a projected volume" } else { "" };
    Check::TokenFile.fine(looked_at, format!("Readable: {modes}{projected}{}.", ago.unwrap_or_default()))
}

/// The kubelet's own way of putting a file in place: `token -> ..data/token`, `..data -> ..2026_…`.
pub(super) fn is_projected(path: &Path) -> bool {
    let target = fs::read_link(path).unwrap_or_default();
    target.starts_with("..data") && data_link(path).is_some()
}

fn data_link(path: &Path) -> Option<Metadata> {
    fs::symlink_metadata(path.parent()?.join("..data")).ok().filter(Metadata::is_symlink)
}

/// What the kubelet will not renew.
fn copied(facts: &Facts<'_>, path: &Path) -> Option<Finding> {
    if is_projected(path) {
        return None;
    }
    let looked_at = quoted(&path.to_string_lossy());
    let finding =
        |severity, code, found: &str| Check::TokenFile.finding(severity, code, looked_at.clone(), found);
    if is_mounted_alone(facts, path) {
        let found = "The file is mounted by itself (subPath): the kubelet never renews it there.";
        let mend = "Mount the volume as a directory, without subPath.";
        return Some(finding(Warning, "TokenFileIsSubPath", found).mend(mend));
    }
    let found =
        "The file is not in a projected volume: whoever wrote it must write it anew before it expires.";
    let mend = "In a pod, name the file in the volume itself; a copy that a script made stays as it is.";
    Some(finding(Note, "TokenFileIsCopy", found).mend(mend))
}

/// Whether it is a mount point of its own.
fn is_mounted_alone(facts: &Facts<'_>, path: &Path) -> bool {
    let pid = facts.asked.pid.map_or_else(|| "self".to_owned(), |pid| pid.to_string());
    let mounts = read_bounded(Path::new(&format!("/proc/{pid}/mountinfo")), MAX_MOUNTS).unwrap_or_default();
    let mounts = String::from_utf8_lossy(&mounts);
    let mut points = mounts.lines().filter_map(|line| line.split(' ').nth(4)).map(unescape);
    points.any(|point| facts.seen(&point) == path || Path::new(&point) == path)
}

/// proc_pid_mountinfo(5): what would end a field is written in octal.
fn unescape(point: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(point.to_owned(), |point, (escape, character)| point.replace(escape, character))
}

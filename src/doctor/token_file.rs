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
use crate::doctor::token_file::place::Place;
use crate::doctor::token_file::place::data_link;
use crate::token::ReadTokenError;

pub(super) mod place;

/// What the kubelet, and EKS's webhook, call the file.
const FILE: &str = "token";
const MAX_GROUPS_SHOWN: usize = 16;

pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let (Some(path), Some(token)) = (facts.token_file(), &facts.token) else {
        let why = "No file is named: credentials do not come from a web identity token here.";
        return vec![Check::TokenFile.skipped("AWS_WEB_IDENTITY_TOKEN_FILE", why)];
    };
    let looked_at = quoted(&path.to_string_lossy());
    match token {
        Err(error) => vec![unreadable(&path, error)],
        Ok(_) => {
            let place = Place::of(facts, &path);
            let mut findings = vec![readable(facts, &path, &place)];
            findings.extend(not_renewed(&place, looked_at));
            findings
        }
    }
}

fn unreadable(path: &Path, error: &ReadTokenError) -> Finding {
    let looked_at = quoted(&path.to_string_lossy());
    let metadata = fs::metadata(path);
    let finding = |found: String| Check::TokenFile.finding(Broken, error.code(), looked_at.clone(), found);
    match (error, &metadata) {
        // With the numbers that decide it.
        (ReadTokenError::PermissionDenied, metadata) => {
            let found = match metadata {
                Ok(metadata) => {
                    format!("{looked_at} is {}, and {}: it may not read it.", modes(metadata), who())
                }
                Err(_) => format!("{looked_at} is in a directory that this user may not enter; {}.", who()),
            };
            finding(found).mend(
                "Set the pod's securityContext.fsGroup (any number, such as 65534): the kubelet then gives the file to that group, \
                 mode 0640. Or set runAsUser for every container alike.",
            )
        }
        (ReadTokenError::NotAFile, Ok(metadata)) if metadata.is_dir() => {
            let (what, mend) = match path.join(FILE).exists() {
                true => (", and the token is a file in it", "Name the file in it, …/token."),
                false => (
                    "",
                    "Name the file itself; where it is mounted by subPath, the volume had no such file, and a directory was made in \
                     its place: mount the volume as a directory.",
                ),
            };
            finding(format!("{looked_at} is a directory{what}.")).mend(mend)
        }
        _ => finding(format!("{looked_at}: {error}.")).mend(error.mend()),
    }
}

/// This process, as far as it decides which files it may read.
fn who() -> String {
    let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let groups = rustix::process::getgroups().unwrap_or_default();
    let shown = groups.iter().take(MAX_GROUPS_SHOWN).map(|group| group.as_raw().to_string());
    let groups = match groups.is_empty() {
        true => "no further groups".to_owned(),
        false => format!("groups {}", shown.collect::<Vec<_>>().join(" ")),
    };
    format!("this process is uid {uid}, gid {gid}, {groups}")
}

fn modes(metadata: &Metadata) -> String {
    format!("mode {:04o}, owner {}, group {}", metadata.mode() & 0o7777, metadata.uid(), metadata.gid())
}

fn readable(facts: &Facts<'_>, path: &Path, place: &Place) -> Finding {
    let looked_at = quoted(&path.to_string_lossy());
    let modes = fs::metadata(path).map(|metadata| modes(&metadata)).unwrap_or_default();
    let written =
        data_link(path).or_else(|| fs::metadata(path).ok()).and_then(|metadata| metadata.modified().ok());
    let ago = written.and_then(|written| facts.now.duration_since(written).ok());
    let ago = ago.map(|ago| format!("; written {} ago", about(ago)));
    let projected = if *place == Place::Projected { ", in a projected volume" } else { "" };
    Check::TokenFile.fine(looked_at, format!("Readable: {modes}{projected}{}.", ago.unwrap_or_default()))
}

/// Where it is the kubelet's to renew it, as far as can be seen.
pub(super) fn is_projected(facts: &Facts<'_>, path: &Path) -> bool {
    Place::of(facts, path) == Place::Projected
}

/// What the kubelet will not renew.
fn not_renewed(place: &Place, looked_at: String) -> Option<Finding> {
    let (severity, code, found, mend) = match place {
        Place::Projected => return None,
        Place::SubPath => (
            Warning,
            "TokenFileIsSubPath",
            "The file is mounted by itself (subPath): the kubelet never renews it there.".to_owned(),
            "Mount the volume as a directory, without subPath.",
        ),
        Place::CopyOfVolume(kind) => (
            Note,
            "TokenFileIsCopy",
            format!(
                "It looks like the kubelet's volume, and is a copy of one, on {kind}: the kubelet does not renew it."
            ),
            "Name the file in the volume itself; a copy (cp -a) stays as it is.",
        ),
        Place::Elsewhere => (
            Note,
            "TokenFileIsCopy",
            "The file is not in a projected volume: whoever wrote it must write it anew before it expires."
                .to_owned(),
            "In a pod, name the file in the volume itself; a copy that a script made stays as it is.",
        ),
    };
    Some(Check::TokenFile.finding(severity, code, looked_at, found).mend(mend))
}

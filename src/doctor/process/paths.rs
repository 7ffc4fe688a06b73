//! The paths of a process that has another root, for whoever cannot take that root on: relative ones, to be read in
//! `/proc/PID/root`. A link to `/run` in there means the process's own.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use crate::contract::ENV_CA_BUNDLE;
use crate::contract::ENV_CONFIG_FILE;
use crate::contract::ENV_CONTAINER_AUTHORIZATION_TOKEN_FILE;
use crate::contract::ENV_CREDENTIALS_FILES;
use crate::contract::ENV_HOME;
use crate::contract::ENV_ROLES_FILE;
use crate::contract::ENV_WEB_IDENTITY_TOKEN_FILE;

/// Variables that are paths.
const PATHS: [&str; 7] = [
    ENV_CA_BUNDLE,
    ENV_CONFIG_FILE,
    ENV_CONTAINER_AUTHORIZATION_TOKEN_FILE,
    ENV_CREDENTIALS_FILES[0],
    ENV_WEB_IDENTITY_TOKEN_FILE,
    ENV_HOME,
    ENV_ROLES_FILE,
];
/// As the kernel has it (path_resolution(7)).
const MAX_LINKS: usize = 40;

pub(super) fn from_here(pid: u32, variables: &[(OsString, OsString)]) -> Vec<(OsString, OsString)> {
    let root = PathBuf::from(format!("/proc/{pid}/root"));
    let directory = directory_in_root(pid).unwrap_or_else(|| PathBuf::from("/"));
    let home = variables.iter().find(|(name, _)| name == ENV_HOME).map(|(_, home)| PathBuf::from(home));
    let seen = |(name, value): &(OsString, OsString)| {
        let is_path = PATHS.iter().any(|path| name == *path) && !value.is_empty();
        let value = if is_path { in_root(&root, &directory, home.as_deref(), value) } else { value.clone() };
        (name.clone(), value)
    };
    variables.iter().map(seen).collect()
}

/// Where the process is, from its root on.
pub(super) fn directory_in_root(pid: u32) -> Option<PathBuf> {
    let link = |what: &str| fs::read_link(format!("/proc/{pid}/{what}")).ok();
    let below = link("cwd")?.strip_prefix(link("root")?).ok()?.to_owned();
    Some(Path::new("/").join(below))
}

fn in_root(root: &Path, directory: &Path, home: Option<&Path>, value: &OsStr) -> OsString {
    // As SDKs read it.
    let of_home = value.as_bytes().strip_prefix(b"~/").map(OsStr::from_bytes);
    let path = match (home, of_home) {
        (Some(home), Some(rest)) => home.join(rest),
        _ => PathBuf::from(value),
    };
    let relative = without_absolute_links(root, &directory.join(path));
    if relative.as_os_str().is_empty() { OsString::from(".") } else { relative.into_os_string() }
}

/// Below the root, without the links that would lead out of it. Those within a volume stay: by them it is known.
fn without_absolute_links(root: &Path, path: &Path) -> PathBuf {
    let (mut path, mut links) = (normal(path), 0);
    'again: loop {
        let mut walked = PathBuf::new();
        let parts: Vec<OsString> = path.iter().map(OsStr::to_owned).collect();
        for (index, part) in parts.iter().enumerate() {
            walked.push(part);
            let target = fs::read_link(root.join(&walked)).ok().filter(|target| target.is_absolute());
            if let Some(target) = target.filter(|_| links < MAX_LINKS) {
                links += 1;
                path = normal(&parts[index + 1..].iter().fold(target, |path, part| path.join(part)));
                continue 'again;
            }
        }
        return path;
    }
}

/// Relative to the root, above which there is nothing.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => normal.push(part),
            Component::ParentDir => drop(normal.pop()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use support::scratch::Scratch;

    use super::*;

    #[test]
    fn a_path_stays_below_the_processs_root() {
        let scratch = Scratch::new("paths").unwrap();
        let root = scratch.path();
        fs::create_dir_all(root.join("run/secrets/..2026")).unwrap();
        fs::create_dir(root.join("var")).unwrap();
        symlink("/run", root.join("var/run")).unwrap();
        symlink("..2026", root.join("run/secrets/..data")).unwrap();
        symlink("..data/token", root.join("run/secrets/token")).unwrap();
        symlink("/loop", root.join("loop")).unwrap();
        let seen = |value: &str| {
            let value = in_root(root, Path::new("/srv/app"), Some(Path::new("/home/app")), OsStr::new(value));
            value.into_string().unwrap()
        };
        for (value, wanted) in [
            ("/var/run/secrets/token", "run/secrets/token"),
            ("/var/../../../etc/passwd", "etc/passwd"),
            ("token", "srv/app/token"),
            ("../token", "srv/token"),
            ("~/.aws/config", "home/app/.aws/config"),
            ("/", "."),
            ("/loop", "loop"),
        ] {
            assert_eq!(seen(value), wanted, "{value}");
        }
    }
}

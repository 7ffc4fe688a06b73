//! Which paths may be passed on: a pure function of the list and the path.
//!
//! A path is decoded exactly once. What then still has a byte in it that no metadata path has (`%` of a second encoding,
//! `\`, `;`, NUL) is refused, and so is what names, anywhere and in whatever case, one of the things that are never
//! passed on. The rest has its dots and doubled slashes resolved, and is admitted by the list or not at all. What is
//! sent is what was looked at, never the client's own spelling.

use percent_encoding::percent_decode_str;

use crate::config::PathRule;
use crate::config::is_never_passed_on;
use crate::config::is_path_byte;
use crate::metadata_path::Segments;
use crate::metadata_path::is_version;

/// The longest that is known, an IPv6 prefix of a network interface, has not half of it.
const LONGEST_PATH: usize = 256;

/// A path that may be passed on: percent-decoded, dot-normalised, on the allow-list.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Allowed(String);

impl Allowed {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn of(rules: &[PathRule], path: &str) -> Option<Self> {
        let path = if path.len() <= LONGEST_PATH { path.strip_prefix('/')? } else { return None };
        let decoded = percent_decode_str(path).decode_utf8().ok()?;
        if !decoded.bytes().all(is_path_byte) || decoded.split('/').any(is_never_passed_on) {
            return None;
        }
        let Segments { all, climbs_out } = Segments::of(&decoded);
        let (version, below) = all.split_first().filter(|_| !climbs_out)?;
        let below = below.join("/");
        if !is_version(version) || !rules.iter().any(|rule| rule.admits(&below)) {
            return None;
        }
        // Kept as it came: with a slash some metadata services list what is below, without one they redirect.
        let slash = if ends_as_directory(&decoded) { "/" } else { "" };
        Some(Self(format!("/{version}/{below}{slash}")))
    }
}

fn ends_as_directory(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|last| matches!(last, "" | "." | ".."))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::contract::NEVER_PASSED_ON;

    const RULES: [(&str, bool); 5] = [
        ("meta-data/placement", true),
        ("meta-data/instance-id", false),
        ("meta-data/tags", true),
        ("meta-data", true),
        ("dynamic/instance-identity/document", false),
    ];

    /// The last but one admits all of `meta-data/`: what is refused then is refused whatever the list says.
    fn rules(count: usize) -> Vec<PathRule> {
        RULES[..count]
            .iter()
            .map(|(path, is_tree)| PathRule { path: (*path).to_owned(), is_tree: *is_tree })
            .collect()
    }

    fn allowed(path: &str) -> Option<String> {
        Allowed::of(&rules(3), path).map(|allowed| allowed.0)
    }

    fn allowed_by_the_widest_list(path: &str) -> Option<String> {
        let mut widest = rules(RULES.len());
        widest.push(PathRule { path: "dynamic".to_owned(), is_tree: true });
        Allowed::of(&widest, path).map(|allowed| allowed.0)
    }

    #[test]
    fn passes_on_what_is_on_the_list_under_every_version() {
        for (path, sent) in [
            ("/latest/meta-data/instance-id", "/latest/meta-data/instance-id"),
            ("/latest/meta-data/instance-id/", "/latest/meta-data/instance-id/"),
            ("/1.0/meta-data/instance-id", "/1.0/meta-data/instance-id"),
            ("/2021-07-15/meta-data/instance-id", "/2021-07-15/meta-data/instance-id"),
            ("/latest/meta-data/placement", "/latest/meta-data/placement"),
            ("/latest/meta-data/placement/", "/latest/meta-data/placement/"),
            ("/latest/meta-data/placement/region", "/latest/meta-data/placement/region"),
            ("/latest/meta-data/tags/instance/a+b=c@d", "/latest/meta-data/tags/instance/a+b=c@d"),
            // Normalised, and sent so.
            ("//latest///meta-data/./instance-id", "/latest/meta-data/instance-id"),
            ("/latest/x/../meta-data/%69nstance-id", "/latest/meta-data/instance-id"),
            ("/latest/%2e%2e/latest/meta-data/instance-id", "/latest/meta-data/instance-id"),
            ("/latest/meta-data%2Finstance-id", "/latest/meta-data/instance-id"),
            ("/latest/meta-data/placement/x/..", "/latest/meta-data/placement/"),
        ] {
            assert_eq!(allowed(path).as_deref(), Some(sent), "{path}");
        }
    }

    #[test]
    fn passes_on_nothing_else() {
        for path in [
            "",
            "/",
            "latest/meta-data/instance-id",
            "/latest",
            "/latest/",
            "/latest/api/token",
            "/latest/meta-data",
            "/latest/meta-data/",
            "/latest/meta-data/instance-id/below",
            "/latest/meta-data/instance-ids",
            "/latest/meta-data/Instance-Id",
            "/latest/meta-data/placements",
            "/meta-data/instance-id",
            "/LATEST/meta-data/instance-id",
            "/2021-7-15/meta-data/instance-id",
            "/2021-07-15x/meta-data/instance-id",
            "/1.1/meta-data/instance-id",
            "/../latest/meta-data/instance-id",
            "/latest/../../latest/meta-data/instance-id",
            "/latest/meta-data/placement/../hostname",
            "/latest/meta-data/placement/%2e%2e/hostname",
            "http://169.254.169.254/latest/meta-data/instance-id",
            "*",
        ] {
            assert_eq!(allowed(path), None, "{path}");
        }
        let long = format!("/latest/meta-data/tags/{}", "a".repeat(LONGEST_PATH));
        assert_eq!(allowed(&long), None);
    }

    /// Every way to write a segment that reached, somewhere, a server behind a filter.
    #[test]
    fn the_nodes_identity_is_never_passed_on_however_it_is_spelt() {
        let spellings: [fn(&str) -> String; 22] = [
            |s| s.to_owned(),
            |s| s.to_uppercase(),
            |s| s[..1].to_uppercase() + &s[1..],
            |s| format!("%{:02x}{}", s.as_bytes()[0], &s[1..]),
            |s| format!("%{:02X}{}", s.as_bytes()[0], &s[1..]),
            |s| s.bytes().map(|b| format!("%{b:02x}")).collect(),
            |s| s.bytes().map(|b| format!("%25{b:02x}")).collect(),
            |s| s.bytes().map(|b| format!("%2525{b:02x}")).collect(),
            |s| format!("%u00{:02x}{}", s.as_bytes()[0], &s[1..]),
            |s| format!("{s};x=y"),
            |s| format!(";/{s}"),
            |s| format!("{s}%3bx"),
            |s| format!("{s}%00"),
            |s| format!("{s}\0"),
            |s| format!("{s}%20"),
            |s| format!("{s}%0d%0aX:%20y"),
            |s| format!("{s}?x"),
            |s| format!("{s}#x"),
            |s| format!("{s}%23x"),
            |s| format!("x\\..\\{s}"),
            |s| format!("x%5c..%5c{s}"),
            |s| format!("{}%C0%AF", s),
        ];
        let places: [fn(&str) -> String; 13] = [
            |s| format!("/latest/{s}"),
            |s| format!("/latest/{s}/"),
            |s| format!("/latest/meta-data/{s}"),
            |s| format!("/latest/meta-data/{s}/security-credentials/node"),
            |s| format!("/2009-04-04/meta-data/{s}/info"),
            |s| format!("/latest//meta-data//{s}//info"),
            |s| format!("/latest/meta-data/./{s}/info"),
            |s| format!("/latest/meta-data/%2e/{s}"),
            |s| format!("/latest/meta-data/placement/../{s}/info"),
            |s| format!("/latest/meta-data/placement/%2e%2e/{s}/info"),
            |s| format!("/latest/meta-data/placement/%2E%2E%2F{s}/info"),
            |s| format!("/latest/meta-data/placement/..%2f{s}"),
            |s| format!("/latest/dynamic/{s}/../instance-identity/document"),
        ];
        for never in NEVER_PASSED_ON {
            for spelling in spellings {
                for place in places {
                    let path = place(&spelling(never));
                    assert_eq!(allowed_by_the_widest_list(&path), None, "{path:?}");
                }
            }
        }
    }

    /// What is sent reads the same however often it is decoded and normalised again.
    #[test]
    fn nothing_that_is_sent_means_something_else_to_the_next_reader() {
        let pieces = [
            "",
            ".",
            "..",
            "%2e",
            "%2E%2e",
            "%252e",
            "latest",
            "meta-data",
            "placement",
            "iam",
            "%69am",
            "a%2f..",
            "%5c",
            ";",
        ];
        let mut random = fastrand::Rng::with_seed(7);
        let mut sent = 0;
        for _ in 0..200_000 {
            let mut path = "/latest/meta-data".to_owned();
            for _ in 0..random.usize(1..6) {
                path.push('/');
                path.push_str(random.choice(pieces).unwrap());
            }
            let Some(once) = allowed_by_the_widest_list(&path) else { continue };
            sent += 1;
            assert_eq!(allowed_by_the_widest_list(&once).as_ref(), Some(&once), "{path}");
            assert!(once.starts_with("/latest/meta-data"), "{path} is sent as {once}");
            assert!(
                !once.contains("..") && !once.contains("//") && !once.contains('%'),
                "{path} is sent as {once}"
            );
            assert!(
                !once.to_lowercase().split('/').any(|segment| NEVER_PASSED_ON.contains(&segment)),
                "{path}"
            );
        }
        assert!(sent > 1000, "{sent}");
    }
}

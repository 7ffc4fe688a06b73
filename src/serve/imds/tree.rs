//! What there is to be read, as directories and leaves: only what is known, so that a listing never names what a client
//! would then not find.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::cache::Reader;
use crate::config::Imds;
use crate::config::RoleArn;
use crate::metadata_path::is_version;
use crate::serve::imds::document;

/// All below a version. Every version is told the same.
#[derive(Debug)]
pub(super) struct Tree(BTreeMap<String, Node>);

#[derive(Debug)]
enum Node {
    /// The names below it, a line each, without a newline at the end.
    Directory(Bytes),
    Leaf(Leaf),
}

#[derive(Debug)]
pub(super) enum Found<'a> {
    Directory(Bytes),
    Leaf(&'a Leaf),
}

#[derive(Debug)]
pub(super) enum Leaf {
    Value(Bytes),
    Credentials(Reader),
    /// `iam/info`, which says when the credentials were last changed.
    Info {
        role: Reader,
        instance_profile_arn: String,
    },
    /// The instance identity document, of which an upstream knows more.
    Document(document::Document),
}

/// The root's one entry: dated versions are answered, and are not advertised.
const VERSIONS: Bytes = Bytes::from_static(b"latest");

impl Tree {
    pub(super) fn new(role: Option<&Reader>, known: &Imds) -> Self {
        let mut leaves: Vec<(String, Leaf)> = Vec::new();
        if let Some(role) = role
            && let Ok(arn) = role.role_arn().unwrap_or_default().parse::<RoleArn>()
        {
            let name = listed_name(arn.name());
            let account = arn.account().unwrap_or_default();
            let instance_profile_arn =
                format!("arn:{}:iam::{account}:instance-profile/{}", arn.partition(), arn.name());
            leaves.push((
                "meta-data/iam/info".to_owned(),
                Leaf::Info { role: role.clone(), instance_profile_arn },
            ));
            let credentials = Leaf::Credentials(role.clone());
            leaves.push((format!("meta-data/iam/security-credentials/{name}"), credentials));
        }
        let values = [
            ("meta-data/instance-id", &known.instance_id),
            ("meta-data/instance-type", &known.instance_type),
            ("meta-data/placement/availability-zone", &known.availability_zone),
            ("meta-data/placement/region", &known.region),
        ];
        for (path, value) in values {
            if let Some(value) = value {
                leaves.push((path.to_owned(), Leaf::Value(value.clone().into())));
            }
        }
        if let Some(document) = document::Document::of(known) {
            leaves.push(("dynamic/instance-identity/document".to_owned(), Leaf::Document(document)));
        }
        Self::grown(leaves)
    }

    /// `segments` as they were asked for, the version included.
    pub(super) fn find(&self, segments: &[&str]) -> Option<Found<'_>> {
        match segments {
            [] => Some(Found::Directory(VERSIONS)),
            [version, below @ ..] if is_version(version) => match self.0.get(&below.join("/"))? {
                Node::Directory(names) => Some(Found::Directory(names.clone())),
                Node::Leaf(leaf) => Some(Found::Leaf(leaf)),
            },
            _ => None,
        }
    }

    /// Every directory on the way to a leaf, with the names in it. EC2 puts a slash behind a directory's, but not behind
    /// those of the first level, nor behind a role's.
    fn grown(leaves: Vec<(String, Leaf)>) -> Self {
        let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (path, _) in &leaves {
            let segments: Vec<&str> = path.split('/').collect();
            for (depth, segment) in segments.iter().enumerate() {
                let slash = if depth > 0 && depth + 1 < segments.len() { "/" } else { "" };
                let listing = names.entry(segments[..depth].join("/")).or_default();
                let name = format!("{segment}{slash}");
                if !listing.contains(&name) {
                    listing.push(name);
                }
            }
        }
        let directories = names.into_iter().map(|(path, mut names)| {
            names.sort_unstable();
            (path, Node::Directory(names.join("\n").into()))
        });
        let leaves = leaves.into_iter().map(|(path, leaf)| (path, Node::Leaf(leaf)));
        Self(directories.chain(leaves).collect())
    }
}

/// IAM allows more in a role's name than old clients take in a path: `=` makes boto 2 ask for a public key, others are
/// sent unescaped.
fn listed_name(name: &str) -> String {
    let is_taken_by_all = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let listed: String = name.chars().map(|c| if is_taken_by_all(c) { c } else { '-' }).collect();
    // In a path these two are no names.
    if matches!(listed.as_str(), "." | "..") { listed.replace('.', "-") } else { listed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listed_name_can_be_asked_for_whatever_iam_allows() {
        for (name, listed) in
            [("app", "app"), ("a+b=c,d.e@f-g_h", "a-b-c-d.e-f-g_h"), (".", "-"), ("..", "--"), ("...", "...")]
        {
            assert_eq!(listed_name(name), listed);
        }
    }
}

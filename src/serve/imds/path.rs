//! A path of the metadata service, as segments.
//!
//! Percent-decoded once; `.` and `..` resolved; empty segments dropped, since some clients double the slash and some end
//! with one or leave it out. Whatever a path contains, it names something in the tree or nothing.

/// What lies below the root, in order.
pub(super) fn segments(decoded: &str) -> Vec<&str> {
    let mut segments = Vec::with_capacity(8);
    for segment in decoded.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            _ => segments.push(segment),
        }
    }
    segments
}

/// `latest`, or one of EC2's dated versions: whichever a client pins, it is told the same.
pub(super) fn is_version(segment: &str) -> bool {
    let is_date = |bytes: &[u8]| {
        bytes.len() == 10
            && bytes.iter().enumerate().all(|(at, byte)| match at {
                4 | 7 => *byte == b'-',
                _ => byte.is_ascii_digit(),
            })
    };
    matches!(segment, "latest" | "1.0") || is_date(segment.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_and_dots_are_resolved() {
        for (path, expected) in [
            ("/", &[][..]),
            ("", &[]),
            ("//latest//meta-data/", &["latest", "meta-data"]),
            ("/latest/./meta-data/x/../iam", &["latest", "meta-data", "iam"]),
            ("/../../latest", &["latest"]),
            ("/latest/..", &[]),
            ("/latest/...", &["latest", "..."]),
        ] {
            assert_eq!(segments(path), expected, "{path}");
        }
    }

    #[test]
    fn versions_have_the_form_of_a_date() {
        for version in ["latest", "1.0", "2007-01-19", "2021-03-23", "2031-01-01"] {
            assert!(is_version(version), "{version}");
        }
        for other in ["", "Latest", "2.0", "2021-3-23", "2021-03-233", "2021/03/23", "20210323", "meta-data"]
        {
            assert!(!is_version(other), "{other}");
        }
    }
}

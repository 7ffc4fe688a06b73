//! A path of the metadata service, as segments: one grammar for what is known here and for what is passed on, so that the
//! two never disagree on what a path names.
//!
//! `.` and `..` are resolved, and empty segments dropped, since some clients double the slash and some end with one or leave
//! it out. Decoding is the callers', who refuse different things in what they decode.

/// What lies below the root, in order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Segments<'a> {
    pub all: Vec<&'a str>,
    /// It goes above the root on its way. Nothing lies there; who passes a path on refuses it.
    pub climbs_out: bool,
}

impl<'a> Segments<'a> {
    pub fn of(decoded: &'a str) -> Self {
        let mut segments = Self { all: Vec::with_capacity(8), climbs_out: false };
        for segment in decoded.split('/') {
            match segment {
                "" | "." => {}
                ".." => segments.climbs_out |= segments.all.pop().is_none(),
                _ => segments.all.push(segment),
            }
        }
        segments
    }
}

/// `latest`, or one of EC2's dated versions: whichever a client pins, it is told the same.
pub fn is_version(segment: &str) -> bool {
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
        for (path, expected, climbs_out) in [
            ("/", &[][..], false),
            ("", &[], false),
            ("//latest//meta-data/", &["latest", "meta-data"], false),
            ("/latest/./meta-data/x/../iam", &["latest", "meta-data", "iam"], false),
            ("/../../latest", &["latest"], true),
            ("/latest/..", &[], false),
            ("/latest/../../latest", &["latest"], true),
            ("/latest/...", &["latest", "..."], false),
        ] {
            assert_eq!(Segments::of(path), Segments { all: expected.to_vec(), climbs_out }, "{path}");
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

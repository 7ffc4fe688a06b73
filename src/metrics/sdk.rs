//! Which SDK asks, from its `User-Agent`: a closed list, so that the label cannot grow.
//!
//! It is a hint for the operator who looks for old SDKs, nothing is decided by it. Several SDKs ask the credential
//! endpoints with their HTTP library's name, or with none at all.

/// What `requests_total` is counted under.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sdk(usize);

/// The label's values. The first two are no SDK.
const NAMES: [&str; 28] = [
    "other",
    "none",
    "aws-cli",
    "aws-sdk-cpp",
    "aws-sdk-dotnet",
    "aws-sdk-go-v1",
    "aws-sdk-go-v2",
    "aws-sdk-java-v1",
    "aws-sdk-java-v2",
    "aws-sdk-js-v2",
    "aws-sdk-js-v3",
    "aws-sdk-php",
    "aws-sdk-ruby",
    "aws-sdk-rust",
    "boto",
    "curl",
    "fluent-bit",
    "fog",
    "go-http-client",
    "irsa-sidecar-doctor",
    "java",
    "kube-probe",
    "minio",
    "prometheus",
    "python-requests",
    "python-urllib",
    "python-urllib3",
    "s3fs",
];

/// How a `User-Agent` begins, in any case, and whom that shows. In the alphabet's order; no entry begins another.
const BEGINNINGS: [(&str, Sdk); 37] = [
    ("aws-cli/", named("aws-cli")),
    ("aws-fluent-bit", named("fluent-bit")),
    ("aws-sdk-cpp/", named("aws-sdk-cpp")),
    ("aws-sdk-dotnet", named("aws-sdk-dotnet")),
    ("aws-sdk-go-v2/", named("aws-sdk-go-v2")),
    ("aws-sdk-go/", named("aws-sdk-go-v1")),
    ("aws-sdk-java/1.", named("aws-sdk-java-v1")),
    ("aws-sdk-java/2.", named("aws-sdk-java-v2")),
    ("aws-sdk-js/2.", named("aws-sdk-js-v2")),
    ("aws-sdk-js/3.", named("aws-sdk-js-v3")),
    ("aws-sdk-nodejs/2.", named("aws-sdk-js-v2")),
    ("aws-sdk-nodejs/3.", named("aws-sdk-js-v3")),
    ("aws-sdk-php", named("aws-sdk-php")),
    ("aws-sdk-ruby", named("aws-sdk-ruby")),
    ("aws-sdk-rust/", named("aws-sdk-rust")),
    ("boto/", named("boto")),
    ("boto3/", named("boto")),
    ("botocore/", named("boto")),
    ("curl/", named("curl")),
    ("excon/", named("fog")),
    ("fluent-bit", named("fluent-bit")),
    ("fog", named("fog")),
    ("go-http-client/", named("go-http-client")),
    ("guzzlehttp/", named("aws-sdk-php")),
    ("irsa-sidecar-doctor/", named("irsa-sidecar-doctor")),
    ("java/", named("java")),
    ("kube-probe/", named("kube-probe")),
    ("libcurl/", named("curl")),
    ("minio", named("minio")),
    ("prometheus/", named("prometheus")),
    ("python-requests/", named("python-requests")),
    ("python-urllib/", named("python-urllib")),
    ("python-urllib3/", named("python-urllib3")),
    ("ruby", named("aws-sdk-ruby")),
    ("s3fs/", named("s3fs")),
    ("smithy-rs/", named("aws-sdk-rust")),
    ("smithy-ts/", named("aws-sdk-js-v3")),
];

/// Where in [`BEGINNINGS`] each letter starts, and the last one ends: every request passes here.
const STARTS: [usize; 27] = starts();

impl Sdk {
    pub const OTHER: Self = named("other");
    pub const NONE: Self = named("none");
    pub const COUNT: usize = NAMES.len();

    pub fn of(user_agent: Option<&[u8]>) -> Self {
        let Some(text) = user_agent.filter(|text| !text.is_empty()) else {
            return Self::NONE;
        };
        let letter = usize::from(text[0].to_ascii_lowercase()).wrapping_sub(usize::from(b'a'));
        let (Some(&start), Some(&end)) = (STARTS.get(letter), STARTS.get(letter.wrapping_add(1))) else {
            return Self::OTHER;
        };
        BEGINNINGS[start..end]
            .iter()
            .find(|(beginning, _)| begins_with(text, beginning.as_bytes()))
            .map_or(Self::OTHER, |(_, sdk)| *sdk)
    }

    pub fn name(self) -> &'static str {
        NAMES[self.0]
    }

    pub(super) fn index(self) -> usize {
        self.0
    }

    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..NAMES.len()).map(Self)
    }
}

/// By hand: `eq_ignore_ascii_case` is made for long texts; for these it was a tenth of a request's instructions.
fn begins_with(text: &[u8], beginning: &[u8]) -> bool {
    let mut pairs = text.iter().zip(beginning);
    text.len() >= beginning.len() && pairs.all(|(byte, wanted)| byte.to_ascii_lowercase() == *wanted)
}

/// Looks a name up while compiling: a name that is not in the list does not build.
const fn named(name: &str) -> Sdk {
    let mut index = 0;
    while index < NAMES.len() {
        if same(NAMES[index].as_bytes(), name.as_bytes()) {
            return Sdk(index);
        }
        index += 1;
    }
    panic!("every name must be in the list")
}

const fn starts() -> [usize; 27] {
    let mut starts = [0; 27];
    let mut letter = 0;
    while letter < starts.len() {
        let first = b'a' + letter as u8;
        while starts[letter] < BEGINNINGS.len() && BEGINNINGS[starts[letter]].0.as_bytes()[0] < first {
            starts[letter] += 1;
        }
        letter += 1;
    }
    starts
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut index = 0;
    while index < a.len() {
        if a[index] != b[index] {
            return false;
        }
        index += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As real clients send it, where it was seen on the wire; else as their sources build it.
    const SEEN: [(Option<&str>, &str); 38] = [
        (None, "none"),
        (Some(""), "none"),
        (Some("Python-urllib/3.11"), "python-urllib"),
        (Some("python-urllib3/1.26.18"), "python-urllib3"),
        (Some("python-requests/2.7.0 CPython/3.11.2 Linux/6.1"), "python-requests"),
        (Some("Boto/2.49.0 Python/3.11.2 Linux/6.1"), "boto"),
        (Some("Boto3/1.9.199 Python/3.11.2 Linux/6.1 Botocore/1.12.199"), "boto"),
        (Some("Botocore/1.44.5 Python/3.11.2"), "boto"),
        (Some("aws-cli/1.16.209 Python/3.11.2 Linux/6.1 botocore/1.12.199"), "aws-cli"),
        (Some("aws-cli/2.9.19 Python/3.11.2 Linux/6.1 source/x86_64"), "aws-cli"),
        (Some("aws-sdk-nodejs/2.516.0 linux/v20.20.2"), "aws-sdk-js-v2"),
        (Some("aws-sdk-nodejs/2.63.0 linux/v20.20.2 promise"), "aws-sdk-js-v2"),
        (Some("aws-sdk-js/3.972.86"), "aws-sdk-js-v3"),
        (Some("aws-sdk-java/1.11.613 Linux/6.1 OpenJDK_64-Bit_Server_VM/17"), "aws-sdk-java-v1"),
        (Some("aws-sdk-java/2.10.11"), "aws-sdk-java-v2"),
        (Some("aws-sdk-java/3.0"), "other"),
        (Some("aws-sdk-go/1.20.21 (go1.19.8; linux; amd64)"), "aws-sdk-go-v1"),
        (Some("aws-sdk-go-v2/1.17.1 os/linux lang/go/1.19.8"), "aws-sdk-go-v2"),
        (Some("Go-http-client/1.1"), "go-http-client"),
        (Some("Ruby"), "aws-sdk-ruby"),
        (Some("aws-sdk-ruby3/3.168.1 ruby/3.1.2"), "aws-sdk-ruby"),
        (Some("aws-sdk-php/3.110.7 GuzzleHttp/6.3.3 curl/7.88.1"), "aws-sdk-php"),
        (Some("GuzzleHttp/7"), "aws-sdk-php"),
        (Some("aws-sdk-dotnet-coreclr/3.3.107.23"), "aws-sdk-dotnet"),
        (Some("aws-sdk-cpp/1.11.201 Linux/6.1 x86_64"), "aws-sdk-cpp"),
        (Some("aws-sdk-rust/1.3.13 os/linux lang/rust/1.95.0"), "aws-sdk-rust"),
        (Some("MinIO (linux; amd64) minio-go/v7.0.46"), "minio"),
        (Some("s3fs/1.90 (commit hash unknown; GnuTLS(gcrypt))"), "s3fs"),
        (Some("fog/1.0 fog-core/2.3.0"), "fog"),
        (Some("excon/0.99.0"), "fog"),
        (Some("aws-fluent-bit-plugin"), "fluent-bit"),
        (Some("curl/7.88.1"), "curl"),
        (Some("kube-probe/1.31"), "kube-probe"),
        (Some("irsa-sidecar-doctor/0.1.0"), "irsa-sidecar-doctor"),
        (Some("irsa-sidecar/0.1.0"), "other"),
        (Some("Prometheus/2.54.1"), "prometheus"),
        (Some("Mozilla/5.0 (X11; Linux x86_64)"), "other"),
        (Some("aws"), "other"),
    ];

    #[test]
    fn tells_the_sdk_from_what_it_sends() {
        for (user_agent, name) in SEEN {
            assert_eq!(Sdk::of(user_agent.map(str::as_bytes)).name(), name, "{user_agent:?}");
        }
    }

    #[test]
    fn the_beginnings_are_in_order() {
        assert!(BEGINNINGS.is_sorted_by_key(|(beginning, _)| beginning));
        assert_eq!((STARTS[0], STARTS[26]), (0, BEGINNINGS.len()));
    }

    #[test]
    fn no_beginning_hides_another() {
        for (index, (beginning, _)) in BEGINNINGS.iter().enumerate() {
            for (earlier, _) in &BEGINNINGS[..index] {
                assert!(!beginning.starts_with(earlier), "{earlier} hides {beginning}");
            }
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_other() {
        assert_eq!(Sdk::of(Some(b"\xff\xfe")), Sdk::OTHER);
    }
}

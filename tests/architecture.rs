//! The plan of the house as a test: who may use whom, which dependency has which door, how large a room may get.
//!
//! It reads `src/` as text. One `use` path per line is what makes that possible; a group across rooms is reported.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Room → the rooms it may use. A room that is not here may not exist; `main`, `cli` and `app` stand on top of all.
const PLAN: &[(&str, &[&str])] = &[
    // Leaves.
    ("authorities", &[]),
    ("backoff", &[]),
    ("beat", &["clock"]),
    ("build_info", &[]),
    ("clock", &[]),
    ("contract", &[]),
    ("file", &["beat", "clock"]),
    ("harmless", &[]),
    ("heap", &["beat"]),
    ("http_once", &[]),
    ("metadata_path", &[]),
    ("metrics", &["build_info"]),
    ("patch", &[]),
    ("secret", &[]),
    ("session_key", &[]),
    ("shell", &[]),
    ("shutdown", &[]),
    ("termination_log", &["contract"]),
    // Values.
    ("config", &["authorities", "contract", "file", "secret"]),
    ("credentials", &["secret"]),
    ("log", &["config", "harmless"]),
    ("token", &["beat", "clock", "contract", "credentials", "file", "metrics", "secret"]),
    // What a pod is given; it sees no credentials.
    ("inject", &["config", "contract", "patch"]),
    // The text of a manifest; it does not know what is injected.
    ("manifest", &["patch"]),
    // Ports.
    (
        "sts",
        &[
            "authorities",
            "build_info",
            "clock",
            "config",
            "contract",
            "credentials",
            "file",
            "harmless",
            "secret",
            "token",
        ],
    ),
    (
        "pod_identity",
        &["build_info", "clock", "config", "contract", "credentials", "http_once", "secret", "sts", "token"],
    ),
    // What a pod is given before it starts; only `cli` may ask for it.
    ("claim", &["config", "contract"]),
    // Asks for one file again and again; the server holds the half that cannot.
    ("authorization", &["beat", "clock", "config", "metrics", "secret"]),
    // What is served at this moment.
    ("roles", &["authorization", "cache", "contract"]),
    // Policy.
    ("cache", &["clock", "credentials", "secret"]),
    (
        "refresh",
        &[
            "backoff",
            "beat",
            "cache",
            "clock",
            "credentials",
            "metrics",
            "shutdown",
            "sts",
            "termination_log",
            "token",
        ],
    ),
    // The one thing that a request may ask of another machine, and it is asked by a task of its own.
    ("upstream", &["clock", "config", "contract", "metadata_path", "metrics", "secret"]),
    // Opt in: the one thing that puts secrets on a volume.
    ("credentials_file", &["beat", "clock", "credentials", "file", "metrics", "refresh"]),
    // What IAM must say; it asks nobody.
    ("trust_policy", &["config", "contract", "harmless", "shell", "token"]),
    // Looks at everything and changes nothing.
    (
        "doctor",
        &[
            "build_info",
            "clock",
            "config",
            "contract",
            "credentials",
            "file",
            "harmless",
            "http_once",
            "inject",
            "secret",
            "sts",
            "token",
            "trust_policy",
        ],
    ),
    // One command: it is given an endpoint, and knows nothing of what is behind it.
    ("exec", &["config", "contract", "inject", "secret"]),
    // It sees no credentials, and no secret but its own certificate's key.
    (
        "webhook",
        &["beat", "build_info", "clock", "config", "contract", "file", "heap", "inject", "patch", "shutdown"],
    ),
    // Surfaces. A request can never cause a call for credentials: neither `sts` nor `token` is here.
    (
        "serve",
        &[
            "authorization",
            "build_info",
            "cache",
            "clock",
            "config",
            "contract",
            "credentials",
            "metadata_path",
            "metrics",
            "roles",
            "session_key",
            "shutdown",
            "upstream",
        ],
    ),
];

const ON_TOP: &[&str] = &["app", "cli", "lib", "main"];

/// The door to the AWS SDK is as wide as these files.
const STS: &[&str] = &[
    "src/sts/client.rs",
    "src/sts/client/accept.rs",
    "src/sts/client/chain.rs",
    "src/sts/client/connector.rs",
    "src/sts/client/endpoint.rs",
    "src/sts/client/failure.rs",
    "src/sts/client/heard.rs",
    "src/sts/client/iam.rs",
    "src/sts/client/look.rs",
    "src/sts/client/signed.rs",
    "src/sts/client/web_identity.rs",
];

/// Crate → the only files that may name it.
const DOORS: &[(&str, &[&str])] = &[
    ("arc_swap", &["src/cache.rs"]),
    ("aws_config", &["src/sts/client/endpoint.rs"]),
    (
        "aws_runtime",
        &["src/doctor/profile.rs", "src/sts/client/endpoint.rs", "src/sts/client/profile_files.rs"],
    ),
    ("aws_sdk_sts", STS),
    ("aws_sigv4", &["src/sts/client/iam.rs"]),
    ("aws_smithy_async", STS),
    ("aws_smithy_http_client", STS),
    ("aws_smithy_runtime_api", STS),
    ("aws_smithy_types", STS),
    ("aws_types", &["src/doctor/profile.rs", "src/sts/client/endpoint.rs"]),
    ("base64", &["src/token.rs", "src/serve/imds/session.rs", "src/webhook/review.rs"]),
    (
        "clap",
        &[
            "src/cli.rs",
            "src/cli/doctor.rs",
            "src/cli/exec.rs",
            "src/cli/injection.rs",
            "src/cli/offer.rs",
            "src/cli/trust_policy.rs",
        ],
    ),
    ("fastrand", &["src/app.rs"]),
    ("hmac", &["src/serve/imds/session.rs"]),
    ("httpdate", STS),
    ("humantime", &["src/credentials.rs", "src/config/types.rs", "src/webhook/tls.rs"]),
    ("hyper::client", &["src/http_once.rs", "src/upstream/client.rs"]),
    ("k8s_openapi", &["src/webhook/accounts.rs"]),
    ("kube", &["src/webhook/accounts.rs", "src/webhook/cluster.rs"]),
    ("netlink_packet_core", &["src/claim/netlink.rs"]),
    ("netlink_packet_route", &["src/claim/netlink.rs"]),
    ("notify", &["src/file/watch.rs"]),
    (
        "prometheus_client",
        &["src/metrics.rs", "src/metrics/surface.rs", "src/metrics/upstream.rs", "src/webhook/metrics.rs"],
    ),
    ("rustls", &["src/webhook/listen.rs", "src/webhook/tls.rs"]),
    ("rustls_pki_types", &["src/authorities.rs"]),
    ("saphyr_parser", &["src/config/yaml.rs", "src/manifest/tree.rs"]),
    ("sha2", &["src/serve/imds/session.rs"]),
    ("subtle", &["src/secret.rs"]),
    ("tokio_rustls", &["src/webhook/listen.rs"]),
    ("tracing_subscriber", &["src/log.rs"]),
    ("webpki", &["src/authorities.rs"]),
    ("x509_cert", &["src/webhook/tls.rs"]),
];

/// These decide and compute; they do not wait, call or look at a clock.
const PURE: &[&str] = &[
    "src/backoff.rs",
    "src/cache/history.rs",
    "src/credentials.rs",
    "src/harmless.rs",
    "src/inject.rs",
    "src/inject/application.rs",
    "src/inject/asked.rs",
    "src/inject/endpoints.rs",
    "src/inject/identity.rs",
    "src/inject/no_proxy.rs",
    "src/inject/placement.rs",
    "src/inject/pod.rs",
    "src/inject/settings.rs",
    "src/inject/sidecar.rs",
    "src/manifest.rs",
    "src/manifest/emit.rs",
    "src/manifest/splice.rs",
    "src/manifest/tree.rs",
    "src/manifest/value.rs",
    "src/metadata_path.rs",
    "src/patch.rs",
    "src/refresh.rs",
    "src/serve/guard.rs",
    "src/token/doubt.rs",
    "src/trust_policy.rs",
    "src/trust_policy/asked.rs",
    "src/trust_policy/condition.rs",
    "src/trust_policy/difference.rs",
    "src/trust_policy/document.rs",
    "src/trust_policy/loosened.rs",
    "src/trust_policy/render.rs",
    "src/trust_policy/strict.rs",
    "src/trust_policy/verdict.rs",
    "src/upstream/allow.rs",
    "src/webhook/review.rs",
];
const IMPURE: &[&str] =
    &["async ", ".await", "tokio::", "std::fs", "std::net::Tcp", "clock::Clock", "tracing::"];

const LONGEST_ROOM: usize = 400;

#[test]
fn rooms_use_only_what_the_plan_allows() {
    let plan: BTreeMap<_, _> = PLAN.iter().copied().collect();
    let mut wrong = Vec::new();
    let mut uses = BTreeSet::new();
    for (path, text) in sources() {
        let room = word(path.trim_start_matches("src/"));
        if ON_TOP.contains(&room.as_str()) || is_test(&path) {
            continue;
        }
        let Some(may) = plan.get(room.as_str()) else {
            wrong.push(format!("{path}: the room `{room}` is not in PLAN"));
            continue;
        };
        for used in text.split("crate::").skip(1).map(word) {
            if used != room && !may.contains(&used.as_str()) {
                wrong.push(format!("{path} uses `{used}`"));
            }
            uses.insert((room.clone(), used));
        }
    }
    for (room, may) in PLAN {
        let unused = may.iter().filter(|other| !uses.contains(&((*room).to_owned(), (**other).to_owned())));
        wrong.extend(
            unused.map(|other| format!("`{room}` does not use `{other}`, and need not be allowed to")),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// ARCHITECTURE.md tells the plan in fewer words: `leaves`, `values` and `ports` stand for what is so called there.
#[test]
fn the_architecture_tells_the_plan() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let table = text.split("|---|---|---|\n").nth(1).unwrap();
    let rows: Vec<Vec<&str>> = table
        .lines()
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').collect())
        .collect();
    // `NO_PROXY` is no room.
    let named = |cell: &str| -> BTreeSet<String> {
        cell.split('`')
            .skip(1)
            .step_by(2)
            .filter(|name| name.starts_with(char::is_lowercase))
            .map(word)
            .collect()
    };
    let leaves = named(rows[0][0]);
    let values = ["config", "credentials", "token"].map(str::to_owned);
    let ports = ["pod_identity", "sts"].map(str::to_owned);
    let mut told = BTreeSet::new();
    let mut wrong = Vec::new();
    for row in &rows {
        let mut may = named(row[2]);
        for (name, rooms) in [
            ("leaves", Vec::from_iter(leaves.clone())),
            ("values", values.to_vec()),
            ("ports", ports.to_vec()),
        ] {
            may.extend(rooms.into_iter().filter(|_| row[2].contains(name)));
        }
        let rooms = named(row[0]);
        told.extend(rooms.clone());
        let planned = PLAN.iter().filter(|(room, _)| rooms.contains(*room));
        let planned: BTreeSet<&str> = planned.flat_map(|(_, may)| may.iter().copied()).collect();
        let untold = planned.iter().filter(|room| !may.contains(**room) && !rooms.contains(**room));
        wrong.extend(untold.map(|room| format!("{:?} may use `{room}`, by the plan alone", rooms)));
        let unplanned = named(row[2]).into_iter().filter(|room| !planned.contains(room.as_str()));
        wrong.extend(unplanned.map(|room| format!("{:?} may use `{room}`, by the text alone", rooms)));
    }
    let missing = PLAN.iter().filter(|(room, _)| !told.contains(*room));
    wrong.extend(missing.map(|(room, _)| format!("`{room}` is not in ARCHITECTURE.md")));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_dependency_has_one_door() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        for (dependency, doors) in DOORS {
            let named = text.contains(&format!("{dependency}::")) && !doors.contains(&path.as_str());
            if named && !is_test(&path) {
                wrong.push(format!("{path} names `{dependency}`, whose door is {doors:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The server has no hand to reach out with: what it passes on to the node's metadata service, a task of `upstream`'s
/// carries.
#[test]
fn the_server_cannot_connect_anywhere() {
    for (path, text) in sources().into_iter().filter(|(path, _)| path.starts_with("src/serve")) {
        for word in
            ["::connect(", "hyper::client", "UdpSocket", "Command::new", "std::fs", "AuthorizationFile"]
        {
            assert!(is_test(&path) || !text.contains(word), "{path} contains `{word}`");
        }
    }
}

#[test]
fn only_the_driver_writes_the_cache() {
    let writers: Vec<String> = sources()
        .into_iter()
        .filter(|(path, text)| {
            !is_test(path)
                && path != "src/cache.rs"
                && (text.contains("Publisher") || text.contains(".publish("))
        })
        .map(|(path, _)| path)
        .collect();
    assert_eq!(writers, ["src/refresh/driver.rs"]);
}

#[test]
fn the_policy_is_pure() {
    let sources: BTreeMap<_, _> = sources().into_iter().collect();
    for path in PURE {
        let text = &sources[*path];
        for word in IMPURE {
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            assert!(!code.clone().any(|line| line.contains(word)), "{path} contains `{word}`");
        }
    }
}

#[test]
fn rooms_stay_small_enough_to_be_read() {
    let long: Vec<String> = sources()
        .into_iter()
        .filter(|(path, _)| !is_test(path))
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LONGEST_ROOM)
        .map(|(path, lines)| format!("{path}: {lines} lines without its tests"))
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn no_room_is_named_for_having_no_name() {
    for (path, _) in sources() {
        let name = Path::new(&path).file_stem().unwrap().to_str().unwrap();
        assert!(!["mod", "utils", "util", "common", "helpers", "manager", "misc"].contains(&name), "{path}");
    }
}

/// The product knows an STS only as an endpoint; what plays one in tests must not reach a build.
#[test]
fn test_furniture_is_for_tests_alone() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let dependencies = manifest.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    assert!(!dependencies.contains("tests/support"));
    let support = fs::read_to_string(root().join("tests/support/Cargo.toml")).unwrap();
    assert!(!support.contains("path = \"../..\""), "the emulator must not know the product");
}

/// Every source file below `src/`, up to its in-file tests.
fn sources() -> Vec<(String, String)> {
    fn walk(directory: &Path, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = before_its_tests(&text).to_owned();
                let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                found.push((name, code));
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join("src"), &mut found);
    found.sort();
    found
}

fn before_its_tests(text: &str) -> &str {
    let beginnings =
        ["#[cfg(test)]\nmod tests {", "#[cfg(test)]\n#[allow(clippy::unwrap_used)]\nmod tests {"];
    beginnings.iter().filter_map(|beginning| Some(text.split_once(beginning)?.0)).next().unwrap_or(text)
}

fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

//! Cases as data: `tests/data/roles/good` is taken, `bad` is refused with these words at these lines; and both are held
//! against the published JSON Schema.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value as Json;

use super::*;
use crate::config::ExternalId;
use crate::config::Source;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/roles");

fn file(path: PathBuf) -> RolesFile {
    let defaults = Defaults {
        role_arn: Some("arn:aws:iam::111122223333:role/of-the-environment".parse().unwrap()),
        token_file: Some("/var/run/secrets/token".into()),
        fixed_session_name: None,
        usual_session_name: "usual-name".parse().unwrap(),
        session_duration: None,
        pod_identity: Ok(PodIdentity {
            endpoint: crate::config::pod_identity::parse_endpoint("http://169.254.170.23/v1/credentials")
                .unwrap(),
            authorization_token_file: Some("/var/run/agent-token".into()),
            role_arn: None,
        }),
        surroundings: Surroundings {
            ignores_role_tokens: false,
            listeners: vec!["127.0.0.1:9911".parse().unwrap()],
            closed_imds: Vec::new(),
        },
    };
    RolesFile { named_by: "IRSA_SIDECAR_ROLES_FILE".to_owned(), path, defaults }
}

fn good(name: &str) -> Vec<Role> {
    let read = file(PathBuf::from(format!("{DATA}/good/{name}.yaml"))).read();
    read.map_err(|mistakes| mistakes.to_string()).unwrap().0
}

/// Each file of a directory, by its name without the ending.
fn cases(kind: &str) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(format!("{DATA}/{kind}")).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<_> = entries
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), path))
        .collect();
    cases.sort();
    assert!(cases.len() > 3);
    cases
}

#[test]
fn what_is_wrong_is_told_all_at_once_each_with_its_line() {
    for (name, path) in cases("bad") {
        let mistakes = file(path.clone()).read().err().unwrap_or_else(|| panic!("{name} was taken"));
        let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        let expected = fs::read_to_string(path.with_extension("txt")).unwrap();
        let expected: Vec<&str> = expected.lines().filter(|line| !line.starts_with('#')).collect();
        let start = format!("{}:", path.display());
        for line in &expected {
            let (place, words) = line.split_once(": ").unwrap();
            let is_it = |told: &&String| {
                told.strip_prefix(&start).is_some_and(|told| told.starts_with(place) && told.contains(words))
            };
            assert!(told.iter().any(|told| is_it(&told)), "{name}: {line}\n{told:#?}");
        }
        assert_eq!(told.len(), expected.len(), "{name}: {told:#?}");
    }
}

#[test]
fn takes_the_example_of_the_documentation() {
    let roles = good("design");
    let names: Vec<&str> = roles.iter().map(|role| role.name.as_str()).collect();
    assert_eq!(names, ["default", "reports", "partner"]);
    let Source::WebIdentity(reports) = &roles[1].source else { panic!("{:?}", roles[1]) };
    assert_eq!(reports.session.duration, SessionDuration::Fixed(Duration::from_secs(7200)));
    assert_eq!(reports.session.name, "{namespace}-{pod}".parse().unwrap());
    assert_eq!(reports.session.policy_arns, ["arn:aws:iam::aws:policy/ReadOnlyAccess"]);
    let Source::Chain(partner) = &roles[2].source else { panic!("{:?}", roles[2]) };
    let step = &partner.steps[0];
    assert_eq!(
        (partner.from.as_str(), step.session.name.clone()),
        ("default", "usual-name".parse().unwrap())
    );
    assert_eq!(step.external_id, Some(ExternalId::File("/etc/irsa-sidecar/external-id".into())));
    assert_eq!(step.tags, [("team".to_owned(), "data".to_owned())]);
    assert_eq!(step.transitive_tags, ["team"]);
    assert_eq!(step.source_identity.as_deref(), Some("payments"));
}

#[test]
fn text_stays_what_was_written() {
    let roles = good("everything");
    let role = |name: &str| roles.iter().find(|role| role.name == name).unwrap();
    let Source::Chain(partner) = &role("partner").source else { panic!("no chain") };
    assert_eq!(partner.steps[0].external_id, Some(ExternalId::Value("012345".to_owned())));
    let tags: Vec<_> =
        partner.steps[0].tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(tags, [("team", "no"), ("cost-center", "0042"), ("empty", ""), ("with space", "1.0")]);
    let Source::WebIdentity(other) = &role("other-token").source else { panic!("no web identity") };
    assert_eq!(
        other.session.policy.as_deref().unwrap(),
        r#"{"Statement":[{"Action":["s3:GetObject","s3:ListBucket"],"Condition":{"Bool":{"aws:SecureTransport":"true"}},"Effect":"Allow","Resource":"*"}],"Version":"2012-10-17"}"#
    );
    assert_eq!(other.token_file, PathBuf::from("/var/run/secrets/other/token"));
    let Source::PodIdentity(agent) = &role("agent").source else { panic!("no agent") };
    assert_eq!(agent.authorization_token_file.as_deref(), Some(Path::new("/var/run/agent-token")));
    assert!(role("agent.named").is_imds);
    assert_eq!(good("smallest")[0].arn().unwrap().name(), "of-the-environment");
}

#[test]
fn what_a_flag_or_a_variable_says_beats_the_file_and_is_told() {
    let mut file = file(PathBuf::from(format!("{DATA}/good/design.yaml")));
    file.defaults.session_duration = Some(SessionDuration::Max);
    file.defaults.fixed_session_name = Some("fixed".parse().unwrap());
    let (roles, warnings) = file.read().unwrap();
    let Source::WebIdentity(reports) = &roles[1].source else { panic!("{:?}", roles[1]) };
    assert_eq!(reports.session.duration, SessionDuration::Max);
    assert_eq!(reports.session.name, "fixed".parse().unwrap());
    let Source::Chain(partner) = &roles[2].source else { panic!("{:?}", roles[2]) };
    assert_eq!(
        partner.steps[0].session.duration,
        SessionDuration::Fixed(Duration::from_secs(3600)),
        "an hour at most"
    );
    let [warning] = &warnings[..] else { panic!("{warnings:?}") };
    assert_eq!(warning.code, "RolesFileOverruled");
    assert!(warning.message.contains("AWS_ROLE_SESSION_NAME, IRSA_SIDECAR_SESSION_DURATION"), "{warning}");
}

#[test]
fn the_metadata_service_must_not_open_a_role_that_asks_for_a_token() {
    let directory = std::env::temp_dir().join(format!("irsa-sidecar-{}-closed-imds", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let (token, path) = (directory.join("token"), directory.join("roles.yaml"));
    fs::write(&token, "a token that is long enough").unwrap();
    let arn = "arn:aws:iam::111122223333:role/app";
    let role = |name: &str, more: &str| format!("  - {{ name: {name}, role_arn: \"{arn}\"{more} }}\n");
    let asks = format!(", authorization_token_file: {}", token.display());
    let mut file = file(path.clone());
    file.defaults.surroundings.closed_imds = vec!["169.254.169.254:80".parse().unwrap()];
    for (roles, is_right) in [
        (role("default", &asks), false),
        (role("only", &asks), false),
        (role("default", "") + &role("a", &asks), true),
        (role("default", "") + &role("a", &format!("{asks}, imds: true")), false),
        (role("a", &asks) + &role("b", &asks), true),
    ] {
        fs::write(&path, format!("roles:\n{roles}")).unwrap();
        match file.read() {
            Ok(_) => assert!(is_right, "{roles}"),
            Err(mistakes) => {
                assert!(!is_right, "{roles}: {mistakes}");
                assert!(
                    mistakes.to_string().contains("ALLOW_UNAUTHENTICATED=169.254.169.254:80"),
                    "{mistakes}"
                );
            }
        }
    }
    fs::remove_dir_all(&directory).unwrap();
}

/// As a validator sees the file: every scalar is text, but for what the schema gives another type.
fn as_json(node: &Node, key: &str) -> Json {
    match &node.value {
        Value::Empty => Json::Null,
        Value::Text(text) if key == "imds" => text.parse().map_or(Json::String(text.clone()), Json::Bool),
        Value::Text(text) => Json::String(text.clone()),
        Value::List(items) => Json::Array(items.iter().map(|item| as_json(item, key)).collect()),
        Value::Map(entries) => {
            entries.iter().map(|(key, node)| (key.name.clone(), as_json(node, &key.name))).collect()
        }
    }
}

fn schema() -> Json {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/k8s/roles.schema.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn the_published_schema_takes_and_refuses_what_the_parser_does() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    for (name, path) in cases("good") {
        let tree = as_json(&yaml::parse(&fs::read_to_string(path).unwrap()).unwrap(), "");
        let errors: Vec<String> = validator.iter_errors(&tree).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
    }
    for (name, path) in cases("bad") {
        let expected = fs::read_to_string(path.with_extension("txt")).unwrap();
        let first = expected.lines().next().unwrap();
        let Ok(tree) = yaml::parse(&fs::read_to_string(&path).unwrap()) else {
            assert!(first.starts_with("# no tree") || name == "empty", "{name}");
            continue;
        };
        let is_beyond_a_schema = first == "# the schema accepts it";
        let is_taken = validator.is_valid(&as_json(&tree, ""));
        // Durations are words with units: a schema sees their form alone.
        assert_eq!(is_taken, is_beyond_a_schema && name != "durations", "{name}");
    }
}

/// Every key that the parser asks for is in the schema, and no other.
#[test]
fn the_schema_has_the_keys_of_the_parser() {
    let schema = schema();
    let keys = |pointer: &str| {
        let properties = schema.pointer(pointer).unwrap_or_else(|| panic!("{pointer}")).as_object().unwrap();
        properties.keys().cloned().collect::<Vec<_>>()
    };
    let told = |yaml: &str| {
        let path = std::env::temp_dir().join(format!("irsa-sidecar-{}-keys.yaml", std::process::id()));
        fs::write(&path, yaml).unwrap();
        let mistakes = file(path.clone()).read().err().unwrap();
        fs::remove_file(path).unwrap();
        let keys = mistakes.iter().find_map(|mistake| mistake.mend.strip_prefix("The keys here are "));
        let mut keys: Vec<String> = keys.unwrap().split(", ").map(str::to_owned).collect();
        keys.sort();
        keys
    };
    assert_eq!(keys("/properties"), told("zzzzzzzzzz: 1\n"));
    assert_eq!(keys("/$defs/role/properties"), told("roles: [{ zzzzzzzzzz: 1 }]\n"));
    let chain = "roles: [{ name: a, chain: { from: b, zzzzzzzzzz: 1, steps: [{ role_arn: x }] } }]\n";
    assert_eq!(keys("/$defs/chain/properties"), told(chain));
    let step = "roles: [{ name: a, chain: { from: b, steps: [{ role_arn: x, zzzzzzzzzz: 1 }] } }]\n";
    assert_eq!(keys("/$defs/step/properties"), told(step));
}

/// Whatever stands in a file, reading it ends, and ends with roles or with mistakes.
#[test]
fn no_file_makes_it_panic() {
    let mut random = fastrand::Rng::with_seed(7);
    let path = std::env::temp_dir().join(format!("irsa-sidecar-{}-any.yaml", std::process::id()));
    let seeds: Vec<Vec<u8>> = ["good", "bad"]
        .iter()
        .flat_map(|kind| cases(kind))
        .map(|(_, path)| fs::read(path).unwrap())
        .filter(|bytes| !bytes.is_empty())
        .collect();
    for _ in 0..3000 {
        let mut bytes = seeds[random.usize(..seeds.len())].clone();
        for _ in 0..random.usize(1..6) {
            let at = random.usize(..bytes.len());
            match random.u8(..4) {
                0 => bytes[at] = random.u8(..),
                1 => bytes.truncate(at + 1),
                2 => bytes.insert(at, b":-{}[]&*!|>\"'\n \t#%@`~,"[random.usize(..22)]),
                _ => {
                    let piece = bytes[at..(at + 20).min(bytes.len())].to_vec();
                    bytes.splice(at..at, piece);
                }
            }
        }
        fs::write(&path, &bytes).unwrap();
        if let Err(mistakes) = file(path.clone()).read() {
            assert!(mistakes.iter().count() > 0);
        }
    }
    fs::remove_file(path).unwrap();
}

//! The shared credentials file: whole whenever it is read, for its owner alone, and gone at the end.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::SystemTime;

use support::process::Process;
use support::process::Signal;
use support::sts::Credentials;
use support::wait;
use support::world::ROLE_ARN;
use support::world::World;

use crate::sidecar::BINARY;
use crate::sidecar::Sidecar;
use crate::sidecar::can_run;

const SHORT: Duration = Duration::from_secs(12);

fn path(world: &World) -> PathBuf {
    let directory = world.directory().join("aws");
    fs::create_dir_all(&directory).unwrap();
    directory.join("credentials")
}

async fn start(world: &World, more: &[&str]) -> (Sidecar, PathBuf) {
    let path = path(world);
    let arguments = [&["--credentials-file", path.to_str().unwrap()], more].concat();
    let mut sidecar = Sidecar::start_with(world, &arguments, &[]).await;
    sidecar.wait_until_ready().await;
    (sidecar, path)
}

fn profile(text: &str, name: &str) -> Option<Credentials> {
    let profile = text.split(&format!("[{name}]\n")).nth(1)?.split("\n[").next()?;
    let value = |key: &str| {
        let line = profile.lines().find_map(|line| line.strip_prefix(&format!("{key} = ")));
        line.unwrap_or_else(|| panic!("no {key} in {name}")).to_owned()
    };
    Some(Credentials {
        access_key_id: value("aws_access_key_id"),
        secret_access_key: value("aws_secret_access_key"),
        session_token: value("aws_session_token"),
        expires_at: SystemTime::UNIX_EPOCH,
    })
}

/// Reads until the file is as the predicate wants it; what is read in between must be whole, too.
async fn wait_until(path: &Path, enough: impl Fn(&str) -> bool) -> String {
    wait::found("the file is as it should be", || {
        let text = fs::read_to_string(path).unwrap_or_default();
        assert!(text.is_empty() || text.starts_with("# Kept by irsa-sidecar"), "{text}");
        if let Some(credentials) = profile(&text, "default") {
            assert!(!credentials.session_token.is_empty());
            assert!(text.ends_with('\n'), "half of it: {text}");
        }
        enough(&text).then_some(text)
    })
    .await
}

#[tokio::test]
async fn holds_what_is_served_is_replaced_whole_and_removed_at_the_end() {
    let world = World::builder().session_life(SHORT).start().await.unwrap();
    let (mut sidecar, path) = start(&world, &[]).await;
    let first = wait_until(&path, |text| text.contains("[default]")).await;
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let credentials = profile(&first, "default").unwrap();
    let who = world.sts.who_is(&credentials).await.unwrap();
    assert_eq!(who.status, 200, "{}", who.text());

    let second = wait_until(&path, |text| text != first).await;
    assert_ne!(profile(&second, "default").unwrap().access_key_id, credentials.access_key_id);
    assert!(sidecar.metrics().await.contains(r#"credentials_file_writes_total{result="changed"}"#));

    // STS goes, and what has expired is not left for anybody to find.
    world.sts.refuse().await;
    sidecar.wait_until_not_ready().await;
    sidecar.process.signal(Signal::TERM).unwrap();
    assert!(sidecar.process.exit().await.unwrap().success());
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 0, "nothing is left");
    let output = sidecar.process.output();
    assert!(!output.contains(&credentials.session_token) && !output.contains(&credentials.secret_access_key));
}

#[tokio::test]
async fn has_a_profile_for_each_role_but_for_those_that_ask_for_a_token_of_their_own() {
    let world = World::start().await.unwrap();
    let token = world.directory().join("token-of-its-own");
    fs::write(&token, "a token of its own, long enough").unwrap();
    let roles = world.directory().join("roles.yaml");
    let role = |name: &str, more: &str| format!("  - {{ name: {name}, role_arn: \"{ROLE_ARN}\"{more} }}\n");
    let own = format!(", authorization_token_file: {}", token.display());
    let text = format!("roles:\n{}{}{}", role("default", ""), role("reports", ""), role("closed", &own));
    fs::write(&roles, text).unwrap();
    let (_sidecar, path) = start(&world, &["--roles-file", roles.to_str().unwrap()]).await;
    let text = wait_until(&path, |text| text.contains("[default]") && text.contains("[reports]")).await;
    assert!(!text.contains("[closed]"), "{text}");

    if can_run("Python 3", &["python3", "--version"]) {
        let script = "import configparser,sys; p=configparser.RawConfigParser(); p.read(sys.argv[1]); \
                      print(p.get('reports','aws_security_token'), end='')";
        let read =
            std::process::Command::new("python3").args(["-c", script, path.to_str().unwrap()]).output();
        let expected = profile(&text, "reports").unwrap().session_token;
        assert_eq!(String::from_utf8(read.unwrap().stdout).unwrap(), expected);
    }
}

#[tokio::test]
async fn somebody_elses_file_and_a_place_that_cannot_be_written_to_are_refused_at_the_start() {
    let world = World::start().await.unwrap();
    let foreign = path(&world);
    fs::write(&foreign, "[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\n").unwrap();
    for (path, words) in [
        (foreign.to_str().unwrap(), "has not written"),
        ("/nowhere/at/all/credentials", "nothing can be written beside it"),
        ("credentials", "does not begin with /"),
        (world.directory().to_str().unwrap(), "it is a directory"),
    ] {
        let arguments =
            ["serve", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0", "--credentials-file", path];
        let mut process = Process::start(BINARY, &arguments, world.env()).unwrap();
        assert_eq!(process.exit().await.unwrap().code(), Some(64), "{path}");
        assert!(process.output().contains(words), "{path}: {}", process.output());
    }
    assert!(fs::read_to_string(&foreign).unwrap().contains("AKIA"));
}

//! `doctor` against what the guides to IRSA list as pitfalls: `tests/data/doctor/`, a directory for each.
//!
//! Each sets its situation up, and says which checks must fail, with which code, which causes must be named, and which
//! words of the mend. What is not named must not fail: none may be taken for another.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use support::blackhole::BlackHole;
use support::in_a_namespace;
use support::process::Process;
use support::wait;
use support::world::World;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::committed::hold_file;
use crate::pod::Pod;
use crate::sidecar::BINARY;
use crate::sidecar::can_run;
use crate::sidecar::run;

mod case;
mod report;
mod stage;

use case::Case;
use report::Report;
use stage::Stage;

fn cases() -> Vec<(String, Case)> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/doctor");
    let mut cases: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), Case::read(&path)))
        .collect();
    cases.sort_by(|a, b| a.0.cmp(&b.0));
    cases
}

/// So many at the same time as a small machine takes.
const AT_ONCE: usize = 6;

#[tokio::test]
async fn every_pitfall_is_told_as_what_it_is() {
    let (places, mut running) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    let cases = cases();
    assert!(cases.len() > 40, "the cases must be found");
    for (name, case) in cases {
        let places = places.clone();
        running.spawn(async move {
            let _place = places.acquire().await.unwrap();
            look(&name, &case).await
        });
    }
    let wrong: Vec<String> = running.join_all().await.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n\n"));
}

/// All that is wrong with what doctor says of one.
async fn look(name: &str, case: &Case) -> Vec<String> {
    let needs_root = case.needs.as_deref() == Some("setpriv");
    if needs_root && !can_run("setpriv and root", &["setpriv", "--reuid=65534", "--clear-groups", "true"]) {
        return Vec::new();
    }
    let needs_unshare = case.mounted || case.isolated;
    if needs_unshare && !can_run("root and unshare(1)", &["unshare", "--mount", "--net", "true"]) {
        return Vec::new();
    }
    let stage = Stage::set(name, case).await;
    let (status, output) = stage.run(&["doctor", "--json"]).await;
    let mut wrong = match Report::read(&output) {
        Ok(report) => report.mistakes(&case.expect, status),
        Err(error) => vec![format!("status {status}: {error}")],
    };
    let (in_text, text) = stage.run(&["doctor"]).await;
    if in_text != status {
        wrong.push(format!("{in_text} as text and {status} as JSON"));
    }
    // In whatever length, people are told the whole set too.
    let untold = case.expect.causes.iter().filter(|code| !text.contains(&format!("[{code}]")));
    wrong.extend(untold.map(|code| format!("{code} is not in the text")));
    let long = text.lines().filter(|line| line.chars().count() > 80);
    wrong.extend(long.map(|line| format!("over 80 columns: {line}")));
    let shown = |secret: &String| output.contains(secret) || text.contains(secret);
    wrong.extend(
        stage.secrets().iter().filter(|secret| shown(secret)).map(|_| "a secret is shown".to_owned()),
    );
    if wrong.is_empty() { wrong } else { vec![format!("{name}: {}\n{output}\n{text}", wrong.join("; "))] }
}

/// The table in docs/doctor.md is that of the corpus.
#[test]
fn the_document_has_a_row_for_every_pitfall_as_committed() {
    let mut table =
        String::from("| fails | situation | causes named, likeliest first | mend |\n|---|---|---|---|\n");
    let mut cases: Vec<Case> = cases().into_iter().map(|(_, case)| case).filter(Case::fails).collect();
    cases.sort_by_key(Case::first_check);
    cases.iter().for_each(|case| table.push_str(&case.row()));
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/doctor.md");
    let document = fs::read_to_string(document).unwrap();
    let (before, rest) = document.split_once("<!-- pitfalls -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- /pitfalls -->").unwrap();
    let wanted = format!("{before}<!-- pitfalls -->\n{table}<!-- /pitfalls -->{after}");
    hold_file("docs/doctor.md", &wanted);
}

/// Whoever answers may say anything.
#[tokio::test]
async fn offline_asks_nobody() {
    let world = World::start().await.unwrap();
    let (status, output) = run(&["doctor", "--offline", "--json"], world.env()).await;
    assert_eq!(status, 0, "{output}");
    assert_eq!(world.sts.calls().len(), 0);
    let report: Value = serde_json::from_str(&output).unwrap();
    assert_eq!(report["schema"], 1);
    assert_eq!(report["offline"], true);
    let all = report["checks"].as_array().unwrap();
    let name = |check: &Value| check["check"].as_str().unwrap().to_owned();
    let (left_out, done): (Vec<&Value>, _) = all.iter().partition(|check| check["code"] == "Offline");
    let left_out: Vec<String> = left_out.into_iter().map(name).collect();
    assert_eq!(left_out, ["issuer", "network", "exchange", "identity", "sidecar", "node-metadata"]);
    let mut done: Vec<String> = done.into_iter().map(name).collect();
    done.dedup();
    assert_eq!(done, ["environment", "sdk-chain", "token-file", "token"]);
}

/// Through every step of a chain, and by the name of a role.
#[tokio::test]
async fn a_chain_is_walked_to_its_end_and_its_broken_step_is_named() {
    let [hub, ingest, _] = support::world::CHAIN;
    let world = World::builder().chain([hub, ingest]).start().await.unwrap();
    let file = world.directory().join("roles.yaml");
    let text = format!(
        "roles:\n  - name: app\n  - name: partner\n    chain:\n      from: app\n      steps:\n        - role_arn: {hub}\n        - role_arn: {ingest}\n"
    );
    fs::write(&file, text).unwrap();
    let arguments = ["doctor", "--role", "partner", "--roles-file", file.to_str().unwrap()];
    let (status, output) = run(&arguments, world.env()).await;
    assert_eq!(status, 0, "{output}");
    assert!(output.contains(":assumed-role/ingest/"), "{output}");
    world.sts.remove_role(ingest);
    let (status, output) = run(&arguments, world.env()).await;
    assert_eq!(status, 2, "{output}");
    assert!(output.contains("step 2 of 2"), "{output}");
}

#[tokio::test]
async fn a_policy_that_cannot_be_read_is_a_wrong_usage() {
    let world = World::start().await.unwrap();
    let file = world.directory().join("policy.json");
    for (text, word) in [("{}", "no Statement"), ("policy", "not JSON")] {
        fs::write(&file, text).unwrap();
        let (status, output) = run(&["doctor", "--trust-policy", file.to_str().unwrap()], world.env()).await;
        assert_eq!(status, 64, "{output}");
        assert!(output.contains(word) && output.contains("--trust-policy"), "{output}");
    }
}

/// On a terminal it has colour, and in a log it has none.
#[tokio::test]
async fn colour_is_for_terminals_alone() {
    let world = World::start().await.unwrap();
    let (_, plain) = run(&["doctor", "--offline"], world.env()).await;
    assert!(!plain.contains('\u{1b}'), "{plain}");
    if !can_run("script (util-linux)", &["script", "--version"]) {
        return;
    }
    let command = format!("{BINARY} doctor --offline");
    let on_terminal = async |more: &[(&str, &str)]| {
        let mut env: BTreeMap<String, String> = world.env();
        env.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let mut process =
            Process::start(Path::new("/usr/bin/script"), &["-qec", &command, "/dev/null"], env).unwrap();
        process.exit().await.unwrap();
        process.output()
    };
    assert!(on_terminal(&[]).await.contains("\u{1b}[32mok"));
    assert!(!on_terminal(&[("NO_COLOR", "1")]).await.contains('\u{1b}'));
}

/// As an ephemeral container sees the application's: with its variables, and its files below `/proc/PID/root`.
#[tokio::test]
async fn looks_with_the_variables_and_the_files_of_another_process() {
    let world = World::start().await.unwrap();
    let here = Process::start("/bin/sleep", &["600"], world.env()).unwrap();
    let id = here.id().unwrap().to_string();
    let (status, output) = run(&["doctor", "--pid", &id], []).await;
    assert_eq!(status, 0, "{output}");
    let words: String = output.split_whitespace().collect();
    assert!(words.contains(&format!("aresetinprocess{id}")), "{output}");
    assert!(words.contains(":assumed-role/legacy-app/"), "{output}");
    let (status, output) = run(&["doctor", "--pid", "999999999"], []).await;
    assert_eq!(status, 64, "{output}");
    assert!(output.contains("--pid 999999999: there is no such process"), "{output}");
    if !can_run("root and unshare(1)", &["unshare", "--mount", "true"]) {
        return;
    }
    // With a /run of its own, to which Debian's /var/run is an absolute link.
    let token = world.volume.token_file();
    let script = format!(
        "mount -t tmpfs tmpfs /run && mkdir /run/own && cp {} /run/own/token && echo up && exec sleep 600",
        token.display()
    );
    let mut env = world.env();
    env.insert("AWS_WEB_IDENTITY_TOKEN_FILE".to_owned(), "/var/run/own/token".to_owned());
    env.insert("PATH".to_owned(), "/usr/bin:/bin".to_owned());
    let elsewhere = Process::start("/usr/bin/unshare", &["--mount", "/bin/sh", "-c", &script], env).unwrap();
    let id = elsewhere.id().unwrap();
    elsewhere.until("its command", |_| runs_sleep(id).then_some(())).await.unwrap();
    let id = id.to_string();
    let (status, output) = run(&["doctor", "--json", "--pid", &id], []).await;
    assert_eq!(status, 0, "{output}");
    assert!(output.contains("nothing is asked") && output.contains("/var/run/own/token"), "{output}");
    assert!(output.contains("ServiceAccount legacy-app in namespace"), "{output}");
    // Whoever goes elsewhere between the first look and the second takes no name to be looked up by libraries of its own.
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    let started = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap().to_owned();
    let second = ["doctor", &format!("--of-pid={id}:{started}"), "--as-user=0:0:"];
    let (status, output) = run(&second, []).await;
    assert!(status == 64 && output.contains("it has changed meanwhile"), "{output}");
    let (status, output) =
        run(&["doctor", "--offline", &format!("--of-pid={id}:1"), "--as-user=0:0:"], []).await;
    assert!(status == 64 && output.contains("it has changed meanwhile"), "{output}");
}

/// A path without a root begins where the process is, and not where root is that looks at it; nor has root more rights there.
#[tokio::test]
async fn root_reads_what_the_process_could_read_and_no_more() {
    let world = World::start().await.unwrap();
    let directory = world.volume.token_file().canonicalize().unwrap().parent().unwrap().to_owned();
    let with_token = |file: &str| {
        let mut env = world.env();
        env.insert("AWS_WEB_IDENTITY_TOKEN_FILE".to_owned(), file.to_owned());
        env
    };
    let script = format!("cd {} && exec /bin/sleep 600", directory.display());
    let asked = || world.sts.calls().iter().filter(|call| call.token.is_some()).count();
    let there = Process::start("/bin/sh", &["-c", &script], with_token("token")).unwrap();
    let id = there.id().unwrap();
    let is_there = || fs::read_link(format!("/proc/{id}/cwd")).is_ok_and(|cwd| cwd == directory);
    there.until("its directory", |_| (is_there() && runs_sleep(id)).then_some(())).await.unwrap();
    let (status, output) = run(&["doctor", "--pid", &id.to_string()], []).await;
    // A relative path is warned of.
    assert_eq!((status, asked()), (1, 1), "{output}");
    // This file is in the directory of the one who looks.
    let there = Process::start("/bin/sh", &["-c", &script], with_token("Cargo.toml")).unwrap();
    let id = there.id().unwrap();
    let is_there = || fs::read_link(format!("/proc/{id}/cwd")).is_ok_and(|cwd| cwd == directory);
    there.until("its directory", |_| (is_there() && runs_sleep(id)).then_some(())).await.unwrap();
    let (_, output) = run(&["doctor", "--pid", &id.to_string()], []).await;
    assert!(output.contains("there is no such file"), "{output}");
    if !can_run("root and setpriv(1)", &["setpriv", "--reuid=65534", "--clear-groups", "true"]) {
        return;
    }
    // Root without root's capabilities.
    let others = world.directory().join("of-another");
    fs::write(&others, world.token().mint()).unwrap();
    fs::set_permissions(&others, PermissionsExt::from_mode(0o600)).unwrap();
    std::os::unix::fs::chown(&others, Some(65534), Some(65534)).unwrap();
    let arguments = ["--bounding-set=-all", "--inh-caps=-all", "/bin/sleep", "600"];
    let weak = Process::start("/usr/bin/setpriv", &arguments, with_token(others.to_str().unwrap())).unwrap();
    let id = weak.id().unwrap();
    let is_weak =
        || fs::read_to_string(format!("/proc/{id}/status")).unwrap().contains("CapEff:\t0000000000000000");
    weak.until("its rights", |_| (is_weak() && runs_sleep(id)).then_some(())).await.unwrap();
    let (status, output) = run(&["doctor", "--pid", &id.to_string()], []).await;
    assert_eq!(status, 2, "{output}");
    let words: Vec<&str> = output.split_whitespace().collect();
    assert!(words.join(" ").contains("it may not read it"), "{output}");
    assert_eq!(asked(), 1);
}

/// Whether what it was started for has begun: before, its user and its directory may still change.
fn runs_sleep(id: u32) -> bool {
    fs::read_to_string(format!("/proc/{id}/comm")).is_ok_and(|name| name == "sleep\n")
}

/// Whoever can choose a process's variables must gain nothing from root's looking at it.
#[tokio::test]
async fn root_becomes_the_user_of_the_process_that_it_looks_at() {
    if !can_run("root and setpriv(1)", &["setpriv", "--reuid=65534", "--clear-groups", "true"]) {
        return;
    }
    let world = World::start().await.unwrap();
    let secret = world.directory().join("of-root");
    fs::write(&secret, world.token().mint()).unwrap();
    fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).unwrap();
    let mut env = world.env();
    env.insert("AWS_WEB_IDENTITY_TOKEN_FILE".to_owned(), secret.to_str().unwrap().to_owned());
    env.insert("LD_PRELOAD".to_owned(), "/nowhere/of-the-target.so".to_owned());
    let arguments = ["--reuid=65534", "--regid=65534", "--clear-groups", "/bin/sleep", "600"];
    let theirs = Process::start("/usr/bin/setpriv", &arguments, env).unwrap();
    let id = theirs.id().unwrap();
    let is_theirs = || fs::read_to_string(format!("/proc/{id}/status")).unwrap().contains("Uid:\t65534");
    wait::until("it is theirs", async || is_theirs() && runs_sleep(id)).await;
    let (status, output) = run(&["doctor", "--pid", &id.to_string()], []).await;
    assert_eq!(status, 2, "{output}");
    let words: Vec<&str> = output.split_whitespace().collect();
    assert!(words.join(" ").contains("is uid 65534") && !output.contains("LD_PRELOAD"), "{output}");
    assert_eq!(world.sts.calls().iter().filter(|call| call.token.is_some()).count(), 0);
}

/// While it looks, a debugger of that user cannot seize it, and with it root's terminal: `/proc/PID/mem` is root's.
#[tokio::test]
async fn whoever_is_looked_at_cannot_seize_the_one_who_looks() {
    if !can_run("root and setpriv(1)", &["setpriv", "--reuid=65534", "--clear-groups", "true"]) {
        return;
    }
    let (world, hole) = (World::start().await.unwrap(), BlackHole::open().await.unwrap());
    let mut env = world.env();
    env.insert("AWS_ENDPOINT_URL_STS".to_owned(), format!("http://{}", hole.address()));
    let arguments = ["--reuid=65534", "--regid=65534", "--clear-groups", "/bin/sleep", "600"];
    let theirs = Process::start("/usr/bin/setpriv", &arguments, env).unwrap();
    let id = theirs.id().unwrap();
    let is_theirs =
        |id: u32| fs::read_to_string(format!("/proc/{id}/status")).unwrap().contains("Uid:\t65534");
    theirs.until("its user", |_| (is_theirs(id) && runs_sleep(id)).then_some(())).await.unwrap();
    let doctor = Process::start(BINARY, &["doctor", "--pid", &id.to_string()], [("PATH", "/bin")]).unwrap();
    let own = doctor.id().unwrap();
    doctor.until("the change of user", |_| is_theirs(own).then_some(())).await.unwrap();
    assert_eq!(fs::metadata(format!("/proc/{own}/mem")).unwrap().uid(), 0);
}

/// A set-uid program has the variables of whoever started it, even when it has become root altogether.
#[tokio::test]
async fn a_program_with_more_rights_than_its_starter_is_not_looked_at() {
    if !can_run("root and setpriv(1)", &["setpriv", "--reuid=65534", "--clear-groups", "true"])
        || !can_run("perl", &["/usr/bin/perl", "-MPOSIX", "-e", "1"])
    {
        return;
    }
    let world = World::start().await.unwrap();
    let (program, script) = (world.directory().join("app"), world.directory().join("app.pl"));
    fs::copy("/usr/bin/perl", &program).unwrap();
    fs::set_permissions(&program, PermissionsExt::from_mode(0o4755)).unwrap();
    fs::set_permissions(world.directory(), PermissionsExt::from_mode(0o755)).unwrap();
    fs::write(
        &script,
        "use POSIX; $) = '0 0'; POSIX::setgid(0); POSIX::setuid(0); $| = 1; print qq(up\n); sleep 600",
    )
    .unwrap();
    let (program, script) = (program.to_str().unwrap(), script.to_str().unwrap());
    let arguments = ["--reuid=65534", "--regid=65534", "--clear-groups", program, script];
    let grown = Process::start("/usr/bin/setpriv", &arguments, world.env()).unwrap();
    grown.line_with("up").await.unwrap();
    let id = grown.id().unwrap();
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    assert!(status.contains("Uid:\t0\t0\t0\t0") && status.contains("Gid:\t0\t0\t0\t0"), "{status}");
    let (status, output) = run(&["doctor", "--pid", &id.to_string()], []).await;
    assert_eq!(status, 64, "{output}");
    assert!(output.contains("permission denied"), "{output}");
    assert_eq!(world.sts.calls().iter().filter(|call| call.token.is_some()).count(), 0);
}

/// Whoever listens on loopback may be anybody.
#[tokio::test]
async fn nothing_secret_goes_where_it_should_not_and_nothing_that_repeats_it_is_shown() {
    const SECRET: &str = "wJalrXUtnFEMIbPxRfiCYEXAMPLE";
    let said = format!("{{\"code\":\"x\",\"message\":\"you sent {SECRET}\"}}");
    let echo = |body: &str| {
        format!("HTTP/1.1 403 No\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let heard = Arc::new(std::sync::Mutex::new(String::new()));
    let hears = heard.clone();
    let answer = echo(&said);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = vec![0; 4096];
            let length = stream.read(&mut buffer).await.unwrap_or_default();
            hears.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..length]));
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let env = |uri: String| {
        BTreeMap::from(
            [
                ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
                ("AWS_CONTAINER_AUTHORIZATION_TOKEN", SECRET.to_owned()),
                ("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        )
    };
    // Where SDKs send it, it is sent, and not repeated.
    let (status, output) = run(&["doctor"], env(format!("http://{address}/v1/credentials"))).await;
    assert_eq!(status, 2, "{output}");
    assert!(output.contains("not shown") && !output.contains(SECRET), "{output}");
    assert!(heard.lock().unwrap().contains(SECRET), "SDKs send it there");
    // Elsewhere it is not: this machine by a name that is not loopback's.
    heard.lock().unwrap().clear();
    let elsewhere = format!("http://0.0.0.0:{}/v1/credentials", address.port());
    let (_, output) = run(&["doctor"], env(elsewhere)).await;
    assert!(!heard.lock().unwrap().contains(SECRET), "{output}");
}

/// An application of the pod's, which is pointed at ECS's address; and what it would find at IMDS's.
#[tokio::test]
async fn in_a_pod_the_sidecars_own_addresses_are_known_as_its() {
    in_a_namespace!();
    let pod = Pod::start().await;
    let env = |uri: &str| {
        let variables = [("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", uri), ("AWS_REGION", "eu-central-1")];
        let admin = ("IRSA_SIDECAR_ADMIN_LISTEN".to_owned(), pod.sidecar.admin.to_string());
        variables
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into_iter()
            .chain([admin])
            .collect()
    };
    let severity = |output: &str, check: &str| -> Vec<(String, String)> {
        let report: Value = serde_json::from_str(output).unwrap_or_else(|error| panic!("{error}: {output}"));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let found = report["checks"].as_array().unwrap().iter().filter(|one| one["check"] == *check);
        found.map(|one| (text(&one["severity"]), text(&one["found"]))).collect()
    };
    let environment: BTreeMap<String, String> = env("/v1/credentials");
    let (status, output) = run(&["doctor", "--json"], environment).await;
    assert_eq!(status, 0, "{output}");
    let sidecar = severity(&output, "sidecar");
    assert!(sidecar.len() == 4 && sidecar.iter().all(|(severity, _)| severity == "fine"), "{output}");
    let metadata = severity(&output, "node-metadata");
    assert!(metadata[0].0 == "fine" && metadata[0].1.contains("irsa-sidecar that answers"), "{output}");
    // And by IPv6 too, where SDKs are told to ask there.
    let mut environment: BTreeMap<String, String> = env("/v1/credentials");
    environment.insert("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE".to_owned(), "ipv6".to_owned());
    let (status, output) = run(&["doctor", "--json"], environment).await;
    assert_eq!(status, 0, "{output}");
    let metadata = severity(&output, "node-metadata");
    assert!(metadata.len() == 2 && metadata[1].1.contains("irsa-sidecar that answers"), "{output}");
    // Of a role that there is not, it is the endpoint that says no.
    let environment: BTreeMap<String, String> = env("/v1/credentials/another");
    let (status, output) = run(&["doctor", "--json"], environment).await;
    assert_eq!(status, 2, "{output}");
    assert!(output.contains("SidecarPathUnknown") && output.contains("RoleUnknown"), "{output}");
}

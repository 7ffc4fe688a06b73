//! `irsa-sidecar exec`: the command's credentials, environment, signals, terminal, limits, end.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use support::process::Process;
use support::process::Signal;
use support::process::Stream;
use support::raw::RawClient;
use support::raw::RawResponse;
use support::scratch::Scratch;
use support::sts::Fault;
use support::world::CHAIN;
use support::world::REGION;
use support::world::World;

use crate::sidecar::BINARY;
use crate::sidecar::can_run;
use crate::sidecar::credentials;
use crate::sidecar::run;

/// Shows its environment, and each signal; one of them ends it.
const WATCHFUL: &str = "\
trap 'echo got HUP' HUP; trap 'echo got INT' INT; trap 'echo got QUIT' QUIT; trap 'echo got WINCH' WINCH
trap 'echo got USR1' USR1; trap 'echo got USR2' USR2; trap 'echo got CONT' CONT; trap 'exit 7' TERM
env; echo watching; while :; do sleep 0.05; done";

/// `exec`, with a command that has shown its environment.
struct Exec {
    process: Process,
    env: BTreeMap<String, String>,
}

impl Exec {
    async fn start(world: &World, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut env = world.env();
        env.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Self::start_in(env, arguments).await
    }

    async fn start_in(env: BTreeMap<String, String>, arguments: &[&str]) -> Self {
        let all = [&["exec", "--log-format=json"], arguments, &["--", "sh", "-c", WATCHFUL]].concat();
        let process = Process::start(BINARY, &all, env).unwrap();
        process.line_with("watching").await.unwrap();
        let printed = process.printed(Stream::Stdout);
        let pairs = printed.lines().filter_map(|line| line.split_once('='));
        let env = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { process, env }
    }

    /// Where the command was told to ask.
    fn endpoint(&self) -> (SocketAddr, String) {
        let url = self.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"].strip_prefix("http://").unwrap();
        let (address, path) = url.split_once('/').unwrap();
        (address.parse().unwrap(), format!("/{path}"))
    }

    async fn ask(&self, token: Option<&str>) -> RawResponse {
        let (address, path) = self.endpoint();
        let headers: Vec<_> = token.map(|token| ("Authorization", token)).into_iter().collect();
        RawClient::connect(address).await.unwrap().request("GET", &path, &headers).await.unwrap()
    }

    /// As the command would.
    async fn credentials(&self) -> RawResponse {
        self.ask(Some(&self.env["AWS_CONTAINER_AUTHORIZATION_TOKEN"])).await
    }

    async fn end(mut self) -> i32 {
        self.process.signal(Signal::TERM).unwrap();
        self.process.exit().await.unwrap().code().unwrap()
    }
}

#[tokio::test]
async fn the_command_has_credentials_that_sts_knows_and_nobody_without_its_token_has() {
    let world = World::start().await.unwrap();
    let exec = Exec::start(&world, &[], &[]).await;
    let (address, path) = exec.endpoint();
    assert_eq!((address.ip().to_string().as_str(), path.as_str()), ("127.0.0.1", "/v1/credentials"));
    let served = exec.credentials().await;
    assert_eq!(served.status, 200);
    let who = world.sts.who_is(&credentials(&served.json().unwrap(), "Token")).await.unwrap();
    assert!(who.text().contains("assumed-role/legacy-app/"), "{}", who.text());
    assert_eq!(exec.env["AWS_CONTAINER_AUTHORIZATION_TOKEN"].len(), 64);
    assert_eq!(exec.ask(None).await.status, 403);
    assert_eq!(exec.ask(Some("a guess")).await.status, 403);
    let log = exec.process.printed(Stream::Stderr);
    assert_eq!(log, "", "the stream is the command's");
    let another = Exec::start(&world, &[], &[]).await;
    let token = &another.env["AWS_CONTAINER_AUTHORIZATION_TOKEN"];
    assert_eq!(exec.ask(Some(token)).await.status, 403, "each has a token of its own");
    assert_eq!((exec.end().await, another.end().await), (7, 7));
}

#[tokio::test]
async fn the_environment_is_ours_without_what_shadows_and_without_another_sidecars_settings() {
    let world = World::start().await.unwrap();
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let shadows = [
        ("AWS_ACCESS_KEY_ID", "AKIASHADOW"),
        ("AWS_SECRET_ACCESS_KEY", "shadow"),
        ("AWS_SESSION_TOKEN", "shadow"),
        ("AWS_SECURITY_TOKEN", "shadow"),
        ("AWS_CREDENTIAL_EXPIRATION", "2030-01-01T00:00:00Z"),
        ("AWS_PROFILE", "default"),
        ("AWS_DEFAULT_PROFILE", "default"),
        ("AWS_ROLE_SESSION_NAME", "shadow"),
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/shadow"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/shadow"),
        ("IRSA_SIDECAR_AUTHORIZATION_TOKEN", "AUTHORIZATION-MARKER-81d2"),
    ];
    let others = [
        ("AWS_SHARED_CREDENTIALS_FILE", "/shadow"),
        ("AWS_CONFIG_FILE", "/kept"),
        ("IRSA_SIDECAR_LISTEN", "nonsense, and nobody reads it"),
        ("IRSA_SIDECAR_PORT", "9911"),
        ("IRSA_SIDECAR_ADMIN_LISTEN", &taken),
        ("IRSA_SIDECAR_CREDENTIALS_FILE", "/nowhere/credentials"),
        ("no_proxy", "corp.example"),
        ("KEPT", "yes"),
    ];
    let exec = Exec::start(&world, &[], &[&shadows[..], &others].concat()).await;
    for (name, _) in shadows.iter().chain(&[("AWS_ROLE_ARN", ""), ("AWS_WEB_IDENTITY_TOKEN_FILE", "")]) {
        assert!(!exec.env.contains_key(*name), "{name} is {:?}", exec.env.get(*name));
    }
    for (name, value) in [
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        ("AWS_CONFIG_FILE", "/kept"),
        ("AWS_REGION", REGION),
        ("AWS_DEFAULT_REGION", REGION),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("no_proxy", "corp.example,127.0.0.1"),
        ("KEPT", "yes"),
    ] {
        assert_eq!(exec.env.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert!(!exec.env.contains_key("NO_PROXY"));
    assert_eq!(exec.credentials().await.status, 200);
    let log = exec.process.printed(Stream::Stderr);
    assert!(!log.contains("StaticKeysIgnored") && !log.contains("MARKER"), "{log}");
    exec.end().await;
}

#[tokio::test]
async fn without_an_authorization_token_none_is_given_and_none_asked_for() {
    let world = World::start().await.unwrap();
    let variables = [("AWS_CONTAINER_AUTHORIZATION_TOKEN", "another's")];
    let exec = Exec::start(&world, &["--no-authorization-token"], &variables).await;
    assert!(!exec.env.contains_key("AWS_CONTAINER_AUTHORIZATION_TOKEN"));
    assert_eq!(exec.ask(None).await.status, 200);
    exec.end().await;
}

#[tokio::test]
async fn the_region_of_the_profile_is_passed_on_though_the_profile_is_not() {
    let world = World::start().await.unwrap();
    let config = world.directory().join("config");
    fs::write(&config, "[profile laptop]\nregion = eu-west-3\n").unwrap();
    let mut env = world.env();
    env.remove("AWS_REGION");
    env.insert("AWS_CONFIG_FILE".to_owned(), config.to_string_lossy().into_owned());
    env.insert("AWS_PROFILE".to_owned(), "laptop".to_owned());
    let (status, output) =
        run(&["exec", "sh", "-c", "echo $AWS_REGION $AWS_DEFAULT_REGION -$AWS_PROFILE-"], env).await;
    assert_eq!((status, output.as_str()), (0, "eu-west-3 eu-west-3 --\n"));
}

#[tokio::test]
async fn survives_refreshes() {
    let world = World::builder().session_life(Duration::from_secs(12)).start().await.unwrap();
    let exec = Exec::start(&world, &["--log=info"], &[]).await;
    let first = exec.credentials().await.text();
    // One more than may have been on its way meanwhile.
    let so_far = exec.process.output().matches("credentials exchanged").count();
    exec.process.lines_with("credentials exchanged", so_far + 2).await.unwrap();
    let second = exec.credentials().await;
    assert_eq!(second.status, 200);
    assert_ne!(first, second.text());
    let who = world.sts.who_is(&credentials(&second.json().unwrap(), "Token")).await.unwrap();
    assert_eq!(who.status, 200);
    assert_eq!(exec.end().await, 7);
}

#[tokio::test]
async fn no_secret_is_in_the_log_however_talkative() {
    let world = World::builder().session_life(Duration::from_secs(12)).start().await.unwrap();
    let exec = Exec::start(&world, &["--log=trace"], &[]).await;
    assert_eq!(exec.credentials().await.status, 200);
    assert_eq!(exec.ask(None).await.status, 403);
    exec.process.lines_with("credentials exchanged", 2).await.unwrap();
    let log = exec.process.printed(Stream::Stderr);
    assert!(log.contains("the command runs"), "{log}");
    assert!(!log.contains(&exec.env["AWS_CONTAINER_AUTHORIZATION_TOKEN"]), "{log}");
    for issued in world.sts.issued() {
        assert!(!log.contains(&issued.secret_access_key) && !log.contains(&issued.session_token), "{log}");
    }
    exec.end().await;
}

#[tokio::test]
async fn the_exit_status_is_the_commands() {
    let world = World::start().await.unwrap();
    let script = world.directory().join("no-program");
    fs::write(&script, "not one").unwrap();
    let script = script.to_str().unwrap();
    for (command, expected) in [
        (&["true"][..], 0),
        (&["sh", "-c", "exit 3"], 3),
        (&["sh", "-c", "exit 255"], 255),
        (&["sh", "-c", "kill -KILL $$"], 128 + 9),
        (&["sh", "-c", "kill -SEGV $$"], 128 + 11),
        (&["no-such-command-anywhere"], 127),
        (&["/no/such/command"], 127),
        (&[script], 126),
        (&["/"], 126),
    ] {
        let (status, output) = run(&[&["exec", "--"], command].concat(), world.env()).await;
        assert_eq!(status, expected, "{command:?}: {output}");
        let code = match expected {
            126 => "CommandNotExecutable",
            127 => "CommandNotFound",
            _ => "",
        };
        assert!(output.contains(code) && (code.is_empty() == output.is_empty()), "{command:?}: {output}");
    }
}

#[tokio::test]
async fn every_argument_reaches_the_command_as_it_was_written() {
    let world = World::start().await.unwrap();
    let asked = ["printf", "[%s]", "-n", "--help", "--", "--log=trace", "", "a b", "$HOME"];
    for before in [&["exec"][..], &["exec", "--"], &["exec", "--wait", "2m", "--"]] {
        let (status, output) = run(&[before, &asked].concat(), world.env()).await;
        assert_eq!((status, output.as_str()), (0, "[-n][--help][--][--log=trace][][a b][$HOME]\n"));
    }
    let (status, output) = run(&["exec"], world.env()).await;
    assert!(status == 64 && output.contains("<COMMAND>"), "{status} {output}");
    let (status, output) = run(&["exec", "--rol", "x", "true"], world.env()).await;
    assert!(status == 64 && output.contains("'--role'"), "{status} {output}");
}

#[tokio::test]
async fn signals_reach_the_command_and_it_alone_decides() {
    let world = World::start().await.unwrap();
    let exec = Exec::start(&world, &[], &[]).await;
    for (signal, name) in [
        (Signal::HUP, "HUP"),
        (Signal::INT, "INT"),
        (Signal::QUIT, "QUIT"),
        (Signal::USR1, "USR1"),
        (Signal::USR2, "USR2"),
        (Signal::CONT, "CONT"),
        (Signal::WINCH, "WINCH"),
    ] {
        // What is ignored stays ignored: a shell sets no trap for it.
        if ignored_here() & bit(signal) != 0 {
            continue;
        }
        exec.process.signal(signal).unwrap();
        exec.process.line_with(&format!("got {name}")).await.unwrap();
    }
    assert_eq!(exec.credentials().await.status, 200, "and goes on");
    assert_eq!(exec.end().await, 7, "SIGTERM's is the command's to answer");
}

#[tokio::test]
async fn limits_and_signal_dispositions_are_as_they_were() {
    let world = World::start().await.unwrap();
    let show = "ulimit -Sn; ulimit -Hn; grep -E 'Sig(Blk|Ign|Cgt)' /proc/self/status; ls -l /proc/self/fd | grep -c socket";
    let wrap = |trap: &str| format!("ulimit -Sn 321; {trap} exec \"$@\"");
    for (trap, ignored) in [("", 0), ("trap '' HUP USR1;", 0x201)] {
        let wrapped = wrap(trap);
        let arguments = ["-c", &wrapped, "sh", BINARY, "exec", "--", "sh", "-c", show];
        let mut process = Process::start("sh", &arguments, world.env()).unwrap();
        assert!(process.exit().await.unwrap().code().is_some());
        let output = process.output();
        assert!(output.starts_with("321\n"), "{output}");
        let set = output.lines().find_map(|line| line.strip_prefix("SigIgn:\t")).unwrap();
        // Without those that the surroundings of a test ignore, among them real-time ones.
        let set = u64::from_str_radix(set, 16).unwrap() & 0x7fff_ffff & !ignored_here();
        assert_eq!(set, ignored & !ignored_here(), "{output}");
        assert!(output.contains("SigBlk:\t0000000000000000\n"), "{output}");
        assert!(output.ends_with("\n0\n"), "no socket of ours is the command's: {output}");
    }
}

/// The signals that this process was started with as ignored ones, as by nohup(1); SIGPIPE, which Rust has ignored and gives back
/// to whatever it starts, is none of them.
fn ignored_here() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let set = status.lines().find_map(|line| line.strip_prefix("SigIgn:\t")).unwrap();
    u64::from_str_radix(set, 16).unwrap() & !bit(Signal::PIPE)
}

fn bit(signal: Signal) -> u64 {
    1 << (signal.as_raw() - 1)
}

#[tokio::test]
async fn no_credentials_no_command() {
    let world = World::start().await.unwrap();
    world.sts.inject(Fault::error("AccessDenied"));
    let (status, output) = run(&["exec", "--wait=5s", "--", "echo", "started"], world.env()).await;
    assert_eq!(status, 69, "{output}");
    for part in ["AccessDenied", "nothing was started", "trust policy"] {
        assert!(output.contains(part), "{part}: {output}");
    }
    assert!(!output.lines().any(|line| line == "started"), "{output}");

    let world = World::builder().without_token().start().await.unwrap();
    let (status, output) = run(&["exec", "--wait=0s", "--", "echo", "started"], world.env()).await;
    assert!(status == 69 && output.contains("nothing was started"), "{status} {output}");
}

#[tokio::test]
async fn waits_for_the_token_and_can_be_asked_to_end_meanwhile() {
    let world = World::builder().without_token().start().await.unwrap();
    let start = || Process::start(BINARY, &["exec", "--log=info", "echo", "started"], world.env()).unwrap();
    let (mut first, mut second) = (start(), start());
    first.line_with("serving").await.unwrap();
    first.signal(Signal::TERM).unwrap();
    assert_eq!(first.exit().await.unwrap().code(), Some(128 + 15), "{}", first.output());
    second.line_with("serving").await.unwrap();
    world.rotate_token().unwrap();
    assert_eq!(second.exit().await.unwrap().code(), Some(0), "{}", second.output());
    assert!(second.printed(Stream::Stdout).contains("started"));
}

#[tokio::test]
async fn the_role_that_is_named_is_the_commands_and_a_role_of_another_does_not_hold_it_back() {
    let world = World::builder().chain([CHAIN[0]]).start().await.unwrap();
    let file = world.directory().join("roles.yaml");
    let token = world.directory().join("nobody-has-this");
    fs::write(
        &file,
        format!(
            "roles:\n  - {{ name: app }}\n  - name: hub\n    authorization_token_file: {}\n    chain: {{ from: app, steps: \
             [{{ role_arn: '{}' }}] }}\n  - {{ name: broken, role_arn: 'arn:aws:iam::111122223333:role/no-such' }}\n",
            token.display(),
            CHAIN[0]
        ),
    )
    .unwrap();
    let roles_file = format!("--roles-file={}", file.display());
    let exec = Exec::start(&world, &[&roles_file, "--role=hub"], &[]).await;
    assert_eq!(exec.endpoint().1, "/v1/credentials/hub");
    let served = exec.credentials().await;
    assert_eq!(served.json().unwrap()["RoleArn"], CHAIN[0], "{}", served.text());
    exec.end().await;
    let (status, output) = run(&["exec", &roles_file, "true"], world.env()).await;
    assert!(status == 64 && output.contains("--role"), "{status} {output}");
}

#[tokio::test]
async fn the_pod_identity_agent_is_a_source_too_and_its_variables_are_not_the_commands() {
    let world = World::start().await.unwrap();
    let agent = world.pod_identity().start().await.unwrap();
    let volume = world.pod_identity_volume().unwrap();
    let mut env = agent.env(&volume.token_file());
    let agents = env["AWS_CONTAINER_CREDENTIALS_FULL_URI"].clone();
    env.insert("AWS_REGION".to_owned(), REGION.to_owned());
    let exec = Exec::start_in(env, &[]).await;
    assert_ne!(exec.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"], agents);
    assert!(!exec.env.contains_key("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"));
    let served = exec.credentials().await;
    let who = world.sts.who_is(&credentials(&served.json().unwrap(), "Token")).await.unwrap();
    assert_eq!(who.status, 200, "{}", who.text());
    exec.end().await;
}

/// As the entrypoint of a container: process 1, which inherits orphans, and for which the kernel has no default actions.
#[tokio::test]
async fn as_process_1_it_reaps_orphans_and_ends_with_the_command() {
    let unshare = ["--pid", "--fork", "--mount-proc", "--kill-child", "--"];
    if !can_run("root and a PID namespace", &[&["unshare"], &unshare[..], &["true"]].concat()) {
        return;
    }
    let world = World::start().await.unwrap();
    // The orphan's parent ends at once; it ends itself a moment later, and must then be gone and no zombie.
    let script = "\
echo $PPID is the parent; sh -c 'sleep 0.2 & echo $! > \"$0\"' \"$FILE\"; orphan=$(cat \"$FILE\")
until grep -q '^PPid:.1$' /proc/$orphan/status; do [ -d /proc/$orphan ] || break; done
while [ -d /proc/$orphan ]; do sleep 0.02; done; echo no zombie; exec sh -c \"$WATCHFUL\"";
    let mut env = world.env();
    let file = world.directory().join("orphan");
    env.insert("FILE".to_owned(), file.to_string_lossy().into_owned());
    env.insert("WATCHFUL".to_owned(), WATCHFUL.to_owned());
    let arguments = [&unshare[..], &[BINARY, "exec", "--", "sh", "-c", script]].concat();
    let mut process = Process::start("unshare", &arguments, env).unwrap();
    process.line_with("1 is the parent").await.unwrap();
    process.line_with("no zombie").await.unwrap();
    process.line_with("watching").await.unwrap();
    // From outside, as a container runtime does it.
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", process.id().unwrap())).unwrap();
    let init: i32 = children.trim().parse().unwrap();
    let init = rustix::process::Pid::from_raw(init).unwrap();
    rustix::process::kill_process(init, Signal::INT).unwrap();
    process.line_with("got INT").await.unwrap();
    rustix::process::kill_process(init, Signal::TERM).unwrap();
    assert_eq!(process.exit().await.unwrap().code(), Some(7), "{}", process.output());
}

/// `script` has a terminal for it: a session of its own, in whose foreground it is.
#[tokio::test]
async fn the_terminal_is_the_commands_and_its_interrupt_comes_once() {
    if !can_run("util-linux' script", &["script", "-qec", "true", "/dev/null"]) {
        return;
    }
    let world = World::start().await.unwrap();
    // To the whole foreground group, as the keyboard does; the second is for us alone.
    let child = "\
n=0; trap 'n=$((n+1))' INT; trap 'echo after $n; exit 5' USR1
test -t 0 && test -t 1 && test -t 2 && echo all three are a terminal; kill -INT 0; kill -USR1 $PPID
while :; do sleep 0.05; done";
    let mut env = world.env();
    env.insert("CHILD".to_owned(), child.to_owned());
    let command = format!("exec {BINARY} exec -- sh -c \"$CHILD\"");
    let mut process = Process::start("script", &["-qec", &command, "/dev/null"], env).unwrap();
    process.line_with("all three are a terminal").await.unwrap();
    process.line_with("after 1").await.unwrap();
    assert_eq!(process.exit().await.unwrap().code(), Some(5), "{}", process.output());
}

#[tokio::test]
async fn inside_another_it_says_so_and_what_to_do() {
    let world = World::start().await.unwrap();
    let scratch = Scratch::new("exec").unwrap();
    let roles = scratch.path().join("roles.yaml");
    fs::write(&roles, "roles: [{ name: default }]\n").unwrap();
    let roles = roles.to_str().unwrap();
    for inner in
        [&["exec", "--", "true"][..], &["credentials"], &["exec", "--roles-file", roles, "--", "true"]]
    {
        let all = [&["exec", "--", BINARY], inner].concat();
        let (status, output) = run(&all, world.env()).await;
        let told = output.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(status, 64, "{inner:?}: {told}");
        assert!(
            told.contains("AWS_CONTAINER_CREDENTIALS_FULL_URI why: this runs inside an `irsa-sidecar exec`"),
            "{told}"
        );
        assert!(told.contains("run it without another irsa-sidecar"), "{told}");
        assert!(!told.contains("cannot be rotated"), "{told}");
    }
}

//! Start and end: ports, signals, what is in flight.

use support::process::Signal;
use support::raw;
use support::raw::RawClient;
use support::world::World;

use crate::sidecar::BINARY;
use crate::sidecar::Sidecar;
use crate::sidecar::can_run;
use crate::sidecar::run;
use crate::sidecar::run_under;

#[tokio::test]
async fn live_at_once_and_ready_only_with_credentials() {
    let world = World::builder().without_token().start().await.unwrap();
    let mut sidecar = Sidecar::start(&world).await;
    assert_eq!(raw::get(sidecar.admin, "/live").await.unwrap().status, 200);
    sidecar.process.line_with("TokenMissing").await.unwrap();
    let ready = sidecar.wait_until_not_ready().await;
    assert!(ready.contains("default"), "{ready}");
    world.rotate_token().unwrap();
    sidecar.wait_until_ready().await;
}

#[tokio::test]
async fn sigterm_and_sigint_end_it_with_status_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let world = World::start().await.unwrap();
        let mut sidecar = Sidecar::start(&world).await;
        sidecar.wait_until_ready().await;
        // An idle connection does not hold it up.
        let _idle = RawClient::connect(sidecar.container).await.unwrap();
        sidecar.process.signal(signal).unwrap();
        assert_eq!(sidecar.process.exit().await.unwrap().code(), Some(0), "{}", sidecar.process.output());
        assert!(raw::get(sidecar.container, "/v1/credentials").await.is_err());
    }
}

#[tokio::test]
async fn goes_on_serving_for_the_time_of_drain_and_a_second_signal_ends_it_at_once() {
    let world = World::start().await.unwrap();
    let mut sidecar = Sidecar::start_with(&world, &["--drain=1h"], &[]).await;
    sidecar.wait_until_ready().await;
    sidecar.process.signal(Signal::TERM).unwrap();
    sidecar.process.line_with("asked to end").await.unwrap();
    assert_eq!(sidecar.credentials().await.status, 200);
    sidecar.process.signal(Signal::TERM).unwrap();
    assert!(sidecar.process.exit().await.unwrap().success());
}

#[tokio::test]
async fn a_request_in_flight_is_answered_before_the_end() {
    let world = World::builder().without_token().start().await.unwrap();
    let mut sidecar = Sidecar::start(&world).await;
    let mut connection = RawClient::connect(sidecar.container).await.unwrap();
    let host = format!("Host: {}", sidecar.container);
    connection.send(format!("GET /v1/credentials HTTP/1.1\r\n{host}\r\n\r\n")).await.unwrap();
    // It waits for the first credentials; a second request on another connection is proof that the first has arrived.
    assert_eq!(raw::get(sidecar.container, "/nowhere").await.unwrap().status, 404);
    sidecar.process.signal(Signal::TERM).unwrap();
    assert_eq!(connection.response().await.unwrap().status, 503);
    assert!(sidecar.process.exit().await.unwrap().success());
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_names_the_setting() {
    let world = World::start().await.unwrap();
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let listen = format!("--listen={address}");
    let (status, output) = run(&["serve", &listen, "--admin-listen=127.0.0.1:0"], world.env()).await;
    assert_eq!(status, 69, "{output}");
    assert!(output.contains(&address.to_string()) && output.contains("already listens"), "{output}");
    let admin = format!("--admin-listen={address}");
    let (status, output) = run(&["serve", "--listen=127.0.0.1:0", &admin], world.env()).await;
    assert_eq!(status, 69, "{output}");
    assert!(output.contains("IRSA_SIDECAR_ADMIN_LISTEN") || output.contains("--admin-listen"), "{output}");
    assert!(world.sts.calls().is_empty(), "nothing was started");
}

/// In a network namespace of its own: the machine's own may allow every port to everyone.
#[tokio::test]
async fn a_privileged_port_without_the_right_is_an_error_that_names_the_sysctl() {
    let as_nobody = "ip link set lo up && echo 1024 > /proc/sys/net/ipv4/ip_unprivileged_port_start && \
                     exec setpriv --reuid=65534 --clear-groups --bounding-set=-all --inh-caps=-all -- \"$@\"";
    if !can_run("root and a network namespace", &["unshare", "--net", "sh", "-c", as_nobody, "sh", "true"]) {
        return;
    }
    let world = World::start().await.unwrap();
    // The program must be readable for that user: a checkout below root's home is not.
    let program = world.directory().join("irsa-sidecar");
    std::fs::copy(BINARY, &program).unwrap();
    let wrapper = ["--net", "sh", "-c", as_nobody, "sh", program.to_str().unwrap()];
    let arguments = ["serve", "--listen=127.0.0.1:80", "--admin-listen=127.0.0.1:0", "--log-format=json"];
    let mut env = world.env();
    env.remove("AWS_CA_BUNDLE");
    let (status, output) = run_under("unshare", &wrapper, &arguments, env).await;
    assert_eq!(status, 69, "{output}");
    assert!(
        output.contains("net.ipv4.ip_unprivileged_port_start") && output.contains("127.0.0.1:80"),
        "{output}"
    );
}

#[tokio::test]
async fn serves_on_ipv6_loopback_too() {
    let world = World::start().await.unwrap();
    let mut sidecar = Sidecar::start_with(&world, &["--listen=[::1]:0", "--admin-listen=[::1]:0"], &[]).await;
    sidecar.wait_until_ready().await;
    assert!(sidecar.container.is_ipv6());
    assert_eq!(sidecar.credentials().await.status, 200);
}

/// Whoever does not take its answer is cut: the kubelet's patience is bounded.
#[tokio::test]
async fn a_connection_in_the_middle_of_a_request_does_not_hold_up_the_end() {
    let world = World::start().await.unwrap();
    let mut sidecar = Sidecar::start(&world).await;
    sidecar.wait_until_ready().await;
    let mut connection = RawClient::connect(sidecar.container).await.unwrap();
    connection.send("GET /v1/credentials HTTP/1.1\r\n").await.unwrap();
    sidecar.process.signal(Signal::TERM).unwrap();
    assert!(sidecar.process.exit().await.unwrap().success());
}

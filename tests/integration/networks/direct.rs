//! Names that are reached without a proxy: in a network namespace of the test's own, whose hosts file has the names of AWS
//! on `lo`.

use std::fs;
use std::net::SocketAddr;

use support::process::Process;
use support::process::Signal;
use support::proxy::Proxy;
use support::raw;
use support::sts::Call;
use support::world::World;
use support::world::WorldBuilder;

use crate::networks::REGIONAL;
use crate::networks::Set;
use crate::networks::VPC_ENDPOINT;
use crate::node::sh;
use crate::sidecar::BINARY;
use crate::sidecar::credentials;
use crate::sidecar::run;

const DUAL_STACK: &str = "sts.eu-central-1.api.aws";
const NAMES: [&str; 3] = [REGIONAL, VPC_ENDPOINT, DUAL_STACK];

/// Where everybody expects TLS; STS listens there.
const V4: &str = "127.0.0.1:443";
const V6: &str = "[::1]:443";

#[tokio::test]
async fn a_host_in_no_proxy_is_reached_without_the_proxy() {
    support::in_a_namespace!();
    let world = world(V4).await;
    resolves("127.0.0.1", &NAMES, &world);
    let proxy = Proxy::start(world.sts.address()).await.unwrap();
    for (name, value) in [
        ("NO_PROXY", REGIONAL),
        ("NO_PROXY", "STS.EU-Central-1.AmazonAWS.com"),
        ("NO_PROXY", ".amazonaws.com"),
        ("NO_PROXY", "amazonaws.com"),
        ("NO_PROXY", "eu-central-1.amazonaws.com"),
        ("NO_PROXY", "10.0.0.0/8, .svc, .cluster.local , .amazonaws.com"),
        ("NO_PROXY", "*"),
        ("no_proxy", ".amazonaws.com"),
    ] {
        let call = exchange(&world, &proxy, &[(name, value)]).await;
        assert_eq!((call.tls, call.server_name.as_deref()), (true, Some(REGIONAL)), "{name}={value}");
        assert!(proxy.asked().is_empty(), "{name}={value}: {:?}", proxy.asked());
    }
    for (number, value) in [
        "",
        "amazonaws.com.cn",
        "onaws.com",
        "sts.eu-west-1.amazonaws.com",
        "central-1.amazonaws.com",
        // What the name stands for is not looked up.
        "127.0.0.1,127.0.0.0/8",
    ]
    .into_iter()
    .enumerate()
    {
        let call = exchange(&world, &proxy, &[("NO_PROXY", value)]).await;
        assert_eq!(call.server_name.as_deref(), Some(REGIONAL), "{value}");
        assert_eq!(proxy.tunnels().len(), number + 1, "{value}");
    }
}

#[tokio::test]
async fn an_address_in_no_proxy_may_be_one_of_a_network() {
    support::in_a_namespace!();
    for (address, url, reached, not_reached) in [
        (
            V4,
            "https://127.0.0.1",
            ["127.0.0.1", "127.0.0.0/8", "10.0.0.0/8,127.0.0.1/32"],
            "127.0.0.2/32,10.0.0.0/8",
        ),
        (V6, "https://[::1]", ["::1", "::1/128", "::/64"], "fd00::/8,127.0.0.1"),
    ] {
        let world = world(address).await;
        let proxy = Proxy::start(world.sts.address()).await.unwrap();
        for value in reached {
            exchange(&world, &proxy, &[("AWS_ENDPOINT_URL_STS", url), ("NO_PROXY", value)]).await;
            assert!(proxy.asked().is_empty(), "{value}: {:?}", proxy.asked());
        }
        let proxied = [("AWS_ENDPOINT_URL_STS", url), ("NO_PROXY", not_reached)];
        let (status, output) = try_exchange(&world, &proxy, &proxied).await;
        // The connector cannot do it for IPv6, and says so.
        let is_v4 = address == V4;
        assert_eq!(status, if is_v4 { 0 } else { 69 }, "{output}");
        assert!(is_v4 || output.contains("write its address into NO_PROXY"), "{output}");
        assert_eq!(proxy.tunnels(), [format!("{}:443", url.trim_start_matches("https://"))]);
    }
}

/// A private cluster: no proxy, and the names of AWS lead to the VPC's own endpoint.
#[tokio::test]
async fn a_vpc_endpoint_is_reached_by_its_own_name_and_by_the_regions() {
    support::in_a_namespace!();
    let world = world(V4).await;
    resolves("127.0.0.1", &NAMES, &world);
    let url = format!("https://{VPC_ENDPOINT}");
    for (variables, name) in [(&[][..], REGIONAL), (&[("AWS_ENDPOINT_URL_STS", url.as_str())], VPC_ENDPOINT)]
    {
        let call = succeeds(&world, variables).await;
        assert_eq!((call.tls, call.server_name.as_deref()), (true, Some(name)));
    }
    // Nor is a region whose name does not resolve asked anywhere else.
    let (status, output) = run(&["credentials"], env(&world, &[("AWS_REGION", "eu-west-1")])).await;
    assert_eq!(status, 69, "{output}");
    assert!(output.contains("NameNotResolved"), "{output}");
}

/// Defaults all over, as in a pod that nobody thought of IPv6 for.
#[tokio::test]
async fn a_pod_with_ipv6_alone_is_served_on_ipv6() {
    support::in_a_namespace!();
    without_ipv4();
    let world = world(V6).await;
    // A name that has an IPv4 address as well, which leads nowhere here.
    resolves("::1", &NAMES, &world);
    resolves_too("192.0.2.1", &[DUAL_STACK]);
    let url = format!("https://{V6}");
    let ways: [(Set<'_>, Option<&str>); 3] = [
        (&[("AWS_ENDPOINT_URL_STS", &url)], None),
        (&[], Some(REGIONAL)),
        (&[("AWS_USE_DUALSTACK_ENDPOINT", "true")], Some(DUAL_STACK)),
    ];
    for (variables, name) in ways {
        let mut sidecar =
            Process::start(BINARY, &["serve", "--log-format=json"], env(&world, variables)).unwrap();
        let (container, admin): (SocketAddr, SocketAddr) =
            ("[::1]:9911".parse().unwrap(), "[::1]:9912".parse().unwrap());
        sidecar.status(admin, "/ready", 200).await.unwrap();
        let call = world.sts.calls().pop().unwrap();
        assert_eq!((call.tls, call.server_name.as_deref()), (true, name), "{variables:?}");
        let answer = raw::get(container, "/v1/credentials").await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let given = credentials(&answer.json().unwrap(), "Token");
        assert!(world.sts.issued().iter().any(|issued| issued.session_token == given.session_token));
        let (status, output) = run(&["healthcheck"], env(&world, &[])).await;
        assert_eq!(status, 0, "{output}");
        assert!(sidecar.output().contains("no IPv4 here"), "{}", sidecar.output());
        sidecar.signal(Signal::TERM).unwrap();
        assert!(sidecar.exit().await.unwrap().success());
    }
}

#[tokio::test]
async fn a_proxy_of_ipv6_is_a_way_out_of_a_pod_with_ipv6_alone() {
    support::in_a_namespace!();
    without_ipv4();
    let world = world(V6).await;
    let proxy =
        Proxy::builder(world.sts.address()).address("[::1]:3128".parse().unwrap()).start().await.unwrap();
    let call = exchange(&world, &proxy, &[]).await;
    assert_eq!(call.server_name.as_deref(), Some(REGIONAL));
    assert_eq!(proxy.tunnels(), [format!("{REGIONAL}:443")]);
}

async fn world(sts: &str) -> World {
    let builder: WorldBuilder = World::builder().tls_for(&NAMES).sts_address(sts.parse().unwrap());
    let issuer = if sts == V6 { "[::1]:0" } else { "127.0.0.1:0" };
    builder.issuer_address(issuer.parse().unwrap()).start().await.unwrap()
}

/// These names lead there, and no other does anywhere. The namespace has a /etc of its own to change.
fn resolves(address: &str, names: &[&str], world: &World) {
    let hosts = world.directory().join("hosts");
    fs::write(&hosts, "").unwrap();
    sh("mount --bind \"$1\" /etc/hosts", hosts.to_str().unwrap());
    resolves_too(address, names);
}

fn resolves_too(address: &str, names: &[&str]) {
    sh("echo \"$1\" >> /etc/hosts", &format!("{address} {}", names.join(" ")));
}

fn without_ipv4() {
    sh("ip addr del 127.0.0.1/8 dev \"$1\"", "lo");
}

fn env(world: &World, variables: Set<'_>) -> Vec<(String, String)> {
    let mut env = world.env();
    env.remove("AWS_ENDPOINT_URL_STS");
    env.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    env.into_iter().collect()
}

/// `irsa-sidecar credentials` beside a proxy; gives the one call that STS saw.
async fn exchange(world: &World, proxy: &Proxy, variables: Set<'_>) -> Call {
    let url = proxy.url();
    succeeds(world, &[variables, &[("HTTPS_PROXY", url.as_str())]].concat()).await
}

async fn try_exchange(world: &World, proxy: &Proxy, variables: Set<'_>) -> (i32, String) {
    let url = proxy.url();
    run(&["credentials"], env(world, &[variables, &[("HTTPS_PROXY", url.as_str())]].concat())).await
}

async fn succeeds(world: &World, variables: Set<'_>) -> Call {
    let before = world.sts.calls().len();
    let (status, output) = run(&["credentials"], env(world, variables)).await;
    assert_eq!(status, 0, "{variables:?}: {output}");
    let mut calls = world.sts.calls().split_off(before);
    assert_eq!(calls.len(), 1, "{variables:?}: {calls:?}");
    calls.remove(0)
}

//! Proxies: what they are told, what is said when they refuse, and nothing of their passwords.

use support::proxy::Proxy;
use support::proxy::ProxyManner;
use support::tls::Tls;
use support::world::ROLE_ARN;
use support::world::World;

use crate::networks::Network;
use crate::networks::REGIONAL;
use crate::sidecar::Sidecar;
use crate::sidecar::run;

const PASSWORD: &str = "pl@nted/pass:word";
/// The same as a URL has it.
const ENCODED: &str = "pl%40nted%2Fpass%3Aword";

#[tokio::test]
async fn a_user_and_a_password_in_the_url_reach_the_proxy_and_no_log() {
    let network = Network::of(ROLE_ARN).await;
    network.presents(&[REGIONAL]);
    let to = network.world.sts.address();
    let proxy = Proxy::builder(to).credentials("me", PASSWORD).start().await.unwrap();
    let url = format!("http://me:{ENCODED}@{}", proxy.address());
    for level in ["info", "trace"] {
        let (status, output) =
            network.exchange(&[("HTTPS_PROXY", &url), ("IRSA_SIDECAR_LOG", level)], "").await;
        assert_eq!(status, 0, "{output}");
        assert_no_password(&output);
    }
    assert_eq!(proxy.tunnels(), [format!("{REGIONAL}:443"), format!("{REGIONAL}:443")]);
    for user in ["me:wrong-pl4nted@", "me@", ""] {
        let url = format!("http://{user}{}", proxy.address());
        let (status, output) = network.exchange(&[("HTTPS_PROXY", &url)], "").await;
        assert_eq!(status, 69, "{user}: {output}");
        for word in ["ConnectionFailed", "HTTPS_PROXY", "407", REGIONAL] {
            assert!(output.contains(word), "{user}: no {word} in {output}");
        }
        assert_no_password(&output);
    }
}

#[tokio::test]
async fn a_proxy_that_refuses_is_told_from_an_sts_that_does() {
    let network = Network::of(ROLE_ARN).await;
    network.presents(&[REGIONAL]);
    for (manner, word) in [
        (ProxyManner::Refuses(407), "USER:PASSWORD"),
        (ProxyManner::Refuses(403), "NO_PROXY"),
        (ProxyManner::Refuses(502), "NO_PROXY"),
        (ProxyManner::Resets, "Check HTTPS_PROXY"),
    ] {
        network.proxy.behave(manner);
        let (status, output) = network.exchange(&[], "").await;
        assert_eq!(status, 69, "{output}");
        for word in ["ConnectionFailed", "through the proxy in HTTPS_PROXY: ", word] {
            assert!(output.contains(word), "{manner:?}: no {word} in {output}");
        }
    }
    assert!(network.world.sts.calls().is_empty());
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_told_from_an_sts_that_is_not() {
    let network = Network::of(ROLE_ARN).await;
    network.proxy.refuse().await;
    // A label of 64 characters is refused by the resolver itself: no query leaves the machine.
    let unresolvable = format!("http://{}.example:3128", "a".repeat(64));
    for (url, code) in [(network.proxy.url(), "ConnectionFailed"), (unresolvable, "NameNotResolved")] {
        let (status, output) = network.exchange(&[("HTTPS_PROXY", &url)], "").await;
        assert_eq!(status, 69, "{output}");
        for word in [code, "through the proxy in HTTPS_PROXY: ", "Check HTTPS_PROXY"] {
            assert!(output.contains(word), "{url}: no {word} in {output}");
        }
    }
}

/// A proxy comes back while the sidecar runs.
#[tokio::test]
async fn the_sidecar_goes_on_by_itself_when_the_proxy_lets_it() {
    let network = Network::of(ROLE_ARN).await;
    network.presents(&[REGIONAL]);
    network.proxy.behave(ProxyManner::Refuses(503));
    let mut sidecar = Sidecar::start_with(
        &network.world,
        &[],
        &[("AWS_ENDPOINT_URL_STS", ""), ("HTTPS_PROXY", &network.proxy.url())],
    )
    .await;
    sidecar.process.line_with("ConnectionFailed").await.unwrap();
    network.proxy.behave(ProxyManner::Forwards);
    sidecar.wait_until_ready().await;
    assert_eq!(network.world.sts.calls().last().unwrap().host.as_deref(), Some(REGIONAL));
}

/// All the names that a proxy's variable has.
#[tokio::test]
async fn the_variable_of_the_proxy_may_have_any_of_its_names() {
    let network = Network::of(ROLE_ARN).await;
    network.presents(&[REGIONAL]);
    let url = network.proxy.url();
    let without_scheme = url.trim_start_matches("http://");
    for (number, (name, value)) in [
        ("https_proxy", url.as_str()),
        ("HTTPS_PROXY", without_scheme),
        ("ALL_PROXY", &url),
        ("all_proxy", &url),
    ]
    .into_iter()
    .enumerate()
    {
        let mut env = network.world.env();
        env.remove("AWS_ENDPOINT_URL_STS");
        env.insert(name.to_owned(), value.to_owned());
        let (status, output) = run(&["credentials"], env).await;
        assert_eq!(status, 0, "{name}: {output}");
        assert_eq!(network.proxy.tunnels().len(), number + 1, "{name}");
    }
}

/// The bundle is for the proxy's certificate as well.
#[tokio::test]
async fn the_way_to_the_proxy_may_be_tls_too() {
    let network = Network::of(ROLE_ARN).await;
    network.presents(&[REGIONAL]);
    let authority = network.world.sts.tls().unwrap().authority();
    let to = network.world.sts.address();
    let proxy = Proxy::builder(to).tls(authority.server(&[]).unwrap()).start().await.unwrap();
    network.exchanges(&[("HTTPS_PROXY", &proxy.url())]).await;
    assert_eq!(proxy.tunnels(), [format!("{REGIONAL}:443")]);
    let stranger = Proxy::builder(to).tls(Tls::generate().unwrap()).start().await.unwrap();
    let (status, output) = network.exchange(&[("HTTPS_PROXY", &stranger.url())], "").await;
    assert_eq!(status, 69, "{output}");
    assert!(output.contains("CertificateUntrusted") && output.contains("HTTPS_PROXY"), "{output}");
}

/// An STS that speaks plain HTTP is asked through HTTP_PROXY, which gets the whole request.
#[tokio::test]
async fn plain_http_goes_through_the_proxy_for_http() {
    let world = World::start().await.unwrap();
    let proxy = Proxy::start(world.sts.address()).await.unwrap();
    let mut env = world.env();
    env.insert("AWS_ENDPOINT_URL_STS".to_owned(), "http://sts.corp.example:8080".to_owned());
    env.insert("HTTP_PROXY".to_owned(), proxy.url());
    env.insert("HTTPS_PROXY".to_owned(), "http://127.0.0.1:9".to_owned());
    let (status, output) = run(&["credentials"], env).await;
    assert_eq!(status, 0, "{output}");
    let asked = proxy.asked();
    assert_eq!((asked.len(), asked[0].method.as_str()), (1, "POST"));
    assert_eq!(asked[0].target, "http://sts.corp.example:8080/");
}

fn assert_no_password(output: &str) {
    for password in [PASSWORD, ENCODED, "pl4nted", "nted"] {
        assert!(!output.contains(password), "{output}");
    }
}

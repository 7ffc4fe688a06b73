//! A pod of one's own: a network namespace with AWS's link-local addresses on `lo`, and the real sidecar on all of them.

use std::net::IpAddr;
use std::net::SocketAddr;

use irsa_sidecar::contract::CONTAINER_ADDRESSES;
use irsa_sidecar::contract::IMDS_ADDRESSES;
use irsa_sidecar::contract::LINK_LOCAL_PORT;
use support::process::Signal;
use support::raw;
use support::raw::RawClient;
use support::raw::RawResponse;
use support::world::World;

use crate::sidecar::Sidecar;
use crate::sidecar::run;

pub(crate) const TTL: &str = "X-aws-ec2-metadata-token-ttl-seconds";
pub(crate) const TOKEN: &str = "X-aws-ec2-metadata-token";
pub(crate) const ROLE_LIST: &str = "/latest/meta-data/iam/security-credentials/";

pub(crate) struct Pod {
    pub(crate) world: World,
    pub(crate) sidecar: Sidecar,
}

/// 169.254.169.254:80
pub(crate) fn imds() -> SocketAddr {
    at(IMDS_ADDRESSES[0])
}

/// 169.254.170.2:80
pub(crate) fn ecs() -> SocketAddr {
    at(CONTAINER_ADDRESSES[0])
}

pub(crate) fn at(ip: IpAddr) -> SocketAddr {
    SocketAddr::new(ip, LINK_LOCAL_PORT)
}

/// Every address that SDKs have built in.
pub(crate) fn link_local() -> Vec<SocketAddr> {
    IMDS_ADDRESSES.into_iter().chain(CONTAINER_ADDRESSES).map(at).collect()
}

fn listen() -> String {
    let addresses: Vec<String> = link_local().iter().map(ToString::to_string).collect();
    format!("--listen=127.0.0.1:9911,[::1]:9911,{}", addresses.join(","))
}

impl Pod {
    /// Credentials held. Belongs behind `in_a_namespace!`.
    pub(crate) async fn start() -> Self {
        Self::start_with(World::start().await.unwrap(), &[]).await
    }

    pub(crate) async fn start_with(world: World, variables: &[(&str, &str)]) -> Self {
        let mut pod = Self::started(world, variables).await;
        pod.sidecar.wait_until_ready().await;
        pod
    }

    /// Ends the sidecar and starts it again, with these arguments beside the listeners.
    pub(crate) async fn restart(&mut self, arguments: &[&str]) {
        self.sidecar.process.signal(Signal::TERM).unwrap();
        assert!(self.sidecar.process.exit().await.unwrap().success());
        let listen = listen();
        let all = [&[listen.as_str()], arguments].concat();
        self.sidecar = Sidecar::start_with(&self.world, &all, &[]).await;
        self.sidecar.wait_until_ready().await;
    }

    /// Credentials perhaps not held.
    pub(crate) async fn started(world: World, variables: &[(&str, &str)]) -> Self {
        let listen = listen();
        let (status, output) = run(&["net-init", &listen], []).await;
        assert_eq!(status, 0, "{output}");
        let sidecar = Sidecar::start_with(&world, &[&listen], variables).await;
        Self { world, sidecar }
    }
}

/// One GET of IMDS, on a connection of its own.
pub(crate) async fn metadata(path: &str) -> RawResponse {
    raw::get(imds(), path).await.unwrap()
}

/// One request to IMDS, on a connection of its own.
pub(crate) async fn asked(method: &str, path: &str, headers: &[(&str, &str)]) -> RawResponse {
    RawClient::connect(imds()).await.unwrap().request(method, path, headers).await.unwrap()
}

/// What is answered to these very bytes, on a connection of its own.
pub(crate) async fn sent(address: SocketAddr, request: &str) -> RawResponse {
    let mut client = RawClient::connect(address).await.unwrap();
    client.send(request).await.unwrap();
    client.response().await.unwrap()
}

/// A session's token.
pub(crate) async fn session(seconds: &str) -> String {
    let answer = asked("PUT", "/latest/api/token", &[(TTL, seconds)]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.text()
}

/// The role's name, as IMDS lists it, and the path of its credentials.
pub(crate) async fn role_path() -> String {
    format!("{ROLE_LIST}{}", metadata(ROLE_LIST).await.text())
}

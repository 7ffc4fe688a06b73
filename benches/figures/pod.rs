//! What a sidecar finds in its pod: a token, an environment, an STS that speaks TLS; and the sidecar in it.
//!
//! `SSL_CERT_FILE` holds the system's authorities and the test's own, so that loading them costs what it does in a pod.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use support::process::Process;
use support::world::{World, WorldBuilder};

use crate::Result;
use crate::build::Variant;

/// Clients of the measured servers carry it.
pub(crate) const AUTHORIZATION: &str = "bench-3f0c9a52d1e84b7796c8";
const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

#[derive(Debug)]
pub(crate) struct Pod {
    /// Runs as long as it is held.
    world: World,
    env: BTreeMap<String, String>,
}

#[derive(Debug)]
pub(crate) struct Sidecar {
    pub process: Process,
    pub pid: u32,
    pub container: SocketAddr,
    pub admin: SocketAddr,
}

impl Pod {
    pub(crate) async fn start() -> Result<Self> {
        Self::of(World::builder()).await
    }

    /// The sidecar starts and waits for its token.
    pub(crate) async fn without_token() -> Result<Self> {
        Self::of(World::builder().without_token()).await
    }

    /// A roles file with so many, each an IAM role of its own.
    pub(crate) async fn with_roles(count: usize) -> Result<Self> {
        let arns: Vec<String> =
            (0..count).map(|index| format!("arn:aws:iam::111122223333:role/app-{index}")).collect();
        let mut pod = Self::of(World::builder().roles(&arns)).await?;
        let role =
            |(index, arn): (usize, &String)| format!("  - {{ name: r{index}, role_arn: \"{arn}\" }}\n");
        let roles: String = arns.iter().enumerate().map(role).collect();
        let path = pod.world.directory().join("roles.yaml");
        fs::write(&path, format!("roles:\n{roles}"))?;
        pod.env.insert("IRSA_SIDECAR_ROLES_FILE".to_owned(), path.to_string_lossy().into_owned());
        Ok(pod)
    }

    async fn of(builder: WorldBuilder) -> Result<Self> {
        let world = builder.tls().start().await?;
        let mut env = world.env();
        let bundle = world.directory().join("bundle.pem");
        let system = fs::read_to_string(SYSTEM_AUTHORITIES)
            .map_err(|error| format!("{SYSTEM_AUTHORITIES}: {error}; install ca-certificates"))?;
        fs::write(&bundle, system + world.sts.ca_pem().unwrap_or_default())?;
        env.remove("AWS_CA_BUNDLE");
        env.insert("SSL_CERT_FILE".to_owned(), bundle.to_string_lossy().into_owned());
        env.insert("IRSA_SIDECAR_AUTHORIZATION_TOKEN".to_owned(), AUTHORIZATION.to_owned());
        Ok(Self { world, env })
    }

    /// With the listeners that it has by default, on other ports; its log is what it is in a pod.
    pub(crate) fn sidecar(&self, variant: &Variant) -> Result<Sidecar> {
        let (container, admin) = (free_address()?, free_address()?);
        let arguments = [
            "serve",
            &format!("--port={}", container.port()),
            &format!("--admin-listen={admin}"),
            "--log-format=json",
        ];
        let process = Process::start(&variant.path, &arguments, &self.env)?;
        let pid = process.id().ok_or("the sidecar ended at once")?;
        Ok(Sidecar { process, pid, container, admin })
    }
}

impl Sidecar {
    pub(crate) async fn wait_until_ready(&mut self) -> Result<()> {
        self.process.status(self.admin, "/ready", 200).await?;
        Ok(())
    }
}

/// Nobody listens there, a moment ago at least.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

//! How an endpoint is to be.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::clock::Clock;
use crate::pod_identity::settings::{SESSION_LIFE, Settings, Shape, Taken};
use crate::pod_identity::{AUDIENCE, PATH, PodIdentity, anywhere};
use crate::sts::Vendor;
use crate::tls::Tls;
use crate::world::ROLE_ARN;

/// Ends in [`start`](Self::start) or [`on`](Self::on).
#[derive(Clone, Debug)]
pub struct PodIdentityBuilder {
    address: SocketAddr,
    settings: Settings,
    tls: Option<Tls>,
}

impl PodIdentityBuilder {
    /// Any other container-credentials endpoint, with the manners of ECS's: no `Authorization` is asked for, errors are
    /// JSON, `Expiration` has whole seconds, there is `RoleArn` and no `AccountId`.
    pub fn container(mut self) -> Self {
        self.settings.taken = Taken::Anything;
        self.settings.shape = Shape::Container;
        self.settings.account_id = None;
        self
    }

    pub fn address(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    pub fn clock(mut self, clock: Clock) -> Self {
        self.settings.clock = clock;
        self
    }

    /// Where the credentials are; everything else is 404.
    pub fn path(mut self, path: &str) -> Self {
        self.settings.path = path.to_owned();
        self
    }

    /// `Host` must be one of these, a port aside.
    pub fn hosts(mut self, hosts: &[&str]) -> Self {
        self.settings.hosts = hosts.iter().map(ToString::to_string).collect();
        self
    }

    /// This value of `Authorization` is good, and no other.
    pub fn authorization(mut self, value: &str) -> Self {
        self.settings.taken = Taken::Only([value.to_owned()].into());
        self
    }

    pub fn session_life(mut self, life: Duration) -> Self {
        self.settings.session_life = life;
        self
    }

    /// The role whose account stands in `AccountId`, and which a [`container`](Self::container) endpoint names.
    pub fn role_arn(mut self, arn: &str) -> Self {
        self.settings.role_arn = arn.to_owned();
        self.settings.account_id = self.settings.account_id.and(arn.split(':').nth(4).map(str::to_owned));
        self
    }

    /// What stands in `AccountId`; with `None` there is none.
    pub fn account_id(mut self, account_id: Option<&str>) -> Self {
        self.settings.account_id = account_id.map(str::to_owned);
        self
    }

    /// Gives out sessions that the STS emulator knows; without, credentials have the right form and open nothing.
    pub fn vendor(self, vendor: Vendor) -> Self {
        let mut this = self.role_arn(vendor.role_arn());
        this.settings.vendor = Some(vendor);
        this
    }

    pub async fn start(self) -> io::Result<PodIdentity> {
        let socket = TcpListener::bind(self.address).await?;
        self.on(socket)
    }

    /// Behind a socket that was bound elsewhere.
    pub fn on(self, socket: TcpListener) -> io::Result<PodIdentity> {
        PodIdentity::on(socket, self.settings, self.tls)
    }
}

impl Default for PodIdentityBuilder {
    fn default() -> Self {
        let settings = Settings {
            clock: Clock::default(),
            path: PATH.to_owned(),
            hosts: Vec::new(),
            taken: Taken::TokensOf(AUDIENCE.to_owned()),
            shape: Shape::Agent,
            account_id: ROLE_ARN.split(':').nth(4).map(str::to_owned),
            role_arn: ROLE_ARN.to_owned(),
            session_life: SESSION_LIFE,
            caching: false,
            vendor: None,
        };
        Self { address: anywhere(), settings, tls: None }
    }
}

//! Which of the sidecar's surfaces a pod asks for, and what follows from it: addresses, rights, exemptions.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;

use crate::contract::ANNOTATION_ENDPOINTS;
use crate::contract::CONTAINER_ADDRESSES;
use crate::contract::IMDS_ADDRESSES;
use crate::contract::LINK_LOCAL_PORT;

const NAMES: [&str; 4] = ["container", "ecs", "imds", "block-imds"];

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Endpoints {
    pub(super) container: bool,
    pub(super) ecs: bool,
    pub(super) imds: Imds,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Imds {
    /// The node's, as far as the node lets pods have it.
    #[default]
    Untouched,
    Served,
    /// Claimed, and every request refused.
    Blocked,
}

impl Endpoints {
    /// What works without more rights.
    pub(super) const DEFAULT: Self = Self { container: true, ecs: false, imds: Imds::Untouched };

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut endpoints = Self::default();
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match name {
                "container" => endpoints.container = true,
                "ecs" => endpoints.ecs = true,
                "imds" | "block-imds" => {
                    let wanted = if name == "imds" { Imds::Served } else { Imds::Blocked };
                    if endpoints.imds != Imds::Untouched && endpoints.imds != wanted {
                        return Err(
                            "asks for imds and for block-imds, and only one of them can be".to_owned()
                        );
                    }
                    endpoints.imds = wanted;
                }
                unknown => {
                    return Err(format!("names \"{unknown}\", which is none of {}", NAMES.join(", ")));
                }
            }
        }
        match endpoints {
            Self { container: false, ecs: false, imds: Imds::Untouched } => {
                Err(format!("names nothing; leave {ANNOTATION_ENDPOINTS} out for container"))
            }
            Self { container: false, ecs: false, imds: Imds::Blocked } => {
                Err("only blocks IMDS, so that nobody could have the credentials; add container or ecs"
                    .to_owned())
            }
            endpoints => Ok(endpoints),
        }
    }

    /// Whether addresses must be claimed first, by `net-init`.
    pub(super) fn claims(self) -> bool {
        self.ecs || self.imds != Imds::Untouched
    }

    /// What `--listen` is given; none where the default does.
    pub(super) fn listen(self, port: u16) -> Option<String> {
        let loopback = self.container.then_some(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port));
        let claimed = self.claimed().into_iter().map(|ip| SocketAddr::new(ip, LINK_LOCAL_PORT));
        let addresses: Vec<_> =
            loopback.into_iter().chain(claimed).map(|address| address.to_string()).collect();
        self.claims().then(|| addresses.join(","))
    }

    /// What clients ask, and a proxy must not be asked for.
    pub(super) fn addresses(self) -> Vec<String> {
        let loopback = self.container.then_some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        loopback.into_iter().chain(self.claimed()).map(|ip| ip.to_string()).collect()
    }

    /// Of IMDS always both: a client would find the node's by the other.
    fn claimed(self) -> Vec<IpAddr> {
        let ecs = self.ecs.then_some(CONTAINER_ADDRESSES[0]);
        let imds = (self.imds != Imds::Untouched).then_some(IMDS_ADDRESSES);
        ecs.into_iter().chain(imds.into_iter().flatten()).collect()
    }
}

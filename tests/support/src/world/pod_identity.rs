//! The world's other door to a role: EKS Pod Identity, with an agent, a volume and tokens of its own.

use std::io;

use crate::issuer::TokenBuilder;
use crate::kubelet::Volume;
use crate::pod_identity::{AUDIENCE, PodIdentityBuilder};
use crate::world::{World, WorldBuilder};

const TOKEN_FILE: &str = "eks-pod-identity-token";

impl World {
    /// An EKS Pod Identity Agent for the first role: what it gives out signs at this world's STS, with tags that EKS
    /// would put on it, all transitive.
    pub fn pod_identity(&self) -> PodIdentityBuilder {
        let WorldBuilder { namespace, service_account, .. } = &self.settings;
        let vendor = self
            .sts
            .vendor(self.role_arn())
            .session_name("eks-cluster-legacy-app-0b3f2c1d")
            .tag("eks-cluster-arn", "arn:aws:eks:eu-central-1:111122223333:cluster/cluster")
            .tag("eks-cluster-name", "cluster")
            .tag("kubernetes-namespace", namespace)
            .tag("kubernetes-service-account", service_account)
            .tag("kubernetes-pod-name", "legacy-app-7d4b9c6f5-x2x7k")
            .tag("kubernetes-pod-uid", "0f7e2f60-6d5a-4c43-9d6d-b5d6a4a2a5f1");
        PodIdentityBuilder::default().clock(self.clock.clone()).vendor(vendor)
    }

    /// A volume with a token for that agent, which the world's own [`volume`](Self::volume) is not.
    pub fn pod_identity_volume(&self) -> io::Result<Volume> {
        let directory = self.scratch.path().join("pod-identity");
        let clock = self.clock.clone();
        let volume = Volume::named(directory, TOKEN_FILE, self.settings.mode, clock)?;
        volume.rotate(self.pod_identity_token().mint())?;
        Ok(volume)
    }

    pub fn pod_identity_token(&self) -> TokenBuilder {
        self.token().audience(AUDIENCE)
    }
}

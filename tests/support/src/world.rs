//! A small world in which one pod may assume one role: issuer, token volume and STS, on loopback and in one hand.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use crate::clock::Clock;
use crate::issuer::{Algorithm, Issuer, TokenBuilder};
use crate::kubelet::{Mode, Volume};
use crate::scratch::Scratch;
use crate::sts::{Emulator, Link, Options, Role, TrustPolicy};
use crate::tls::Authority;

mod pod_identity;

pub const ROLE_ARN: &str = "arn:aws:iam::111122223333:role/legacy-app";
/// Three roles for a chain, in three accounts, as [`WorldBuilder::chain`] takes them.
pub const CHAIN: [&str; 3] = [
    "arn:aws:iam::111122223333:role/hub",
    "arn:aws:iam::444455556666:role/partner/ingest",
    "arn:aws:iam::777788889999:role/archive",
];
pub const NAMESPACE: &str = "shop";
pub const SERVICE_ACCOUNT: &str = "legacy-app";
pub const AUDIENCE: &str = "sts.amazonaws.com";
pub const REGION: &str = "eu-central-1";

/// Everything runs until it is dropped; its files go with it.
#[derive(Debug)]
pub struct World {
    pub clock: Clock,
    pub issuer: Issuer,
    pub volume: Volume,
    pub sts: Emulator,
    settings: WorldBuilder,
    scratch: Scratch,
}

/// How a world is to be; begin with [`World::builder`].
#[derive(Clone, Debug)]
pub struct WorldBuilder {
    roles: Vec<String>,
    links: Vec<Link>,
    trust_policy: Option<String>,
    namespace: String,
    service_account: String,
    max_session: Duration,
    session_life: Option<Duration>,
    assumed_role_user: bool,
    tls: Option<Vec<String>>,
    algorithm: Algorithm,
    token_life: Duration,
    token_at_start: bool,
    volume: Option<PathBuf>,
    mode: Mode,
    sts_address: SocketAddr,
    issuer_address: SocketAddr,
    external_issuer: Option<(String, String)>,
}

impl World {
    /// One role, one ServiceAccount, plain HTTP, a good token in place.
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    pub fn builder() -> WorldBuilder {
        WorldBuilder::default()
    }

    /// What a pod's container would have in its environment, and where to find this STS.
    pub fn env(&self) -> BTreeMap<String, String> {
        let mut env = BTreeMap::from(
            [
                ("AWS_ROLE_ARN", self.role_arn()),
                ("AWS_WEB_IDENTITY_TOKEN_FILE", &self.volume.token_file().to_string_lossy()),
                ("AWS_REGION", REGION),
                ("AWS_ENDPOINT_URL_STS", &self.sts.url()),
                ("AWS_EC2_METADATA_DISABLED", "true"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        if let Some(path) = self.ca_file() {
            env.insert("AWS_CA_BUNDLE".to_owned(), path.to_string_lossy().into_owned());
        }
        env
    }

    /// The first role.
    pub fn role_arn(&self) -> &str {
        &self.settings.roles[0]
    }

    /// The CA's certificate, where STS speaks TLS.
    pub fn ca_file(&self) -> Option<PathBuf> {
        self.sts.ca_pem().map(|_| self.scratch.path().join("ca.pem"))
    }

    /// A directory for a test's own files, gone with the world.
    pub fn directory(&self) -> &Path {
        self.scratch.path()
    }

    /// A token for this world's ServiceAccount, to be changed, minted and put into the volume by hand.
    pub fn token(&self) -> TokenBuilder {
        let WorldBuilder { namespace, service_account, algorithm, token_life, .. } = &self.settings;
        self.issuer.token(namespace, service_account).algorithm(*algorithm).living(*token_life)
    }

    /// Mints a good token and puts it in place as the kubelet does; returns it.
    pub fn rotate_token(&self) -> io::Result<String> {
        let token = self.token().mint();
        self.volume.rotate(&token)?;
        Ok(token)
    }
}

impl WorldBuilder {
    /// The roles that exist; all have the same trust policy.
    pub fn roles(mut self, arns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.roles = arns.into_iter().map(Into::into).collect();
        self
    }

    /// A role that is there to be assumed by another.
    pub fn link(mut self, link: Link) -> Self {
        self.links.push(link);
        self
    }

    /// Roles each of which trusts the one before it and takes its tags and source identity; the first trusts the first
    /// of [`roles`](Self::roles).
    pub fn chain(mut self, arns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let mut caller = self.roles[0].clone();
        for arn in arns.into_iter().map(Into::into) {
            let link = Link::new(&arn, &caller).tag_session().set_source_identity();
            self.links.push(link);
            caller = arn;
        }
        self
    }

    /// A trust policy of one's own. `${ISSUER_HOST}` and `${PROVIDER_ARN}` in it stand for what is known only later.
    pub fn trust_policy(mut self, json: impl Into<String>) -> Self {
        self.trust_policy = Some(json.into());
        self
    }

    pub fn service_account(mut self, namespace: &str, name: &str) -> Self {
        self.namespace = namespace.to_owned();
        self.service_account = name.to_owned();
        self
    }

    /// The roles' `MaxSessionDuration`, an hour to twelve.
    pub fn max_session(mut self, max_session: Duration) -> Self {
        self.max_session = max_session;
        self
    }

    /// Sessions end this soon, whatever was asked for.
    pub fn session_life(mut self, life: Duration) -> Self {
        self.session_life = Some(life);
        self
    }

    pub fn without_assumed_role_user(mut self) -> Self {
        self.assumed_role_user = false;
        self
    }

    /// STS speaks TLS, and `AWS_CA_BUNDLE` names its CA.
    pub fn tls(self) -> Self {
        self.tls_for(&[])
    }

    /// As [`tls`](Self::tls), with a certificate that is good for these DNS names and addresses too.
    pub fn tls_for(mut self, names: &[&str]) -> Self {
        self.tls = Some(names.iter().map(ToString::to_string).collect());
        self
    }

    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    pub fn token_life(mut self, life: Duration) -> Self {
        self.token_life = life;
        self
    }

    /// The volume is there and empty, as before the kubelet's first write.
    pub fn without_token(mut self) -> Self {
        self.token_at_start = false;
        self
    }

    /// Where the volume is; in the world's own directory otherwise.
    pub fn volume(mut self, directory: impl Into<PathBuf>) -> Self {
        self.volume = Some(directory.into());
        self
    }

    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    pub fn sts_address(mut self, address: SocketAddr) -> Self {
        self.sts_address = address;
        self
    }

    pub fn issuer_address(mut self, address: SocketAddr) -> Self {
        self.issuer_address = address;
        self
    }

    /// Trusts the tokens of this issuer in place of the world's own, whose documents are fetched from `at`.
    pub fn external_issuer(mut self, url: &str, at: &str) -> Self {
        self.external_issuer = Some((url.to_owned(), at.to_owned()));
        self
    }

    pub async fn start(self) -> io::Result<World> {
        let clock = Clock::default();
        let scratch = Scratch::new("irsa-sidecar-world")?;
        let directory = self.volume.clone().unwrap_or_else(|| scratch.path().join("serviceaccount"));
        let volume = Volume::new(directory, self.mode, clock.clone())?;
        let issuer = Issuer::start_on(self.issuer_address, clock.clone()).await?;
        let tls = match &self.tls {
            Some(names) => {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                Some(Authority::generate()?.server(&names)?)
            }
            None => None,
        };
        let sts = Emulator::start(Options { listen: self.sts_address, tls, clock: clock.clone() }).await?;
        sts.set_session_life(self.session_life);
        sts.set_assumed_role_user(self.assumed_role_user);
        for arn in &self.roles {
            let trust = self.trust(arn, &issuer).map_err(io::Error::other)?;
            let role = Role::new(arn, trust).and_then(|role| role.with_max_session(self.max_session));
            sts.put_role(role.map_err(io::Error::other)?);
            let url = self.external_issuer.as_ref().map_or_else(|| issuer.url(), |(url, _)| url.clone());
            sts.put_provider(arn, &url, &[AUDIENCE]).map_err(io::Error::other)?;
        }
        if let Some((url, at)) = &self.external_issuer {
            sts.publish_issuer(url, at);
        }
        for link in &self.links {
            sts.put_link(link).map_err(io::Error::other)?;
        }
        let world = World { clock, issuer, volume, sts, settings: self, scratch };
        if let (Some(path), Some(pem)) = (world.ca_file(), world.sts.ca_pem()) {
            fs::write(path, pem)?;
        }
        if world.settings.token_at_start {
            world.rotate_token()?;
        }
        Ok(world)
    }

    fn trust(
        &self,
        arn: &str,
        issuer: &Issuer,
    ) -> Result<TrustPolicy, Box<dyn std::error::Error + Send + Sync>> {
        let host = match &self.external_issuer {
            Some((url, _)) => url.trim_start_matches("https://").to_owned(),
            None => issuer.host(),
        };
        let subject = self.subject();
        let provider = Role::provider_arn(arn, &host)?;
        Ok(match &self.trust_policy {
            None => TrustPolicy::for_service_account(&provider, &host, &subject, AUDIENCE),
            Some(json) => TrustPolicy::parse(
                &json.replace("${ISSUER_HOST}", &host).replace("${PROVIDER_ARN}", &provider),
            )?,
        })
    }

    fn subject(&self) -> String {
        format!("system:serviceaccount:{}:{}", self.namespace, self.service_account)
    }
}

impl Default for WorldBuilder {
    fn default() -> Self {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            roles: vec![ROLE_ARN.to_owned()],
            links: Vec::new(),
            trust_policy: None,
            namespace: NAMESPACE.to_owned(),
            service_account: SERVICE_ACCOUNT.to_owned(),
            max_session: Duration::from_secs(3600),
            session_life: None,
            assumed_role_user: true,
            tls: None,
            algorithm: Algorithm::default(),
            token_life: Duration::from_secs(86_400),
            token_at_start: true,
            volume: None,
            mode: Mode::default(),
            sts_address: anywhere,
            issuer_address: anywhere,
            external_issuer: None,
        }
    }
}

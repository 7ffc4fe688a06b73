//! A pitfall set up for real: issuer, token, STS, and whatever else it takes.

use std::collections::BTreeMap;
use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use support::blackhole::BlackHole;
use support::issuer::Forgery;
use support::issuer::Issuer;
use support::node_imds::NodeImds;
use support::process::Process;
use support::proxy::Proxy;
use support::proxy::ProxyManner;
use support::sts::Role;
use support::sts::TrustPolicy;
use support::world::NAMESPACE;
use support::world::SERVICE_ACCOUNT;
use support::world::World;

use crate::doctor::case::Case;
use crate::doctor::case::Setup;
use crate::doctor::case::TokenChange;
use crate::sidecar::BINARY;
use crate::sidecar::Sidecar;
use crate::sidecar::run;
use crate::sidecar::run_under;

/// All that must stay while doctor looks.
pub(super) struct Stage {
    world: World,
    env: BTreeMap<String, String>,
    arguments: Vec<String>,
    user: Option<u32>,
    mounted: bool,
    isolated: bool,
    token: String,
    held: Held,
}

/// Puts a mount like the kubelet's before the volume, and runs the rest.
const MOUNTED: &str = r#"
mkdir "$2" && mount -t tmpfs tmpfs "$2" && cp -a "$1"/. "$2" && mount --bind "$2" "$1" && mount -o remount,bind,ro "$1"
shift 2
exec "$@"
"#;

/// What is there for its being there.
#[derive(Default)]
struct Held {
    sidecar: Option<Sidecar>,
    node: Option<NodeImds>,
    black_hole: Option<BlackHole>,
    issuer: Option<Issuer>,
    process: Option<Process>,
    proxy: Option<Proxy>,
}

impl Stage {
    pub(super) async fn set(name: &str, case: &Case) -> Self {
        let mut builder = World::builder();
        if let Some(policy) = &case.trust_policy {
            builder = builder.trust_policy(fs::read_to_string(case.directory.join(policy)).unwrap());
        }
        if !case.roles.is_empty() {
            builder = builder.roles(case.roles.clone());
        }
        if case.tls {
            builder = builder.tls();
        }
        let world = builder.start().await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let (mut env, token) = (world.env(), fs::read_to_string(world.volume.token_file()).unwrap());
        // Where no sidecar of somebody's listens.
        env.insert("IRSA_SIDECAR_PORT".to_owned(), "1".to_owned());
        let held = Held::default();
        let (user, mounted, isolated) = (case.user, case.mounted, case.isolated);
        let mut stage = Self { world, env, arguments: Vec::new(), user, mounted, isolated, token, held };
        for setup in &case.setup {
            stage.set_up(setup).await;
        }
        let written = |text: &String| stage.written(text, case);
        let arguments: Vec<String> = case.arguments.iter().map(written).collect();
        let set: Vec<(String, String)> =
            case.environment.set.iter().map(|(name, value)| (name.clone(), written(value))).collect();
        let process = case.process.as_ref().map(|variables| {
            let variables: Vec<(String, String)> =
                variables.iter().map(|(name, value)| (name.clone(), written(value))).collect();
            Process::start("/bin/sleep", &["600"], variables).unwrap()
        });
        stage.arguments = arguments;
        stage.env.retain(|name, _| !case.environment.unset.contains(name));
        stage.env.extend(set);
        if let Some(process) = process {
            stage.arguments.extend(["--against".to_owned(), process.id().unwrap().to_string()]);
            stage.held.process = Some(process);
        }
        stage
    }

    async fn set_up(&mut self, setup: &Setup) {
        match setup {
            Setup::BlackHole => {
                let hole = BlackHole::open().await.unwrap();
                self.env.insert("AWS_ENDPOINT_URL_STS".to_owned(), format!("http://{}", hole.address()));
                self.held.black_hole = Some(hole);
            }
            Setup::Enterable => {
                let token = self.world.volume.token_file().canonicalize().unwrap();
                for directory in token.ancestors().skip(1).take(3) {
                    fs::set_permissions(directory, Permissions::from_mode(0o755)).unwrap();
                }
            }
            Setup::Fault { fault } => self.world.sts.inject(fault.clone()),
            Setup::NodeImds => {
                let node = NodeImds::start("127.0.0.1:0".parse().unwrap()).await.unwrap();
                let url = format!("http://{}", node.address());
                self.env.insert("AWS_EC2_METADATA_SERVICE_ENDPOINT".to_owned(), url);
                self.held.node = Some(node);
            }
            Setup::Operator => self.give_keys(),
            Setup::Proxy { variable, refuses } => {
                let proxy = Proxy::start(self.world.sts.address()).await.unwrap();
                if let Some(status) = refuses {
                    proxy.behave(ProxyManner::Refuses(*status));
                }
                self.env.insert(variable.clone(), proxy.url());
                self.held.proxy = Some(proxy);
            }
            Setup::Refuse => self.world.sts.refuse().await,
            Setup::RefuseIssuer => {
                self.world.sts.forget_issuer_keys();
                self.world.issuer.refuse().await;
            }
            Setup::RotateKeys => {
                self.world.sts.forget_issuer_keys();
                self.world.issuer.rotate_keys();
                self.world.issuer.retire_old_keys();
            }
            Setup::Sidecar => self.start_sidecar().await,
            Setup::Skew { seconds } => {
                let by = Duration::from_secs(seconds.unsigned_abs());
                match seconds.is_negative() {
                    true => self.world.clock.rewind(by),
                    false => self.world.clock.advance(by),
                }
            }
            Setup::StsInClear => {
                // Whoever connects to it comes to loopback all the same.
                let url = self.world.sts.url().replace("127.0.0.1", "0.0.0.0");
                self.env.insert("AWS_ENDPOINT_URL_STS".to_owned(), url);
            }
            Setup::Token(change) => self.change_token(change),
            Setup::TokenFile { content } => {
                let content = content
                    .replace("${TOKEN}", &self.token)
                    .replace("${TOKEN_IN_BASE64}", &STANDARD.encode(&self.token));
                self.world.volume.rotate(content).unwrap();
            }
            Setup::TokenOfAnotherCluster => {
                let issuer = Issuer::start(self.world.clock.clone()).await.unwrap();
                self.put(issuer.token(NAMESPACE, SERVICE_ACCOUNT).mint(), false);
                self.held.issuer = Some(issuer);
            }
        }
    }

    async fn start_sidecar(&mut self) {
        let mut sidecar = Sidecar::start(&self.world).await;
        if self.world.sts.calls().iter().all(|call| call.succeeded()) {
            // Until the first exchange has ended one way or the other.
            let _ = self.world.sts.wait_for_calls(1).await;
        }
        match self.world.sts.calls().iter().all(|call| call.succeeded()) {
            true => sidecar.wait_until_ready().await,
            false => drop(sidecar.process.line_with("exchange failed").await.unwrap()),
        }
        let endpoint = format!("http://{}/v1/credentials", sidecar.container);
        self.env.insert("AWS_CONTAINER_CREDENTIALS_FULL_URI".to_owned(), endpoint);
        self.env.insert("IRSA_SIDECAR_ADMIN_LISTEN".to_owned(), sidecar.admin.to_string());
        self.held.sidecar = Some(sidecar);
    }

    fn give_keys(&mut self) {
        const OPERATOR: &str = "arn:aws:iam::111122223333:role/operator";
        let trust = TrustPolicy::parse(r#"{"Statement":[]}"#).unwrap();
        self.world.sts.put_role(Role::new(OPERATOR, trust).unwrap());
        let keys = self.world.sts.vendor(OPERATOR).credentials(Duration::from_secs(3600)).unwrap();
        for (name, value) in [
            ("AWS_ACCESS_KEY_ID", keys.access_key_id),
            ("AWS_SECRET_ACCESS_KEY", keys.secret_access_key),
            ("AWS_SESSION_TOKEN", keys.session_token),
            ("AWS_ENDPOINT_URL_IAM", self.world.sts.url()),
        ] {
            self.env.insert(name.to_owned(), value);
        }
    }

    fn change_token(&mut self, change: &TokenChange) {
        let mut token = self.world.token();
        let seconds = Duration::from_secs;
        if let Some(audience) = &change.audience {
            token = token.audience(audience);
        }
        if let Some(life) = change.life_seconds {
            token = token.living(seconds(life));
        }
        if let (Some(age), life) = (change.age_seconds, change.life_seconds.unwrap_or(86_400)) {
            let issued_at = self.world.clock.unix_seconds() - age.cast_signed();
            for (claim, at) in
                [("iat", issued_at), ("nbf", issued_at), ("exp", issued_at + life.cast_signed())]
            {
                token = token.claim(claim, at);
            }
        }
        if let Some(ago) = change.expired_for_seconds {
            token = token.expired_for(seconds(ago));
        }
        if let Some(ahead) = change.starting_in_seconds {
            token = token.starting_in(seconds(ahead));
        }
        if change.forged {
            token = token.forged(Forgery::BadSignature);
        }
        self.put(token.mint(), change.copy);
    }

    fn put(&mut self, token: String, as_copy: bool) {
        match as_copy {
            true => {
                self.world.volume.remove().unwrap();
                self.world.volume.write_in_place(token.as_bytes()).unwrap();
            }
            false => self.world.volume.rotate(&token).unwrap(),
        }
        self.token = token;
    }

    /// What stands for what is known only now. A policy is written again with the issuer's name in it.
    fn written(&self, text: &str, case: &Case) -> String {
        let token_file = self.world.volume.token_file();
        let sidecar = self.held.sidecar.as_ref().map(|sidecar| format!("http://{}", sidecar.container));
        let text = text
            .replace("${TOKEN_FILE}", token_file.to_str().unwrap())
            .replace("${VOLUME}", self.world.volume.directory().to_str().unwrap())
            .replace("${SIDECAR}", &sidecar.unwrap_or_default());
        let Some(name) = text.strip_prefix("${DIRECTORY}/") else { return text };
        let host = self.world.issuer.host();
        let provider = format!("arn:aws:iam::111122223333:oidc-provider/{host}");
        let content = fs::read_to_string(case.directory.join(name)).unwrap();
        let content = content.replace("${ISSUER_HOST}", &host).replace("${PROVIDER_ARN}", &provider);
        let path = self.world.directory().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(super) async fn run(&self, command: &[&str]) -> (i32, String) {
        let mut arguments = command.to_vec();
        arguments.extend(self.arguments.iter().map(String::as_str));
        match self.user {
            None if self.mounted => {
                let volume = self.world.volume.directory().to_str().unwrap();
                let kubelets = format!("{volume}.{}", command.len());
                let wrapper = ["--mount", "/bin/sh", "-ec", MOUNTED, "sh", volume, &kubelets, BINARY];
                run_under("/usr/bin/unshare", &wrapper, &arguments, self.env.clone()).await
            }
            None if self.isolated => {
                run_under("/usr/bin/unshare", &["--net", BINARY], &arguments, self.env.clone()).await
            }
            None => run(&arguments, self.env.clone()).await,
            Some(user) => {
                let (uid, gid) = (format!("--reuid={user}"), format!("--regid={user}"));
                let wrapper = [&uid, &gid, "--clear-groups", "--", BINARY];
                run_under("/usr/bin/setpriv", &wrapper, &arguments, self.env.clone()).await
            }
        }
    }

    /// What must never be shown: the token's signature, however it is written, and the secrets that STS gave.
    pub(super) fn secrets(&self) -> Vec<String> {
        let signature = self.token.rsplit('.').next().unwrap_or_default().to_owned();
        let issued = self.world.sts.issued();
        let given =
            issued.iter().flat_map(|given| [given.secret_access_key.clone(), given.session_token.clone()]);
        let keys = self.env.get("AWS_SECRET_ACCESS_KEY").cloned();
        let password = self.env.get("AWS_ENDPOINT_URL_STS").and_then(|url| url.split_once('@'));
        let password = password.and_then(|(user, _)| Some(user.rsplit_once(':')?.1.to_owned()));
        let in_base64 = STANDARD.encode(&self.token);
        let (_, end_in_base64) = in_base64.split_at(in_base64.len() - 40);
        [signature, end_in_base64.to_owned()].into_iter().chain(given).chain(keys).chain(password).collect()
    }
}

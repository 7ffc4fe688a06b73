//! Who takes part, and what can be done to them.
//!
//! The application reaches AWS all the time: what is cut off or throttled is the sidecar's exchange alone. So a call
//! that fails can only mean that the sidecar gave no credentials, or no good ones.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;
use std::{env, fs, io};

use irsa_sidecar::contract;
use support::kubelet::Corruption;
use support::process::{Process, Signal, Stream};
use support::sts::{Call, Fault, FaultKind, Outcome};
use support::world::{REGION, World};

use crate::application::Called;
use crate::sidecar::{Entry, log};

/// The names under which this program is started to play these parts.
pub(crate) const SIDECAR: &str = "irsa-sidecar";
pub(crate) const APPLICATION: &str = "legacy-app";

const EXCHANGE: &str = "AssumeRoleWithWebIdentity";

/// Everything ends when it is dropped.
pub(crate) struct Stage {
    pub world: World,
    pub sidecar: Process,
    /// Where credentials are served.
    pub container: SocketAddr,
    pub admin: SocketAddr,
    pub application: Option<Process>,
    tokens: usize,
}

/// Which ports the sidecar takes.
pub(crate) enum Ports {
    Any,
    /// The usual ones where they are free, so that a line pasted yesterday works today.
    Usual,
}

impl Stage {
    /// Issuer, volume with a first token, STS and sidecar; the application comes with [`Self::start_application`].
    pub(crate) async fn set(session: Duration, ports: Ports) -> io::Result<Self> {
        let world = World::builder().session_life(session).without_token().start().await?;
        put_token(&world, 1)?;
        let listen = |port| match ports {
            Ports::Usual => SocketAddr::from((Ipv4Addr::LOCALHOST, free_or_any(port))),
            Ports::Any => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        };
        let arguments = [
            "serve".to_owned(),
            format!("--listen={}", listen(contract::DEFAULT_PORT)),
            format!("--admin-listen={}", listen(contract::DEFAULT_ADMIN_PORT)),
            "--log=debug".to_owned(),
            "--log-format=json".to_owned(),
        ];
        let arguments = arguments.each_ref().map(String::as_str);
        let exports: String =
            world.env().iter().map(|(name, value)| format!("export {name}='{value}'\n")).collect();
        fs::write(world.directory().join("sidecar.env"), exports)?;
        let sidecar = Process::start(part(&world, SIDECAR)?, &arguments, world.env())?;
        let container = address(&sidecar, "container").await?;
        let admin = address(&sidecar, "admin").await?;
        Ok(Self { world, sidecar, container, admin, application: None, tokens: 1 })
    }

    /// It calls AWS at this pace, with nothing but what an injected container has.
    pub(crate) fn start_application(&mut self, pause: Duration) -> io::Result<()> {
        let env = [
            (contract::ENV_CONTAINER_CREDENTIALS_FULL_URI, self.credentials_url()),
            (contract::ENV_REGION, REGION.to_owned()),
            (contract::ENV_ENDPOINT_URL_STS, self.world.sts.url()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ];
        let pause = pause.as_millis().to_string();
        self.application = Some(Process::start(part(&self.world, APPLICATION)?, &[&pause], env)?);
        Ok(())
    }

    /// Who of the two processes is there no more.
    pub(crate) fn ended(&mut self) -> Option<&'static str> {
        if !self.sidecar.is_running() {
            return Some(SIDECAR);
        }
        self.application.as_mut().is_some_and(|process| !process.is_running()).then_some(APPLICATION)
    }

    /// The sidecar's environment as a file for a shell.
    pub(crate) fn environment(&self) -> PathBuf {
        self.world.directory().join("sidecar.env")
    }

    pub(crate) fn credentials_url(&self) -> String {
        format!("http://{}{}", self.container, contract::PATH_CREDENTIALS)
    }

    pub(crate) fn log(&self, from: usize) -> Vec<Entry> {
        log(&self.sidecar, from)
    }

    /// The application's calls, from this one on.
    pub(crate) fn called(&self, from: usize) -> Vec<Called> {
        let lines =
            self.application.iter().flat_map(Process::lines).filter(|(stream, _)| *stream == Stream::Stdout);
        lines.skip(from).filter_map(|(_, line)| serde_json::from_str(&line).ok()).collect()
    }

    /// The sidecar's exchanges that have ended, from this one on.
    pub(crate) fn exchanges(&self, from: usize) -> Vec<Call> {
        let calls = self.world.sts.calls().into_iter();
        calls.filter(|call| call.is(EXCHANGE) && call.outcome != Outcome::Pending).skip(from).collect()
    }

    /// The name of the token that was put in place last.
    pub(crate) fn token(&self) -> String {
        token_name(self.tokens)
    }

    pub(crate) fn rotate_token(&mut self) -> io::Result<()> {
        self.tokens += 1;
        put_token(&self.world, self.tokens)
    }

    /// Half of the token in place of the whole.
    pub(crate) fn corrupt_token(&self) -> io::Result<()> {
        self.world.volume.corrupt(Corruption::HalfWritten)
    }

    /// Resets the connection of every exchange, until [`Self::restore_sts`].
    pub(crate) fn cut_sts_off(&self) {
        self.world.sts.inject(Fault::always(FaultKind::Reset).only_for(EXCHANGE));
    }

    pub(crate) fn throttle(&self, exchanges: u32) {
        self.world.sts.inject(Fault::throttle(exchanges).only_for(EXCHANGE));
    }

    /// Ends what [`Self::cut_sts_off`] and [`Self::throttle`] began.
    pub(crate) async fn restore_sts(&self) -> io::Result<()> {
        self.world.sts.clear().await
    }

    pub(crate) fn hang_up(&self) -> io::Result<()> {
        self.sidecar.signal(Signal::HUP)
    }
}

/// This program under the name of a part.
fn part(world: &World, name: &str) -> io::Result<PathBuf> {
    let path = world.directory().join(name);
    if !path.is_symlink() {
        symlink(env::current_exe()?, &path)?;
    }
    Ok(path)
}

fn put_token(world: &World, number: usize) -> io::Result<()> {
    world.volume.rotate(world.token().claim("jti", token_name(number)).mint())
}

fn token_name(number: usize) -> String {
    format!("token-{number}")
}

async fn address(sidecar: &Process, endpoint: &str) -> io::Result<SocketAddr> {
    let line = sidecar.line_with(&format!(r#""endpoint":"{endpoint}""#)).await?;
    let line: serde_json::Value = serde_json::from_str(&line)?;
    line["address"]
        .as_str()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| io::Error::other("no address in the log"))
}

fn free_or_any(port: u16) -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_or(0, |_| port)
}

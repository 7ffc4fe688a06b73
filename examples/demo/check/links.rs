//! The links themselves: each does one thing to the stage, waits for what must come of it, and tells it.

use std::fs;

use irsa_sidecar::contract;
use support::process::Signal;
use support::raw;

use crate::application::{Called, shortened};
use crate::check::{Broken, Held, LONG_SESSION, PAUSE, SESSION, Story};
use crate::sidecar::{Entry, status};

impl Story {
    pub(super) async fn token_is_read(&mut self) -> Held {
        let read = self.entry("the sidecar to read the token", 0, |entry| entry.says("token read")).await?;
        Ok(format!("{}, for {}", self.stage.token(), read.field("subject").unwrap_or("an unknown subject")))
    }

    pub(super) async fn token_is_exchanged(&mut self) -> Held {
        let what = "the sidecar to exchange the token";
        let exchanged = self.entry(what, 0, |entry| entry.says("credentials exchanged")).await?;
        let refresh_at = exchanged.field("next_exchange_at").and_then(|at| humantime::parse_rfc3339(at).ok());
        self.refresh_at =
            refresh_at.ok_or_else(|| Broken::Wrong("the log names no next exchange".to_owned()))?;
        self.stage.sidecar.status(self.stage.admin, contract::PATH_READY, 200).await?;
        Ok(format!(
            "{}, good until {}; AssumeRoleWithWebIdentity took {} ms",
            exchanged.field("access_key_id").unwrap_or("?"),
            exchanged.field("expires_at").unwrap_or("?"),
            exchanged.number("took_ms").unwrap_or_default(),
        ))
    }

    pub(super) async fn sdk_is_served(&mut self) -> Held {
        self.stage.start_application(PAUSE)?;
        let called = self.call("the application's first call", 0, |called| called.arn.is_some()).await?;
        self.key = called.access_key_id.unwrap_or_default();
        Ok(format!(
            "aws-config's container provider; {} is {}",
            shortened(&self.key),
            called.arn.unwrap_or_default()
        ))
    }

    pub(super) async fn token_rotates(&mut self) -> Held {
        let (entries, exchanges) = (self.stage.log(0).len(), self.stage.exchanges(0).len());
        self.stage.world.sts.set_session_life(Some(LONG_SESSION));
        self.stage.rotate_token()?;
        self.entry("the sidecar to see the rotation", entries, |entry| entry.says("token rotated")).await?;
        let exchanged = self.exchange_of_newest("the next exchange", exchanges).await?;
        if exchanged.at < self.refresh_at {
            return Err(Broken::Wrong("it was exchanged at once, though all was well".to_owned()));
        }
        Ok(format!("{}, swapped in as the kubelet does; used at the refresh, not before", self.stage.token()))
    }

    pub(super) async fn sdk_goes_on(&mut self) -> Held {
        let before = self.key.clone();
        let calls = self.stage.called(0).len();
        let is_new = |called: &Called| called.arn.is_some() && called.access_key_id.as_ref() != Some(&before);
        let called = self.call("a call with the new credentials", 0, is_new).await?;
        self.key = called.access_key_id.unwrap_or_default();
        self.no_call_failed()?;
        Ok(format!("{} after {}; {calls} calls until then", shortened(&self.key), shortened(&before)))
    }

    pub(super) async fn sts_is_cut_off(&mut self) -> Held {
        let (entries, exchanges) = (self.stage.log(0).len(), self.stage.exchanges(0).len());
        self.stage.world.sts.set_session_life(Some(SESSION));
        self.stage.cut_sts_off();
        let failed =
            self.entry("an exchange to fail", entries, |entry| entry.says("exchange failed")).await?;
        let calls = self.stage.called(0).len();
        // The first of these may have begun before the exchange failed; the second has not.
        let called =
            self.until("calls while STS is away", |stage| stage.called(calls).get(1).cloned()).await?;
        self.no_call_failed()?;
        if called.access_key_id.as_ref() != Some(&self.key) {
            return Err(Broken::Wrong(
                "the application has other credentials, though STS is away".to_owned(),
            ));
        }
        let served = raw::get(self.stage.container, contract::PATH_CREDENTIALS).await?.status;
        if served != 200 {
            return Err(Broken::Wrong(format!(
                "the sidecar answered {served} while it held good credentials"
            )));
        }
        // Healing: a new token is a reason not to wait for the next retry.
        self.stage.restore_sts().await?;
        self.stage.rotate_token()?;
        self.exchange_of_newest("an exchange once STS is back", exchanges).await?;
        Ok(format!("{}; what was held was served on", failed.field("code").unwrap_or("?")))
    }

    pub(super) async fn sts_throttles(&mut self) -> Held {
        let exchanges = self.stage.exchanges(0).len();
        let entries = self.stage.log(0).len();
        self.stage.throttle(1);
        self.stage.hang_up()?;
        let is_throttled =
            |entry: &Entry| entry.says("exchange failed") && entry.field("code") == Some("Throttling");
        let failed = self.entry("STS to throttle", entries, is_throttled).await?;
        self.exchange_of_newest("the retry", exchanges).await?;
        self.no_call_failed()?;
        Ok(format!(
            "SIGHUP; Throttling; {} ms later it went through",
            failed.number("retry_in_ms").unwrap_or_default()
        ))
    }

    pub(super) async fn token_is_corrupted(&mut self) -> Held {
        let (entries, exchanges) = (self.stage.log(0).len(), self.stage.exchanges(0).len());
        self.stage.corrupt_token()?;
        let refused =
            self.entry("the sidecar to refuse half a token", entries, |e| e.says("no token in")).await?;
        self.exchange_of_newest("the next exchange", exchanges).await?;
        self.no_call_failed()?;
        Ok(format!(
            "{}; the refresh went through with {}",
            refused.field("code").unwrap_or("?"),
            self.stage.token()
        ))
    }

    pub(super) async fn all_is_mended(&mut self) -> Held {
        let (entries, exchanges) = (self.stage.log(0).len(), self.stage.exchanges(0).len());
        self.stage.rotate_token()?;
        self.entry("the token to be readable", entries, |entry| entry.says("the token can be read again"))
            .await?;
        self.exchange_of_newest("an exchange of the mended token", exchanges).await?;
        self.stage.sidecar.status(self.stage.admin, contract::PATH_READY, 200).await?;
        if let Some(problem) = status(self.stage.admin).await?.problem {
            return Err(Broken::Wrong(format!("/status still tells of {problem}")));
        }
        let calls = self.stage.called(0).len();
        self.until("one more call", |stage| stage.called(calls).get(1).cloned()).await?;
        self.no_call_failed()?;
        Ok(format!("{} is in use, /ready says 200", self.stage.token()))
    }

    pub(super) async fn sidecar_ends(&mut self) -> Held {
        if let Some(application) = &mut self.stage.application {
            application.signal(Signal::TERM)?;
            application.exit().await?;
        }
        self.no_call_failed()?;
        self.stage.sidecar.signal(Signal::TERM)?;
        let status = self.stage.sidecar.exit().await?;
        if !status.success() {
            return Err(Broken::Wrong(format!("it ended with {status}")));
        }
        if raw::get(self.stage.container, contract::PATH_CREDENTIALS).await.is_ok() {
            return Err(Broken::Wrong("its port still answers".to_owned()));
        }
        Ok("its port is closed".to_owned())
    }

    pub(super) async fn nothing_secret_is_logged(&mut self) -> Held {
        let output = self.stage.sidecar.output();
        let issued = self.stage.world.sts.issued();
        let mut secrets = vec![fs::read_to_string(self.stage.world.volume.token_file())?];
        for credentials in &issued {
            secrets.extend([credentials.secret_access_key.clone(), credentials.session_token.clone()]);
        }
        let logged = secrets.iter().filter(|secret| output.contains(secret.as_str())).count();
        if logged > 0 {
            return Err(Broken::Wrong(format!("{logged} of {} secrets are", secrets.len())));
        }
        Ok(format!("{} lines, searched for {} secrets", output.lines().count(), secrets.len()))
    }
}

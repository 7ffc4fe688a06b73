//! An STS that believes nothing: AWS's Query protocol on loopback, over HTTP or TLS.
//!
//! | action | what is verified |
//! |---|---|
//! | `AssumeRoleWithWebIdentity` | every parameter; the token's signature against keys that its issuer serves, its issuer, audience and times; the role's trust policy |
//! | `AssumeRole` | SigV4 with credentials that were given out here; every parameter; tags and a source identity down the chain; the trust policy; an hour at most |
//! | `GetCallerIdentity` | SigV4, in the header or presigned |
//! | `GetRole` (IAM's) | the same; it knows the roles of the caller's account |
//!
//! `POST /` takes a form, `GET /` a query. Errors have AWS's codes, statuses and messages, and every answer has
//! `x-amzn-RequestId` and `Date`. It remembers what it issued, so a client that signs a `GetCallerIdentity` proves that
//! it received every byte of its credentials, and that they had not expired. What goes wrong on purpose is a
//! [`Fault`]; what happened is in [`Emulator::calls`].

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use crate::clock::Clock;
use crate::journal::Journal;
use crate::listen::Listener;
use crate::raw::{RawClient, RawResponse};
use crate::sts::account::Account;
use crate::sts::arn::RoleArn;
use crate::sts::faults::Faults;
use crate::sts::jwks::Jwks;
use crate::sts::sessions::Sessions;
use crate::tls::Tls;

pub use crate::journal::Outcome;
pub use crate::sts::account::{Role, RoleError};
pub use crate::sts::calls::{Call, TokenSeen};
pub use crate::sts::faults::{Fault, FaultKind};
pub use crate::sts::link::Link;
pub use crate::sts::policy::{Context, PolicyError, Principal, TrustPolicy};
pub use crate::sts::sessions::Credentials;
pub use crate::sts::vending::Vendor;

mod account;
mod arn;
mod calls;
mod failure;
mod faults;
mod form;
mod jwks;
mod link;
mod operations;
mod parameters;
mod policy;
mod record;
mod sessions;
mod signer;
mod sigv4;
mod tags;
mod vending;
mod web_identity;
mod wire;
mod xml;

/// A running emulator. Dropping it closes its port.
#[derive(Debug)]
pub struct Emulator {
    state: Arc<State>,
    listener: Listener,
    tls: Option<Tls>,
}

/// Where and how to listen.
#[derive(Clone, Debug)]
pub struct Options {
    pub listen: SocketAddr,
    pub tls: Option<Tls>,
    pub clock: Clock,
}

struct State {
    clock: Clock,
    account: Account,
    jwks: Jwks,
    sessions: Sessions,
    faults: Faults,
    calls: Arc<Journal<Call>>,
    settings: RwLock<Settings>,
}

#[derive(Clone, Copy, Debug)]
struct Settings {
    session_life: Option<Duration>,
    assumed_role_user: bool,
}

impl Emulator {
    pub async fn start(options: Options) -> io::Result<Self> {
        let Options { listen, tls, clock } = options;
        let state = Arc::new(State::new(clock));
        let acceptor = tls.as_ref().map(Tls::acceptor);
        let listener = Listener::bind(listen, acceptor, wire::handler(Arc::clone(&state))).await?;
        Ok(Self { state, listener, tls })
    }

    /// What `AWS_ENDPOINT_URL_STS` is set to.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address())
    }

    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    pub fn clock(&self) -> &Clock {
        &self.state.clock
    }

    /// Its side of TLS, to be shown under other names, where it speaks TLS.
    pub fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// The CA that clients must trust, where it speaks TLS.
    pub fn ca_pem(&self) -> Option<&str> {
        self.tls.as_ref().map(Tls::ca_pem)
    }

    /// Adds a role, or replaces the one of the same ARN.
    pub fn put_role(&self, role: Role) {
        self.state.account.put_role(role);
    }

    /// As [`put_role`](Self::put_role), for a role that another role may assume.
    pub fn put_link(&self, link: &Link) -> Result<(), RoleError> {
        self.put_role(link.role()?);
        Ok(())
    }

    pub fn remove_role(&self, arn: &str) {
        self.state.account.remove_role(arn);
    }

    /// Changes a role's `MaxSessionDuration`, as an administrator would.
    pub fn set_max_session(&self, role_arn: &str, max_session: Duration) -> Result<(), RoleError> {
        self.state.account.change_max_session(role_arn, max_session)
    }

    /// Registers an issuer as OIDC provider in the account of a role, with the audiences that it may name.
    pub fn put_provider(&self, role_arn: &str, issuer: &str, client_ids: &[&str]) -> Result<(), RoleError> {
        let beside = RoleArn::parse(role_arn).ok_or_else(|| RoleError::Arn(role_arn.to_owned()))?;
        self.state.account.put_provider(&beside, issuer, client_ids);
        Ok(())
    }

    /// Says where the documents of an issuer lie, if not under its own name.
    pub fn publish_issuer(&self, issuer: &str, at: &str) {
        self.state.jwks.publish(issuer, at);
    }

    /// Gives out sessions of this role without a call.
    pub fn vendor(&self, role_arn: &str) -> Vendor {
        Vendor::new(Arc::clone(&self.state), role_arn)
    }

    /// Lets sessions end this long after they begin, whatever `DurationSeconds` asked (which is still checked).
    pub fn set_session_life(&self, life: Option<Duration>) {
        self.state.change_settings(|settings| settings.session_life = life);
    }

    /// Whether answers have `AssumedRoleUser`; some other implementations of STS leave it out.
    pub fn set_assumed_role_user(&self, given: bool) {
        self.state.change_settings(|settings| settings.assumed_role_user = given);
    }

    /// Makes the next token a reason to fetch its issuer's keys again, which else are kept for five minutes.
    pub fn forget_issuer_keys(&self) {
        self.state.jwks.forget();
    }

    pub fn inject(&self, fault: Fault) {
        self.state.faults.add(fault);
    }

    /// Ends the faults that are for this role alone, and lets go of what they hold.
    pub fn mend(&self, role_arn: &str) {
        self.state.faults.mend(role_arn);
    }

    /// Ends all faults; a refusing listener listens again.
    pub async fn clear(&self) -> io::Result<()> {
        self.state.faults.clear();
        self.listen_again().await
    }

    /// Closes the port: connections are refused until [`listen_again`](Self::listen_again) or [`clear`](Self::clear).
    pub async fn refuse(&self) {
        self.listener.refuse().await;
    }

    pub async fn listen_again(&self) -> io::Result<()> {
        self.listener.listen_again().await
    }

    pub fn calls(&self) -> Vec<Call> {
        self.state.calls.all()
    }

    /// Waits until that many calls, since the start, have ended in whatever way; a hanging one counts at once.
    pub async fn wait_for_calls(&self, count: usize) -> io::Result<Vec<Call>> {
        self.state.calls.wait_for(count).await
    }

    /// Waits until the calls are as the predicate wants them.
    pub async fn wait_until(&self, enough: impl Fn(&[Call]) -> bool) -> io::Result<Vec<Call>> {
        self.state.calls.wait_until(enough).await
    }

    /// How many calls have come and are not answered yet, hanging ones included.
    pub fn in_progress(&self) -> usize {
        self.state.calls.in_progress()
    }

    /// The most that were ever in progress at once, since the start or
    /// [`forget_most_in_progress`](Self::forget_most_in_progress).
    pub fn most_in_progress(&self) -> usize {
        self.state.calls.most_in_progress()
    }

    pub fn forget_most_in_progress(&self) {
        self.state.calls.forget_most_in_progress();
    }

    /// All credentials that were ever given out, for hunts through logs.
    pub fn issued(&self) -> Vec<Credentials> {
        self.state.sessions.issued()
    }

    /// Sends a form unsigned, as a client would that is not an SDK. Over plain HTTP alone.
    pub async fn call(&self, parameters: &[(&str, &str)]) -> io::Result<RawResponse> {
        self.send(signer::unsigned(self.address(), parameters)).await
    }

    /// Sends a form signed with these credentials. Over plain HTTP alone.
    pub async fn call_signed(
        &self,
        credentials: &Credentials,
        parameters: &[(&str, &str)],
    ) -> io::Result<RawResponse> {
        self.send(signer::signed(self.address(), parameters, credentials, self.clock().now())).await
    }

    /// A signed `GetCallerIdentity`: 200 proves that these credentials are whole, genuine and not expired.
    pub async fn who_is(&self, credentials: &Credentials) -> io::Result<RawResponse> {
        let parameters = [("Action", "GetCallerIdentity"), ("Version", operations::API_VERSION)];
        self.call_signed(credentials, &parameters).await
    }

    async fn send(&self, request: Vec<u8>) -> io::Result<RawResponse> {
        let mut client = RawClient::connect(self.address()).await?;
        client.send(request).await?;
        client.response().await
    }
}

impl Default for Options {
    /// Plain HTTP on a free port of 127.0.0.1, by the real clock.
    fn default() -> Self {
        Self { listen: (Ipv4Addr::LOCALHOST, 0).into(), tls: None, clock: Clock::default() }
    }
}

impl State {
    fn new(clock: Clock) -> Self {
        Self {
            clock,
            account: Account::default(),
            jwks: Jwks::default(),
            sessions: Sessions::default(),
            faults: Faults::default(),
            calls: Arc::new(Journal::new()),
            settings: RwLock::new(Settings { session_life: None, assumed_role_user: true }),
        }
    }

    fn settings(&self) -> Settings {
        *self.settings.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change_settings(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.settings.write().unwrap_or_else(PoisonError::into_inner));
    }

    fn date(&self, skew_seconds: i64) -> SystemTime {
        crate::clock::offset(self.clock.now(), skew_seconds * 1000)
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("settings", &self.settings()).finish_non_exhaustive()
    }
}

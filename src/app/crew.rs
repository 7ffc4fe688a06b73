//! Whoever keeps the roles: a driver for each, the files they follow, and the table that is served.
//!
//! When the roles change, those that are obtained as before go on undisturbed. One that is obtained in another way gets a
//! new driver, and serves what it holds until that has something better, if it is the same IAM role: another role's
//! credentials are somebody else's, and are dropped at once.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::task::JoinSet;

use crate::app::crew::files::Files;
use crate::app::source::Source;
use crate::authorization;
use crate::authorization::Authorization;
use crate::beat::Beat;
use crate::cache;
use crate::cache::Problem;
use crate::cache::Reader;
use crate::clock::Clock;
use crate::config::AuthorizationFile;
use crate::config::PodNames;
use crate::config::Role;
use crate::config::Source as Configured;
use crate::credentials_file::Profile;
use crate::metrics::Metrics;
use crate::refresh::basis::Ground;
use crate::refresh::basis::Handout;
use crate::refresh::driver::Driver;
use crate::roles::Entry;
use crate::roles::Table;
use crate::shutdown::Phase;
use crate::sts::client::Sts;
use crate::token::watch::Kind;

mod files;
mod report;

/// What every driver is given.
#[derive(Clone)]
#[allow(missing_debug_implementations)] // nothing worth showing
pub(super) struct Means {
    /// None while no role asks STS.
    pub(super) sts: Option<Sts>,
    pub(super) pod: PodNames,
    pub(super) clock: Clock,
    pub(super) metrics: Metrics,
    pub(super) beat: Beat,
    /// In `0.0..1.0`, drawn afresh at each call.
    pub(super) jitter: fn() -> f64,
    /// Whether there is a metadata service to have a role.
    pub(super) has_imds: bool,
    pub(super) news: watch::Sender<u64>,
    pub(super) hangups: watch::Receiver<u64>,
    pub(super) phases: watch::Receiver<Phase>,
}

/// Everyone who keeps a role.
#[allow(missing_debug_implementations)] // holds secrets
pub(super) struct Crew {
    means: Means,
    members: Vec<Member>,
    files: Files,
    tasks: JoinSet<()>,
    board: watch::Sender<Arc<Table>>,
    profiles: watch::Sender<Vec<Profile>>,
}

/// One role, kept.
struct Member {
    role: Role,
    reader: Reader,
    handout: watch::Receiver<Handout>,
    relay: watch::Receiver<u64>,
    driver: AbortHandle,
    authorization: Option<Asked>,
}

/// A token that this role alone asks for.
struct Asked {
    path: PathBuf,
    authorization: Authorization,
    keeper: AbortHandle,
}

impl Crew {
    /// Nobody yet; tables go to `board`, what a credentials file is to have to `profiles`.
    pub(super) fn new(
        means: Means,
        board: watch::Sender<Arc<Table>>,
        profiles: watch::Sender<Vec<Profile>>,
    ) -> Self {
        let (members, files, tasks) = (Vec::new(), Files::default(), JoinSet::new());
        Self { means, members, files, tasks, board, profiles }
    }

    pub(super) fn roles(&self) -> impl Iterator<Item = &Role> {
        self.members.iter().map(|member| &member.role)
    }

    /// Where STS is, once a role asks it.
    pub(super) fn sts(&mut self) -> &mut Option<Sts> {
        &mut self.means.sts
    }

    /// These roles are kept from now on, and no others. Those that start from others must start from some that are here,
    /// and not from themselves: `config` has seen to that.
    pub(super) fn keep(&mut self, roles: Vec<Role>) {
        while self.tasks.try_join_next().is_some() {}
        let mut former = std::mem::take(&mut self.members);
        let order: Vec<String> = roles.iter().map(|role| role.name.clone()).collect();
        let mut left = roles;
        let mut undisturbed: Vec<String> = Vec::new();
        while !left.is_empty() {
            let is_kept = |name: &str| self.members.iter().any(|member| member.role.name == name);
            let at = left.iter().position(|role| role.from().is_none_or(is_kept));
            let role = left.remove(at.expect("a role must start from one of the others"));
            let before = former.iter().position(|member| member.role.name == role.name);
            let before = before.map(|at| former.swap_remove(at));
            let starts_as_before = role.from().is_none_or(|from| undisturbed.iter().any(|name| name == from));
            let member = match before {
                Some(member) if member.role.source == role.source && starts_as_before => {
                    undisturbed.push(role.name.clone());
                    Member { role, ..member }
                }
                before => self.engage(role, before),
            };
            let member = self.ask(member);
            self.members.push(member);
        }
        for member in former {
            self.dismiss(member);
        }
        let members = &self.members;
        self.files.forget_all_but(|path| members.iter().any(|member| member.follows(path)));
        self.members.sort_by_key(|member| order.iter().position(|name| *name == member.role.name));
        let table = Table::new(self.members.iter().map(Member::entry).collect());
        if self.means.has_imds {
            report::imds(&table);
        }
        self.board.send_replace(Arc::new(table));
        self.profiles.send_replace(self.members.iter().filter_map(Member::profile).collect());
    }

    /// Starts the driver of a role that is new, or is obtained in another way than before.
    fn engage(&mut self, role: Role, before: Option<Member>) -> Member {
        let role_arn = role.arn().map(|arn| arn.as_str().to_owned());
        // Of one whose ARN nobody told, nobody can say that it is the same.
        let is_same = |member: &&Member| role_arn.is_some() && member.role.arn() == role.arn();
        let same_arn = before.as_ref().filter(is_same);
        let (publisher, reader) = match same_arn {
            Some(member) => cache::successor(&member.reader, role_arn.as_deref()),
            None => {
                let clock = &self.means.clock;
                cache::role(&role.name, role_arn.as_deref(), clock.read(), not_yet(clock))
            }
        };
        // What starts from here goes on with what is held, and so does whoever keeps it elsewhere.
        let held = same_arn.and_then(|member| member.handout.borrow().held.clone());
        let (handout, handouts) = watch::channel(Handout::of(held));
        let (relay, relays) = watch::channel(0);
        let (ground, hangups) = self.ground(&role);
        if before.is_none() {
            self.means.metrics.role_added(&role.name);
        }
        report::role(&role, &self.means, before.is_some());
        let driver = Driver {
            role: role.name.clone(),
            exchange: Arc::new(Source::new(
                &role,
                self.means.sts.as_ref(),
                &self.means.pod,
                &self.means.clock,
            )),
            ground,
            publisher,
            handout,
            news: self.means.news.clone(),
            beat: self.means.beat.clone(),
            clock: self.means.clock.clone(),
            metrics: self.means.metrics.clone(),
            jitter: self.means.jitter,
            hangups,
            relay,
            phases: self.means.phases.clone(),
        };
        let authorization = before.and_then(|before| {
            before.driver.abort();
            before.authorization
        });
        let driver = self.tasks.spawn(driver.run());
        Member { role, reader, handout: handouts, relay: relays, driver, authorization }
    }

    /// What the role starts from, and by whom it hears of SIGHUP: one that starts from another, from that one.
    fn ground(&mut self, role: &Role) -> (Ground, watch::Receiver<u64>) {
        let hangups = from_now_on(&self.means.hangups);
        match &role.source {
            Configured::WebIdentity(settings) => {
                let tokens =
                    self.files.follow(&settings.token_file, Kind::WebIdentity, &self.means, &mut self.tasks);
                (Ground::Tokens(tokens, Kind::WebIdentity), hangups)
            }
            Configured::PodIdentity(settings) => match &settings.authorization_token_file {
                Some(path) => {
                    let tokens = self.files.follow(path, Kind::Authorization, &self.means, &mut self.tasks);
                    (Ground::Tokens(tokens, Kind::Authorization), hangups)
                }
                None => (Ground::nothing(), hangups),
            },
            Configured::Chain(chain) => {
                let from = self.members.iter().find(|member| member.role.name == chain.from);
                let from = from.expect("a role must start from one that is kept already");
                (Ground::Role(chain.from.clone(), from.handout.clone()), from_now_on(&from.relay))
            }
        }
    }

    /// The authorization token that this role alone asks for.
    fn ask(&mut self, member: Member) -> Member {
        let path = member.role.authorization_token_file.clone();
        if member.authorization.as_ref().map(|asked| &asked.path) == path.as_ref() {
            return member;
        }
        if let Some(asked) = member.authorization {
            asked.keeper.abort();
        }
        let authorization = path.map(|path| {
            let named_by = format!("authorization_token_file of {}", member.role.name);
            let (authorization, keeper) =
                authorization::follow(AuthorizationFile::at(path.clone(), named_by));
            let Means { metrics, clock, beat, .. } = &self.means;
            let keeper = self.tasks.spawn(keeper.run(metrics.clone(), clock.clone(), beat.clone()));
            Asked { path, authorization, keeper }
        });
        Member { authorization, ..member }
    }

    fn dismiss(&mut self, member: Member) {
        tracing::info!(
            role = member.role.name,
            "the role is no longer in the roles file, and no longer served"
        );
        member.driver.abort();
        if let Some(asked) = member.authorization {
            asked.keeper.abort();
        }
        self.means.metrics.role_removed(&member.role.name);
    }
}

impl Member {
    fn follows(&self, path: &Path) -> bool {
        match &self.role.source {
            Configured::WebIdentity(settings) => settings.token_file == path,
            Configured::PodIdentity(settings) => settings.authorization_token_file.as_deref() == Some(path),
            Configured::Chain(_) => false,
        }
    }

    /// A role that asks for a token of its own is in no file: whoever may read that could have it without.
    fn profile(&self) -> Option<Profile> {
        let name = self.role.name.clone();
        self.authorization.is_none().then(|| Profile { name, handout: self.handout.clone() })
    }

    fn entry(&self) -> Entry {
        Entry {
            reader: self.reader.clone(),
            source: self.role.source.kind(),
            from: self.role.from().map(str::to_owned),
            is_imds: self.role.is_imds,
            authorization: self.authorization.as_ref().map(|asked| asked.authorization.clone()),
        }
    }
}

/// Of what came before, nobody who starts now is told.
fn from_now_on(hangups: &watch::Receiver<u64>) -> watch::Receiver<u64> {
    let mut hangups = hangups.clone();
    hangups.mark_unchanged();
    hangups
}

fn not_yet(clock: &Clock) -> Problem {
    Problem {
        code: "CredentialsUninitialized",
        message: "no credentials yet: the first exchange has not ended".to_owned(),
        mend: "Wait; `/status` on the admin port and the log say what it waits for.".to_owned(),
        since: clock.wall(),
    }
}

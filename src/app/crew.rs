//! Whoever keeps the roles: a driver for each, the files they follow, and the table that is served.
//!
//! When the roles change, those that are obtained as before go on undisturbed. One that is obtained in another way gets a
//! new driver, and serves what it holds until that has something better, if it is the same IAM role: another role's
//! credentials are somebody else's, and are dropped at once.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::task::JoinSet;

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
use crate::config::SessionDuration;
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
use crate::token::watch::Tokens;
use crate::token::watch::watch as watch_token;

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
    files: HashMap<(PathBuf, Kind), Followed>,
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

/// A token's file.
struct Followed {
    tokens: Tokens,
    watch: AbortHandle,
}

impl Crew {
    /// Nobody yet; tables go to `board`, what a credentials file is to have to `profiles`.
    pub(super) fn new(
        means: Means,
        board: watch::Sender<Arc<Table>>,
        profiles: watch::Sender<Vec<Profile>>,
    ) -> Self {
        let (members, files, tasks) = (Vec::new(), HashMap::new(), JoinSet::new());
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
        self.forget_files();
        self.members.sort_by_key(|member| order.iter().position(|name| *name == member.role.name));
        let table = Table::new(self.members.iter().map(Member::entry).collect());
        self.look_at_imds(&table);
        self.board.send_replace(Arc::new(table));
        self.profiles.send_replace(self.members.iter().filter_map(Member::profile).collect());
    }

    /// A metadata service that serves nobody is easily taken for one that fails.
    fn look_at_imds(&self, table: &Table) {
        if !self.means.has_imds {
            return;
        }
        match table.imds_role() {
            None => tracing::warn!(
                code = "ImdsServesNoRole",
                "the metadata service serves no role's credentials: none of several is called default. Mark the one that \
                 it is to serve with `imds: true`"
            ),
            Some(entry) if entry.reader.role_arn().is_none() => tracing::warn!(
                code = "ImdsRoleUnnamed",
                role = entry.reader.role(),
                "the metadata service serves no credentials: it lists a role by its IAM name, and nobody told the ARN of \
                 this one. Write its `role_arn`"
            ),
            Some(_) => {}
        }
    }

    /// Starts the driver of a role that is new, or is obtained in another way than before.
    fn engage(&mut self, role: Role, before: Option<Member>) -> Member {
        let role_arn = role.arn().map(|arn| arn.as_str().to_owned());
        let same_arn = before.as_ref().filter(|member| member.role.arn() == role.arn());
        let (publisher, reader) = match same_arn {
            Some(member) => cache::successor(&member.reader, role_arn.as_deref()),
            None => {
                let clock = &self.means.clock;
                cache::role(&role.name, role_arn.as_deref(), clock.read(), not_yet(clock))
            }
        };
        let (handout, handouts) = watch::channel(Handout::default());
        let (relay, relays) = watch::channel(0);
        let (ground, hangups) = self.ground(&role);
        if before.is_none() {
            self.means.metrics.role_added(&role.name);
        }
        self.tell(&role, before.is_some());
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
                let tokens = self.follow(settings.token_file.clone(), Kind::WebIdentity);
                (Ground::Tokens(tokens, Kind::WebIdentity), hangups)
            }
            Configured::PodIdentity(settings) => match &settings.authorization_token_file {
                Some(path) => {
                    let tokens = self.follow(path.clone(), Kind::Authorization);
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

    /// One watch for each file, however many roles start from it.
    fn follow(&mut self, path: PathBuf, kind: Kind) -> Tokens {
        let Means { metrics, beat, clock, .. } = &self.means;
        let tasks = &mut self.tasks;
        let followed = self.files.entry((path.clone(), kind)).or_insert_with(|| {
            let (watch, tokens) = watch_token(path, kind, metrics.clone(), beat.clone(), clock.clone());
            Followed { tokens, watch: tasks.spawn(watch.run()) }
        });
        followed.tokens.clone()
    }

    /// Files that no role starts from any more.
    fn forget_files(&mut self) {
        let members = &self.members;
        let is_used = |path: &PathBuf| {
            members.iter().any(|member| match &member.role.source {
                Configured::WebIdentity(settings) => settings.token_file == *path,
                Configured::PodIdentity(settings) => settings.authorization_token_file.as_ref() == Some(path),
                Configured::Chain(_) => false,
            })
        };
        self.files.retain(|(path, _), followed| {
            let is_used = is_used(path);
            if !is_used {
                followed.watch.abort();
            }
            is_used
        });
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

    fn tell(&self, role: &Role, is_changed: bool) {
        let session = match &role.source {
            Configured::WebIdentity(settings) => Some(&settings.session),
            Configured::Chain(chain) => chain.steps.last().map(|step| &step.session),
            Configured::PodIdentity(_) => None,
        };
        let seconds = session.and_then(|session| match session.duration {
            SessionDuration::Fixed(duration) => Some(duration.as_secs()),
            SessionDuration::Max => None,
        });
        let session_name = session.map(|session| session.name.fill(&self.means.pod).as_str().to_owned());
        tracing::info!(
            role = role.name,
            role_arn = role.arn().map(|arn| arn.as_str()),
            source = role.source.kind(),
            from = role.from(),
            session_name,
            session_seconds = seconds,
            sts_endpoint = self.means.sts.as_ref().map(Sts::endpoint),
            "{}",
            if is_changed {
                "the role is obtained in another way from now on"
            } else {
                "keeping credentials fresh"
            },
        );
    }
}

impl Member {
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

//! What a role's exchanges start from, as the driver sees it: a token in a file, what another role holds, or nothing.

use std::sync::Arc;

use tokio::sync::watch;

use crate::sts::Basis;
use crate::sts::Handed;
use crate::token::watch::Kind;
use crate::token::watch::Observed;
use crate::token::watch::Tokens;

/// The code of a role whose source has no credentials yet.
pub const SOURCE_NOT_READY: &str = "SourceNotReady";

/// Where the basis of one role comes from.
#[derive(Clone)]
#[allow(missing_debug_implementations)] // holds secrets
pub enum Ground {
    /// A file, and what it is for.
    Tokens(Tokens, Kind),
    /// Another role, by its name.
    Role(String, watch::Receiver<Handout>),
    Nothing {
        is_new: bool,
    },
}

/// What a role lets others start from.
#[derive(Clone, Default)]
#[allow(missing_debug_implementations)] // holds secrets
pub struct Handout {
    /// The newest; they may have expired.
    pub held: Option<Arc<Handed>>,
    /// How often there were newer ones.
    pub changes: u64,
    /// Why there are none.
    pub problem: Option<Trouble>,
}

/// Why there is nothing to start from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Trouble {
    pub code: &'static str,
    pub message: String,
    pub mend: String,
}

/// What is known at one look.
#[allow(missing_debug_implementations)] // holds secrets
pub(super) struct Seen {
    pub(super) basis: Option<Basis>,
    pub(super) changes: u64,
    pub(super) problem: Option<Trouble>,
}

impl Handout {
    /// To begin with.
    pub fn of(held: Option<Arc<Handed>>) -> Self {
        Self { changes: u64::from(held.is_some()), held, problem: None }
    }
}

impl Ground {
    pub fn nothing() -> Self {
        Self::Nothing { is_new: true }
    }

    /// What is known now; it counts as seen.
    pub(super) fn observe(&mut self) -> Seen {
        match self {
            Self::Tokens(tokens, kind) => {
                let Observed { token, changes, problem, .. } = tokens.observe();
                let problem = problem.map(|problem| Trouble {
                    code: problem.code(),
                    message: format!("no token in {}: {problem}", kind.setting()),
                    mend: problem.mend().to_owned(),
                });
                Seen { basis: token.map(Basis::Token), changes, problem }
            }
            Self::Role(name, handout) => {
                let Handout { held, changes, problem } = handout.borrow_and_update().clone();
                let problem = problem.map(|Trouble { message, mend, .. }| Trouble {
                    code: SOURCE_NOT_READY,
                    message: format!("the role {name}, from which it starts, has no credentials: {message}"),
                    mend,
                });
                Seen { basis: held.map(Basis::Credentials), changes, problem }
            }
            Self::Nothing { is_new } => {
                *is_new = false;
                Seen { basis: Some(Basis::Nothing), changes: 1, problem: None }
            }
        }
    }

    /// Waits until there may be news.
    pub(super) async fn looked(&mut self) {
        let goes_on = match self {
            Self::Tokens(tokens, _) => {
                tokens.looked().await;
                true
            }
            Self::Role(_, handout) => handout.changed().await.is_ok(),
            Self::Nothing { is_new } => *is_new,
        };
        if !goes_on {
            // Nothing will ever come.
            std::future::pending::<()>().await;
        }
    }

    /// Asks for a look: what was started from may have been replaced, and the news be on its way.
    pub(super) fn ask(&self) {
        if let Self::Tokens(tokens, _) = self {
            tokens.ask();
        }
    }

    /// The newest that there is at this moment, else what was seen.
    pub(super) fn newest(&self, seen: Basis) -> Basis {
        match self {
            Self::Tokens(tokens, _) => tokens.read_now().map_or(seen, |token| Basis::Token(Arc::new(token))),
            Self::Role(_, handout) => handout.borrow().held.clone().map_or(seen, Basis::Credentials),
            Self::Nothing { .. } => seen,
        }
    }
}

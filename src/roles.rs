//! Which roles are served at this moment, and to whom: a table that is replaced as a whole when the roles file changes.
//!
//! A request looks at one table, from its first guard to its answer. The two halves: whoever keeps the roles puts tables up,
//! the surfaces read the [`Board`].

use std::sync::Arc;

use tokio::sync::watch;

use crate::authorization::Authorization;
use crate::cache::Reader;
use crate::contract::DEFAULT_ROLE;

/// One role, as the surfaces know it.
#[derive(Clone)]
#[allow(missing_debug_implementations)] // holds a secret
pub struct Entry {
    pub reader: Reader,
    /// Where its credentials come from, for people.
    pub source: &'static str,
    /// The role that it starts from.
    pub from: Option<String>,
    /// Marked as the one that the metadata service serves.
    pub is_imds: bool,
    /// What a request for it must carry, in place of what holds for all.
    pub authorization: Option<Authorization>,
}

/// Every role, in the order of the roles file.
#[derive(Clone, Default)]
#[allow(missing_debug_implementations)] // holds secrets
pub struct Table(Vec<Entry>);

/// The reading half.
#[derive(Clone)]
#[allow(missing_debug_implementations)] // holds secrets
pub struct Board(watch::Receiver<Arc<Table>>);

/// Makes the two halves.
pub fn board(table: Table) -> (watch::Sender<Arc<Table>>, Board) {
    let (sender, receiver) = watch::channel(Arc::new(table));
    (sender, Board(receiver))
}

impl Board {
    /// The same; what comes after it is a change.
    pub fn seen(&mut self) -> Arc<Table> {
        self.0.borrow_and_update().clone()
    }

    /// Waits for another table than this half has seen.
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            // Whoever put tables up has gone: none will ever come.
            std::future::pending::<()>().await;
        }
    }

    /// What is served at this moment.
    pub fn now(&self) -> Arc<Table> {
        self.0.borrow().clone()
    }
}

impl Table {
    pub fn new(entries: Vec<Entry>) -> Self {
        Self(entries)
    }

    pub fn entries(&self) -> &[Entry] {
        &self.0
    }

    pub fn named(&self, name: &str) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.reader.role() == name)
    }

    /// What is served where no role is named: the one called so, else the only one.
    pub fn default_role(&self) -> Option<&Entry> {
        self.named(DEFAULT_ROLE).or(match &self.0[..] {
            [only] => Some(only),
            _ => None,
        })
    }

    /// The one role that the metadata service serves: clients take the first of its list, and some fall over a second.
    pub fn imds_role(&self) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.is_imds).or_else(|| self.default_role())
    }
}

impl From<Reader> for Entry {
    fn from(reader: Reader) -> Self {
        Self { reader, source: "web_identity", from: None, is_imds: false, authorization: None }
    }
}

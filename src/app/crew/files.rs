//! The files that roles start from: one watch for each, however many roles that is.

use std::collections::HashMap;
use std::path::Path;
use std::path::PathBuf;

use tokio::task::AbortHandle;
use tokio::task::JoinSet;

use crate::app::crew::Means;
use crate::token::watch::Kind;
use crate::token::watch::Tokens;
use crate::token::watch::watch;

#[derive(Default)]
#[allow(missing_debug_implementations)] // holds secrets
pub(super) struct Files(HashMap<(PathBuf, Kind), Followed>);

struct Followed {
    tokens: Tokens,
    watch: AbortHandle,
}

impl Files {
    pub(super) fn follow(
        &mut self,
        path: &Path,
        kind: Kind,
        means: &Means,
        tasks: &mut JoinSet<()>,
    ) -> Tokens {
        let followed = self.0.entry((path.to_owned(), kind)).or_insert_with(|| {
            let Means { metrics, beat, clock, .. } = means;
            let (watch, tokens) = watch(path.to_owned(), kind, metrics.clone(), beat.clone(), clock.clone());
            Followed { tokens, watch: tasks.spawn(watch.run()) }
        });
        followed.tokens.clone()
    }

    pub(super) fn forget_all_but(&mut self, is_used: impl Fn(&Path) -> bool) {
        self.0.retain(|(path, _), followed| {
            let is_used = is_used(path);
            if !is_used {
                followed.watch.abort();
            }
            is_used
        });
    }
}

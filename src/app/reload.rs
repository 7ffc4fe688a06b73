//! Follows the roles file: what changed in it takes effect, and what is wrong in it changes nothing.

use std::path::PathBuf;

use crate::app::crew::Crew;
use crate::app::source::Source;
use crate::beat::Beat;
use crate::clock::Clock;
use crate::config::Mistakes;
use crate::config::Role;
use crate::config::RolesFile;
use crate::config::Warning;
use crate::file::watch::FileWatch;
use crate::metrics::Metrics;
use crate::metrics::Reread;
use crate::sts::client::Sts;

/// The code of a roles file that cannot be used.
const UNUSABLE: &str = "RolesFileUnusable";

/// Whoever follows the file; the crew works for it.
#[allow(missing_debug_implementations)] // holds secrets
pub(super) struct Reload {
    pub(super) file: RolesFile,
    pub(super) crew: Crew,
    pub(super) ca_bundle: Option<PathBuf>,
    pub(super) beat: Beat,
    pub(super) clock: Clock,
    pub(super) metrics: Metrics,
    /// What has been said of the file as it was at the start, and need not be said again.
    pub(super) told: Vec<Warning>,
}

impl Reload {
    /// Reads when the file may have changed, until dropped.
    pub(super) async fn run(mut self) {
        let path = self.file.path().to_owned();
        let mut watch = FileWatch::new(path, "roles file", self.beat.clone(), self.clock.clone());
        let mut wrong: Option<String> = None;
        loop {
            watch.turn().await;
            let result = match self.file.read() {
                Ok((roles, warnings)) => self.take(roles, warnings).await,
                Err(mistakes) => Err(one_line(&mistakes)),
            };
            let roles_file = self.file.path().display();
            self.metrics.roles_file_read(*result.as_ref().unwrap_or(&Reread::Failed));
            match result {
                Ok(_) if wrong.is_some() => {
                    wrong = None;
                    tracing::info!(%roles_file, "the roles file can be used again");
                }
                Ok(_) => {}
                // Said once for each mistake, however long it lasts.
                Err(why) if wrong.as_ref() == Some(&why) => {}
                Err(why) => {
                    tracing::warn!(
                        %roles_file,
                        code = UNUSABLE,
                        "the roles file cannot be used; the roles stay as they are: {why}"
                    );
                    wrong = Some(why);
                }
            }
        }
    }

    async fn take(&mut self, roles: Vec<Role>, warnings: Vec<Warning>) -> Result<Reread, String> {
        if self.crew.roles().eq(&roles) {
            return Ok(Reread::Unchanged);
        }
        if self.crew.sts().is_none() && Source::any_asks_sts(&roles) {
            let sts = Sts::resolve(self.ca_bundle.clone(), self.clock.clone()).await;
            *self.crew.sts() = Some(sts.map_err(|error| error.to_string())?);
        }
        for Warning { code, message } in warnings.iter().filter(|warning| !self.told.contains(warning)) {
            tracing::warn!(code, "{message}");
        }
        self.told = warnings;
        tracing::info!(roles_file = %self.file.path().display(), roles = roles.len(), "the roles file changed");
        self.crew.keep(roles);
        Ok(Reread::Changed)
    }
}

fn one_line(mistakes: &Mistakes) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

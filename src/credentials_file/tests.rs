//! The keeper of the file on a clock that stands still until it is moved.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

use tokio::task::JoinSet;

use super::*;
use crate::clock::Timeline;
use crate::config::PodNames;
use crate::credentials::Credentials;
use crate::secret::Secret;
use crate::sts::Handed;

const HOUR: Duration = Duration::from_secs(3600);

/// Two roles, of which `default` has an hour and `reports` two.
struct Scene {
    directory: PathBuf,
    clock: Clock,
    metrics: Metrics,
    beat: (watch::Sender<u64>, Beat),
    profiles: (watch::Sender<Vec<Profile>>, watch::Receiver<Vec<Profile>>),
}

impl Scene {
    fn new(name: &str) -> Self {
        let directory =
            std::env::temp_dir().join(format!("irsa-sidecar-{}-keeper-{name}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let (clock, _) = Clock::manual(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
        let profiles = [("default", HOUR), ("reports", 2 * HOUR)].map(|(name, life)| {
            // Nobody tells of more; what was told last stays.
            let (_, handout) = watch::channel(Handout::of(Some(handed(&clock, life))));
            Profile { name: name.to_owned(), handout }
        });
        Self {
            directory,
            clock,
            metrics: Metrics::new(&[]),
            beat: Beat::scripted(),
            profiles: watch::channel(profiles.to_vec()),
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.join("credentials")
    }

    fn keeper(&self) -> CredentialsFile {
        let (_, news) = watch::channel(0);
        let (profiles, beat) = (self.profiles.1.clone(), self.beat.1.clone());
        CredentialsFile::new(self.path(), profiles, news, beat, self.clock.clone(), self.metrics.clone())
    }

    /// The names of the profiles that are in the file.
    fn written(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path()).unwrap();
        text.lines()
            .filter_map(|line| Some(line.strip_prefix('[')?.trim_end_matches(']').to_owned()))
            .collect()
    }

    fn counted(&self, result: &str) -> bool {
        let text = self.metrics.text();
        text.contains(&format!("irsa_sidecar_credentials_file_writes_total{{{result}"))
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn handed(clock: &Clock, life: Duration) -> Arc<Handed> {
    let now = clock.read();
    let credentials = Credentials {
        access_key_id: "ASIAIOSFODNN7EXAMPLE".to_owned(),
        secret_access_key: Secret::new("wJalrXUtnFEMI/K7MDENG".to_owned()),
        session_token: Secret::new("IQoJ//b3Jp+Z2lu=".to_owned()),
        expires_at: now.wall + life,
        issued_at: now.wall,
        role_arn: None,
        account_id: None,
    };
    Arc::new(Handed { credentials, timeline: Timeline::local(now), pod: Arc::new(PodNames::default()) })
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_served_any_more_is_taken_out() {
    let scene = Scene::new("over");
    let mut keeper = scene.keeper();
    keeper.write();
    assert_eq!(scene.written(), ["default", "reports"]);
    tokio::time::advance(HOUR - Duration::from_secs(61)).await;
    keeper.write();
    assert_eq!(scene.written(), ["default", "reports"]);
    tokio::time::advance(Duration::from_secs(1)).await;
    keeper.write();
    assert_eq!(scene.written(), ["reports"]);
    tokio::time::advance(HOUR).await;
    keeper.write();
    assert!(scene.written().is_empty() && scene.path().exists());
    assert!(scene.counted(r#"result="changed"} 3"#), "{}", scene.metrics.text());
}

#[tokio::test(start_paused = true)]
async fn a_role_that_is_gone_is_taken_out_and_the_file_goes_with_its_keeper() {
    let scene = Scene::new("gone");
    let mut tasks = JoinSet::new();
    tasks.spawn(scene.keeper().run());
    tokio::task::yield_now().await;
    assert_eq!(scene.written(), ["default", "reports"]);
    scene.profiles.0.send_modify(|profiles| profiles.truncate(1));
    tokio::task::yield_now().await;
    assert_eq!(scene.written(), ["default"]);
    fs::remove_file(scene.path()).unwrap();
    scene.beat.0.send_modify(|count| *count += 1);
    tokio::task::yield_now().await;
    assert_eq!(scene.written(), ["default"], "somebody removed it, and the beat sets it right");
    tasks.shutdown().await;
    assert!(!scene.path().exists());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_written_is_told_once_counted_each_time_and_tried_again() {
    let scene = Scene::new("failed");
    let mut keeper = scene.keeper();
    keeper.write();
    fs::remove_dir_all(&scene.directory).unwrap();
    keeper.write();
    let told = keeper.told.clone();
    assert!(told.is_some());
    keeper.write();
    assert_eq!(keeper.told, told);
    assert!(scene.counted(r#"result="failed"} 2"#), "{}", scene.metrics.text());
    fs::create_dir_all(&scene.directory).unwrap();
    keeper.write();
    assert_eq!((keeper.told.as_ref(), scene.written().len()), (None, 2));
}

//! A file that changes, on a paused clock.
#![allow(clippy::disallowed_methods)] // tests may spawn, and read the paused clock
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::PathBuf;

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::*;
use crate::config::Config;
use crate::config::Flags;
use crate::config::env::Variables;

const FIRST: &str = "first-0123456789abcdef";
const SECOND: &str = "second-0123456789abcdef";
const THIRD: &str = "third-0123456789abcdef";

const NO_TOKENS: &[&[u8]] =
    &[b"", b"\n", b"0123456789\nabcdef", b"0123456789abcdef\n\n", b" lead", b"\xff\xfe", &[b'a'; 4097]];

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Both halves, and the file.
struct House {
    directory: PathBuf,
    authorization: Authorization,
    metrics: Metrics,
    keeper: JoinSet<()>,
}

impl House {
    /// The keeper runs.
    fn new(name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("irsa-sidecar-{}-{name}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let file = directory.join("token");
        fs::write(&file, FIRST).unwrap();
        let variables = Variables::from_iter([
            ("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/app"),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"),
            ("AWS_REGION", "eu-central-1"),
            ("IRSA_SIDECAR_AUTHORIZATION_TOKEN_FILE", file.to_str().unwrap()),
        ]);
        let (config, _) =
            Config::parse(&Flags::default(), &variables).map_err(|mistakes| mistakes.to_string()).unwrap();
        let (authorization, keeper) = hold(config.listeners.authorization.unwrap());
        let metrics = Metrics::new(&[]);
        metrics.role_added("default");
        let mut running = JoinSet::new();
        running.spawn(keeper.unwrap().run(metrics.clone(), Clock::system(), Beat::scripted().1));
        Self { directory, authorization, metrics, keeper: running }
    }

    fn write(&self, content: impl AsRef<[u8]>) {
        fs::write(self.directory.join("token"), content).unwrap();
    }

    async fn look(&self) {
        self.authorization.look().unwrap().unwrap().over().await;
    }

    /// Which of the three are good.
    fn good(&self) -> [bool; 3] {
        [FIRST, SECOND, THIRD].map(|token| self.authorization.matches(token.as_bytes()))
    }

    fn reads(&self, result: &str) -> u64 {
        let start = format!(r#"irsa_sidecar_authorization_reads_total{{result="{result}"}} "#);
        let text = self.metrics.text();
        text.lines().find_map(|line| line.strip_prefix(&start)).unwrap().parse().unwrap()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

#[tokio::test(start_paused = true)]
async fn a_newer_value_is_good_at_once_and_the_one_before_for_a_minute() {
    let house = House::new("minute");
    house.write(SECOND);
    assert_eq!(house.good(), [true, false, false], "nobody has looked");
    house.look().await;
    assert_eq!(house.good(), [true, true, false]);
    sleep(OVERLAP - millis(1)).await;
    assert_eq!(house.good(), [true, true, false]);
    sleep(millis(2)).await;
    assert_eq!(house.good(), [false, true, false]);
}

#[tokio::test(start_paused = true)]
async fn of_several_changes_in_a_minute_the_last_two_values_are_good() {
    let house = House::new("several");
    house.write(SECOND);
    house.look().await;
    sleep(OVERLAP / 2).await;
    house.write(THIRD);
    house.look().await;
    assert_eq!(house.good(), [false, true, true]);
    // The first change's minute ends; the second's does not.
    sleep(OVERLAP / 2 + millis(1)).await;
    assert_eq!(house.good(), [false, true, true]);
    sleep(OVERLAP / 2).await;
    assert_eq!(house.good(), [false, false, true]);
    assert_eq!((house.reads("changed"), house.reads("failed")), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn the_beat_finds_a_change_that_nobody_asks_for() {
    let house = House::new("beat");
    house.write(SECOND);
    let Source::Followed(followed) = &house.authorization.0 else { panic!("it is followed") };
    followed.bell.ring();
    followed.reads.clone().changed().await.unwrap();
    assert_eq!(house.good(), [true, true, false]);
}

#[tokio::test(start_paused = true)]
async fn however_many_ask_the_file_is_read_four_times_a_second() {
    let house = House::new("flood");
    let began = Instant::now();
    let mut asking = JoinSet::new();
    for _ in 0..MAX_WAITING {
        let authorization = house.authorization.clone();
        asking.spawn(async move {
            for _ in 0..40 {
                authorization.look().unwrap().unwrap().over().await;
            }
        });
    }
    asking.join_all().await;
    assert_eq!(began.elapsed(), 39 * BETWEEN_READS, "the first at once, every other after a pause");
    assert_eq!(house.reads("unchanged"), 40, "one read for all who wait, 2,560 in all");
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_between_two_reads_is_judged_by_the_next_one() {
    let house = House::new("between");
    let began = Instant::now();
    house.look().await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    house.write(SECOND);
    sleep(millis(100)).await;
    house.look().await;
    assert_eq!(began.elapsed(), BETWEEN_READS);
    assert_eq!(house.good(), [true, true, false]);
}

#[tokio::test(start_paused = true)]
async fn no_more_than_64_wait_at_a_time() {
    let house = House::new("places");
    let mut waiting: Vec<Look> =
        (0..MAX_WAITING).map(|_| house.authorization.look().unwrap().unwrap()).collect();
    assert_eq!(house.authorization.look().err(), Some(Crowded));
    waiting.pop().unwrap().over().await;
    assert!(house.authorization.look().unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn what_is_no_token_replaces_nothing() {
    let house = House::new("garbage");
    for content in NO_TOKENS {
        house.write(content);
        house.look().await;
        assert_eq!(house.good(), [true, false, false], "{:?}", String::from_utf8_lossy(content));
        assert!(!house.authorization.matches(content));
    }
    fs::remove_file(house.directory.join("token")).unwrap();
    house.look().await;
    fs::create_dir(house.directory.join("token")).unwrap();
    house.look().await;
    assert_eq!(house.good(), [true, false, false]);
    let bad = u64::try_from(NO_TOKENS.len()).unwrap() + 2;
    assert_eq!((house.reads("failed"), house.reads("changed")), (bad, 0));
    // What is good again is taken, without the newline of an editor.
    fs::remove_dir(house.directory.join("token")).unwrap();
    house.write(format!("{SECOND}\n"));
    house.look().await;
    assert_eq!(house.good(), [true, true, false]);
}

#[tokio::test(start_paused = true)]
async fn the_same_content_again_is_no_change() {
    let house = House::new("same");
    for content in [FIRST.to_owned(), format!("{FIRST}\n"), format!("{FIRST}\r\n")] {
        house.write(content);
        house.look().await;
    }
    assert_eq!((house.reads("unchanged"), house.reads("changed")), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn a_value_from_a_variable_is_looked_for_by_nobody() {
    let (authorization, keeper) = hold(Secret::new(FIRST.to_owned()).into());
    assert!(keeper.is_none() && matches!(authorization.look(), Ok(None)));
    assert!(authorization.matches(FIRST.as_bytes()) && !authorization.matches(SECOND.as_bytes()));
}

#[tokio::test(start_paused = true)]
async fn without_a_keeper_nobody_waits_for_long() {
    let mut house = House::new("abandoned");
    let look = house.authorization.look().unwrap().unwrap();
    house.keeper.abort_all();
    let began = Instant::now();
    look.over().await;
    assert!(began.elapsed() <= LONGEST_WAIT);
    assert_eq!(house.good(), [true, false, false]);
}

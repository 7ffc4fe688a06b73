//! What the runner says on stdin, line by line, and what it is told; `../python/client.py` has the table.
//! Each client compiles this file in: there is nothing of an SDK in it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use serde_json::json;
use tokio::io::AsyncBufReadExt;
use tokio::io::BufReader;
use tokio::io::Lines;
use tokio::io::Stdin;

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Request {
    Who { endpoint: String },
    List { endpoint: String },
    CreateBucket { endpoint: String, bucket: String },
    Put { endpoint: String, bucket: String, key: String, body: String },
    Get { endpoint: String, bucket: String, key: String },
}

/// What the SDK said, as a person would read it.
pub type Answer = Result<Value, String>;

pub struct Runner(Lines<BufReader<Stdin>>);

impl Runner {
    /// Says first which of `packages` this program was built from; `lock` is the file that it was built with.
    pub fn greet(lock: &str, packages: &[&str]) -> Self {
        let mut versions: BTreeMap<&str, &str> =
            locked(lock).filter(|(name, _)| packages.contains(name)).collect();
        versions.extend(option_env!("CONFORMANCE_RUSTC").map(|rustc| ("rustc", rustc)));
        println!("{}", json!(versions));
        Self(BufReader::new(tokio::io::stdin()).lines())
    }

    /// None when stdin has ended.
    pub async fn next(&mut self) -> Option<Request> {
        let line = self.0.next_line().await.expect("stdin must be readable")?;
        Some(serde_json::from_str(&line).expect("the runner must know the requests"))
    }

    pub fn tell(&self, answer: Answer) {
        let answer = match answer {
            Ok(value) => json!({ "ok": value }),
            Err(said) => json!({ "error": said }),
        };
        println!("{answer}");
    }
}

/// Name and version of each package of a Cargo.lock.
fn locked(lock: &str) -> impl Iterator<Item = (&str, &str)> {
    lock.split("[[package]]")
        .filter_map(|package| Some((field(package, "name")?, field(package, "version")?)))
}

fn field<'a>(package: &'a str, name: &str) -> Option<&'a str> {
    package.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = \"")?.strip_suffix('"'))
}

//! Load, by wrk, from one core onto the other.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

use crate::Result;
use crate::pod::AUTHORIZATION;
use crate::process::cpu;

const SERVER_CORE: &str = "1";
const LOAD_CORE: &str = "0";
/// Old SDKs name themselves; telling them apart is part of a request's cost.
const USER_AGENT: &str = "Boto3/1.9.199 Python/3.7.4 Linux/4.14.133-113.112.amzn2.x86_64 Botocore/1.12.199";

/// Programs that are not ours.
#[derive(Debug)]
pub(crate) struct Tools {
    pub nginx: PathBuf,
    wrk: PathBuf,
    taskset: PathBuf,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub connections: usize,
    pub keep_alive: bool,
    pub time: Duration,
}

/// What a server did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Served {
    /// Of the server, in microseconds.
    pub cpu_per_request: f64,
    pub requests: f64,
}

impl Tools {
    pub(crate) fn find() -> Result<Self> {
        let find = |name: &str| {
            let places = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/sbin", "/bin"];
            let found = places.iter().map(|place| Path::new(place).join(name)).find(|path| path.is_file());
            found.ok_or_else(|| {
                format!(
                    "{name} is not installed. On Debian and Ubuntu:\n  \
                     apt-get install -y --no-install-recommends nginx-light wrk util-linux ca-certificates"
                )
            })
        };
        Ok(Self { nginx: find("nginx")?, wrk: find("wrk")?, taskset: find("taskset")? })
    }

    /// Keeps all threads of a server on its core.
    pub(crate) async fn pin(&self, pid: u32) -> Result<()> {
        let output = Command::new(&self.taskset)
            .args(["--all-tasks", "--pid", "--cpu-list", SERVER_CORE, &pid.to_string()])
            .output()
            .await?;
        if output.status.success() {
            Ok(())
        } else {
            Err(format!(
                "two cores are needed, one for the server and one for the load: {}",
                String::from_utf8_lossy(&output.stderr)
            )
            .into())
        }
    }

    /// Every answer must be 200.
    pub(crate) async fn load(&self, load: Load, pid: u32, address: SocketAddr) -> Result<Served> {
        let before = cpu(pid)?;
        let mut wrk = Command::new(&self.taskset);
        wrk.args(["--cpu-list", LOAD_CORE])
            .arg(&self.wrk)
            .args(["--threads=1", "--timeout=10s"])
            .arg(format!("--connections={}", load.connections))
            .arg(format!("--duration={}s", load.time.as_secs()))
            .arg(format!("--header=Authorization: {AUTHORIZATION}"))
            .arg(format!("--header=User-Agent: {USER_AGENT}"));
        if !load.keep_alive {
            wrk.arg("--header=Connection: close");
        }
        let output = wrk.arg(format!("http://{address}/v1/credentials")).output().await?;
        let cpu = cpu(pid)? - before;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let requests = text.lines().find_map(|line| line.trim().split_once(" requests in ")?.0.parse().ok());
        match requests {
            Some(requests) if output.status.success() && requests > 0.0 && !text.contains("Non-2xx") => {
                Ok(Served { cpu_per_request: cpu.as_secs_f64() * 1e6 / requests, requests })
            }
            _ => Err(format!("wrk: {text}{}", String::from_utf8_lossy(&output.stderr)).into()),
        }
    }
}

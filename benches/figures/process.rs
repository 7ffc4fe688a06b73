//! What the kernel tells of a process. Root reads it although the sidecar is not dumpable.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// In kB, as the kernel counts them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    pub resident: f64,
    pub peak: f64,
    /// Private to the process and backed by no file: heap, stacks, data that was written.
    pub anonymous: f64,
}

/// CPU time of all threads that are alive, user and system.
pub(crate) fn cpu(pid: u32) -> io::Result<Duration> {
    let mut total = 0;
    for task in tasks(pid)? {
        let schedstat = fs::read_to_string(task.join("schedstat"))?;
        total += schedstat.split_whitespace().next().and_then(|field| field.parse().ok()).unwrap_or(0);
    }
    Ok(Duration::from_nanos(total))
}

/// How often any thread was put on a CPU and left it again.
pub(crate) fn context_switches(pid: u32) -> io::Result<f64> {
    let mut total = 0.0;
    for task in tasks(pid)? {
        let status = fs::read_to_string(task.join("status"))?;
        total += number(&status, "voluntary_ctxt_switches:") + number(&status, "nonvoluntary_ctxt_switches:");
    }
    Ok(total)
}

pub(crate) fn threads(pid: u32) -> io::Result<usize> {
    Ok(tasks(pid)?.len())
}

pub(crate) fn memory(pid: u32) -> io::Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    Ok(Memory {
        resident: number(&status, "VmRSS:"),
        peak: number(&status, "VmHWM:"),
        anonymous: number(&rollup, "Pss_Anon:"),
    })
}

fn tasks(pid: u32) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(format!("/proc/{pid}/task"))?.map(|entry| Ok(entry?.path())).collect()
}

fn number(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(f64::NAN)
}

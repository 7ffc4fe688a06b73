//! What this machine is: absolute figures hold only for it.

use std::fs;
use std::process::Command;
use std::thread::available_parallelism;

pub(crate) fn facts() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("unknown", |(_, model)| model.trim());
    let cores = available_parallelism().map_or(0, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "machine   {cores} × {model}, load {}\nkernel    {}\nrustc     {}\nnginx     {}\n",
        load.split(' ').next().unwrap_or("unknown"),
        first_line("uname", &["-sr"]),
        first_line("rustc", &["--version"]),
        first_line("/usr/sbin/nginx", &["-v"]),
    )
}

fn first_line(program: &str, arguments: &[&str]) -> String {
    let Ok(output) = Command::new(program).args(arguments).output() else {
        return "unknown".to_owned();
    };
    // nginx names its version on stderr.
    let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    String::from_utf8_lossy(&text).lines().next().unwrap_or_default().to_owned()
}

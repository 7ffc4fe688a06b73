//! What the terminal has sent to the command itself.
//!
//! Ctrl-C is a signal to every process of the terminal's foreground group, and so to the command, which is in ours. Passed
//! on, it would come twice, and to many a program the second one means: at once, whatever is half done. tini and dumb-init
//! never see the keyboard's, since they put the command into a group or a session of its own, which costs a shell its job
//! control over it and a pipe its terminal; aws-vault sends it twice. Who sent a signal, only a handler of our own could
//! tell, and that needs `unsafe`. So: **while our group is in the foreground of a terminal, SIGINT, SIGQUIT and SIGWINCH
//! count as the terminal's.** In a container without one, in the background, or under a supervisor nobody sends them but a
//! process that means us, and they are passed on, as all others always are.

use std::fs;

use rustix::process::Signal;

/// Whether a signal that came to us came to the command as well.
pub(super) fn has_sent_to_all(signal: Signal) -> bool {
    [Signal::INT, Signal::QUIT, Signal::WINCH].contains(&signal)
        && fs::read_to_string("/proc/self/stat").is_ok_and(|stat| is_in_foreground(&stat))
}

/// By `/proc/PID/stat`, behind the name, which may hold anything: state, parent, group, session, terminal, its foreground
/// group. A group outside our PID namespace is 0 in both places, for which `rustix::process::getpgrp` has no value.
fn is_in_foreground(stat: &str) -> bool {
    let fields = stat.rsplit_once(')').map(|(_, fields)| fields.split_whitespace().collect::<Vec<_>>());
    matches!(fields.as_deref(), Some([_, _, group, _, terminal, foreground, ..]) if *terminal != "0" && group == foreground)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_sends_to_its_foreground_group_alone() {
        for (stat, expected) in [
            ("7 (irsa-sidecar) S 1 7 7 34816 7 4194560 1", true),
            ("7 (in ) the (back) S 1 7 5 34816 9 4194560 1", false),
            ("1 (no terminal) S 0 1 1 0 -1 4194560 1", false),
            ("1 (another namespace's) S 0 0 0 34816 0 4194560 1", true),
            ("", false),
        ] {
            assert_eq!(is_in_foreground(stat), expected, "{stat}");
        }
    }
}

//! `irsa-sidecar healthcheck [--wait [DURATION]] [--admin ADDRESS]`: asks a running sidecar's `/ready`.
//!
//! Exit status 0 when it is ready, else 69 with the reasons on stdout. One small request over a plain socket: a probe
//! runs every second, so it starts no runtime and no HTTP stack.

use std::io;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use crate::cli::say;
use crate::clock::Clock;
use crate::config::Flags;
use crate::config::Healthcheck;
use crate::config::env::Strings;
use crate::config::parse_healthcheck;
use crate::config::reachable;
use crate::contract::PATH_READY;
use crate::contract::exit;

/// What a sidecar answers, in words for people where it is not ready.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Answer {
    Ready,
    NotReady(String),
}

/// For connecting, and then for the whole answer.
const TIMEOUT: Duration = Duration::from_secs(1);
const INTERVAL: Duration = Duration::from_millis(250);
/// An answer has a line for each role that is not ready.
const MAX_ANSWER: usize = 64 * 1024;

/// Asks once, or until it is ready; gives the exit status.
pub fn run(flags: &Flags, strings: &dyn Strings, clock: &Clock) -> u8 {
    match parse_healthcheck(flags, strings) {
        Ok((healthcheck, _)) => check(healthcheck, clock, &mut io::stdout().lock()),
        Err(mistakes) => {
            say(&mut io::stderr().lock(), &mistakes.to_string());
            exit::USAGE
        }
    }
}

fn check(healthcheck: Healthcheck, clock: &Clock, out: &mut dyn Write) -> u8 {
    let until = clock.steady() + healthcheck.wait.unwrap_or_default();
    loop {
        match ask(healthcheck.admin, clock) {
            Answer::Ready => {
                say(out, "ready");
                return 0;
            }
            Answer::NotReady(why) if clock.steady() + INTERVAL >= until => {
                say(out, &why);
                return exit::UNAVAILABLE;
            }
            Answer::NotReady(_) => pause(),
        }
    }
}

#[allow(clippy::disallowed_methods)] // another process is waited for, and no runtime runs here
fn pause() {
    thread::sleep(INTERVAL);
}

fn ask(admin: SocketAddr, clock: &Clock) -> Answer {
    let mut failures = Vec::new();
    for address in reachable(admin) {
        match request(address, clock) {
            Ok(answer) => return judge(address, &answer),
            Err(error) => failures.push(format!("{address} does not answer: {}", error.kind())),
        }
    }
    Answer::NotReady(format!("{}\nIs irsa-sidecar serve running in this pod?", failures.join("\n")))
}

fn request(address: SocketAddr, clock: &Clock) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    let until = clock.steady() + TIMEOUT;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.write_all(format!("GET {PATH_READY} HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    // Each read has what is left of the second, so that an answer in drops does not go on for ever.
    while answer.len() < MAX_ANSWER {
        let left = until.saturating_duration_since(clock.steady());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => answer.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(answer)
}

fn judge(address: SocketAddr, answer: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1));
    match status {
        Some("200") => Answer::Ready,
        Some("503") => {
            let reasons: Vec<&str> = body.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
            Answer::NotReady(if reasons.is_empty() { "not ready".to_owned() } else { reasons.join("\n") })
        }
        Some(status) => Answer::NotReady(format!(
            "{address} answers {status} to {PATH_READY}: is it irsa-sidecar's admin listener?"
        )),
        None => {
            Answer::NotReady(format!("what answers at {address} does not speak HTTP: is it irsa-sidecar?"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Answers each connection with the next of these and then nobody any more.
    fn server(answers: &'static [&'static str]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                    head.push(byte[0]);
                }
                let expected = format!("GET /ready HTTP/1.0\r\nHost: {address}\r\n\r\n");
                assert_eq!(String::from_utf8_lossy(&head), expected);
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        address
    }

    fn told(admin: SocketAddr, wait: Option<Duration>) -> (u8, String) {
        let mut out = Vec::new();
        let status = check(Healthcheck { admin, wait }, &Clock::system(), &mut out);
        (status, String::from_utf8(out).unwrap())
    }

    #[test]
    fn is_0_for_ready_alone_and_tells_what_is_missing() {
        let cases: [(&'static [&'static str], u8, &str); 6] = [
            (&["HTTP/1.0 200 OK\r\n\r\nready\n"], 0, "ready"),
            (
                &["HTTP/1.1 503 Service Unavailable\r\na: b\r\n\r\ndefault: TokenMissing\n"],
                69,
                "default: TokenMissing",
            ),
            (&["HTTP/1.1 503 Service Unavailable\r\n\r\n"], 69, "not ready"),
            (&["HTTP/1.1 404 Not Found\r\n\r\n"], 69, "is it irsa-sidecar's admin listener?"),
            (&["SSH-2.0-OpenSSH_9.2\r\n"], 69, "does not speak HTTP"),
            (&[""], 69, "does not speak HTTP"),
        ];
        for (answers, status, text) in cases {
            let (got, out) = told(server(answers), None);
            assert_eq!(got, status, "{answers:?}");
            assert!(out.contains(text), "{answers:?}: {out}");
        }
    }

    #[test]
    fn an_answer_cannot_play_with_the_terminal() {
        let (_, out) = told(server(&["HTTP/1.1 503 No\r\n\r\n\u{1b}[2Jdefault\n"]), None);
        assert_eq!(out, " [2Jdefault\n");
    }

    #[test]
    fn waits_until_it_is_ready() {
        let admin = server(&["HTTP/1.1 503 No\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"]);
        assert_eq!(told(admin, Some(Duration::from_secs(600))).0, 0);
    }

    #[test]
    fn nobody_there_is_69_and_a_question() {
        let admin = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (status, out) = told(admin, None);
        assert_eq!(status, 69);
        assert!(out.contains("connection refused") && out.contains("Is irsa-sidecar serve running"), "{out}");
    }
}

//! The server by itself, bound to free ports, serving what the test publishes.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use irsa_sidecar::authorization;
use irsa_sidecar::cache;
use irsa_sidecar::cache::Problem;
use irsa_sidecar::cache::Publisher;
use irsa_sidecar::cache::Reader;
use irsa_sidecar::cache::Snapshot;
use irsa_sidecar::cache::State;
use irsa_sidecar::cache::history::History;
use irsa_sidecar::clock::Clock;
use irsa_sidecar::clock::Timeline;
use irsa_sidecar::config::AdminListener;
use irsa_sidecar::config::Imds;
use irsa_sidecar::config::Listener;
use irsa_sidecar::config::Listeners;
use irsa_sidecar::config::Serves;
use irsa_sidecar::credentials::Credentials;
use irsa_sidecar::metrics::Metrics;
use irsa_sidecar::roles;
use irsa_sidecar::roles::Entry;
use irsa_sidecar::roles::Table;
use irsa_sidecar::secret::Secret;
use irsa_sidecar::serve;
use irsa_sidecar::serve::Bound;
use irsa_sidecar::serve::Offer;
use irsa_sidecar::serve::StsEndpoint;
use irsa_sidecar::session_key::SessionKey;
use irsa_sidecar::shutdown;
use irsa_sidecar::shutdown::Phase;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(crate) const ROLE_ARN: &str = "arn:aws:iam::111122223333:role/app";
pub(crate) const SECRET_ACCESS_KEY: &str = "planted+secret/access/key";
pub(crate) const SESSION_TOKEN: &str = "planted//session+token==";

pub(crate) struct Server {
    /// 127.0.0.1 and [::1].
    pub addresses: Vec<SocketAddr>,
    pub admin: SocketAddr,
    pub publishers: Vec<Publisher>,
    pub phase: watch::Sender<Phase>,
    pub running: JoinHandle<()>,
    clock: Clock,
}

/// One role, nothing published.
pub(crate) fn start() -> Server {
    start_with(&["default"], None, false)
}

/// The second listener answers without the token when `is_second_open`.
pub(crate) fn start_with(roles: &[&str], authorization: Option<&str>, is_second_open: bool) -> Server {
    let roles: Vec<_> = roles.iter().map(|role| (*role, None)).collect();
    start_each(&roles, authorization, is_second_open)
}

/// Roles with tokens of their own, or without.
pub(crate) fn start_each(
    roles: &[(&str, Option<&str>)],
    authorization: Option<&str>,
    is_second_open: bool,
) -> Server {
    let listener = |address: &str, allow_unauthenticated| Listener {
        serves: Serves::Container,
        address: address.parse().unwrap(),
        allow_unauthenticated,
        is_default: true,
    };
    let listeners = Listeners {
        listeners: vec![listener("127.0.0.1:0", false), listener("[::1]:0", is_second_open)],
        authorization: authorization.map(|token| Secret::new(token.to_owned()).into()),
    };
    let admin = AdminListener { address: "[::]:0".parse().unwrap(), is_default: true };
    let clock = Clock::system();
    let bound = serve::bind(&listeners, Some(&admin)).unwrap();
    let (addresses, admin) = (bound.addresses(), bound.admin_address().unwrap());
    let role = |(role, token): &(&str, Option<&str>)| {
        let (publisher, reader) = role_of(role, &clock);
        let secret = token.map(|token| Secret::new(token.to_owned()).into());
        let authorization = secret.map(|secret| authorization::hold(secret).0);
        (publisher, Entry { authorization, ..Entry::from(reader) })
    };
    let (publishers, entries) = roles.iter().map(role).unzip();
    let (phase, running) = run(bound, entries, &clock);
    Server { addresses, admin, publishers, phase, running, clock }
}

fn role_of(name: &str, clock: &Clock) -> (Publisher, Reader) {
    let problem = Problem {
        code: "CredentialsUninitialized",
        message: "no credentials yet".to_owned(),
        mend: "Wait.".to_owned(),
        since: clock.wall(),
    };
    cache::role(name, Some(ROLE_ARN), clock.read(), problem)
}

fn run(bound: Bound, entries: Vec<Entry>, clock: &Clock) -> (watch::Sender<Phase>, JoinHandle<()>) {
    let (phase, phases) = shutdown::phases();
    let metrics = Metrics::new(&["AccessDenied"]);
    for entry in &entries {
        metrics.role_added(entry.reader.role());
    }
    let (_, board) = roles::board(Table::new(entries));
    let (url, region) = ("https://sts.eu-west-1.amazonaws.com".to_owned(), Some("eu-west-1".to_owned()));
    let sts = Some(StsEndpoint { url, region });
    (
        phase,
        tokio::spawn(bound.run(
            Offer { board, imds: Imds::default(), passage: None, session_key: SessionKey::random(), sts },
            metrics,
            clock.clone(),
            phases,
        )),
    )
}

impl Server {
    pub(crate) fn publish(&self, role: usize) {
        let now = self.clock.wall();
        let history = History::default().succeeded(now, now + Duration::from_secs(3600));
        self.publish_after(role, history);
    }

    /// After all that.
    pub(crate) fn publish_after(&self, role: usize, history: History) {
        let now = self.clock.read();
        let credentials = Credentials {
            access_key_id: "ASIAIOSFODNN7EXAMPLE".to_owned(),
            secret_access_key: Secret::new(SECRET_ACCESS_KEY.to_owned()),
            session_token: Secret::new(SESSION_TOKEN.to_owned()),
            issued_at: now.wall,
            expires_at: now.wall + Duration::from_secs(3600),
            role_arn: Some(ROLE_ARN.to_owned()),
            account_id: None,
        };
        let assumed = "arn:aws:sts::111122223333:assumed-role/app/pod".to_owned();
        self.publishers[role].publish(State {
            timeline: Timeline::local(now),
            snapshot: Some(Arc::new(Snapshot::new(&credentials, Some(assumed)))),
            problem: None,
            next_exchange_at: Some(now.wall + Duration::from_secs(1500)),
            history,
        });
    }
}

/// Sends `request`, closes that half, and reads until the server closes its own.
pub(crate) async fn exchange(address: SocketAddr, request: impl AsRef<[u8]>) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_ref()).await.unwrap();
    stream.shutdown().await.unwrap();
    rest(&mut stream).await
}

/// A GET with nothing but what must be.
pub(crate) async fn get(address: SocketAddr, path: &str) -> String {
    exchange(address, format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await
}

/// Everything until the end of the connection, however it ends.
pub(crate) async fn rest(stream: &mut TcpStream) -> String {
    let mut received = Vec::new();
    match stream.read_to_end(&mut received).await {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error}"),
    }
    String::from_utf8(received).unwrap()
}

/// One response with a body on a connection that stays open.
pub(crate) async fn response(stream: &mut TcpStream) -> String {
    let mut received = String::new();
    while !received.ends_with("\r\n\r\n") {
        received.push(char::from(stream.read_u8().await.unwrap()));
    }
    let length = header(&received, "content-length").unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    received + &String::from_utf8(body).unwrap()
}

/// 0 when there was no response.
pub(crate) fn status(response: &str) -> u16 {
    response.get(9..12).map_or(0, |status| status.parse().unwrap_or(0))
}

pub(crate) fn header<'a>(response: &'a str, name: &str) -> Option<&'a str> {
    let (head, _) = response.split_once("\r\n\r\n")?;
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(found, _)| *found == name).map(|(_, value)| value)
}

pub(crate) fn body(response: &str) -> &str {
    response.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

//! Connections in memory on a paused clock: every limit, to the millisecond and without waiting for it.
#![allow(clippy::disallowed_methods)] // tests may spawn

use std::collections::VecDeque;
use std::io;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;
use std::time::SystemTime;

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::DuplexStream;
use tokio::io::duplex;
use tokio::time::Instant;
use tokio::time::sleep;

use super::*;
use crate::cache;
use crate::cache::Problem;
use crate::cache::Publisher;
use crate::cache::Reader;
use crate::cache::Snapshot;
use crate::cache::State;
use crate::cache::history::History;
use crate::clock::Timeline;
use crate::credentials::Credentials;
use crate::roles;
use crate::secret::Secret;
use crate::serve::accept::Source;
use crate::serve::connection::Connection;
use crate::serve::guard::Caller;
use crate::serve::service::Service;

const REQUEST: &str = "GET /v1/credentials HTTP/1.1\r\nHost: localhost\r\n\r\n";
const LAST_REQUEST: &str = "GET /v1/credentials HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
const BUFFER: usize = 65536;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn board(reader: Reader) -> Board {
    roles::board(roles::Table::new(vec![reader.into()])).1
}

/// A container surface without a listener.
struct House {
    place: Arc<Place>,
    roster: Arc<Roster>,
    publisher: Publisher,
    clock: Clock,
}

impl House {
    fn new(bound: usize) -> Self {
        Self::serving(bound, |reader| Surface::Container(Container::new(board(reader))))
    }

    /// The metadata service in its place.
    fn imds(bound: usize) -> Self {
        Self::serving(bound, |reader| {
            let offer = Offer {
                board: board(reader),
                imds: config::Imds::default(),
                passage: None,
                session_key: SessionKey::random(),
                sts: None,
            };
            Surface::Imds(Arc::new(Imds::new(&offer)))
        })
    }

    fn serving(bound: usize, surface: impl FnOnce(Reader) -> Surface) -> Self {
        let (clock, _) = Clock::manual(SystemTime::UNIX_EPOCH + seconds(1_800_000_000));
        let metrics = Metrics::new(&[]);
        metrics.role_added("default");
        let problem = Problem {
            code: "CredentialsUninitialized",
            message: "no credentials yet".to_owned(),
            mend: "Wait.".to_owned(),
            since: clock.wall(),
        };
        let (publisher, reader) =
            cache::role("default", Some("arn:aws:iam::111122223333:role/app"), clock.read(), problem);
        let place = Arc::new(Place {
            surface: surface(reader),
            door: Door::new("127.0.0.1:9911".parse().unwrap(), None),
            metrics: metrics.clone(),
            clock: clock.clone(),
        });
        let roster = Roster::new(bound, metrics, &clock);
        let (watched, watching) = (roster.clone(), clock.clone());
        tokio::spawn(async move { watched.watch(&watching).await });
        Self { place, roster, publisher, clock }
    }

    fn ready(bound: usize) -> Self {
        let house = Self::new(bound);
        house.publish(seconds(3600));
        house
    }

    fn publish(&self, lasting: Duration) {
        let credentials = Credentials {
            access_key_id: "ASIAIOSFODNN7EXAMPLE".to_owned(),
            secret_access_key: Secret::new("secret".to_owned()),
            session_token: Secret::new("token".to_owned()),
            expires_at: self.clock.wall() + lasting,
            issued_at: self.clock.wall(),
            role_arn: Some("arn:aws:iam::111122223333:role/app".to_owned()),
            account_id: None,
        };
        self.publisher.publish(State {
            timeline: Timeline::local(self.clock.read()),
            snapshot: Some(Arc::new(Snapshot::new(&credentials, None))),
            problem: None,
            next_exchange_at: None,
            history: History::default(),
        });
    }

    async fn connect(&self) -> DuplexStream {
        self.connect_through(BUFFER).await
    }

    async fn connect_through(&self, buffer: usize) -> DuplexStream {
        let (client, server) = duplex(buffer);
        let seat = self.roster.admit(Endpoint::Container, &self.clock).await;
        let caller = Caller::new(Ipv4Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into());
        let service = Service::new(self.place.clone(), caller, seat.activity.clone());
        tokio::spawn(Connection::new(&connection::protocol(), server, service, seat));
        client
    }

    fn counts(&self, line: &str) -> bool {
        self.place.metrics.text().lines().any(|found| found == format!("irsa_sidecar_{line}"))
    }
}

async fn send(client: &mut DuplexStream, text: &str) {
    client.write_all(text.as_bytes()).await.unwrap();
}

/// One response: its status and its body.
async fn receive(client: &mut DuplexStream) -> (u16, String) {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        head.push(char::from(client.read_u8().await.unwrap()));
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    client.read_exact(&mut body).await.unwrap();
    (head[9..12].parse().unwrap(), String::from_utf8(body).unwrap())
}

async fn ask(client: &mut DuplexStream) -> u16 {
    send(client, REQUEST).await;
    receive(client).await.0
}

/// Waits until the server closes, and says how long that took and what it still sent.
async fn closed(client: &mut DuplexStream) -> (Duration, String) {
    let (from, mut rest) = (Instant::now(), Vec::new());
    client.read_to_end(&mut rest).await.unwrap();
    (from.elapsed(), String::from_utf8(rest).unwrap())
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_kept_for_75_seconds() {
    let house = House::ready(8);
    let mut client = house.connect().await;
    assert_eq!(ask(&mut client).await, 200);
    assert_eq!(closed(&mut client).await, (seconds(75), String::new()));
    assert!(house.counts(r#"connections_closed_total{endpoint="container",reason="idle"} 1"#));
    assert!(house.counts(r#"connections{endpoint="container"} 0"#));
}

#[tokio::test(start_paused = true)]
async fn each_request_starts_the_75_seconds_anew() {
    let house = House::ready(8);
    let mut client = house.connect().await;
    for _ in 0..3 {
        assert_eq!(ask(&mut client).await, 200);
        sleep(seconds(74)).await;
    }
    assert_eq!(closed(&mut client).await.0, seconds(1));
}

#[tokio::test(start_paused = true)]
async fn one_that_never_asks_is_kept_as_long() {
    let house = House::ready(8);
    let mut client = house.connect().await;
    assert_eq!(closed(&mut client).await.0, seconds(75));
}

#[tokio::test(start_paused = true)]
async fn a_request_has_two_seconds_from_its_first_byte_to_its_last() {
    let house = House::ready(8);
    for unfinished in ["G", "GET /v1/credentials HTTP/1.1\r\nHost: localhost\r\n"] {
        let mut client = house.connect().await;
        sleep(seconds(50)).await;
        send(&mut client, unfinished).await;
        assert_eq!(closed(&mut client).await, (seconds(2), String::new()));
    }
    assert!(house.counts(r#"connections_closed_total{endpoint="container",reason="slow_request"} 2"#));
}

#[tokio::test(start_paused = true)]
async fn dribbling_does_not_prolong_them() {
    let house = House::ready(8);
    let mut client = house.connect().await;
    let began = Instant::now();
    for byte in REQUEST.bytes() {
        if client.write_all(&[byte]).await.is_err() {
            break;
        }
        sleep(millis(300)).await;
    }
    assert_eq!(closed(&mut client).await.1, "");
    assert!(began.elapsed() < millis(2400));
}

#[tokio::test(start_paused = true)]
async fn a_request_in_pieces_is_answered_if_they_come_in_time() {
    let house = House::ready(8);
    let mut client = house.connect().await;
    for _ in 0..2 {
        let (start, end) = REQUEST.split_at(20);
        send(&mut client, start).await;
        sleep(millis(1900)).await;
        send(&mut client, end).await;
        assert_eq!(receive(&mut client).await.0, 200);
    }
    assert_eq!(closed(&mut client).await.0, seconds(75));
}

#[tokio::test(start_paused = true)]
async fn requests_three_seconds_apart_share_a_connection() {
    let house = House::ready(8);
    let mut client = house.connect().await;
    for _ in 0..5 {
        assert_eq!(ask(&mut client).await, 200);
        sleep(seconds(3)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn pipelined_requests_are_all_answered() {
    let house = House::ready(8);
    let mut client = house.connect().await;
    send(&mut client, &REQUEST.repeat(20)).await;
    for _ in 0..20 {
        assert_eq!(receive(&mut client).await.0, 200);
    }
    assert_eq!(closed(&mut client).await.0, seconds(75));
}

#[tokio::test(start_paused = true)]
async fn half_a_request_behind_a_whole_one_has_two_seconds_as_well() {
    let house = House::ready(8);
    let mut client = house.connect().await;
    send(&mut client, &format!("{REQUEST}GET /v1")).await;
    assert_eq!(receive(&mut client).await.0, 200);
    assert_eq!(closed(&mut client).await.0, seconds(2));
}

#[tokio::test(start_paused = true)]
async fn empty_lines_between_requests_do_no_harm() {
    let house = House::ready(8);
    let mut client = house.connect().await;
    send(&mut client, &format!("\r\n{REQUEST}")).await;
    assert_eq!(receive(&mut client).await.0, 200);
    assert_eq!(ask(&mut client).await, 200);
}

#[tokio::test(start_paused = true)]
async fn a_response_that_is_not_taken_is_cut_after_ten_seconds() {
    let house = House::ready(8);
    let mut client = house.connect_through(64).await;
    send(&mut client, REQUEST).await;
    sleep(millis(9_999)).await;
    assert!(house.counts(r#"connections{endpoint="container"} 1"#));
    sleep(millis(2)).await;
    assert!(house.counts(r#"connections{endpoint="container"} 0"#));
    assert!(house.counts(r#"connections_closed_total{endpoint="container",reason="slow_response"} 1"#));
}

#[tokio::test(start_paused = true)]
async fn waits_for_the_first_credentials_for_700_ms_at_most() {
    let house = House::new(8);
    let mut client = house.connect().await;
    let began = Instant::now();
    send(&mut client, REQUEST).await;
    let (status, body) = receive(&mut client).await;
    assert_eq!((status, began.elapsed()), (503, millis(700)));
    assert_eq!(body, r#"{"code":"CredentialsUninitialized","message":"no credentials yet. Wait."}"#);

    send(&mut client, REQUEST).await;
    sleep(millis(600)).await;
    house.publish(seconds(3600));
    assert_eq!(receive(&mut client).await.0, 200);
    assert_eq!(began.elapsed(), millis(1300));
}

/// Some of its clients give up after half a second, and take what they find next.
#[tokio::test(start_paused = true)]
async fn the_metadata_service_waits_for_300_ms_at_most() {
    let house = House::imds(8);
    let mut client = house.connect().await;
    let path = "/latest/meta-data/iam/security-credentials";
    let began = Instant::now();
    send(&mut client, &format!("GET {path}/app HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
    assert_eq!((receive(&mut client).await.0, began.elapsed()), (503, millis(300)));
    // Which role there is, is known without them.
    send(&mut client, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
    assert_eq!(receive(&mut client).await, (200, "app".to_owned()));
    send(&mut client, &format!("GET {path}/app HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
    sleep(millis(200)).await;
    house.publish(seconds(3600));
    assert_eq!((receive(&mut client).await.0, began.elapsed()), (200, millis(500)));
}

#[tokio::test(start_paused = true)]
async fn a_failure_meanwhile_does_not_end_the_wait_but_is_what_is_told() {
    let house = House::new(8);
    let mut client = house.connect().await;
    let began = Instant::now();
    send(&mut client, REQUEST).await;
    sleep(millis(100)).await;
    let mut state = (*house.publisher.current()).clone();
    let problem = state.problem.as_mut().unwrap();
    (problem.code, problem.message) = ("AccessDenied", "STS says no.".to_owned());
    house.publisher.publish(state);
    let (status, body) = receive(&mut client).await;
    assert_eq!((status, began.elapsed()), (503, millis(700)));
    assert_eq!(body, r#"{"code":"AccessDenied","message":"STS says no. Wait."}"#);
}

#[tokio::test(start_paused = true)]
async fn once_there_were_credentials_nothing_waits() {
    let house = House::new(8);
    house.publish(seconds(3600));
    let mut client = house.connect().await;
    assert_eq!(ask(&mut client).await, 200);
    sleep(seconds(3541)).await;
    let mut client = house.connect().await;
    let began = Instant::now();
    send(&mut client, REQUEST).await;
    let (status, body) = receive(&mut client).await;
    assert_eq!((status, began.elapsed()), (503, Duration::ZERO));
    assert!(body.starts_with(r#"{"code":"CredentialsExpired""#), "{body}");
}

#[tokio::test(start_paused = true)]
async fn makes_room_by_closing_the_longest_idle() {
    let house = House::ready(3);
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(house.connect().await);
        sleep(seconds(1)).await;
    }
    for index in [1, 0, 2] {
        assert_eq!(ask(&mut clients[index]).await, 200);
        sleep(seconds(1)).await;
    }
    let newest = house.connect().await;
    assert_eq!(closed(&mut clients[1]).await.0, Duration::ZERO);
    clients.remove(1);
    clients.push(newest);
    for client in &mut clients {
        assert_eq!(ask(client).await, 200);
    }
    assert!(house.counts(r#"connections_closed_total{endpoint="container",reason="no_room"} 1"#));
}

#[tokio::test(start_paused = true)]
async fn the_1025th_connection_takes_the_place_of_the_longest_idle() {
    let house = House::ready(MAX_CONNECTIONS);
    let mut clients = Vec::new();
    for _ in 0..1024 {
        let mut client = house.connect().await;
        assert_eq!(ask(&mut client).await, 200);
        clients.push(client);
        sleep(millis(1)).await;
    }
    assert_eq!(ask(&mut clients[0]).await, 200);
    assert!(house.counts(r#"connections{endpoint="container"} 1024"#));
    let mut newest = house.connect().await;
    assert_eq!(closed(&mut clients[1]).await.0, Duration::ZERO);
    assert!(house.counts(r#"connections{endpoint="container"} 1024"#));
    for client in [&mut newest, &mut clients[0]] {
        assert_eq!(ask(client).await, 200);
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_has_come_is_answered_before_its_connection_makes_room() {
    let house = House::ready(1);
    let mut client = house.connect().await;
    assert_eq!(ask(&mut client).await, 200);
    send(&mut client, REQUEST).await;
    house.roster.make_room(house.clock.steady());
    assert_eq!(receive(&mut client).await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_http_is_counted() {
    let house = House::ready(8);
    let mut client = house.connect().await;
    send(&mut client, "not HTTP at all\r\n\r\n").await;
    assert!(closed(&mut client).await.1.starts_with("HTTP/1.1 400 "));
    assert!(house.counts(r#"connections_closed_total{endpoint="container",reason="malformed"} 1"#));
}

#[tokio::test(start_paused = true)]
async fn a_stalled_peer_makes_room_too() {
    let house = House::ready(2);
    let mut slow = house.connect().await;
    send(&mut slow, "GET /v1").await;
    let mut silent = house.connect().await;
    sleep(millis(50)).await;
    let began = Instant::now();
    let mut first = house.connect().await;
    assert!((millis(50)..millis(70)).contains(&began.elapsed()), "{:?}", began.elapsed());
    assert_eq!(closed(&mut slow).await.1, "");
    assert_eq!(ask(&mut first).await, 200);
    let mut second = house.connect().await;
    assert_eq!(closed(&mut silent).await.1, "");
    assert_eq!(ask(&mut second).await, 200);
    assert_eq!(ask(&mut first).await, 200);
}

#[tokio::test(start_paused = true)]
async fn while_all_are_being_answered_accepting_waits() {
    let house = House::new(2);
    let mut clients = [house.connect().await, house.connect().await];
    for client in &mut clients {
        send(client, LAST_REQUEST).await;
    }
    sleep(millis(1)).await;
    let began = Instant::now();
    let mut newest = house.connect().await;
    assert_eq!(began.elapsed(), millis(699));
    for client in &mut clients {
        assert_eq!(receive(client).await.0, 503);
    }
    send(&mut newest, REQUEST).await;
    assert_eq!(receive(&mut newest).await.0, 503);
}

#[tokio::test(start_paused = true)]
async fn finishing_closes_the_idle_and_lets_the_others_end() {
    let house = House::new(8);
    let mut idle = house.connect().await;
    let mut waiting = house.connect().await;
    send(&mut waiting, REQUEST).await;
    let mut half = house.connect().await;
    send(&mut half, &REQUEST[..20]).await;
    sleep(millis(1)).await;
    house.roster.ask(Order::Finish);
    assert_eq!(closed(&mut idle).await.0, Duration::ZERO);
    house.publish(seconds(3600));
    assert_eq!(receive(&mut waiting).await.0, 200);
    assert_eq!(closed(&mut waiting).await.0, Duration::ZERO);
    send(&mut half, &REQUEST[20..]).await;
    assert_eq!(receive(&mut half).await.0, 200);
    assert_eq!(closed(&mut half).await.0, Duration::ZERO);
    house.roster.empty().await;
}

#[tokio::test(start_paused = true)]
async fn cutting_closes_everything() {
    let house = House::new(8);
    let mut clients = [house.connect().await, house.connect().await];
    send(&mut clients[1], REQUEST).await;
    sleep(millis(1)).await;
    house.roster.ask(Order::Cut);
    house.roster.empty().await;
    for client in &mut clients {
        assert_eq!(closed(client).await.1, "");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_is_refused_and_never_taken_for_a_request() {
    let house = House::ready(8);
    let smuggled = "GET /v1/credentials HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let length = smuggled.len();
    for (method, framing, body, expected) in [
        ("GET", format!("Content-Length: {length}"), smuggled.to_owned(), 413),
        (
            "GET",
            "Transfer-Encoding: chunked".to_owned(),
            format!("{length:x}\r\n{smuggled}\r\n0\r\n\r\n"),
            413,
        ),
        ("GET", "Transfer-Encoding: chunked".to_owned(), "zz".to_owned(), 413),
        ("GET", "Content-Length: 9".to_owned(), "abc".to_owned(), 413),
        ("POST", "Content-Length: 60000".to_owned(), "x".repeat(60_000), 405),
    ] {
        let mut client = house.connect().await;
        let head = format!("{method} /v1/credentials HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n");
        send(&mut client, &(head + &body)).await;
        assert_eq!(receive(&mut client).await.0, expected, "{framing}");
        assert_eq!(closed(&mut client).await, (Duration::ZERO, String::new()), "{framing}");
    }
}

/// Fails as scripted, then hands out what it was given, then waits.
struct Script(Mutex<VecDeque<io::Result<DuplexStream>>>);

impl Source for Script {
    type Stream = DuplexStream;

    async fn accept(&self) -> io::Result<(DuplexStream, Caller)> {
        let next = self.0.lock().unwrap().pop_front();
        match next {
            Some(accepted) => accepted
                .map(|stream| (stream, Caller::new(Ipv4Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()))),
            None => std::future::pending().await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_failure_to_accept_ends_the_loop() {
    const EMFILE: i32 = 24;
    const ENFILE: i32 = 23;
    const ECONNABORTED: i32 = 103;
    let house = House::ready(8);
    let mut idle = house.connect().await;
    assert_eq!(ask(&mut idle).await, 200);
    let (mut client, server) = duplex(BUFFER);
    let mut script: VecDeque<_> =
        [EMFILE, ENFILE, ECONNABORTED, EMFILE].map(|code| Err(io::Error::from_raw_os_error(code))).into();
    script.push_back(Ok(server));
    let acceptor = Acceptor::new(Script(Mutex::new(script)), house.place.clone(), house.roster.clone(), None);
    let began = Instant::now();
    tokio::spawn(acceptor.run());
    assert_eq!(ask(&mut client).await, 200);
    assert_eq!(began.elapsed(), millis(400), "a pause after each, so that it does not spin");
    assert!(house.counts(r#"accept_errors_total{endpoint="container"} 4"#));
    // Someone idle gave a file back.
    assert_eq!(closed(&mut idle).await.0, Duration::ZERO);
}

#[tokio::test]
async fn a_taken_port_names_the_setting_and_the_mend() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address: SocketAddr = taken.local_addr().unwrap();
    let free: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let listener = |address, is_default| Listeners {
        listeners: vec![config::Listener {
            address,
            serves: Serves::Container,
            allow_unauthenticated: false,
            is_default,
        }],
        authorization: None,
    };
    let admin = |address| AdminListener { address, is_default: false };
    for (listeners, admin, setting) in [
        (listener(address, true), admin(free), "IRSA_SIDECAR_PORT"),
        (listener(address, false), admin(free), "IRSA_SIDECAR_LISTEN"),
        (listener(free, true), admin(address), "IRSA_SIDECAR_ADMIN_LISTEN"),
    ] {
        let error = bind(&listeners, Some(&admin)).err().unwrap();
        assert_eq!((error.code(), error.setting, error.address), ("PortInUse", setting, address));
        let text = error.to_string();
        assert!(
            text.contains(&address.to_string()) && text.contains(&format!("another port with {setting}")),
            "{text}"
        );
    }
}

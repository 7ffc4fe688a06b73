//! The world's levers over HTTP, for shells and for tests in other languages.
//!
//! | request | does |
//! |---|---|
//! | `GET /_emulator` | the addresses and the environment, as on the first line of the program |
//! | `GET /_emulator/calls` | the log of calls |
//! | `GET /_emulator/wait?calls=N` | the same, once N calls have ended |
//! | `GET /_emulator/in-progress` | how many calls are not answered yet, and how many were at most: `{"now":0,"most":3}` |
//! | `POST /_emulator/fault` | adds a [`Fault`]: `{"kind":"throttle","times":3,"retry_after":2}` |
//! | `POST /_emulator/mend?role=ARN` | ends the faults that are for this role alone |
//! | `POST /_emulator/clear` | ends all faults, and listens again |
//! | `POST /_emulator/refuse`, `…/listen` | closes STS's port, opens it again |
//! | `POST /_emulator/issuer/refuse`, `…/listen`, `…/rotate-keys`, `…/retire-keys` | the same for the issuer, and its keys |
//! | `POST /_emulator/clock?advance=SECONDS` | moves the world's clock; may be negative |
//! | `POST /_emulator/session?seconds=N` | how long sessions last; `0` gives what is asked for again |
//! | `POST /_emulator/token/rotate`, `…/remove`, `…/half`, `…/empty`, `…/oversized`, `…/not-utf8`, `…/expired` | the token in the volume |
//!
//! A POST answers 204, and a mistake 400 with the reason.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use crate::kubelet::Corruption;
use crate::listen::reply::Paced;
use crate::listen::{Listener, Reply, plain};
use crate::sts::Fault;
use crate::world::{REGION, World};

const ROOT: &str = "/_emulator";

/// A running control endpoint. Dropping it closes its port.
#[derive(Debug)]
pub struct Control {
    listener: Listener,
}

/// Why a request did nothing.
enum Refused {
    NoSuchLever,
    Mistake(String),
}

type Answer = Result<Option<Value>, Refused>;

impl Control {
    pub async fn start(world: Arc<World>, address: SocketAddr) -> io::Result<Self> {
        let handler = Arc::new(move |request| -> std::pin::Pin<Box<dyn Future<Output = Reply> + Send>> {
            let world = Arc::clone(&world);
            Box::pin(async move { Reply::Send(respond(pull(&world, &request).await)) })
        });
        Ok(Self { listener: Listener::bind(address, None, handler).await? })
    }

    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }
}

/// The addresses of a world and the environment for a client in it.
pub fn describe(world: &World, control: Option<SocketAddr>) -> Value {
    let mut env = world.env();
    // The EKS webhook sets both: botocore reads this one alone.
    env.insert("AWS_DEFAULT_REGION".to_owned(), REGION.to_owned());
    json!({
        "sts": world.sts.url(),
        "issuer": world.issuer.url(),
        "control": control.map(|address| format!("http://{address}{ROOT}")),
        "env": env,
    })
}

async fn pull(world: &World, request: &Request<Bytes>) -> Answer {
    let path = request.uri().path().trim_end_matches('/');
    let lever = path.strip_prefix(ROOT).ok_or(Refused::NoSuchLever)?;
    match (request.method(), lever) {
        (&Method::GET, "") => Ok(Some(describe(world, None))),
        (&Method::GET, "/calls") => Ok(Some(json!(world.sts.calls()))),
        (&Method::GET, "/wait") => {
            let count = parameter(request, "calls")?;
            Ok(Some(json!(world.sts.wait_for_calls(count).await?)))
        }
        (&Method::GET, "/in-progress") => {
            Ok(Some(json!({ "now": world.sts.in_progress(), "most": world.sts.most_in_progress() })))
        }
        (&Method::POST, lever) => act(world, lever, request).await.map(|()| None),
        _ => Err(Refused::NoSuchLever),
    }
}

async fn act(world: &World, lever: &str, request: &Request<Bytes>) -> Result<(), Refused> {
    match lever {
        "/fault" => world.sts.inject(Fault::from_json(request.body()).map_err(Refused::Mistake)?),
        "/mend" => world.sts.mend(&parameter::<String>(request, "role")?),
        "/clear" => world.sts.clear().await?,
        "/refuse" => world.sts.refuse().await,
        "/listen" => world.sts.listen_again().await?,
        "/issuer/refuse" => world.issuer.refuse().await,
        "/issuer/listen" => world.issuer.listen_again().await?,
        "/issuer/rotate-keys" => world.issuer.rotate_keys(),
        "/issuer/retire-keys" => {
            world.issuer.retire_old_keys();
            world.sts.forget_issuer_keys();
        }
        "/clock" => {
            let seconds: i64 = parameter(request, "advance")?;
            let by = Duration::from_secs(seconds.unsigned_abs());
            if seconds < 0 { world.clock.rewind(by) } else { world.clock.advance(by) }
        }
        "/session" => {
            let seconds: u64 = parameter(request, "seconds")?;
            world.sts.set_session_life((seconds > 0).then(|| Duration::from_secs(seconds)));
        }
        _ => token(world, lever.strip_prefix("/token/").ok_or(Refused::NoSuchLever)?)?,
    }
    Ok(())
}

fn token(world: &World, lever: &str) -> Result<(), Refused> {
    let corruption = match lever {
        "rotate" => return Ok(world.rotate_token().map(drop)?),
        "remove" => return Ok(world.volume.remove()?),
        "expired" => {
            return Ok(world.volume.rotate(world.token().expired_for(Duration::from_secs(60)).mint())?);
        }
        "half" => Corruption::HalfWritten,
        "empty" => Corruption::Empty,
        "oversized" => Corruption::Oversized,
        "not-utf8" => Corruption::NotUtf8,
        _ => return Err(Refused::NoSuchLever),
    };
    Ok(world.volume.corrupt(corruption)?)
}

fn parameter<T: std::str::FromStr>(request: &Request<Bytes>, name: &str) -> Result<T, Refused> {
    let query = request.uri().query().unwrap_or_default();
    query
        .split('&')
        .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
        .and_then(|value| value.parse().ok())
        .ok_or_else(|| Refused::Mistake(wanted(name)))
}

fn wanted(name: &str) -> String {
    match name {
        "role" => "a role's ARN is wanted: ?role=ARN".to_owned(),
        _ => format!("a whole number is wanted: ?{name}=N"),
    }
}

fn respond(answer: Answer) -> Response<Paced> {
    match answer {
        Ok(Some(value)) => plain(StatusCode::OK, "application/json", Paced::whole(format!("{value}\n"))),
        Ok(None) => plain(StatusCode::NO_CONTENT, "text/plain", Paced::whole("")),
        Err(Refused::NoSuchLever) => {
            plain(StatusCode::NOT_FOUND, "text/plain", Paced::whole("no such lever; see GET /_emulator\n"))
        }
        Err(Refused::Mistake(why)) => {
            plain(StatusCode::BAD_REQUEST, "text/plain", Paced::whole(format!("{why}\n")))
        }
    }
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Mistake(error.to_string())
    }
}

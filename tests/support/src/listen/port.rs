//! One address on which connections are accepted, each for a conversation of its own, until it is closed.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

const AFTER_ACCEPT_ERROR: Duration = Duration::from_millis(50);

pub(crate) type Conversation =
    Arc<dyn Fn(TcpStream) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// A bound port. Dropping it closes it, and every connection.
pub(crate) struct Port {
    address: SocketAddr,
    conversation: Conversation,
    running: Mutex<Option<Running>>,
}

struct Running {
    stop: oneshot::Sender<Infallible>,
    accepting: JoinHandle<()>,
}

impl Port {
    pub(crate) fn open(socket: TcpListener, conversation: Conversation) -> io::Result<Self> {
        let address = socket.local_addr()?;
        let running = Mutex::new(Some(Running::start(socket, Arc::clone(&conversation))));
        Ok(Self { address, conversation, running })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes the port and all connections; on return a new connection is refused.
    pub(crate) async fn refuse(&self) {
        if let Some(Running { stop, accepting }) = self.running.lock().await.take() {
            drop(stop);
            let _ = accepting.await;
        }
    }

    /// Listens again on the same port; does nothing while already listening.
    pub(crate) async fn listen_again(&self) -> io::Result<()> {
        let mut running = self.running.lock().await;
        if running.is_none() {
            let socket = TcpListener::bind(self.address).await?;
            *running = Some(Running::start(socket, Arc::clone(&self.conversation)));
        }
        Ok(())
    }
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Port").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Running {
    fn start(socket: TcpListener, conversation: Conversation) -> Self {
        let (stop, stopped) = oneshot::channel();
        Self { stop, accepting: tokio::spawn(accept(socket, conversation, stopped)) }
    }
}

async fn accept(socket: TcpListener, conversation: Conversation, mut stopped: oneshot::Receiver<Infallible>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            Some(_) = connections.join_next() => {}
            accepted = socket.accept() => {
                match accepted {
                    Ok((stream, _)) => {
                        let _ = stream.set_nodelay(true);
                        connections.spawn(conversation(stream));
                    }
                    // A connection that died in the backlog, or no file descriptors left: neither is the end.
                    Err(_) => sleep(AFTER_ACCEPT_ERROR).await,
                }
            }
        }
    }
    drop(socket);
    connections.shutdown().await;
}

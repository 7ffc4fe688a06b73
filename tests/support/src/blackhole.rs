//! An address that accepts connections and never says a word: what a dropped route looks like to a client.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::sleep;

const AFTER_ACCEPT_ERROR: Duration = Duration::from_millis(50);

/// Dropping it closes the port and every connection that it holds.
#[derive(Debug)]
pub struct BlackHole {
    address: SocketAddr,
    swallowed: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl BlackHole {
    pub async fn open() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let swallowed = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&swallowed);
        let accepting = tokio::spawn(async move {
            let mut held = Vec::new();
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => held.push(stream),
                    Err(_) => sleep(AFTER_ACCEPT_ERROR).await,
                }
                counter.store(held.len(), Ordering::SeqCst);
            }
        });
        Ok(Self { address, swallowed, accepting })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections it has accepted.
    pub fn swallowed(&self) -> usize {
        self.swallowed.load(Ordering::SeqCst)
    }
}

impl Drop for BlackHole {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

//! A connection's bytes on their way to hyper, watched.
//!
//! hyper's own time-out for heads runs while a connection is idle too, and it cannot say whether part of the next
//! request already lies in its buffer. Both follow from what passes here: the first byte, and whether the last bytes
//! ended a head.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;

use crate::serve::activity::Activity;
use crate::serve::activity::Phase;

/// How much of an unread request is read away before closing, so that the peer sees our answer and not a reset.
const LINGER_READS: usize = 32;
const LINGER_CHUNK: usize = 2048;

#[derive(Debug)]
pub(super) struct Watched<T> {
    inner: T,
    activity: Arc<Activity>,
    /// The last bytes read, newest lowest.
    tail: u32,
}

impl<T> Watched<T> {
    pub(super) fn new(inner: T, activity: Arc<Activity>) -> Self {
        Self { inner, activity, tail: 0 }
    }

    fn read(&mut self, bytes: &[u8]) {
        for byte in &bytes[bytes.len().saturating_sub(4)..] {
            self.tail = self.tail << 8 | u32::from(*byte);
        }
        self.activity.received(ends_a_head(self.tail));
    }
}

/// An empty line, with or without the carriage return that parsers forgive the lack of.
fn ends_a_head(tail: u32) -> bool {
    tail & 0xff_ffff == u32::from_be_bytes(*b"\0\n\r\n") || tail & 0xffff == u32::from_be_bytes(*b"\0\0\n\n")
}

impl<T: AsyncRead + AsyncWrite + Unpin> Watched<T> {
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        for _ in 0..LINGER_READS {
            let mut chunk = [0; LINGER_CHUNK];
            let mut buffer = ReadBuf::new(&mut chunk);
            match Pin::new(&mut self.inner).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
                _ => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.inner).poll_read(cx, buffer))?;
        let read = &buffer.filled()[before..];
        if !read.is_empty() {
            this.read(read);
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    /// hyper flushes when it has nothing left to write.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.inner).poll_flush(cx))?;
        this.activity.flushed();
        Poll::Ready(Ok(()))
    }

    /// Closing says goodbye by itself, unless bytes are unread: then it is a reset, which can overtake our answer.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if matches!(this.activity.phase(), Phase::Fresh | Phase::Idle) {
            return Poll::Ready(Ok(()));
        }
        ready!(Pin::new(&mut this.inner).poll_shutdown(cx))?;
        this.poll_linger(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_end_of_a_head() {
        for (text, ends) in [
            ("GET / HTTP/1.1\r\n\r\n", true),
            ("GET / HTTP/1.1\n\n", true),
            ("GET / HTTP/1.1\n\r\n", true),
            ("GET / HTTP/1.1\r\n\r", false),
            ("GET / HTTP/1.1\r\n", false),
            ("\r\n\r\nG", false),
        ] {
            let mut tail = 0;
            for byte in text.bytes() {
                tail = tail << 8 | u32::from(byte);
            }
            assert_eq!(ends_a_head(tail), ends, "{text:?}");
        }
    }
}

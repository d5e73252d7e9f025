//! A stream of a direct connection.

use super::channel::Channel;
use futures::io::{AsyncRead, AsyncWrite};
use send_wrapper::SendWrapper;
use std::{
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

/// A stream of a direct connection.
///
/// Writing waits while the browser holds a quarter of a megabyte of this stream that it has not
/// sent. Flushing does not wait: what is written is on its way. Closing ends the half that writes,
/// and returns when the end is on its way; the other end acknowledges it in the background.
/// Dropped without having been closed, the stream is reset.
pub struct Stream(SendWrapper<Rc<Channel>>);

impl Stream {
    pub(super) fn new(channel: Rc<Channel>) -> Self {
        Self(SendWrapper::new(channel))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_read(cx, into)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_end(cx)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.drop_handle();
    }
}

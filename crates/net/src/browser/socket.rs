//! What libp2p's WebSocket for browsers leaves out.
//!
//! * Its flush waits until the browser has sent everything, which it looks at every 100 ms only;
//!   with four flushes a handshake takes 400 ms longer than the network does. Bytes handed to the
//!   browser are on their way, so flushing is a matter of course here.
//! * It wakes nobody when a socket fails to open or is closed by the other side. Here whoever
//!   waits looks again four times a second.

use futures::{AsyncRead, AsyncWrite, FutureExt};
use futures_timer::Delay;
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

/// How often one who waits looks whether the socket is still there.
const LOOK: Duration = Duration::from_millis(250);

/// A socket that notices its end and does not dawdle.
pub(super) struct Socket<S> {
    inner: S,
    reader: Delay,
    writer: Delay,
}

impl<S> Socket<S> {
    pub(super) fn new(inner: S) -> Self {
        Self { inner, reader: Delay::new(LOOK), writer: Delay::new(LOOK) }
    }
}

/// Tries, and while that has to wait, again at each look.
fn look_again<S, T>(
    inner: &mut S,
    delay: &mut Delay,
    cx: &mut Context<'_>,
    mut attempt: impl FnMut(Pin<&mut S>, &mut Context<'_>) -> Poll<T>,
) -> Poll<T>
where
    S: Unpin,
{
    loop {
        if let Poll::Ready(done) = attempt(Pin::new(inner), cx) {
            return Poll::Ready(done);
        }
        if delay.poll_unpin(cx).is_pending() {
            return Poll::Pending;
        }
        delay.reset(LOOK);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Socket<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let Self { inner, reader, .. } = self.get_mut();
        look_again(inner, reader, cx, |inner, cx| inner.poll_read(cx, buffer))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Self { inner, writer, .. } = self.get_mut();
        look_again(inner, writer, cx, |inner, cx| inner.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_close(cx)
    }
}

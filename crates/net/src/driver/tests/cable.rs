//! What links run on, which can be cut without either end hearing of it.

use futures::{AsyncRead, AsyncWrite};
use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

/// All cables of a device.
#[derive(Clone, Default)]
pub(super) struct Cables(Arc<AtomicU64>);

impl Cables {
    /// Nothing passes on those that there are, from now on.
    pub(super) fn cut(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn lay<S>(&self, stream: S) -> Cable<S> {
        Cable { stream, laid: self.0.load(Ordering::Relaxed), cuts: self.clone() }
    }
}

pub(super) struct Cable<S> {
    stream: S,
    laid: u64,
    cuts: Cables,
}

impl<S> Cable<S> {
    fn is_cut(&self) -> bool {
        self.laid < self.cuts.0.load(Ordering::Relaxed)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Cable<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_cut() { Poll::Pending } else { Pin::new(&mut self.stream).poll_read(cx, buf) }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Cable<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_cut() { Poll::Pending } else { Pin::new(&mut self.stream).poll_write(cx, buf) }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_cut() { Poll::Pending } else { Pin::new(&mut self.stream).poll_flush(cx) }
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_cut() { Poll::Pending } else { Pin::new(&mut self.stream).poll_close(cx) }
    }
}

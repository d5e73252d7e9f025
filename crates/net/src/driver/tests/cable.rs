//! What links run on, which can be cut without either end hearing of it.

use futures::{AsyncRead, AsyncWrite};
use std::{
    io::{self, Cursor, Read},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Sleep, sleep};

const LATENCY: Duration = Duration::from_millis(20);
const MOST: usize = 65_536;

/// All cables of a device.
#[derive(Clone, Default)]
pub(super) struct Cables(Arc<State>);

#[derive(Default)]
struct State {
    cuts: AtomicU64,
    slow: AtomicBool,
}

impl Cables {
    /// Nothing passes on those that there are, from now on.
    pub(super) fn cut(&self) {
        self.0.cuts.fetch_add(1, Ordering::Relaxed);
    }

    /// Whatever comes takes [`LATENCY`] from now on.
    pub(super) fn slow_down(&self) {
        self.0.slow.store(true, Ordering::Relaxed);
    }

    pub(super) fn lay<S>(&self, stream: S) -> Cable<S> {
        Cable {
            stream,
            laid: self.0.cuts.load(Ordering::Relaxed),
            all: self.clone(),
            under_way: None,
        }
    }
}

/// When it is there, and what.
type UnderWay = (Pin<Box<Sleep>>, Cursor<Vec<u8>>);

pub(super) struct Cable<S> {
    stream: S,
    laid: u64,
    all: Cables,
    /// What comes next, on a slow cable.
    under_way: Option<UnderWay>,
}

impl<S> Cable<S> {
    fn is_cut(&self) -> bool {
        self.laid < self.all.0.cuts.load(Ordering::Relaxed)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Cable<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_cut() {
            return Poll::Pending;
        }
        if !self.all.0.slow.load(Ordering::Relaxed) && self.under_way.is_none() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let Self { stream, under_way, .. } = &mut *self;
        if under_way.is_none() {
            let mut bytes = vec![0; MOST];
            let length = ready!(Pin::new(stream).poll_read(cx, &mut bytes))?;
            bytes.truncate(length);
            *under_way = Some((Box::pin(sleep(LATENCY)), Cursor::new(bytes)));
        }
        let Some((arrival, bytes)) = under_way else { return Poll::Pending };
        ready!(arrival.as_mut().poll(cx));
        let read = bytes.read(buf)?;
        let over = u64::try_from(bytes.get_ref().len()).is_ok_and(|all| bytes.position() >= all);
        under_way.take_if(|_| over);
        Poll::Ready(Ok(read))
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

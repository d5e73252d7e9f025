//! A relay that does to circuits what a test says.

use super::{RelayTask, secret};
use crate::relay::{Relay, Settings};
use futures::{AsyncRead, AsyncWrite, FutureExt, future::BoxFuture};
use libp2p::core::muxing::{StreamMuxer, StreamMuxerBox, StreamMuxerEvent};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::sync::watch;

/// On such a stream a relay hands a circuit to the device that was dialled.
const STOP: &[u8] = b"/libp2p/circuit/relay/0.2.0/stop";
/// The protocol's name is within so many bytes.
const HEAD: usize = 128;

/// What is done to circuits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// What the device that was dialled says waits until this is over.
    Hold,
    /// Whatever that device hears is another than what was said.
    Spoil,
}

/// How the circuits of a relay fare.
#[derive(Clone)]
pub(super) struct Circuits {
    fault: watch::Sender<Fault>,
    /// How many of them it was done to.
    hit: watch::Sender<usize>,
}

impl Circuits {
    /// A relay whose circuits suffer this once so many bytes passed, for each.
    pub(super) async fn through(fault: Fault, after: usize) -> (Self, RelayTask) {
        let circuits = Self { fault: watch::Sender::new(fault), hit: watch::Sender::new(0) };
        let theirs = circuits.clone();
        let spoilt = move |muxer| {
            let circuits = theirs.clone();
            StreamMuxerBox::new(Spoilt { muxer, circuits, after })
        };
        let relay = Relay::over(&secret(), Settings::default(), spoilt).unwrap();
        (circuits, RelayTask::run(relay).await)
    }

    pub(super) fn suffer(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// To how many it was done.
    pub(super) fn count(&self) -> usize {
        *self.hit.borrow()
    }

    /// Waits until it was done to so many.
    pub(super) async fn hit(&self, count: usize) {
        self.hit.subscribe().wait_for(|hit| *hit >= count).await.unwrap();
    }
}

struct Spoilt {
    muxer: StreamMuxerBox,
    circuits: Circuits,
    after: usize,
}

impl Spoilt {
    fn stream<S>(&self, stream: S) -> SpoiltStream<S> {
        let (circuits, after) = (self.circuits.clone(), self.after);
        SpoiltStream { stream, circuits, after, head: Vec::new(), said: 0, hit: false, hold: None }
    }
}

impl StreamMuxer for Spoilt {
    type Substream = SpoiltStream<<StreamMuxerBox as StreamMuxer>::Substream>;
    type Error = io::Error;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Self::Substream>> {
        let stream = ready!(Pin::new(&mut self.muxer).poll_inbound(cx))?;
        Poll::Ready(Ok(self.stream(stream)))
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Self::Substream>> {
        let stream = ready!(Pin::new(&mut self.muxer).poll_outbound(cx))?;
        Poll::Ready(Ok(self.stream(stream)))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.muxer).poll_close(cx)
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
        Pin::new(&mut self.muxer).poll(cx)
    }
}

struct SpoiltStream<S> {
    stream: S,
    circuits: Circuits,
    after: usize,
    /// The first bytes written.
    head: Vec<u8>,
    /// How many bytes were written.
    said: usize,
    hit: bool,
    /// Until what is said passes again.
    hold: Option<BoxFuture<'static, ()>>,
}

impl<S> SpoiltStream<S> {
    fn fault(&mut self) -> Fault {
        let circuit = self.head.windows(STOP.len()).any(|part| part == STOP);
        let fault = *self.circuits.fault.borrow();
        if !circuit || self.said <= self.after || fault == Fault::None {
            return Fault::None;
        }
        if !std::mem::replace(&mut self.hit, true) {
            self.circuits.hit.send_modify(|hit| *hit += 1);
        }
        fault
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for SpoiltStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.fault() == Fault::Hold && self.hold.is_none() {
            let mut fault = self.circuits.fault.subscribe();
            let over = async move { drop(fault.wait_for(|fault| *fault != Fault::Hold).await) };
            self.hold = Some(over.boxed());
        }
        if let Some(hold) = &mut self.hold {
            ready!(hold.poll_unpin(cx));
            self.hold = None;
        }
        Pin::new(&mut self.stream).poll_read(cx, bytes)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for SpoiltStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut said = bytes.to_vec();
        if self.fault() == Fault::Spoil
            && let Some(last) = said.last_mut()
        {
            *last ^= 1;
        }
        let count = ready!(Pin::new(&mut self.stream).poll_write(cx, &said))?;
        self.said += count;
        let room = HEAD.saturating_sub(self.head.len());
        self.head.extend(bytes.iter().take(count.min(room)));
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

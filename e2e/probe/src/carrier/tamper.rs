//! Streams of circuits, and what is done to them.

use super::Fault;
use crate::ledger::say;
use futures::{AsyncRead, AsyncWrite};
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use serde_json::json;
use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::Sleep;

/// On such a stream a relay hands a circuit to the device that was dialled.
const STOP: &[u8] = b"/libp2p/circuit/relay/0.2.0/stop";
/// The protocol's name is within so many bytes.
const HEAD: usize = 128;
/// How long each part of what a device says takes.
const DELAY: Duration = Duration::from_secs(3);

/// A connection on which circuits are tampered with.
pub(super) struct Tampering<M> {
    muxer: M,
    fault: Fault,
    after: usize,
}

impl<M> Tampering<M> {
    pub(super) const fn new(muxer: M, fault: Fault, after: usize) -> Self {
        Self { muxer, fault, after }
    }

    fn stream<S>(&self, stream: S) -> Tampered<S> {
        let (fault, after) = (self.fault, self.after);
        Tampered { stream, fault, after, head: Vec::new(), said: 0, told: false, delay: None }
    }
}

impl<M: StreamMuxer<Substream: Unpin> + Unpin> StreamMuxer for Tampering<M> {
    type Substream = Tampered<M::Substream>;
    type Error = M::Error;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        let stream = std::task::ready!(Pin::new(&mut self.muxer).poll_inbound(cx))?;
        Poll::Ready(Ok(self.stream(stream)))
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        let stream = std::task::ready!(Pin::new(&mut self.muxer).poll_outbound(cx))?;
        Poll::Ready(Ok(self.stream(stream)))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Pin::new(&mut self.muxer).poll_close(cx)
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<StreamMuxerEvent, Self::Error>> {
        Pin::new(&mut self.muxer).poll(cx)
    }
}

/// A stream on which it happens, if it is one of a circuit.
pub(super) struct Tampered<S> {
    stream: S,
    fault: Fault,
    after: usize,
    /// The first bytes written.
    head: Vec<u8>,
    /// How many bytes were written.
    said: usize,
    /// That it is tampered with was said.
    told: bool,
    delay: Option<Pin<Box<Sleep>>>,
}

impl<S> Tampered<S> {
    /// What is to be done to it now.
    fn fault(&mut self) -> Option<Fault> {
        let circuit = self.head.windows(STOP.len()).any(|part| part == STOP);
        let fault = Some(self.fault).filter(|_| circuit && self.said > self.after);
        if fault.is_some() && !std::mem::replace(&mut self.told, true) {
            say(json!({ "event": "tampered" }));
        }
        fault
    }

    /// Takes note of what was written.
    fn wrote(&mut self, bytes: &[u8]) {
        self.said += bytes.len();
        let room = HEAD.saturating_sub(self.head.len());
        self.head.extend(bytes.iter().take(room));
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tampered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self.fault() {
            Some(Fault::Drop) => return Poll::Pending,
            Some(Fault::Delay) => {
                let delay = self.delay.get_or_insert_with(|| Box::pin(tokio::time::sleep(DELAY)));
                std::task::ready!(delay.as_mut().poll(cx));
            }
            Some(Fault::Corrupt) | None => {}
        }
        let read = std::task::ready!(Pin::new(&mut self.stream).poll_read(cx, bytes));
        self.delay = None;
        Poll::Ready(read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tampered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let spoilt = match self.fault() {
            Some(Fault::Drop) => return Poll::Ready(Ok(bytes.len())),
            Some(Fault::Corrupt) => {
                let mut spoilt = bytes.to_vec();
                spoilt.iter_mut().rev().take(1).for_each(|byte| *byte ^= 1);
                Some(spoilt)
            }
            Some(Fault::Delay) | None => None,
        };
        let given = spoilt.as_deref().unwrap_or(bytes);
        let count = std::task::ready!(Pin::new(&mut self.stream).poll_write(cx, given))?;
        self.wrote(bytes.get(..count).unwrap_or(bytes));
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

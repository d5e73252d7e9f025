//! A direct connection: data channels as streams.

mod channel;
mod link;
mod stream;

pub(crate) use link::Link;
pub use stream::Stream;

use crate::{Error, shared::Fingerprints};
use futures::FutureExt;
use futures_timer::Delay;
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use send_wrapper::SendWrapper;
use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};
use web_sys::RtcPeerConnection;
use web_time::Instant;

/// How long closing waits for what was sent to be acknowledged.
const FAREWELL: Duration = Duration::from_secs(1);

/// A direct connection to another browser, encrypted by DTLS and multiplexed by SCTP. Dropped, it
/// is closed.
pub struct Connection {
    link: SendWrapper<Rc<Link>>,
    fingerprints: Fingerprints,
    timer: Option<(Instant, Delay)>,
    farewell: Option<Delay>,
}

impl Connection {
    pub(crate) fn new(link: Rc<Link>, fingerprints: Fingerprints) -> Self {
        Self { link: SendWrapper::new(link), fingerprints, timer: None, farewell: None }
    }

    /// The certificates in force at both ends.
    #[must_use]
    pub fn fingerprints(&self) -> Fingerprints {
        self.fingerprints
    }

    /// The browser's object, for its statistics. Leave its state alone.
    #[must_use]
    pub fn peer_connection(&self) -> RtcPeerConnection {
        self.link.peer_connection()
    }

    /// Sees to what has become due, and to it that this is called when something will be.
    fn keep_time(&mut self, cx: &mut Context<'_>) {
        while let Some(due) = self.link.tick() {
            // In a browser, a timer that is dropped wakes the task that polled it, so a timer made
            // anew each time would have this called without end.
            let kept = self.timer.take_if(|(at, _)| *at == due);
            let wait = || (due, Delay::new(due.saturating_duration_since(Instant::now())));
            let (_, timer) = self.timer.insert(kept.unwrap_or_else(wait));
            if timer.poll_unpin(cx).is_pending() {
                return;
            }
            self.timer = None;
        }
        self.timer = None;
    }
}

impl StreamMuxer for Connection {
    type Substream = Stream;
    type Error = Error;

    fn poll_inbound(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Stream, Error>> {
        self.link.poll_inbound(cx).map_ok(Stream::new)
    }

    fn poll_outbound(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Stream, Error>> {
        self.link.poll_outbound(cx).map_ok(Stream::new)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.keep_time(cx);
        if self.link.is_lingering(cx) {
            let farewell = self.farewell.get_or_insert_with(|| Delay::new(FAREWELL));
            ready!(farewell.poll_unpin(cx));
        }
        self.link.end(Error::Closed);
        Poll::Ready(Ok(()))
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<StreamMuxerEvent, Error>> {
        self.keep_time(cx);
        self.link.poll_end(cx).map(Err)
    }
}

//! Direct connections without a swarm on them.

use crate::nodes::{Node, join, soon};
use chats_webrtc::{Config, Connection, Error, Stream, address};
use futures::{
    FutureExt, StreamExt,
    channel::{mpsc, oneshot},
    future::Shared,
};
use libp2p::core::muxing::StreamMuxerExt;
use std::{future::poll_fn, task::Poll};
use web_sys::RtcPeerConnection;

/// One end of a direct connection; dropped, so is the connection.
pub(crate) struct Line {
    pub(crate) pc: RtcPeerConnection,
    wanted: mpsc::UnboundedSender<oneshot::Sender<Stream>>,
    inbound: mpsc::UnboundedReceiver<Stream>,
    ended: Shared<oneshot::Receiver<Error>>,
}

impl Line {
    fn new(connection: Connection) -> Self {
        let (wanted, requests) = mpsc::unbounded();
        let (sender, inbound) = mpsc::unbounded();
        let (end, ended) = oneshot::channel();
        let pc = connection.peer_connection();
        wasm_bindgen_futures::spawn_local(drive(connection, requests, sender, end));
        Self { pc, wanted, inbound, ended: ended.shared() }
    }

    /// Opens a stream.
    pub(crate) async fn open(&self) -> Stream {
        let (sender, stream) = oneshot::channel();
        self.wanted.unbounded_send(sender).unwrap();
        soon("a stream is opened", stream).await.unwrap()
    }

    /// Takes the next stream that the other end opened.
    pub(crate) async fn accept(&mut self) -> Stream {
        soon("a stream comes", self.inbound.next()).await.unwrap()
    }

    /// Waits for the end of the connection.
    pub(crate) async fn ended(&self) -> Error {
        soon("the end of the connection", self.ended.clone()).await.unwrap()
    }

    /// Whether the connection still stands.
    pub(crate) fn stands(&self) -> bool {
        self.ended.peek().is_none()
    }
}

async fn drive(
    mut connection: Connection,
    mut wanted: mpsc::UnboundedReceiver<oneshot::Sender<Stream>>,
    inbound: mpsc::UnboundedSender<Stream>,
    end: oneshot::Sender<Error>,
) {
    let mut asked = None;
    let error = poll_fn(|cx| {
        if let Poll::Ready(event) = connection.poll_unpin(cx) {
            return Poll::Ready(event.err());
        }
        while let Poll::Ready(Ok(stream)) = connection.poll_inbound_unpin(cx) {
            let _ = inbound.unbounded_send(stream);
        }
        loop {
            if asked.is_none() {
                match wanted.poll_next_unpin(cx) {
                    Poll::Ready(Some(request)) => asked = Some(request),
                    Poll::Ready(None) => return Poll::Ready(None),
                    Poll::Pending => return Poll::Pending,
                }
            }
            match connection.poll_outbound_unpin(cx) {
                Poll::Ready(Ok(stream)) => {
                    if let Some(request) = asked.take() {
                        let _ = request.send(stream);
                    }
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Some(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await;
    if let Some(error) = error {
        let _ = end.send(error);
    }
}

/// Two ends of a direct connection, which the first dialled. The nodes are gone already.
pub(crate) async fn lines() -> (Line, Line) {
    let (mut a, mut from_a) = Node::giving_away(Config::default());
    let (mut b, mut from_b) = Node::giving_away(Config::default());
    join(&mut a, &mut b).await;
    a.dial(address::over(&b.circuit, b.peer));
    let a = soon("a direct connection at the dialler", from_a.next()).await.unwrap();
    let b = soon("a direct connection at the listener", from_b.next()).await.unwrap();
    (Line::new(a), Line::new(b))
}

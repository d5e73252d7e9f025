//! Signalling that somebody disturbs.

use crate::nodes::{Node, soon};
use chats_webrtc::{
    Config, Error, Failure,
    codec::{
        Delimiter, Malformed,
        signalling::{Message, decode, encode},
    },
    state::exchange::{MAX_CANDIDATES, SignallingError},
};
use futures::{
    AsyncReadExt, AsyncWriteExt, StreamExt, TryStreamExt,
    channel::mpsc,
    io::{AsyncRead, AsyncWrite},
    stream::IntoAsyncRead,
};
use libp2p::{Multiaddr, core::Endpoint, multiaddr::Protocol, swarm::SwarmEvent};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use wasm_bindgen_test::wasm_bindgen_test;

type Chunks =
    futures::stream::Map<mpsc::UnboundedReceiver<Vec<u8>>, fn(Vec<u8>) -> io::Result<Vec<u8>>>;

/// One end of a pipe; dropped, the other end reads its end.
pub(crate) struct Pipe {
    reader: IntoAsyncRead<Chunks>,
    writer: mpsc::UnboundedSender<Vec<u8>>,
}

fn pipe() -> (Pipe, Pipe) {
    let ((to_b, from_a), (to_a, from_b)) = (mpsc::unbounded(), mpsc::unbounded());
    let end = |writer, chunks: mpsc::UnboundedReceiver<Vec<u8>>| {
        let chunks: Chunks = chunks.map(Ok);
        Pipe { reader: chunks.into_async_read(), writer }
    };
    (end(to_b, from_b), end(to_a, from_a))
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.reader).poll_read(cx, into)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let sent = self.writer.unbounded_send(bytes.to_vec());
        Poll::Ready(sent.map(|()| bytes.len()).map_err(|_| io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.close_channel();
        Poll::Ready(Ok(()))
    }
}

impl Pipe {
    async fn send(&mut self, message: &Message) {
        self.write_all(&encode(message).unwrap()).await.unwrap();
    }
}

/// Passes messages on, each as `change` makes it; `None` holds it back.
async fn pass(
    from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    change: impl Fn(Message) -> Option<Message>,
) {
    let mut from = from;
    let mut delimiter = Delimiter::default();
    let mut bytes = vec![0; 4096];
    while let Ok(size) = from.read(&mut bytes).await {
        if size == 0 {
            break;
        }
        delimiter.push(&bytes[..size]);
        while let Some(message) = delimiter.next().unwrap() {
            if let Some(message) = change(decode(message).unwrap()) {
                let _ = to.write_all(&encode(&message).unwrap()).await;
            }
        }
    }
    let _ = to.close().await;
}

fn lend(node: &Node, stream: Pipe, other: &Node, role: Endpoint) {
    let peer = other.peer;
    node.tell(move |swarm| {
        swarm.behaviour_mut().webrtc.signal_over(Box::new(stream), peer, role).unwrap();
    });
}

fn address(node: &Node) -> Multiaddr {
    Multiaddr::from(Protocol::WebRTC).with(Protocol::P2p(node.peer))
}

/// Two nodes of which the first dials the second, with somebody in between.
fn dial_through(
    config: Config,
    change: impl Fn(Message) -> Option<Message> + Clone + 'static,
) -> (Node, Node) {
    let (a, b) = (Node::start(config.clone()), Node::start(config));
    let ((at_a, near_a), (at_b, near_b)) = (pipe(), pipe());
    lend(&a, at_a, &b, Endpoint::Dialer);
    lend(&b, at_b, &a, Endpoint::Listener);
    let ((from_a, to_a), (from_b, to_b)) = (near_a.split(), near_b.split());
    wasm_bindgen_futures::spawn_local(pass(from_a, to_b, change.clone()));
    wasm_bindgen_futures::spawn_local(pass(from_b, to_a, change));
    a.dial(address(&b));
    (a, b)
}

/// A node that dials somebody who does not keep to the protocol.
pub(crate) fn dial_stranger(config: Config) -> (Node, Pipe) {
    let (node, other) = (Node::start(config.clone()), Node::start(config));
    let (lent, stranger) = pipe();
    lend(&node, lent, &other, Endpoint::Dialer);
    node.dial(address(&other));
    (node, stranger)
}

/// A node that is dialled by such a one.
fn dialled_by_stranger(config: Config) -> (Node, Pipe) {
    let (node, other) = (Node::start(config.clone()), Node::start(config));
    let (lent, stranger) = pipe();
    lend(&node, lent, &other, Endpoint::Listener);
    (node, stranger)
}

pub(crate) fn quick() -> Config {
    Config { handshake: Duration::from_secs(2), ..Config::default() }
}

pub(crate) async fn error(node: &mut Node) -> Error {
    node.failed().await.error
}

/// Changes the first digit of a fingerprint.
fn swap(sdp: &str) -> String {
    let at = sdp.find("a=fingerprint:sha-256 ").unwrap() + "a=fingerprint:sha-256 ".len();
    let digit = if sdp.as_bytes()[at] == b'0' { "1" } else { "0" };
    [&sdp[..at], digit, &sdp[at + 1..]].concat()
}

#[wasm_bindgen_test]
async fn signalling_over_a_stream_of_the_callers_making_is_enough() {
    let (mut a, mut b) = dial_through(Config::default(), Some);
    a.connected(true).await;
    let (on_b, _) = b.connected(true).await;
    b.pinged(on_b).await;
}

#[wasm_bindgen_test]
async fn a_swapped_fingerprint_in_the_answer_is_an_attack() {
    let (mut a, mut b) = dial_through(Config::default(), |message| match message {
        Message::Answer(sdp) => Some(Message::Answer(swap(&sdp))),
        other => Some(other),
    });
    assert_eq!(error(&mut a).await, Error::Untrusted);
    assert_eq!(error(&mut b).await, Error::Untrusted);
}

#[wasm_bindgen_test]
async fn a_swapped_fingerprint_in_the_offer_is_an_attack() {
    let (mut a, mut b) = dial_through(Config::default(), |message| match message {
        Message::Offer(sdp) => Some(Message::Offer(swap(&sdp))),
        other => Some(other),
    });
    assert_eq!(error(&mut b).await, Error::Untrusted);
    assert_eq!(error(&mut a).await, Error::Untrusted);
}

#[wasm_bindgen_test]
async fn candidates_that_never_come_are_not_an_attack() {
    let (mut a, mut b) = dial_through(quick(), |message| match message {
        Message::Candidate(_) => None,
        other => Some(other),
    });
    for node in [&mut a, &mut b] {
        let error = error(node).await;
        assert!(matches!(error, Error::TimedOut(_) | Error::NoPath), "{error}");
    }
}

#[wasm_bindgen_test]
async fn an_end_that_gives_up_is_not_waited_for() {
    let config = Config { handshake: Duration::from_secs(60), ..Config::default() };
    let (said, mut answers) = mpsc::unbounded();
    let (a, mut b) = dial_through(config, move |message| match message {
        Message::Candidate(_) => None,
        Message::Answer(_) => said.unbounded_send(()).ok().map(|()| message),
        other => Some(other),
    });
    let peer = a.peer;
    soon("the answer comes", answers.next()).await.unwrap();
    // Its swarm ends, and so does its signalling.
    drop(a);
    assert_eq!(b.failed().await, Failure { peer, dialled: false, error: Error::GivenUp });
}

#[wasm_bindgen_test]
async fn signalling_that_stalls_times_out_at_both_ends() {
    let (mut a, silent) = dial_stranger(quick());
    let (mut b, other) = dialled_by_stranger(quick());
    assert_eq!(error(&mut a).await, Error::TimedOut(quick().handshake));
    assert_eq!(error(&mut b).await, Error::TimedOut(quick().handshake));
    drop((silent, other));
}

#[wasm_bindgen_test]
async fn signalling_that_ends_early_is_refused() {
    let (mut node, mut stranger) = dialled_by_stranger(quick());
    stranger.write_all(&[9, 8]).await.unwrap();
    drop(stranger);
    assert_eq!(error(&mut node).await, Error::Signalling(SignallingError::EndedEarly));
}

#[wasm_bindgen_test]
async fn signalling_that_is_too_long_is_refused_at_its_length() {
    let (mut node, mut stranger) = dialled_by_stranger(quick());
    stranger.write_all(&[0xff, 0xff, 0x7f]).await.unwrap();
    let too_long = SignallingError::Malformed(Malformed::TooLong);
    assert_eq!(error(&mut node).await, Error::Signalling(too_long));
}

#[wasm_bindgen_test]
async fn signalling_that_is_no_message_is_refused() {
    let (mut node, mut stranger) = dialled_by_stranger(quick());
    stranger.write_all(b"\x05hello").await.unwrap();
    let error = error(&mut node).await;
    assert!(matches!(error, Error::Signalling(SignallingError::Malformed(_))), "{error}");
}

#[wasm_bindgen_test]
async fn descriptions_out_of_turn_are_refused() {
    let out_of_order = Error::Signalling(SignallingError::OutOfOrder);
    let (mut node, mut stranger) = dial_stranger(quick());
    stranger.send(&Message::Offer("v=0".to_owned())).await;
    assert_eq!(error(&mut node).await, out_of_order);
    let (mut node, mut stranger) = dialled_by_stranger(quick());
    stranger.send(&Message::Answer("v=0".to_owned())).await;
    assert_eq!(error(&mut node).await, out_of_order);
}

#[wasm_bindgen_test]
async fn a_description_that_the_browser_refuses_is_an_error_of_signalling() {
    let digest = ["01"; 32].join(":");
    let sdp = format!(
        "v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=fingerprint:sha-256 {digest}\r\n"
    );
    let (mut node, mut stranger) = dialled_by_stranger(quick());
    stranger.send(&Message::Offer(sdp)).await;
    assert_eq!(error(&mut node).await, Error::Signalling(SignallingError::Refused));
}

#[wasm_bindgen_test]
async fn a_flood_of_candidates_is_refused() {
    let (mut node, mut stranger) = dialled_by_stranger(quick());
    for _ in 0..=MAX_CANDIDATES {
        stranger.send(&Message::Candidate("null".to_owned())).await;
    }
    assert_eq!(error(&mut node).await, Error::Signalling(SignallingError::TooManyCandidates));
}

#[wasm_bindgen_test]
async fn an_answer_replayed_from_another_exchange_leads_nowhere() {
    let (record, tape) = mpsc::unbounded();
    let (mut a, mut b) = dial_through(Config::default(), move |message| {
        if !matches!(message, Message::Offer(_)) {
            record.unbounded_send(message.clone()).unwrap();
        }
        Some(message)
    });
    a.connected(true).await;
    b.connected(true).await;
    let (mut again, mut stranger) = dial_stranger(quick());
    drop((a, b));
    let tape: Vec<Message> = soon("the end of the tape", tape.collect()).await;
    assert!(tape.iter().any(|message| matches!(message, Message::Answer(_))));
    for message in &tape {
        stranger.send(message).await;
    }
    let error = error(&mut again).await;
    assert!(matches!(error, Error::TimedOut(_) | Error::NoPath), "{error}");
}

#[wasm_bindgen_test]
async fn no_more_connections_are_made_at_once_than_the_bound() {
    let one = Config { max_handshakes: 1, ..quick() };
    let (mut node, silent) = dial_stranger(one.clone());
    let other = Node::start(one);
    let (lent, near) = pipe();
    lend(&node, lent, &other, Endpoint::Dialer);
    let second = address(&other);
    node.tell(move |swarm| drop(swarm.dial(second)));
    let busy = node
        .until("the second dial fails", |event| match event {
            SwarmEvent::OutgoingConnectionError { error, .. } => Some(format!("{error:?}")),
            _ => None,
        })
        .await;
    assert!(busy.contains("Busy"), "{busy}");
    assert!(matches!(error(&mut node).await, Error::TimedOut(_)));
    node.dial(address(&other));
    drop((silent, near));
}

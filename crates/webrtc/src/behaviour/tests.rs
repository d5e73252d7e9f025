use super::*;
use crate::sdp::Fingerprint;
use futures::{channel::oneshot, io::Cursor, task::noop_waker};
use libp2p::core::{ConnectedPoint, transport::PortUse};
use libp2p::swarm::behaviour::{ConnectionClosed, ConnectionEstablished, DialFailure};

struct Rig {
    shared: Arc<Shared>,
    behaviour: Behaviour,
    peer: PeerId,
}

type Reply = oneshot::Receiver<Result<SignallingStream, Error>>;

fn rig(max_handshakes: usize, answer: Answer) -> Rig {
    let shared = Arc::new(Shared::new(max_handshakes));
    let behaviour = Behaviour::new(Arc::clone(&shared), answer);
    Rig { shared, behaviour, peer: PeerId::random() }
}

fn id(number: usize) -> ConnectionId {
    ConnectionId::new_unchecked(number)
}

fn endpoint(address: &str) -> ConnectedPoint {
    ConnectedPoint::Dialer {
        address: address.parse().unwrap(),
        role_override: Endpoint::Dialer,
        port_use: PortUse::Reuse,
    }
}

fn stream() -> SignallingStream {
    Box::new(Cursor::new(Vec::new()))
}

const PLAIN: &str = "/memory/1";
const CIRCUIT: &str = "/memory/1/p2p-circuit";
const DIRECT: &str = "/memory/1/p2p-circuit/webrtc";

impl Rig {
    fn begin(&mut self, number: usize, address: &str) {
        let (id, address) = (id(number), address.parse().unwrap());
        let (role, port) = (Endpoint::Dialer, PortUse::Reuse);
        let peer = self.peer;
        self.behaviour
            .handle_established_outbound_connection(id, peer, &address, role, port)
            .unwrap();
    }

    fn connect(&mut self, number: usize, address: &str) {
        self.begin(number, address);
        self.behaviour.on_swarm_event(FromSwarm::ConnectionEstablished(ConnectionEstablished {
            peer_id: self.peer,
            connection_id: id(number),
            endpoint: &endpoint(address),
            failed_addresses: &[],
            other_established: 0,
        }));
    }

    fn close(&mut self, number: usize, address: &str) {
        self.behaviour.on_swarm_event(FromSwarm::ConnectionClosed(ConnectionClosed {
            peer_id: self.peer,
            connection_id: id(number),
            endpoint: &endpoint(address),
            cause: None,
            remaining_established: 0,
        }));
    }

    fn fail_dial(&mut self, connection_id: ConnectionId, error: &DialError) {
        let failure = DialFailure { peer_id: Some(self.peer), error, connection_id };
        self.behaviour.on_swarm_event(FromSwarm::DialFailure(failure));
    }

    fn request(&self, circuit: Option<&str>) -> Reply {
        let (reply, answer) = oneshot::channel();
        let circuit = circuit.map(|address| address.parse().unwrap());
        self.shared.request(Request { peer: self.peer, circuit, reply });
        answer
    }

    fn poll(&mut self) -> Option<ToSwarm<Failure, Token>> {
        match self.behaviour.poll(&mut Context::from_waker(&noop_waker())) {
            Poll::Ready(event) => Some(event),
            Poll::Pending => None,
        }
    }

    /// The connection on which a stream is asked for, and the token.
    fn opened_on(&mut self) -> Option<(ConnectionId, Token)> {
        match self.poll() {
            Some(ToSwarm::NotifyHandler { handler: NotifyHandler::One(on), event, .. }) => {
                Some((on, event))
            }
            Some(other) => panic!("{other:?}"),
            None => None,
        }
    }

    fn dialled(&mut self) -> ConnectionId {
        match self.poll() {
            Some(ToSwarm::Dial { opts }) => opts.connection_id(),
            other => panic!("{other:?}"),
        }
    }

    fn made(&self, alive: &Arc<()>, byte: u8) {
        let print = Fingerprint([byte; 32]);
        self.shared.make(Made {
            peer: self.peer,
            dialled: true,
            fingerprints: Fingerprints { local: print, remote: print },
            alive: Arc::downgrade(alive),
        });
    }
}

fn answer(reply: &mut Reply) -> Option<Result<(), Error>> {
    reply.try_recv().unwrap().map(|answer| answer.map(drop))
}

#[test]
fn signalling_takes_the_newest_circuit_before_any_newer_connection() {
    let mut rig = rig(4, Answer::Anyone);
    rig.connect(1, CIRCUIT);
    rig.connect(2, CIRCUIT);
    rig.connect(3, PLAIN);
    rig.connect(4, DIRECT);
    let _first = rig.request(None);
    assert_eq!(rig.opened_on().unwrap().0, id(2));
    rig.close(2, CIRCUIT);
    rig.close(1, CIRCUIT);
    let _second = rig.request(None);
    assert_eq!(rig.opened_on().unwrap().0, id(3));
}

#[test]
fn signalling_never_takes_a_direct_connection() {
    let mut rig = rig(4, Answer::Anyone);
    rig.connect(1, DIRECT);
    let mut reply = rig.request(None);
    assert!(rig.opened_on().is_none());
    assert!(matches!(answer(&mut reply), Some(Err(Error::Unreachable(_)))));
}

#[test]
fn without_a_connection_the_circuit_is_dialled_first() {
    let mut rig = rig(4, Answer::Anyone);
    let mut reply = rig.request(Some(CIRCUIT));
    rig.dialled();
    assert!(rig.opened_on().is_none());
    rig.connect(1, CIRCUIT);
    let (on, token) = rig.opened_on().unwrap();
    assert_eq!(on, id(1));
    rig.behaviour.opened(token, stream());
    assert_eq!(answer(&mut reply), Some(Ok(())));
}

#[test]
fn a_circuit_that_cannot_be_dialled_is_the_reason() {
    let mut rig = rig(4, Answer::Anyone);
    let mut reply = rig.request(Some(CIRCUIT));
    let dial = rig.dialled();
    rig.fail_dial(dial, &DialError::Aborted);
    assert!(matches!(answer(&mut reply), Some(Err(Error::Unreachable(_)))));
}

#[test]
fn another_peer_at_the_end_of_the_circuit_is_told_as_such() {
    let mut rig = rig(4, Answer::Anyone);
    let mut reply = rig.request(Some(CIRCUIT));
    let dial = rig.dialled();
    let (obtained, address) = (PeerId::random(), CIRCUIT.parse().unwrap());
    rig.fail_dial(dial, &DialError::WrongPeerId { obtained, address });
    let why = "another peer answers at its address".to_owned();
    assert_eq!(answer(&mut reply), Some(Err(Error::Unreachable(why))));
}

#[test]
fn ways_to_one_peer_are_never_used_for_another() {
    let mut rig = rig(4, Answer::Anyone);
    rig.connect(1, CIRCUIT);
    rig.behaviour.signal_over(stream(), rig.peer, Endpoint::Dialer).unwrap();
    let first = std::mem::replace(&mut rig.peer, PeerId::random());
    let mut reply = rig.request(None);
    assert!(rig.opened_on().is_none());
    assert!(matches!(answer(&mut reply), Some(Err(Error::Unreachable(_)))));
    // They are kept for the one.
    rig.peer = first;
    let (mut lent, _on_circuit) = (rig.request(None), rig.request(None));
    assert_eq!(rig.opened_on().unwrap().0, id(1));
    assert_eq!(answer(&mut lent), Some(Ok(())));
}

#[test]
fn a_connection_that_closes_ends_what_waits_on_it() {
    let mut rig = rig(4, Answer::Anyone);
    rig.connect(1, CIRCUIT);
    let mut reply = rig.request(None);
    rig.opened_on().unwrap();
    rig.close(1, CIRCUIT);
    assert!(matches!(answer(&mut reply), Some(Err(Error::Unreachable(_)))));
}

#[test]
fn a_peer_that_does_not_speak_the_protocol_refuses() {
    let mut rig = rig(4, Answer::Anyone);
    rig.connect(1, CIRCUIT);
    let (mut first, mut second) = (rig.request(None), rig.request(None));
    let (_, token) = rig.opened_on().unwrap();
    rig.opened_on().unwrap();
    rig.behaviour.on_connection_handler_event(rig.peer, id(1), Happening::Refused(token));
    assert_eq!(answer(&mut first), Some(Err(Error::Refused)));
    assert_eq!(answer(&mut second), None);
}

#[test]
fn a_lent_stream_is_used_once_and_before_all_else() {
    let mut rig = rig(4, Answer::Anyone);
    rig.connect(1, CIRCUIT);
    rig.behaviour.signal_over(stream(), rig.peer, Endpoint::Dialer).unwrap();
    let mut first = rig.request(None);
    assert!(rig.opened_on().is_none());
    assert_eq!(answer(&mut first), Some(Ok(())));
    let _second = rig.request(None);
    assert!(rig.opened_on().is_some());
}

#[test]
fn lent_streams_are_bounded() {
    let mut rig = rig(4, Answer::Anyone);
    for _ in 0..MAX_LENT {
        rig.behaviour.signal_over(stream(), PeerId::random(), Endpoint::Dialer).unwrap();
    }
    let lent = rig.behaviour.signal_over(stream(), PeerId::random(), Endpoint::Dialer);
    assert_eq!(lent, Err(Error::Busy));
}

#[test]
fn signalling_that_others_begin_is_bounded_for_each_and_for_all() {
    let mut rig = rig(3, Answer::Anyone);
    let peer = rig.peer;
    let mut begin = |peer| rig.behaviour.answer(peer, stream());
    assert_eq!([begin(peer), begin(peer), begin(peer)], [Ok(()), Ok(()), Err(Error::Busy)]);
    assert_eq!(begin(PeerId::random()), Ok(()));
    assert_eq!(begin(PeerId::random()), Err(Error::Busy));
    let done = rig.shared.next_arrived(&Context::from_waker(&noop_waker())).unwrap();
    let Inbound { peer: done, stream: its, permit } = done;
    assert_eq!(done, peer);
    drop((its, permit));
    assert_eq!(rig.behaviour.answer(peer, stream()), Ok(()));
}

#[test]
fn the_gate_opens_and_closes_for_single_peers() {
    let (one, other) = (PeerId::random(), PeerId::random());
    for (default, closed) in [(Answer::Anyone, false), (Answer::Allowed, true)] {
        let mut rig = rig(4, default);
        assert_eq!(rig.behaviour.gate.answers(&one), !closed);
        rig.behaviour.allow(one);
        rig.behaviour.forbid(other);
        assert!(rig.behaviour.gate.answers(&one));
        assert!(!rig.behaviour.gate.answers(&other));
        rig.behaviour.forbid(one);
        rig.behaviour.allow(other);
        assert!(!rig.behaviour.gate.answers(&one));
        assert!(rig.behaviour.gate.answers(&other));
    }
}

#[test]
fn fingerprints_are_those_of_the_connection_and_go_with_it() {
    let mut rig = rig(4, Answer::Anyone);
    let (refused, alive) = (Arc::new(()), Arc::new(()));
    rig.made(&refused, 1);
    rig.made(&alive, 2);
    // Something else in the swarm would not have the first.
    rig.begin(6, DIRECT);
    rig.fail_dial(id(6), &DialError::Aborted);
    assert_eq!(rig.behaviour.fingerprints(id(6)), None);
    rig.connect(7, DIRECT);
    let print = Fingerprint([2; 32]);
    let expected = Fingerprints { local: print, remote: print };
    assert_eq!(rig.behaviour.fingerprints(id(7)), Some(expected));
    rig.close(7, DIRECT);
    assert_eq!(rig.behaviour.fingerprints(id(7)), None);
}

#[test]
fn failures_that_nobody_takes_are_bounded() {
    let rig = rig(4, Answer::Anyone);
    for _ in 0..100 {
        rig.shared.fail(Failure { peer: rig.peer, dialled: true, error: Error::NoPath });
    }
    let told = std::iter::from_fn(|| rig.shared.next_failure()).count();
    assert!(told < 100, "{told}");
}

//! What a transport and its behaviour share.

use crate::{Error, sdp::Fingerprint};
use futures::{
    channel::oneshot,
    io::{AsyncRead, AsyncWrite},
};
use libp2p::{Multiaddr, PeerId};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Waker},
};

/// The most failures that wait to be told.
const MAX_FAILURES: usize = 32;
/// The most connections of which the swarm may not have heard yet. What takes the swarm so long
/// is a connection that something else in it refused.
const MAX_MADE: usize = 64;

/// What signalling runs over: any stream of bytes between the two ends that is authenticated.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}

/// A stream for signalling.
pub type SignallingStream = Box<dyn Duplex>;

/// The certificates in force on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprints {
    /// Ours.
    pub local: Fingerprint,
    /// That of the other end. DTLS has verified that it is in use there.
    pub remote: Fingerprint,
}

/// One of a bounded number of connections in the making.
#[derive(Debug)]
pub(crate) struct Permit {
    _held: Arc<()>,
    /// For counting those of one peer.
    own: Arc<()>,
}

impl Permit {
    /// Gone once the permit is.
    pub(crate) fn watch(&self) -> Weak<()> {
        Arc::downgrade(&self.own)
    }
}

/// A dial that needs a stream.
pub(crate) struct Request {
    pub(crate) peer: PeerId,
    pub(crate) circuit: Option<Multiaddr>,
    pub(crate) reply: oneshot::Sender<Result<SignallingStream, Error>>,
}

/// Signalling that another peer began.
pub(crate) struct Inbound {
    pub(crate) peer: PeerId,
    pub(crate) stream: SignallingStream,
    pub(crate) permit: Permit,
}

/// A connection that failed before it stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The other end.
    pub peer: PeerId,
    /// Whether we dialled.
    pub dialled: bool,
    /// What went wrong. [`Error::Untrusted`] is an attack.
    pub error: Error,
}

/// A connection that the transport gave to the swarm.
pub(crate) struct Made {
    pub(crate) peer: PeerId,
    pub(crate) dialled: bool,
    pub(crate) fingerprints: Fingerprints,
    /// Gone once the connection is.
    pub(crate) alive: Weak<()>,
}

/// See the module.
pub(crate) struct Shared {
    max_handshakes: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    outbound: Arc<()>,
    inbound: Arc<()>,
    requests: VecDeque<Request>,
    arrived: VecDeque<Inbound>,
    failures: VecDeque<Failure>,
    made: VecDeque<Made>,
    transport: Option<Waker>,
    behaviour: Option<Waker>,
}

/// Another connection may be in the making while fewer than `max` are.
fn permit(held: &Arc<()>, max: usize) -> Result<Permit, Error> {
    if Arc::strong_count(held) > max {
        return Err(Error::Busy);
    }
    Ok(Permit { _held: Arc::clone(held), own: Arc::default() })
}

impl Shared {
    pub(crate) fn new(max_handshakes: usize) -> Self {
        Self { max_handshakes, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn outbound_permit(&self) -> Result<Permit, Error> {
        permit(&self.state().outbound, self.max_handshakes)
    }

    pub(crate) fn inbound_permit(&self) -> Result<Permit, Error> {
        permit(&self.state().inbound, self.max_handshakes)
    }

    pub(crate) fn request(&self, request: Request) {
        let mut state = self.state();
        state.requests.push_back(request);
        wake(state.behaviour.take());
    }

    pub(crate) fn next_request(&self, cx: &Context<'_>) -> Option<Request> {
        let mut state = self.state();
        let request = state.requests.pop_front();
        state.behaviour = Some(cx.waker().clone());
        request
    }

    pub(crate) fn arrive(&self, inbound: Inbound) {
        let mut state = self.state();
        state.arrived.push_back(inbound);
        wake(state.transport.take());
    }

    pub(crate) fn next_arrived(&self, cx: &Context<'_>) -> Option<Inbound> {
        let mut state = self.state();
        let inbound = state.arrived.pop_front();
        state.transport = Some(cx.waker().clone());
        inbound
    }

    pub(crate) fn wake_transport(&self) {
        wake(self.state().transport.take());
    }

    pub(crate) fn fail(&self, failure: Failure) {
        let mut state = self.state();
        if state.failures.len() >= MAX_FAILURES {
            state.failures.pop_front();
        }
        state.failures.push_back(failure);
        wake(state.behaviour.take());
    }

    pub(crate) fn next_failure(&self) -> Option<Failure> {
        self.state().failures.pop_front()
    }

    pub(crate) fn make(&self, made: Made) {
        let mut state = self.state();
        state.made.retain(|one| one.alive.strong_count() > 0);
        if state.made.len() >= MAX_MADE {
            state.made.pop_front();
        }
        state.made.push_back(made);
    }

    /// The oldest connection of this kind that the swarm has not heard of. The swarm hears of
    /// connections in the order in which they were made.
    pub(crate) fn take_made(&self, peer: PeerId, dialled: bool) -> Option<Made> {
        let mut state = self.state();
        state.made.retain(|one| one.alive.strong_count() > 0);
        let at = state.made.iter().position(|one| one.peer == peer && one.dialled == dialled)?;
        state.made.remove(at)
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::task::{ArcWake, waker};
    use std::sync::atomic::{AtomicBool, Ordering};

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl ArcWake for Woken {
        fn wake_by_ref(this: &Arc<Self>) {
            this.0.store(true, Ordering::Relaxed);
        }
    }

    #[test]
    fn permits_are_bounded_and_come_back() {
        let shared = Shared::new(1);
        let first = shared.outbound_permit().unwrap();
        assert_eq!(shared.outbound_permit().unwrap_err(), Error::Busy);
        assert!(shared.inbound_permit().is_ok());
        drop(first);
        assert!(shared.outbound_permit().is_ok());
    }

    #[test]
    fn a_transport_that_found_nothing_is_woken() {
        let (shared, woken) = (Shared::new(1), Arc::new(Woken::default()));
        assert!(shared.next_arrived(&Context::from_waker(&waker(Arc::clone(&woken)))).is_none());
        assert!(!woken.0.load(Ordering::Relaxed));
        shared.wake_transport();
        assert!(woken.0.load(Ordering::Relaxed));
    }
}

//! Who does not answer. What ends without a word is noticed late, or never: a browser takes half a
//! minute to see that nobody is at the other end of a link, and a relay may swallow all that it
//! carries. Pings tell within [`SILENT`]. Where there is reason to doubt, the other side is asked at
//! once, by a stream that it has only to open.

use super::Driver;
use crate::{identity, network::Event, proof};
use chats_core::id::DeviceKey;
use libp2p::{PeerId, StreamProtocol, swarm::ConnectionId};
use std::time::Duration;
use web_time::Instant;

/// A connection without an answered ping for so long is dead. Pings go out every 5 s.
const SILENT: Duration = Duration::from_secs(12);
/// How long a link may take to answer, when there is reason to doubt it.
const SUSPENSE: Duration = Duration::from_secs(6);
/// The same, if the device was reached in another way meanwhile: it is neither gone nor slow.
const SHORT_SUSPENSE: Duration = Duration::from_secs(1);
/// The same, of a circuit.
const CIRCUIT_SUSPENSE: Duration = Duration::from_secs(2);
/// A circuit over which hello did not pass within this is asked. The chain may be slow, too.
const SOON: Duration = Duration::from_millis(1500);
/// How often deadlines are looked at while somebody owes an answer.
pub(super) const SHORT_TICK: Duration = Duration::from_millis(250);

impl Driver {
    /// Finds out whether a device still answers.
    pub(super) fn check(&mut self, device: DeviceKey) {
        let Some(session) = self.devices.0.get(&device) else { return };
        if session.direct.link().is_some() {
            self.suspect(device);
            // In case that it does not, which costs nothing if it does.
            self.dial_circuit(device);
        } else {
            // What carries a circuit tells by itself when it is gone.
            self.tell(Event::Answers(device));
        }
    }

    /// There is reason to doubt that anybody is at the other end of a device's link.
    pub(super) fn suspect(&mut self, device: DeviceKey) {
        let Some(session) = self.devices.0.get(&device) else { return };
        if let Some(link) = session.direct.link() {
            self.ask(session.peer, link);
        }
    }

    /// The other side of a connection owes an answer from now on.
    fn ask(&mut self, peer: PeerId, connection: ConnectionId) {
        if !self.suspects.contains_key(&connection) {
            self.suspects.insert(connection, Instant::now());
            // To be opened is all that is asked of this stream.
            let protocol = StreamProtocol::new(proof::PROTOCOL);
            self.swarm.behaviour_mut().streams.open(peer, connection, protocol);
            self.wake_within(SHORT_TICK);
        }
    }

    /// A connection shows that somebody is at the other end.
    pub(super) fn answered(&mut self, peer: PeerId, connection: ConnectionId) {
        if self.suspects.remove(&connection).is_some()
            && let Some(device) = identity::device(peer)
            && self.devices.link(device) == Some(connection)
        {
            self.drop_spares(device);
            self.tell(Event::Answers(device));
        }
    }

    /// Asks circuits that ought to have brought hello by now, each once.
    pub(super) fn circuits_due(&mut self, now: Instant) {
        let mut due = Vec::new();
        for session in self.devices.0.values_mut().filter(|session| !session.passed) {
            for (connection, it) in &mut session.connections {
                let late = now.saturating_duration_since(it.since) >= SOON;
                if late && it.carrier.is_some() && !std::mem::replace(&mut it.asked, true) {
                    due.push((session.peer, *connection));
                }
            }
        }
        due.into_iter().for_each(|(peer, connection)| self.ask(peer, connection));
    }

    /// Time in which we did not run proves nothing against anybody: a page that others keep from
    /// running hears late.
    pub(super) fn forgive(&mut self, late: Duration) {
        self.heard.values_mut().chain(self.suspects.values_mut()).for_each(|at| *at += late);
        self.forgive_dials(late);
    }

    /// Ends connections at whose other end nobody answers.
    pub(super) fn silence_due(&mut self, now: Instant) {
        let over = |since: Instant, most| now.saturating_duration_since(since) >= most;
        let silent = self.heard.iter().filter(|(_, since)| over(**since, SILENT));
        let suspects = self.suspects.iter();
        let suspects = suspects.filter(|(it, since)| over(**since, self.patience(**it)));
        let dead: Vec<_> = silent.chain(suspects).map(|(connection, _)| *connection).collect();
        for connection in dead {
            // Closing takes a while where nobody answers.
            self.device_closed(connection, "it does not answer");
            self.heard.remove(&connection);
            self.suspects.remove(&connection);
            self.lingering.remove(&connection);
            self.swarm.close_connection(connection);
        }
    }

    fn patience(&self, connection: ConnectionId) -> Duration {
        let mut sessions = self.devices.0.values();
        let session = sessions.find(|session| session.direct.link() == Some(connection));
        let Some(session) = session else { return CIRCUIT_SUSPENSE };
        let heard = |circuit| self.heard.get(circuit).copied();
        let answers = session
            .connections
            .iter()
            .any(|(circuit, it)| it.spare && heard(circuit).is_some_and(|heard| heard > it.since));
        if answers { SHORT_SUSPENSE } else { SUSPENSE }
    }
}

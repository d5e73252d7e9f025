//! Asking relays for the use of their TURN server (`/chats/turn/1`, see [`chats_core::turn`]).

use super::Driver;
use crate::{frame, network::Event};
use chats_core::turn::{self, TurnAnswer, TurnGrant};
use futures::{FutureExt, future::BoxFuture};
use libp2p::{PeerId, Stream, StreamProtocol, swarm::ConnectionId};
use std::{collections::VecDeque, time::Duration};
use web_time::Instant;

/// How long a relay may take, the way there and back included.
const PATIENCE: Duration = turn::ANSWER_TIME.saturating_add(Duration::from_secs(3));

/// A question on its way: to one relay after the other, until one grants.
pub(super) struct Asking {
    request: Vec<u8>,
    /// The relay that is asked now.
    peer: PeerId,
    connection: ConnectionId,
    until: Instant,
    /// Those to be asked after it.
    next: VecDeque<(PeerId, ConnectionId)>,
}

/// What came of a stream on which a relay was asked.
pub(super) struct Asked {
    connection: ConnectionId,
    /// Why there is no grant is for the log.
    answer: Result<TurnGrant, String>,
}

/// A stream on which a relay is asked.
pub(super) type Question = BoxFuture<'static, Asked>;

impl Driver {
    /// Asks for credentials; a question that is on its way is dropped. The relay that granted last
    /// is asked first: it keeps what was allocated.
    pub(super) fn ask_for_turn(&mut self, request: Vec<u8>) {
        self.asking = None;
        let mut next = VecDeque::from(self.relays.fastest());
        let before = next.iter().position(|(peer, _)| self.granter == Some(*peer));
        if let Some(before) = before.and_then(|place| next.remove(place)) {
            next.push_front(before);
        }
        self.ask_next(request, next);
    }

    fn ask_next(&mut self, request: Vec<u8>, mut next: VecDeque<(PeerId, ConnectionId)>) {
        let Some((peer, connection)) = next.pop_front() else {
            return self.tell(Event::NoTurn);
        };
        let until = Instant::now() + PATIENCE;
        self.asking = Some(Asking { request, peer, connection, until, next });
        let protocol = StreamProtocol::new(turn::PROTOCOL);
        self.swarm.behaviour_mut().streams.open(peer, connection, protocol);
    }

    /// A stream to ask on is there.
    pub(super) fn turn_opened(&mut self, connection: ConnectionId, mut stream: Stream) {
        let asking = self.asking.as_ref().filter(|asking| asking.connection == connection);
        let Some(request) = asking.map(|asking| asking.request.clone()) else { return };
        let question = async move {
            frame::write(&mut stream, &request, turn::MAX_FRAME).await?;
            frame::read(&mut stream, turn::MAX_FRAME).await
        };
        let question = question.map(move |answer: Result<_, frame::FrameError>| {
            let answer = match answer {
                Ok(Some(answer)) => granted(&answer),
                Ok(None) => Err("the relay ended it".to_owned()),
                Err(error) => Err(error.to_string()),
            };
            Asked { connection, answer }
        });
        self.questions.push(question.boxed());
    }

    pub(super) fn turn_answered(&mut self, Asked { connection, answer }: Asked) {
        match answer {
            Ok(grant) => {
                let answered = self.asking.take_if(|asking| asking.connection == connection);
                if let Some(asking) = answered {
                    self.granter = Some(asking.peer);
                    self.tell(Event::Turn(grant));
                }
            }
            Err(reason) => self.turn_failed(connection, &reason),
        }
    }

    /// This relay grants nothing: the next one is asked.
    pub(super) fn turn_failed(&mut self, connection: ConnectionId, reason: &str) {
        let asking = self.asking.take_if(|asking| asking.connection == connection);
        if let Some(Asking { request, next, .. }) = asking {
            tracing::debug!(reason, "a relay grants no TURN");
            self.ask_next(request, next);
        }
    }

    /// Gives up on a relay that takes too long.
    pub(super) fn turn_due(&mut self, now: Instant) {
        let late = self.asking.as_ref().filter(|asking| asking.until <= now);
        if let Some(connection) = late.map(|asking| asking.connection) {
            self.turn_failed(connection, "no answer in time");
        }
    }
}

/// What a relay's answer grants. Whatever else it says is its own affair: another relay may serve
/// this community, or have room.
fn granted(answer: &[u8]) -> Result<TurnGrant, String> {
    match TurnAnswer::read(answer) {
        Ok(TurnAnswer::Granted(grant)) => Ok(grant),
        Ok(TurnAnswer::Refused(refusal)) => Err(refusal.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

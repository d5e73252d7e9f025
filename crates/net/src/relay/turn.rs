//! The streams of `/chats/turn/1`: a device asks, whoever runs the relay answers.

use crate::frame;
use chats_core::{
    id::DeviceKey,
    turn::{ANSWER_TIME, MAX_FRAME, TurnAnswer},
    wire,
};
use futures::{
    AsyncWriteExt, StreamExt,
    channel::{mpsc, oneshot},
    future::BoxFuture,
    stream::FuturesUnordered,
};
use libp2p::{Stream, swarm::ConnectionId};
use std::{collections::BTreeMap, net::IpAddr, time::Duration};
use tokio::time::timeout;

/// Devices that ask at once.
const MAX_STREAMS: usize = 256;
/// Of these at one address (see [`site`](super::site)). Behind a proxy all share them.
const MAX_PER_ADDRESS: usize = 8;
/// How long a device may take to send its request, and to take the answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A device that asks for TURN credentials. It is answered within
/// [`ANSWER_TIME`](chats_core::turn::ANSWER_TIME) or not at all.
#[derive(Debug)]
pub struct TurnQuestion {
    /// Who asks, as its connection proves.
    pub device: DeviceKey,
    /// From where; of IPv6 the network alone.
    pub address: Option<IpAddr>,
    /// What it sent: to be read by [`read_request`](chats_core::turn::read_request).
    pub request: Vec<u8>,
    reply: oneshot::Sender<Vec<u8>>,
}

impl TurnQuestion {
    /// A question, and where its answer arrives.
    pub fn new(
        device: DeviceKey,
        address: Option<IpAddr>,
        request: Vec<u8>,
    ) -> (Self, oneshot::Receiver<Vec<u8>>) {
        let (reply, replied) = oneshot::channel();
        (Self { device, address, request, reply }, replied)
    }

    /// Answers; one who has gone meanwhile is not answered.
    pub fn answer(self, answer: &TurnAnswer) {
        if self.reply.send(wire::encode(answer)).is_err() {
            tracing::debug!("a device did not wait for its answer");
        }
    }
}

/// All devices that ask.
pub(super) struct Desk {
    /// From where each is.
    connections: BTreeMap<ConnectionId, Option<IpAddr>>,
    streams: FuturesUnordered<BoxFuture<'static, ConnectionId>>,
    asked: mpsc::Receiver<TurnQuestion>,
    ask: mpsc::Sender<TurnQuestion>,
}

impl Default for Desk {
    fn default() -> Self {
        let (ask, asked) = mpsc::channel(MAX_STREAMS);
        Self { connections: BTreeMap::new(), streams: FuturesUnordered::new(), asked, ask }
    }
}

impl Desk {
    /// Takes a device's stream; false if its connection has one already.
    pub(super) fn accept(
        &mut self,
        connection: ConnectionId,
        device: DeviceKey,
        address: Option<IpAddr>,
        stream: Stream,
    ) -> bool {
        if self.connections.len() >= MAX_STREAMS {
            tracing::info!("more than {MAX_STREAMS} devices ask for TURN at once");
            return true;
        }
        if self.connections.contains_key(&connection) {
            return false;
        }
        let near = self.connections.values().filter(|other| **other == address);
        if near.count() >= MAX_PER_ADDRESS {
            tracing::info!(
                "more than {MAX_PER_ADDRESS} devices at one address ask for TURN at once"
            );
            return true;
        }
        self.connections.insert(connection, address);
        let ask = self.ask.clone();
        let serve = async move {
            if let Err(reason) = serve(device, address, stream, ask).await {
                tracing::debug!(reason, "a TURN request was not answered");
            }
            connection
        };
        self.streams.push(Box::pin(serve));
        true
    }

    /// Serves until a device asks. Safe to cancel.
    pub(super) async fn next(&mut self) -> TurnQuestion {
        loop {
            tokio::select! {
                Some(question) = self.asked.next() => return question,
                Some(connection) = self.streams.next() => {
                    self.connections.remove(&connection);
                }
                else => std::future::pending().await,
            }
        }
    }
}

async fn serve(
    device: DeviceKey,
    address: Option<IpAddr>,
    mut stream: Stream,
    mut ask: mpsc::Sender<TurnQuestion>,
) -> Result<(), String> {
    let request = timeout(PATIENCE, frame::read(&mut stream, MAX_FRAME)).await;
    let request = request.map_err(|_| "it took too long")?.map_err(|error| error.to_string())?;
    let request = request.ok_or("it asked nothing")?;
    let (question, replied) = TurnQuestion::new(device, address, request);
    ask.try_send(question).map_err(|_| "too many ask at once")?;
    let answer = timeout(ANSWER_TIME, replied).await.map_err(|_| "nobody answered in time")?;
    let answer = answer.map_err(|_| "nobody answered")?;
    let send = async {
        frame::write(&mut stream, &answer, MAX_FRAME).await.map_err(|error| error.to_string())?;
        stream.close().await.map_err(|error| error.to_string())
    };
    timeout(PATIENCE, send).await.map_err(|_| "it did not take its answer")?
}

//! The streams of `/chats/meet/1` around the table of [`crate::meet::server`].

use crate::{
    frame,
    meet::{MAX_FRAME, Reply, Request, server::Table},
};
use chats_core::{
    id::{DeviceKey, MeetTag},
    wire,
};
use futures::{
    AsyncReadExt, FutureExt, StreamExt,
    channel::mpsc,
    future::BoxFuture,
    stream::{self, BoxStream, FuturesUnordered, SelectAll},
};
use libp2p::{Stream, swarm::ConnectionId};
use rand::{SeedableRng, rngs::SmallRng};
use std::{collections::BTreeMap, net::IpAddr};

/// Replies that wait for one device; one that falls further behind is cut off, and learns all
/// anew when it returns.
const MAX_QUEUED: usize = 256;

/// All devices that meet here.
pub(super) struct Meeting {
    table: Table<ConnectionId>,
    guests: BTreeMap<ConnectionId, Guest>,
    requests: SelectAll<BoxStream<'static, (ConnectionId, Result<Request, String>)>>,
    writers: FuturesUnordered<BoxFuture<'static, ConnectionId>>,
    /// Connections that did not keep up.
    slow: Vec<ConnectionId>,
    rng: SmallRng,
}

struct Guest {
    device: DeviceKey,
    address: Option<IpAddr>,
    replies: mpsc::Sender<Vec<u8>>,
}

impl Default for Meeting {
    fn default() -> Self {
        Self {
            table: Table::default(),
            guests: BTreeMap::new(),
            requests: SelectAll::new(),
            writers: FuturesUnordered::new(),
            slow: Vec::new(),
            rng: SmallRng::from_os_rng(),
        }
    }
}

impl Meeting {
    /// Takes a device's stream; false if its connection has one already.
    pub(super) fn accept(
        &mut self,
        connection: ConnectionId,
        device: DeviceKey,
        address: Option<IpAddr>,
        stream: Stream,
    ) -> bool {
        if self.guests.contains_key(&connection) {
            return false;
        }
        // A channel holds one more than this for its one sender.
        let (replies, mut queue) = mpsc::channel::<Vec<u8>>(MAX_QUEUED - 1);
        self.guests.insert(connection, Guest { device, address, replies });
        let (reader, mut writer) = stream.split();
        let requests = stream::unfold(Some(reader), move |reader| async move {
            let mut reader = reader?;
            let request = match frame::read(&mut reader, MAX_FRAME).await {
                Ok(Some(bytes)) => wire::decode::<Request>("meet request", &bytes)
                    .map_err(|error| error.to_string()),
                Ok(None) => Err("the device ended it".to_owned()),
                Err(error) => Err(error.to_string()),
            };
            let rest = request.is_ok().then_some(reader);
            Some(((connection, request), rest))
        });
        self.requests.push(requests.boxed());
        let write = async move {
            while let Some(reply) = queue.next().await {
                if frame::write(&mut writer, &reply, MAX_FRAME).await.is_err() {
                    break;
                }
            }
            connection
        };
        self.writers.push(write.boxed());
        true
    }

    /// Serves one thing; a connection that comes back is to be closed. Safe to cancel.
    pub(super) async fn next(&mut self) -> Option<ConnectionId> {
        if let Some(connection) = self.slow.pop() {
            return self.end(connection);
        }
        tokio::select! {
            Some((connection, request)) = self.requests.next() => match request {
                Ok(Request::Enter(tag)) => self.enter(connection, tag),
                Err(reason) => {
                    tracing::debug!(reason, "a meet stream ended");
                    self.end(connection)
                }
            },
            Some(connection) = self.writers.next() => self.end(connection),
            else => std::future::pending().await,
        }
    }

    /// Forgets a connection and tells those who met it.
    pub(super) fn closed(&mut self, connection: ConnectionId) {
        self.guests.remove(&connection);
        for gone in self.table.leave(connection) {
            let reply = wire::encode(&Reply::Left(gone.tag, gone.device));
            gone.tell.into_iter().for_each(|other| self.reply(other, &reply));
        }
    }

    fn end(&mut self, connection: ConnectionId) -> Option<ConnectionId> {
        let known = self.guests.contains_key(&connection);
        self.closed(connection);
        known.then_some(connection)
    }

    fn enter(&mut self, connection: ConnectionId, tag: MeetTag) -> Option<ConnectionId> {
        let guest = self.guests.get(&connection)?;
        let (device, address) = (guest.device, guest.address);
        let reply = match self.table.enter(connection, device, address, tag, &mut self.rng) {
            Ok(entered) => {
                let arrived = wire::encode(&Reply::Arrived(tag, device));
                entered.tell.into_iter().for_each(|other| self.reply(other, &arrived));
                Reply::Present(tag, entered.present)
            }
            Err(refusal) => {
                tracing::info!(%refusal, "a device was refused a tag");
                Reply::Refused(tag, refusal)
            }
        };
        self.reply(connection, &wire::encode(&reply));
        None
    }

    /// Queues a reply; one who does not keep up is cut off by the next [`Meeting::next`].
    fn reply(&mut self, connection: ConnectionId, reply: &[u8]) {
        if let Some(guest) = self.guests.get_mut(&connection)
            && guest.replies.try_send(reply.to_vec()).is_err()
        {
            tracing::debug!("a device does not keep up with {MAX_QUEUED} replies");
            self.slow.push(connection);
        }
    }
}

//! `/chats/meet/1`, as an honest relay serves it.

use chats_core::{
    id::{DeviceKey, MeetTag},
    wire,
};
use chats_net::{
    frame, identity,
    meet::{MAX_FRAME, Reply, Request},
};
use futures::{
    AsyncReadExt, StreamExt,
    future::BoxFuture,
    io::{ReadHalf, WriteHalf},
    stream::FuturesUnordered,
};
use libp2p::{PeerId, Stream};

/// Who is under which tag.
#[derive(Default)]
pub(super) struct Meeting {
    entries: Vec<Entry>,
    reading: FuturesUnordered<BoxFuture<'static, Option<Entered>>>,
}

struct Entry {
    peer: PeerId,
    device: DeviceKey,
    tag: MeetTag,
    replies: WriteHalf<Stream>,
}

/// A device that named a tag.
pub(super) struct Entered {
    peer: PeerId,
    tag: MeetTag,
    replies: WriteHalf<Stream>,
    /// Keeps the stream whole.
    _requests: ReadHalf<Stream>,
}

impl Meeting {
    /// A device opened a stream; it names one tag.
    pub(super) fn came(&mut self, peer: PeerId, stream: Stream) {
        self.reading.push(Box::pin(async move {
            let (mut requests, replies) = stream.split();
            let bytes = frame::read(&mut requests, MAX_FRAME).await.ok()??;
            let Request::Enter(tag) = wire::decode("request", &bytes).ok()?;
            Some(Entered { peer, tag, replies, _requests: requests })
        }));
    }

    /// The next device that named a tag; pends while there is none.
    pub(super) async fn next(&mut self) -> Option<Entered> {
        self.reading.next().await.flatten()
    }

    pub(super) async fn entered(&mut self, entered: Entered) {
        let Entered { peer, tag, mut replies, _requests } = entered;
        let Some(device) = identity::device(peer) else { return };
        let there = self.entries.iter_mut().filter(|entry| entry.tag == tag);
        let mut others = Vec::new();
        for entry in there {
            others.push(entry.device);
            tell(&mut entry.replies, &Reply::Arrived(tag, device)).await;
        }
        tell(&mut replies, &Reply::Present(tag, others)).await;
        self.entries.push(Entry { peer, device, tag, replies });
    }

    /// A device is gone.
    pub(super) async fn left(&mut self, peer: PeerId) {
        let Some(at) = self.entries.iter().position(|entry| entry.peer == peer) else { return };
        let gone = self.entries.swap_remove(at);
        for entry in self.entries.iter_mut().filter(|entry| entry.tag == gone.tag) {
            tell(&mut entry.replies, &Reply::Left(gone.tag, gone.device)).await;
        }
    }
}

/// Whoever does not take it is about to be gone.
async fn tell(replies: &mut WriteHalf<Stream>, reply: &Reply) {
    let _ = frame::write(replies, &wire::encode(reply), MAX_FRAME).await;
}

//! Streams as flows of frames: one future or stream each, polled by the driver.

use crate::frame;
use chats_core::channel::Channel;
use futures::{
    AsyncRead, AsyncWrite, AsyncWriteExt, FutureExt, StreamExt,
    channel::mpsc,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use libp2p::{PeerId, swarm::ConnectionId};

/// What a stream was opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// A device's frames.
    Channel(Channel),
    /// A relay's replies.
    Meet,
}

/// A frame; or `None` where the other side ended the stream, or the reason why it broke, after
/// which there are no more.
pub(super) struct Incoming {
    pub(super) peer: PeerId,
    pub(super) connection: ConnectionId,
    pub(super) source: Source,
    pub(super) frame: Result<Option<Vec<u8>>, String>,
}

/// A writer is done: all frames are out, or it failed for this reason.
pub(super) struct Written {
    pub(super) peer: PeerId,
    pub(super) connection: ConnectionId,
    pub(super) failed: Option<String>,
}

/// Frames of a stream until it ends; the end is always told.
pub(super) fn read(
    peer: PeerId,
    connection: ConnectionId,
    source: Source,
    stream: impl AsyncRead + Unpin + Send + 'static,
    max: usize,
) -> BoxStream<'static, Incoming> {
    stream::unfold(Some(stream), move |stream| async move {
        let mut stream = stream?;
        let (frame, rest) = match frame::read(&mut stream, max).await {
            Ok(Some(frame)) => (Ok(Some(frame)), Some(stream)),
            Ok(None) => (Ok(None), None),
            Err(error) => (Err(error.to_string()), None),
        };
        Some((Incoming { peer, connection, source, frame }, rest))
    })
    .boxed()
}

/// Writes queued frames in order until the queue's sender is dropped.
pub(super) fn write(
    peer: PeerId,
    connection: ConnectionId,
    mut stream: impl AsyncWrite + Unpin + Send + 'static,
    mut frames: mpsc::Receiver<Vec<u8>>,
    max: usize,
) -> BoxFuture<'static, Written> {
    async move {
        while let Some(frame) = frames.next().await {
            if let Err(error) = frame::write(&mut stream, &frame, max).await {
                let failed = Some(error.to_string());
                return Written { peer, connection, failed };
            }
        }
        let failed = stream.close().await.err().map(|error| error.to_string());
        Written { peer, connection, failed }
    }
    .boxed()
}

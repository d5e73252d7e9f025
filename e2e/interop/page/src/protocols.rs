//! What the nodes of these tests speak; `js/stranger.mjs` says the same.

use futures::{AsyncRead, AsyncReadExt, AsyncWriteExt, future};
use libp2p::{PeerId, StreamProtocol, swarm::Stream};
use std::{fmt::Display, io, str::FromStr};
use wasm_bindgen::{JsError, JsValue};

/// libp2p's own.
pub(crate) const PING: StreamProtocol = libp2p::ping::PROTOCOL_NAME;
/// What comes is sent back; the end is answered by the end.
pub(crate) const ECHO: StreamProtocol = StreamProtocol::new("/interop/echo/1");
/// Once the other has ended, how many bytes came, as 4 bytes, and the end.
pub(crate) const HALF: StreamProtocol = StreamProtocol::new("/interop/half/1");
/// A byte is answered by a byte; how the stream ends is told as an event.
pub(crate) const RESET: StreamProtocol = StreamProtocol::new("/interop/reset/1");
/// The first byte is answered by a reset.
pub(crate) const RESET_ME: StreamProtocol = StreamProtocol::new("/interop/reset-me/1");
/// Those that are answered here.
pub(crate) const ANSWERED: [StreamProtocol; 4] = [ECHO, HALF, RESET, RESET_ME];

/// Why something did not work, for the test that asked for it.
#[derive(Debug)]
pub struct Failed(pub(crate) String);

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self(format!("{:?}: {error}", error.kind()))
    }
}

impl From<Failed> for JsValue {
    fn from(Failed(why): Failed) -> Self {
        JsError::new(&why).into()
    }
}

/// Reads a peer or an address.
pub(crate) fn parse<T: FromStr<Err: Display>>(text: &str) -> Result<T, Failed> {
    text.parse().map_err(|error| Failed(format!("{text}: {error}")))
}

/// Bytes that nobody can guess or shorten.
pub(crate) fn noise(count: usize) -> Result<Vec<u8>, Failed> {
    let mut noise = vec![0; count];
    getrandom_03::fill(&mut noise).map_err(|error| Failed(error.to_string()))?;
    Ok(noise)
}

fn ending(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::ConnectionReset {
        "the stream ended by reset".to_owned()
    } else {
        format!("the stream ended by {:?}: {error}", error.kind())
    }
}

/// Serves a stream that a peer opened; gives what is to be told of it, if anything.
pub(crate) async fn answer(protocol: &StreamProtocol, mut stream: Stream) -> Option<String> {
    let outcome = if *protocol == ECHO {
        answer_echo(stream).await
    } else if *protocol == HALF {
        answer_half(stream).await
    } else if *protocol == RESET {
        return Some(match send_back(&mut stream).await {
            Ok(()) => "the stream ended".to_owned(),
            Err(error) => ending(&error),
        });
    } else {
        // What comes after that is a reset: the stream is dropped before its end.
        stream.read_exact(&mut [0]).await
    };
    outcome.err().map(|error| format!("{protocol}: {error}"))
}

async fn answer_echo(mut stream: Stream) -> io::Result<()> {
    send_back(&mut stream).await?;
    stream.close().await
}

async fn send_back(stream: &mut Stream) -> io::Result<()> {
    let mut part = vec![0; 16 * 1024];
    loop {
        let count = stream.read(&mut part).await?;
        let Some(came) = part.get(..count).filter(|came| !came.is_empty()) else { return Ok(()) };
        stream.write_all(came).await?;
        stream.flush().await?;
    }
}

async fn answer_half(mut stream: Stream) -> io::Result<()> {
    let came = length(&mut stream).await?;
    stream.write_all(&came.to_be_bytes()).await?;
    stream.close().await
}

async fn length(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<u32> {
    let mut came = Vec::new();
    stream.read_to_end(&mut came).await?;
    u32::try_from(came.len()).map_err(io::Error::other)
}

pub(crate) async fn ping(mut stream: Stream) -> Result<(), Failed> {
    let noise = noise(32)?;
    stream.write_all(&noise).await?;
    stream.flush().await?;
    let mut back = vec![0; noise.len()];
    stream.read_exact(&mut back).await?;
    same(&back, &noise)?;
    Ok(stream.close().await?)
}

pub(crate) async fn echo(stream: Stream, noise: &[u8]) -> Result<(), Failed> {
    let (mut reader, mut writer) = stream.split();
    let mut back = Vec::with_capacity(noise.len());
    // Both at once: who sends and does not read fills the other's buffers.
    let write = async {
        writer.write_all(noise).await?;
        writer.close().await
    };
    future::try_join(write, reader.read_to_end(&mut back)).await?;
    same(&back, noise)
}

fn same(back: &[u8], sent: &[u8]) -> Result<(), Failed> {
    if back.len() != sent.len() {
        return Err(Failed(format!("{} bytes of {} came back", back.len(), sent.len())));
    }
    if back != sent {
        return Err(Failed("other bytes came back".to_owned()));
    }
    Ok(())
}

pub(crate) async fn half_close(mut stream: Stream, count: usize) -> Result<u32, Failed> {
    stream.write_all(&vec![0; count]).await?;
    stream.close().await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let number = <[u8; 4]>::try_from(answer.as_slice());
    number.map(u32::from_be_bytes).map_err(|_| Failed(format!("{} bytes came", answer.len())))
}

pub(crate) async fn reset(mut stream: Stream) -> Result<(), Failed> {
    one_byte(&mut stream).await?;
    Ok(stream.read_exact(&mut [0]).await?)
}

pub(crate) async fn reset_by_other(mut stream: Stream) -> String {
    let read = async {
        one_byte(&mut stream).await?;
        length(&mut stream).await
    };
    match read.await {
        Ok(_) => "the stream ended".to_owned(),
        Err(error) => ending(&error),
    }
}

async fn one_byte(stream: &mut Stream) -> io::Result<()> {
    stream.write_all(&[1]).await?;
    stream.flush().await
}

/// The peer that an address ends in.
pub(crate) fn last_peer(address: &libp2p::Multiaddr) -> Option<PeerId> {
    match address.iter().last() {
        Some(libp2p::multiaddr::Protocol::P2p(peer)) => Some(peer),
        _ => None,
    }
}

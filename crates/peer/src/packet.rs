//! Packets of others for the STUN and TURN server (RFC 8489, RFC 8656): how they are taken out of a
//! TCP stream, and what of them is read before the protocol's state machine gets them.

use std::{
    collections::BTreeSet,
    io,
    net::{IpAddr, SocketAddr},
};
use tokio::io::{AsyncRead, AsyncReadExt};
use turn_server_proto::{
    stun::types::{
        attribute::XorMappedAddress,
        message::{BINDING, Message, MessageClass, MessageWrite, MessageWriteExt, MessageWriteVec},
    },
    types::attribute::XorPeerAddress,
};

/// The largest datagram that is carried, in bytes. Media and data channels keep below 1,500.
pub const MAX_DATAGRAM: usize = 4096;

/// The next message of a stream, without what fills it up to four bytes (RFC 8656, sections 3.1 and
/// 12.5); `None` at its end.
///
/// # Errors
/// If the stream breaks, or what comes is neither STUN nor channel data, or longer than what is
/// carried.
pub async fn read(reader: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let mut head = [0; 4];
    match reader.read_exact(&mut head).await {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let [kind, _, high, low] = head;
    let length = usize::from(u16::from_be_bytes([high, low]));
    let (rest, filling) = match kind >> 6 {
        // STUN: the length is of what follows a header of 20 bytes (RFC 8489, section 5).
        0 => (length + 16, 0),
        // Channel data: of what follows these four (RFC 8656, section 12.4).
        1 => (length, length.next_multiple_of(4) - length),
        _ => return Err(io::Error::other("this is neither STUN nor channel data")),
    };
    if rest >= MAX_DATAGRAM {
        return Err(io::Error::other("a message is longer than any that is carried"));
    }
    let mut message = head.to_vec();
    message.resize(4 + rest, 0);
    if let Some(place) = message.get_mut(4..) {
        reader.read_exact(place).await?;
    }
    let mut filled = [0; 3];
    if let Some(place) = filled.get_mut(..filling) {
        reader.read_exact(place).await?;
    }
    Ok(Some(message))
}

/// The answer to a request for the client's own address (RFC 8489, section 12), which anybody may
/// make.
#[must_use]
pub fn binding(message: &Message<'_>, from: SocketAddr) -> Option<Vec<u8>> {
    if !message.has_class(MessageClass::Request) || !message.has_method(BINDING) {
        return None;
    }
    let seen = SocketAddr::new(from.ip().to_canonical(), from.port());
    let mut answer = Message::builder_success(message, MessageWriteVec::new());
    answer.add_attribute(&XorMappedAddress::new(seen, message.transaction_id())).ok()?;
    answer.add_fingerprint().ok()?;
    Some(answer.finish())
}

/// The peers that a message is about.
#[must_use]
pub fn peers(message: &Message<'_>) -> BTreeSet<IpAddr> {
    let peers = (0..).map_while(|nth| message.nth_attribute::<XorPeerAddress>(nth).ok());
    peers.map(|peer| peer.addr(message.transaction_id()).ip().to_canonical()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng, rngs::SmallRng};

    async fn all(mut bytes: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        let mut all = Vec::new();
        while let Some(one) = read(&mut bytes).await? {
            all.push(one);
        }
        Ok(all)
    }

    #[tokio::test]
    async fn messages_are_told_apart() {
        let stun = [[0, 1, 0, 4].as_slice(), &[7; 20]].concat();
        let channel = [0x40, 0, 0, 5, 1, 2, 3, 4, 5];
        let stream = [stun.as_slice(), &channel, &[0; 3], &stun].concat();
        assert_eq!(all(&stream).await.unwrap(), [&stun, channel.as_slice(), &stun]);
    }

    #[tokio::test]
    async fn what_is_cut_short_too_long_or_something_else_ends_the_stream() {
        assert!(all(&[0, 1, 0, 4, 1]).await.is_err());
        assert!(all(&[0x40, 0, 0, 2, 1, 2]).await.is_err(), "without what fills it up");
        assert!(all(&[0x40, 0, 0xff, 0xff]).await.is_err());
        assert!(all(b"GET / HTTP/1.1\r\n").await.is_err());
        assert!(all(&[0xff; 100]).await.is_err());
        assert_eq!(all(&[]).await.unwrap(), Vec::<Vec<u8>>::new());
    }

    #[tokio::test]
    async fn whatever_comes_messages_are_parts_of_it_in_order_and_no_longer_than_what_is_carried() {
        let mut rng = SmallRng::seed_from_u64(3);
        let mut messages = 0;
        for _ in 0..3000 {
            let mut bytes = Vec::new();
            for _ in 0..rng.random_range(1..6) {
                let longest = if rng.random_bool(0.8) { 64 } else { 4200 };
                let length = rng.random_range(0_u16..longest);
                bytes.extend([rng.random::<u8>() >> rng.random_range(0..8), rng.random()]);
                bytes.extend(length.to_be_bytes());
                let content = usize::from(length) + rng.random_range(0..24);
                bytes.extend((0..content).map(|_| rng.random::<u8>()));
            }
            let mut rest = bytes.as_slice();
            let mut taken = 0;
            while let Ok(Some(one)) = read(&mut rest).await {
                assert!(one.len() < 4 + MAX_DATAGRAM && bytes[taken..].starts_with(&one));
                taken = bytes.len() - rest.len();
                messages += 1;
            }
        }
        assert!(messages > 1000, "{messages}");
    }
}

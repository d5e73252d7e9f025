//! Clients over TCP, for networks that let no UDP through. Each message is taken out of the stream
//! and served as if it had come by itself (RFC 8656, sections 3.1 and 12.5).

use super::{
    server::Shared,
    session::{Client, MAX_DATAGRAM, MAX_WAITING, Session},
};
use std::{
    collections::BTreeMap,
    io,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

/// Connections at once.
const MAX_CONNECTIONS: usize = 1024;
/// Of these from one address.
const MAX_PER_ADDRESS: usize = 64;
/// How long to wait after a connection could not be taken, as when there are too many files.
const PAUSE: Duration = Duration::from_millis(100);

/// How many connections each address has.
type Counts = Arc<Mutex<BTreeMap<IpAddr, usize>>>;

/// A connection among those counted.
struct Counted(Counts, IpAddr);

impl Counted {
    fn new(counts: &Counts, ip: IpAddr) -> Option<Self> {
        let mut all = counts.lock().unwrap_or_else(PoisonError::into_inner);
        if all.values().sum::<usize>() >= MAX_CONNECTIONS
            || all.get(&ip).is_some_and(|count| *count >= MAX_PER_ADDRESS)
        {
            return None;
        }
        *all.entry(ip).or_default() += 1;
        Some(Self(Arc::clone(counts), ip))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.1);
            }
        }
    }
}

/// Takes connections for ever.
pub(super) async fn serve(shared: Arc<Shared>, listener: TcpListener) -> io::Result<()> {
    let counts = Counts::default();
    loop {
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "a TURN connection was not taken");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        if let Some(counted) = Counted::new(&counts, from.ip().to_canonical()) {
            let shared = Arc::clone(&shared);
            tokio::spawn(async move {
                if let Err(error) = connection(shared, stream).await {
                    tracing::debug!(%error, "a TURN connection ended");
                }
                drop(counted);
            });
        }
    }
}

async fn connection(shared: Arc<Shared>, stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let from = stream.peer_addr()?;
    let (mut reader, mut writer) = stream.into_split();
    let (inbox, packets) = mpsc::channel(MAX_WAITING);
    let (outbox, mut answers) = mpsc::channel::<Vec<u8>>(MAX_WAITING);
    let session = Session::new(shared, Client::Tcp(outbox, from));
    let read = async {
        while let Some(message) = message(&mut reader).await? {
            if inbox.send(message).await.is_err() {
                break;
            }
        }
        io::Result::Ok(())
    };
    let write = async {
        while let Some(mut answer) = answers.recv().await {
            answer.resize(answer.len().next_multiple_of(4), 0);
            writer.write_all(&answer).await?;
        }
        io::Result::Ok(())
    };
    tokio::select! {
        () = session.run(packets, || ()) => Ok(()),
        ended = read => ended,
        ended = write => ended,
    }
}

/// The next message of a stream, without what fills it up to four bytes; `None` at its end.
async fn message(reader: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng, rngs::SmallRng};

    async fn all(mut bytes: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        let mut all = Vec::new();
        while let Some(one) = message(&mut bytes).await? {
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
            while let Ok(Some(one)) = message(&mut rest).await {
                assert!(one.len() < 4 + MAX_DATAGRAM && bytes[taken..].starts_with(&one));
                taken = bytes.len() - rest.len();
                messages += 1;
            }
        }
        assert!(messages > 1000, "{messages}");
    }

    #[test]
    fn an_address_has_64_connections_and_gets_them_back() {
        let counts = Counts::default();
        let ip = IpAddr::from([192, 0, 2, 1]);
        let mut all: Vec<_> = (0..MAX_PER_ADDRESS).map(|_| Counted::new(&counts, ip)).collect();
        assert!(all.iter().all(Option::is_some) && Counted::new(&counts, ip).is_none());
        assert!(Counted::new(&counts, IpAddr::from([192, 0, 2, 2])).is_some());
        all.pop();
        assert!(Counted::new(&counts, ip).is_some());
        drop(all);
        assert!(counts.lock().unwrap().is_empty());
    }
}

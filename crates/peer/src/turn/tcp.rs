//! Clients over TCP, for networks that let no UDP through. Each message is taken out of the stream
//! and served as if it had come by itself (RFC 8656, sections 3.1 and 12.5).

use super::{
    server::Shared,
    session::{Client, MAX_WAITING, Session},
};
use chats_peer::packet;
use std::{
    collections::BTreeMap,
    io,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    io::AsyncWriteExt,
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
        while let Some(message) = packet::read(&mut reader).await? {
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

#[cfg(test)]
mod tests {
    use super::*;

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

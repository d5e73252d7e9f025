//! The way to a relay, which may be long, or lead nowhere all of a sudden.

use libp2p::{Multiaddr, multiaddr::Protocol};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    time::sleep,
};

/// One way to a relay.
pub(super) struct Wire {
    /// The relay's address, by this way.
    pub(super) addr: Multiaddr,
    passes: watch::Sender<bool>,
}

impl Wire {
    /// A way to the relay at `addr` on which whatever is said takes so long.
    pub(super) async fn to(addr: &Multiaddr, delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = listener.local_addr().unwrap();
        let far = addr.iter().find_map(|part| match part {
            Protocol::Tcp(port) => Some(SocketAddr::from(([127, 0, 0, 1], port))),
            _ => None,
        });
        let far = far.unwrap();
        let passes = watch::Sender::new(true);
        let gate = passes.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(far).await.unwrap();
                let ((from_near, to_near), (from_far, to_far)) =
                    (near.into_split(), far.into_split());
                tokio::spawn(carry(from_near, to_far, delay, gate.subscribe()));
                tokio::spawn(carry(from_far, to_near, delay, gate.subscribe()));
            }
        });
        let moved = addr.iter().map(|part| match part {
            Protocol::Tcp(_) => Protocol::Tcp(near.port()),
            other => other,
        });
        Self { addr: moved.collect(), passes }
    }

    /// Nothing passes from now on, and nobody is told.
    pub(super) fn hang(&self) {
        self.passes.send_replace(false);
    }
}

async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    delay: Duration,
    mut passes: watch::Receiver<bool>,
) {
    let mut bytes = vec![0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        if !delay.is_zero() {
            sleep(delay).await;
        }
        if passes.wait_for(|passes| *passes).await.is_err()
            || to.write_all(&bytes[..length]).await.is_err()
        {
            return;
        }
    }
}

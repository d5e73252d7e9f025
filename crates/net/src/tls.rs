//! `wss` that a native program serves by itself: TLS between TCP and WebSocket.
//!
//! `libp2p-websocket` has TLS of its own, with a certificate that is fixed when it starts. Here a
//! resolver is asked at every handshake, so certificates can be replaced while connections stand,
//! and the validation of ACME's TLS-ALPN-01 (RFC 8737) is answered on the same port.

use futures::{AsyncRead, AsyncWrite, AsyncWriteExt};
use futures_rustls::{
    LazyConfigAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        server::{Acceptor, ClientHello, ResolvesServerCert},
        version::TLS13,
    },
    server::TlsStream,
};
use libp2p::{
    Multiaddr, Transport,
    core::{
        ConnectedPoint,
        transport::{DialOpts, ListenerId, TransportError, TransportEvent},
    },
    multiaddr::Protocol,
};
use libp2p_websocket as websocket;
use std::{
    borrow::Cow,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

pub use futures_rustls::rustls;

/// The ALPN name by which an ACME server asks for the proof (RFC 8737, section 6.2).
const ACME: &[u8] = b"acme-tls/1";

/// What a server says in TLS handshakes.
#[derive(Debug, Clone)]
pub struct Tls {
    usual: Arc<ServerConfig>,
    acme: Arc<ServerConfig>,
}

impl Tls {
    /// TLS 1.3 (RFC 8446) with the certificates that `resolver` gives, asked at each handshake.
    ///
    /// # Errors
    /// Only if this build can do no TLS 1.3.
    pub fn new(resolver: Arc<dyn ResolvesServerCert>) -> Result<Self, rustls::Error> {
        let config = |alpn: &[&[u8]]| {
            let provider = Arc::new(ring::default_provider());
            let mut config = ServerConfig::builder_with_provider(provider)
                .with_protocol_versions(&[&TLS13])?
                .with_no_client_auth()
                .with_cert_resolver(Arc::clone(&resolver));
            config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
            Ok::<_, rustls::Error>(Arc::new(config))
        };
        Ok(Self { usual: config(&[])?, acme: config(&[ACME])? })
    }

    /// Takes a connection that came in.
    async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        self,
        stream: S,
        endpoint: ConnectedPoint,
    ) -> io::Result<TlsStream<S>> {
        if endpoint.is_dialer() {
            return Err(io::Error::other("this end of TLS only listens"));
        }
        let handshake = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        if asks_for_proof(&handshake.client_hello()) {
            // The handshake is the proof; there is nothing to say after it.
            handshake.into_stream(self.acme).await?.close().await?;
            return Err(io::Error::other("it was an ACME server, which has seen what it wanted"));
        }
        handshake.into_stream(self.usual).await
    }
}

fn asks_for_proof(hello: &ClientHello<'_>) -> bool {
    hello.alpn().is_some_and(|names| names.eq([ACME]))
}

/// Listens at addresses that end in `/tls/ws` or `/wss`, over `tcp`. They are told as `/tls/ws`.
pub(crate) fn secure_websocket<T>(
    tcp: T,
    tls: Tls,
) -> impl Transport<
    Output = impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    Error = impl Send + Sync + 'static,
    Dial = impl Send + 'static,
    ListenerUpgrade = impl Send + 'static,
> + Send
+ Unpin
+ 'static
where
    T: Transport + Send + Unpin + 'static,
    T::Output: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T::Error: Send + Sync + 'static,
    T::Dial: Send + 'static,
    T::ListenerUpgrade: Send + 'static,
{
    let accept = |stream, endpoint| Box::pin(tls.accept(stream, endpoint));
    Named(websocket::Config::new(tcp.and_then(accept)))
}

/// A WebSocket transport over TLS, under the addresses that say so.
struct Named<T>(T);

/// Without the word for TLS, as the WebSocket transport below is to know it.
fn below(addr: &Multiaddr) -> Option<Multiaddr> {
    let mut rest = addr.clone();
    let path = match rest.pop()? {
        Protocol::Wss(path) => path,
        Protocol::Ws(path) if rest.pop()? == Protocol::Tls => path,
        _ => return None,
    };
    Some(rest.with(Protocol::Ws(Cow::Owned(path.into_owned()))))
}

/// The way back.
fn above(mut addr: Multiaddr) -> Multiaddr {
    match addr.pop() {
        Some(last @ Protocol::Ws(_)) => {
            let last = last.acquire();
            addr.with(Protocol::Tls).with(last)
        }
        Some(last) => {
            let last = last.acquire();
            addr.with(last)
        }
        None => addr,
    }
}

impl<T: Transport + Unpin> Transport for Named<T> {
    type Output = T::Output;
    type Error = T::Error;
    type ListenerUpgrade = T::ListenerUpgrade;
    type Dial = T::Dial;

    fn listen_on(
        &mut self,
        id: ListenerId,
        addr: Multiaddr,
    ) -> Result<(), TransportError<Self::Error>> {
        match below(&addr) {
            Some(below) => self.0.listen_on(id, below),
            None => Err(TransportError::MultiaddrNotSupported(addr)),
        }
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.0.remove_listener(id)
    }

    fn dial(
        &mut self,
        addr: Multiaddr,
        _: DialOpts,
    ) -> Result<Self::Dial, TransportError<Self::Error>> {
        Err(TransportError::MultiaddrNotSupported(addr))
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, Self::Error>> {
        Pin::new(&mut self.0).poll(cx).map(|event| match event {
            TransportEvent::NewAddress { listener_id, listen_addr } => {
                TransportEvent::NewAddress { listener_id, listen_addr: above(listen_addr) }
            }
            TransportEvent::AddressExpired { listener_id, listen_addr } => {
                TransportEvent::AddressExpired { listener_id, listen_addr: above(listen_addr) }
            }
            TransportEvent::Incoming { listener_id, upgrade, local_addr, send_back_addr } => {
                TransportEvent::Incoming {
                    listener_id,
                    upgrade,
                    local_addr: above(local_addr),
                    send_back_addr: above(send_back_addr),
                }
            }
            other => other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    #[test]
    fn both_ways_to_write_wss_are_listened_at_and_told_as_one() {
        for text in ["/ip4/0.0.0.0/tcp/443/tls/ws", "/ip4/0.0.0.0/tcp/443/wss"] {
            let below = below(&addr(text)).unwrap();
            assert_eq!(below, addr("/ip4/0.0.0.0/tcp/443/ws"));
            assert_eq!(above(below), addr("/ip4/0.0.0.0/tcp/443/tls/ws"));
        }
    }

    #[test]
    fn addresses_without_tls_are_left_to_others() {
        for text in ["/ip4/0.0.0.0/tcp/80/ws", "/ip4/0.0.0.0/tcp/80", "/ip4/0.0.0.0/tcp/80/tls"] {
            assert_eq!(below(&addr(text)), None, "{text}");
        }
    }
}

//! A transport that is like one of circuits: its addresses are `/memory/<n>/p2p-circuit`.

use libp2p::{
    Multiaddr,
    core::transport::{
        DialOpts, ListenerId, MemoryTransport, Transport, TransportError, TransportEvent,
    },
    multiaddr::Protocol,
};
use std::{
    pin::Pin,
    task::{Context, Poll},
};

#[derive(Default)]
pub(crate) struct Circuit(MemoryTransport);

/// The address of the memory transport, if there is a circuit after it.
fn inner(address: &Multiaddr) -> Option<Multiaddr> {
    let parts: Vec<_> = address.iter().collect();
    match parts[..] {
        [Protocol::Memory(port), Protocol::P2pCircuit]
        | [Protocol::Memory(port), Protocol::P2pCircuit, Protocol::P2p(_)] => {
            Some(Protocol::Memory(port).into())
        }
        _ => None,
    }
}

fn outer(address: Multiaddr) -> Multiaddr {
    address.with(Protocol::P2pCircuit)
}

type Inner = MemoryTransport;

impl Transport for Circuit {
    type Output = <Inner as Transport>::Output;
    type Error = <Inner as Transport>::Error;
    type ListenerUpgrade = <Inner as Transport>::ListenerUpgrade;
    type Dial = <Inner as Transport>::Dial;

    fn listen_on(
        &mut self,
        id: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<Self::Error>> {
        let inner = inner(&address).ok_or(TransportError::MultiaddrNotSupported(address))?;
        self.0.listen_on(id, inner)
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.0.remove_listener(id)
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        opts: DialOpts,
    ) -> Result<Self::Dial, TransportError<Self::Error>> {
        let inner = inner(&address).ok_or(TransportError::MultiaddrNotSupported(address))?;
        self.0.dial(inner, opts)
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, Self::Error>> {
        Pin::new(&mut self.0).poll(cx).map(|event| match event {
            TransportEvent::NewAddress { listener_id, listen_addr } => {
                TransportEvent::NewAddress { listener_id, listen_addr: outer(listen_addr) }
            }
            TransportEvent::Incoming { listener_id, upgrade, local_addr, send_back_addr } => {
                let local_addr = outer(local_addr);
                TransportEvent::Incoming { listener_id, upgrade, local_addr, send_back_addr }
            }
            other => other,
        })
    }
}

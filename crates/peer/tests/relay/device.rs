//! A device on a native network, and what it sees.

use crate::process::PATIENCE;
use chats_core::{
    channel::Channel,
    id::{DeviceKey, DeviceSecret, MeetTag},
};
use chats_net::{
    Multiaddr, native,
    network::{Command, Event, Network, RelayState, SendError},
};
use futures::StreamExt;
use tokio::time::timeout;

pub const TAG: MeetTag = MeetTag([9; 32]);

pub struct Device {
    pub network: Network,
    pub key: DeviceKey,
}

impl Device {
    pub fn start(seed: u8, relays: Vec<Multiaddr>) -> Self {
        Self::start_at(seed, relays, vec![])
    }

    pub fn start_at(seed: u8, relays: Vec<Multiaddr>, listen: Vec<Multiaddr>) -> Self {
        let secret = DeviceSecret::from_seed(&[seed; 32]);
        let network = native::start(&secret, relays, listen).unwrap();
        Self { network, key: secret.device() }
    }

    pub fn tell(&mut self, command: Command) {
        self.network.try_send(command).unwrap();
    }

    pub fn send(&mut self, to: DeviceKey, channel: Channel, frame: &[u8]) {
        self.tell(Command::Send { to, channel, frame: frame.to_vec() });
    }

    /// Sends without a bound of our own; stops when the network will not take more now.
    pub fn try_send(&mut self, to: DeviceKey, frame: Vec<u8>) -> Result<(), SendError> {
        self.network.try_send(Command::Send { to, channel: Channel::Meeting, frame })
    }

    /// The first of the coming events that `pick` wants; those before it are dropped.
    pub async fn until<T>(&mut self, what: &str, mut pick: impl FnMut(Event) -> Option<T>) -> T {
        let mut seen = Vec::new();
        let found = timeout(PATIENCE, async {
            while let Some(event) = self.network.next().await {
                seen.push(format!("{event:?}"));
                if let Some(found) = pick(event) {
                    return found;
                }
            }
            panic!("the network stopped before: {what}");
        });
        match found.await {
            Ok(found) => found,
            Err(_) => panic!("not seen: {what}; seen: {seen:#?}"),
        }
    }

    pub async fn relay_connected(&mut self) {
        self.until("a relay connected", |event| match event {
            Event::Relay { state: RelayState::Connected { .. }, .. } => Some(()),
            _ => None,
        })
        .await;
    }

    pub async fn relay_failed(&mut self) -> String {
        self.until("a relay failed", |event| match event {
            Event::Relay { state: RelayState::Failed { reason, .. }, .. } => Some(reason),
            _ => None,
        })
        .await
    }

    /// Enters [`TAG`]; who was there.
    pub async fn meet(&mut self) -> Vec<DeviceKey> {
        self.tell(Command::Meet(TAG));
        self.present().await
    }

    pub async fn present(&mut self) -> Vec<DeviceKey> {
        self.until("present", |event| match event {
            Event::Present { devices, .. } => Some(devices),
            _ => None,
        })
        .await
    }

    pub async fn connected(&mut self, other: DeviceKey) -> chats_net::network::Path {
        self.until("connected", |event| match event {
            Event::Connected { device, path } if device == other => Some(path),
            _ => None,
        })
        .await
    }

    pub async fn disconnected(&mut self, other: DeviceKey) -> String {
        self.until("disconnected", |event| match event {
            Event::Disconnected { device, reason } if device == other => Some(reason),
            _ => None,
        })
        .await
    }

    pub async fn received(&mut self, other: DeviceKey) -> (Channel, Vec<u8>) {
        self.until("a frame", |event| match event {
            Event::Received { from, channel, frame } if from == other => Some((channel, frame)),
            _ => None,
        })
        .await
    }
}

/// Two devices that met at a relay; the second dialled the first.
pub async fn pair(relay: Multiaddr) -> (Device, Device) {
    let mut first = Device::start(1, vec![relay.clone()]);
    assert_eq!(first.meet().await, []);
    let mut second = Device::start(2, vec![relay]);
    assert_eq!(second.meet().await, [first.key]);
    second.tell(Command::Dial(first.key));
    second.connected(first.key).await;
    first.connected(second.key).await;
    (first, second)
}

/// [`pair`], with hello behind both.
pub async fn passed_pair(relay: Multiaddr) -> (Device, Device) {
    let (mut first, mut second) = pair(relay).await;
    first.tell(Command::Pass(second.key));
    second.tell(Command::Pass(first.key));
    // Commands are taken in order, so a frame that is answered proves that both passed.
    second.send(first.key, Channel::Hello, b"passed");
    assert_eq!(first.received(second.key).await, (Channel::Hello, b"passed".to_vec()));
    first.send(second.key, Channel::Hello, b"passed too");
    assert_eq!(second.received(first.key).await, (Channel::Hello, b"passed too".to_vec()));
    (first, second)
}

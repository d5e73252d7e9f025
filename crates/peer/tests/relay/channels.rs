//! Frames between devices over a circuit, and what is done about those who misbehave.

use crate::{
    device::{Device, pair, passed_pair},
    hostile::Hostile,
    process::RelayProcess,
};
use chats_core::channel::Channel;
use chats_net::{
    Multiaddr,
    network::{Command, Event, Path, SendError},
};
use std::time::Instant;

/// A device that others can connect to without a relay, and where.
async fn reachable(seed: u8) -> (Device, Multiaddr) {
    let listen = "/ip4/127.0.0.1/tcp/0".parse().unwrap();
    let mut device = Device::start_at(seed, vec![], vec![listen]);
    let addr = device
        .until("listening", |event| match event {
            Event::Listening(addr) => Some(addr),
            _ => None,
        })
        .await;
    (device, addr)
}

#[tokio::test]
async fn a_dial_over_a_circuit_connects_both_and_hello_passes_at_once() {
    let relay = RelayProcess::start().await;
    let mut first = Device::start(1, vec![relay.ws()]);
    first.meet().await;
    let mut second = Device::start(2, vec![relay.tcp()]);
    second.meet().await;
    second.tell(Command::Dial(first.key));
    assert_eq!(second.connected(first.key).await, Path::Circuit);
    assert_eq!(first.connected(second.key).await, Path::Circuit);
    first.send(second.key, Channel::Hello, b"from first");
    second.send(first.key, Channel::Hello, b"from second");
    assert_eq!(second.received(first.key).await, (Channel::Hello, b"from first".to_vec()));
    assert_eq!(first.received(second.key).await, (Channel::Hello, b"from second".to_vec()));
}

#[tokio::test]
async fn meeting_frames_are_dropped_before_pass_and_arrive_after() {
    let relay = RelayProcess::start().await;
    let (mut first, mut second) = pair(relay.ws()).await;
    second.tell(Command::Pass(first.key));
    second.send(first.key, Channel::Meeting, b"too early");
    // More round trips than a stream needs to open: the early frame is there before the last.
    for n in 0..20 {
        second.send(first.key, Channel::Hello, &[n]);
        assert_eq!(first.received(second.key).await, (Channel::Hello, vec![n]));
        first.send(second.key, Channel::Hello, &[n]);
        assert_eq!(second.received(first.key).await, (Channel::Hello, vec![n]));
    }
    first.tell(Command::Pass(second.key));
    first.send(second.key, Channel::Hello, b"passed");
    second.received(first.key).await;
    second.send(first.key, Channel::Meeting, b"in time");
    assert_eq!(first.received(second.key).await, (Channel::Meeting, b"in time".to_vec()));
}

#[tokio::test]
async fn frames_up_to_the_bound_arrive_whole_and_in_order() {
    let relay = RelayProcess::start().await;
    let (mut first, mut second) = passed_pair(relay.ws()).await;
    let frame = |n: u8| vec![n; Channel::Meeting.max_frame() - usize::from(n)];
    // As many as a circuit carries.
    for n in 0..3 {
        second.try_send(first.key, frame(n)).unwrap();
    }
    for n in 0..3 {
        assert_eq!(first.received(second.key).await, (Channel::Meeting, frame(n)), "{n}");
    }
}

#[tokio::test]
async fn who_does_not_keep_up_is_disconnected() {
    let (mut device, addr) = reachable(1).await;
    let mut hostile = Hostile::connect(&addr).await;
    hostile.leave_unread(Channel::Meeting.protocol());
    let other = hostile.key;
    device.connected(other).await;
    device.tell(Command::Pass(other));
    let reason = loop {
        match device.try_send(other, vec![0; Channel::Meeting.max_frame()]) {
            Ok(()) | Err(SendError::Full) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
        let event = futures::FutureExt::now_or_never(futures::StreamExt::next(&mut device.network));
        if let Some(Some(Event::Disconnected { device, reason })) = event {
            assert_eq!(device, other);
            break reason;
        }
    };
    assert!(reason.contains("does not keep up"), "{reason}");
}

#[tokio::test]
async fn what_was_sent_before_a_disconnect_arrives() {
    let relay = RelayProcess::start().await;
    let (mut first, mut second) = pair(relay.ws()).await;
    first.send(second.key, Channel::Hello, b"refused");
    first.tell(Command::Disconnect(second.key));
    assert_eq!(second.received(first.key).await, (Channel::Hello, b"refused".to_vec()));
    second.disconnected(first.key).await;
    first.disconnected(second.key).await;
}

#[tokio::test]
async fn oversized_and_malformed_frames_disconnect_their_sender() {
    let (mut device, addr) = reachable(1).await;
    for (bytes, why) in [
        (&[0x81, 0x40][..], "frame of 8193 bytes"),
        (&[0xff, 0xff, 0xff, 0xff], "malformed frame length"),
        (&[0x80, 0x00], "malformed frame length"),
    ] {
        let mut hostile = Hostile::connect(&addr).await;
        assert_eq!(device.connected(hostile.key).await, Path::Direct);
        let _stream = hostile.write(Channel::Hello.protocol(), bytes).await;
        let reason = device.disconnected(hostile.key).await;
        assert!(reason.contains(why), "{reason}");
        hostile.closed().await;
    }
}

#[tokio::test]
async fn a_channel_opened_twice_disconnects() {
    let (mut device, addr) = reachable(1).await;
    let mut hostile = Hostile::connect(&addr).await;
    let _one = hostile.write(Channel::Hello.protocol(), &[1, 1]).await;
    let _two = hostile.try_open(Channel::Hello.protocol()).await;
    let reason = device.disconnected(hostile.key).await;
    assert!(reason.contains("twice"), "{reason}");
}

#[tokio::test]
async fn who_does_not_pass_within_10_seconds_is_disconnected() {
    let (mut device, addr) = reachable(1).await;
    let mut hostile = Hostile::connect(&addr).await;
    let reason = device.disconnected(hostile.key).await;
    assert!(reason.contains("hello did not pass"), "{reason}");
    hostile.closed().await;
}

#[tokio::test]
async fn who_falls_silent_is_noticed_within_15_seconds() {
    let (mut device, addr) = reachable(1).await;
    let hostile = Hostile::connect(&addr).await;
    let other = hostile.key;
    device.connected(other).await;
    device.tell(Command::Pass(other));
    // Once a ping was answered, all is well between them.
    device.until("a round trip", |event| matches!(event, Event::Rtt { .. }).then_some(())).await;
    let _open = hostile.fall_silent();
    let since = Instant::now();
    device.disconnected(other).await;
    assert!(since.elapsed().as_secs() < 15, "{:?}", since.elapsed());
}

#[tokio::test]
async fn of_strangers_32_are_heard_at_once() {
    let (mut device, addr) = reachable(1).await;
    let mut strangers = Vec::new();
    for _ in 0..32 {
        let stranger = Hostile::connect(&addr).await;
        device.connected(stranger.key).await;
        strangers.push(stranger);
    }
    let mut last = Hostile::connect(&addr).await;
    last.closed().await;
    let refused = last.key;
    // One that passes makes room for the next.
    let first = strangers[0].key;
    device.tell(Command::Pass(first));
    let next = Hostile::connect(&addr).await;
    let connected = device
        .until("the next stranger", |event| match event {
            Event::Connected { device, .. } => Some(device),
            _ => None,
        })
        .await;
    assert_ne!(connected, refused);
    assert_eq!(connected, next.key);
    assert!(strangers[1..].iter().all(Hostile::is_connected));
}

#[tokio::test]
async fn a_device_that_starts_over_gets_a_new_session_though_the_old_one_lingers() {
    let relay = RelayProcess::start().await;
    let (mut first, old) = passed_pair(relay.ws()).await;
    let mut new = Device::start(2, vec![relay.ws()]);
    assert_eq!(new.key, old.key);
    new.relay_connected().await;
    new.tell(Command::Dial(first.key));
    new.connected(first.key).await;
    new.send(first.key, Channel::Hello, b"again");
    first.disconnected(new.key).await;
    first.connected(new.key).await;
    assert_eq!(first.received(new.key).await, (Channel::Hello, b"again".to_vec()));
    first.send(new.key, Channel::Hello, b"welcome");
    assert_eq!(new.received(first.key).await, (Channel::Hello, b"welcome".to_vec()));
}

#[tokio::test]
async fn devices_that_dial_each_other_at_once_talk_both_ways() {
    let relay = RelayProcess::start().await;
    let mut first = Device::start(1, vec![relay.ws()]);
    let mut second = Device::start(2, vec![relay.ws()]);
    first.relay_connected().await;
    second.relay_connected().await;
    first.tell(Command::Dial(second.key));
    second.tell(Command::Dial(first.key));
    first.connected(second.key).await;
    second.connected(first.key).await;
    for n in 0..10 {
        first.send(second.key, Channel::Hello, &[n]);
        second.send(first.key, Channel::Hello, &[n]);
        assert_eq!(second.received(first.key).await, (Channel::Hello, vec![n]));
        assert_eq!(first.received(second.key).await, (Channel::Hello, vec![n]));
    }
}

#[tokio::test]
async fn a_dial_that_cannot_work_says_why() {
    let relay = RelayProcess::start().await;
    let mut device = Device::start(1, vec![]);
    let stranger = chats_core::id::DeviceSecret::from_seed(&[77; 32]).device();
    let failed = async |device: &mut Device| {
        device
            .until("a failed dial", |event| match event {
                Event::DialFailed { reason, .. } => Some(reason),
                _ => None,
            })
            .await
    };
    device.tell(Command::Dial(stranger));
    assert_eq!(failed(&mut device).await, "no relay and no member is connected who could help");
    device.tell(Command::SetRelays(vec![relay.ws()]));
    device.relay_connected().await;
    device.tell(Command::Dial(stranger));
    let reason = failed(&mut device).await;
    assert!(reason.to_lowercase().contains("reservation"), "{reason}");
    device.tell(Command::Dial(device.key));
    assert_eq!(failed(&mut device).await, "this is no other device");
}

//! `/chats/meet/1` and relays that come and go.

use crate::{
    device::{Device, TAG, pair},
    hostile::{Hostile, ends},
    process::{PATIENCE, RelayProcess, text},
};
use chats_core::{id::MeetTag, wire};
use chats_net::{
    frame,
    meet::{MAX_FRAME, MAX_TAGS, PROTOCOL, Refusal, Reply, Request},
    network::{Command, Event, Path, RelayState},
};
use tokio::time::timeout;

#[tokio::test]
async fn the_newcomer_hears_who_is_there_and_the_others_hear_of_it() {
    let relay = RelayProcess::start().await;
    let mut first = Device::start(1, vec![relay.ws()]);
    assert_eq!(first.meet().await, []);
    let mut second = Device::start(2, vec![relay.ws()]);
    assert_eq!(second.meet().await, [first.key]);
    let arrived = first
        .until("an arrival", |event| match event {
            Event::Arrived { device, .. } => Some(device),
            _ => None,
        })
        .await;
    assert_eq!(arrived, second.key);
}

#[tokio::test]
async fn devices_under_different_tags_do_not_hear_of_each_other() {
    let relay = RelayProcess::start().await;
    let mut first = Device::start(1, vec![relay.ws()]);
    first.tell(Command::Meet(MeetTag([1; 32])));
    assert_eq!(first.present().await, []);
    let mut second = Device::start(2, vec![relay.ws()]);
    assert_eq!(second.meet().await, []);
}

#[tokio::test]
async fn a_device_that_dies_is_told_and_its_connection_ends() {
    let relay = RelayProcess::start().await;
    let (mut first, second) = pair(relay.ws()).await;
    let gone = second.key;
    drop(second);
    let (mut left, mut disconnected) = (false, false);
    first
        .until("left and disconnected", |event| {
            left |= event == Event::Left(gone);
            disconnected |= matches!(event, Event::Disconnected { device, .. } if device == gone);
            (left && disconnected).then_some(())
        })
        .await;
}

#[tokio::test]
async fn a_relay_that_returns_is_used_again() {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("relay.key");
    let args = ["--key", text(&key)];
    let mut relay = RelayProcess::start_with(&["/ip4/127.0.0.1/tcp/0/ws"], &args).await;
    let addr = relay.ws();
    let listen = addr.to_string().split("/p2p/").next().unwrap().to_owned();
    let mut first = Device::start(1, vec![addr.clone()]);
    first.meet().await;
    relay.signal("-KILL").await;
    first.relay_failed().await;
    let relay = RelayProcess::start_with(&[&listen], &args).await;
    assert_eq!(relay.ws(), addr);
    first.tell(Command::RetryNow);
    assert_eq!(first.present().await, []);
    let mut second = Device::start(2, vec![addr]);
    assert_eq!(second.meet().await, [first.key]);
}

#[tokio::test]
async fn a_device_is_reached_through_whichever_relay_it_is_at() {
    let (one, two) = (RelayProcess::start().await, RelayProcess::start().await);
    let mut first = Device::start(1, vec![two.ws()]);
    first.meet().await;
    let mut second = Device::start(2, vec![one.ws(), two.ws()]);
    second.tell(Command::Meet(TAG));
    while second.present().await != [first.key] {}
    second.relay_connected().await;
    second.tell(Command::Dial(first.key));
    assert_eq!(second.connected(first.key).await, Path::Circuit);
}

#[tokio::test]
async fn relays_taken_off_the_list_are_left_and_unusable_ones_are_named() {
    let relay = RelayProcess::start().await;
    let (mut first, second) = pair(relay.ws()).await;
    let bare = relay.ws().to_string().split("/p2p/").next().unwrap().parse().unwrap();
    first.tell(Command::SetRelays(vec![bare]));
    let state = first
        .until("the state of the address", |event| match event {
            Event::Relay { state: state @ RelayState::Failed { .. }, .. } => Some(state),
            _ => None,
        })
        .await;
    let RelayState::Failed { reason, retry_in: None, .. } = state else { panic!("{state:?}") };
    assert!(reason.contains("/p2p/"), "{reason}");
    first.disconnected(second.key).await;
}

#[tokio::test]
async fn a_relay_that_nobody_runs_fails_with_a_reason_and_a_time() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let peer = chats_net::PeerId::random();
    let addr = format!("/ip4/127.0.0.1/tcp/{free}/ws/p2p/{peer}").parse().unwrap();
    let mut device = Device::start(1, vec![addr]);
    device
        .until("a failure", |event| match event {
            Event::Relay { state: RelayState::Failed { reason, retry_in, .. }, .. } => {
                assert!(reason.contains("refused"), "{reason}");
                assert!(retry_in.is_some());
                Some(())
            }
            _ => None,
        })
        .await;
}

#[tokio::test]
async fn malformed_requests_end_the_stream() {
    let relay = RelayProcess::start().await;
    let mut trailing = wire::encode(&Request::Enter(TAG));
    trailing.push(0);
    let mut trailing_frame = vec![trailing.len() as u8];
    trailing_frame.extend(trailing);
    for bytes in [
        // Longer than 4 kB; no varint; no CBOR; an unknown request; bytes after a request.
        &[0x81, 0x20][..],
        &[0xff, 0xff, 0xff, 0x7f],
        &[2, 0xff, 0xff],
        &[3, 0x82, 0x09, 0x80],
        &trailing_frame,
    ] {
        let mut hostile = Hostile::connect(&relay.tcp()).await;
        let stream = hostile.write(PROTOCOL, bytes).await;
        assert!(ends(stream).await, "{bytes:?}");
        hostile.closed().await;
    }
}

#[tokio::test]
async fn a_connection_enters_16_tags_and_is_refused_more() {
    let relay = RelayProcess::start().await;
    let mut hostile = Hostile::connect(&relay.tcp()).await;
    let mut stream = hostile.open(PROTOCOL).await;
    for n in 0..=MAX_TAGS as u8 {
        let tag = MeetTag([n; 32]);
        let request = wire::encode(&Request::Enter(tag));
        frame::write(&mut stream, &request, MAX_FRAME).await.unwrap();
        let reply = timeout(PATIENCE, frame::read(&mut stream, MAX_FRAME)).await.unwrap();
        let reply = wire::decode::<Reply>("reply", &reply.unwrap().unwrap()).unwrap();
        let expected = if usize::from(n) < MAX_TAGS {
            Reply::Present(tag, vec![])
        } else {
            Reply::Refused(tag, Refusal::Tags)
        };
        assert_eq!(reply, expected);
    }
}

//! Whether a device still answers.

use super::{
    Device, RelayTask,
    links::{link, linked_pair, meet, pair},
};
use crate::network::{Command, Event, Path};
use chats_core::id::DeviceKey;

impl Device {
    async fn answers(&mut self, other: DeviceKey) {
        self.until("an answer", |event| match event {
            Event::Answers(device) => {
                assert_eq!(*device, other);
                Some(())
            }
            Event::Disconnected { reason, .. } => panic!("the session ended: {reason}"),
            _ => None,
        })
        .await;
    }
}

#[tokio::test]
async fn a_device_that_answers_keeps_its_link_and_all_that_is_said_on_it() {
    let relay = RelayTask::start().await;
    let (mut a, mut b) = linked_pair(&relay).await;
    let (to_b, to_a) = (b.key, a.key);
    for number in 0..20_u8 {
        a.tell(Command::Check(b.key));
        b.tell(Command::Check(a.key));
        a.send(to_b, &[number]);
        futures::join!(a.answers(to_b), b.answers(to_a));
        b.send(to_a, &[number]);
        assert_eq!(a.received().await, [number]);
    }
}

#[tokio::test]
async fn a_device_on_a_circuit_answers_as_long_as_the_circuit_stands() {
    let relay = RelayTask::start().await;
    let (mut a, mut b) = pair(&relay).await;
    meet(&mut a, &mut b).await;
    a.tell(Command::Check(b.key));
    a.answers(b.key).await;
}

#[tokio::test]
async fn a_device_that_does_not_answer_is_spoken_to_over_a_circuit_and_linked_anew() {
    let relay = RelayTask::start().await;
    let (mut a, mut b) = linked_pair(&relay).await;
    a.cables.cut();
    a.tell(Command::Check(b.key));
    // The circuit was made meanwhile, so it is there as soon as the link is given up.
    let mut ended = false;
    let path = a.until("a circuit", |event| match event {
        Event::Disconnected { .. } => {
            ended = true;
            None
        }
        Event::Connected { path, .. } => Some(*path),
        Event::DialFailed { reason, .. } => panic!("{reason}"),
        _ => None,
    });
    assert_eq!(path.await, Path::Circuit);
    assert!(ended, "a session ends before the next one begins");
    a.tell(Command::Pass(b.key));
    a.send(b.key, b"again");
    // The other side has noticed nothing yet, and takes this for a new beginning.
    assert_eq!(b.connected(a.key).await, Path::Circuit);
    b.tell(Command::Pass(a.key));
    b.send(a.key, b"again");
    a.received().await;
    link(&mut a, &mut b).await;
    a.send(b.key, b"direct");
    assert_eq!(b.received().await, b"direct");
}

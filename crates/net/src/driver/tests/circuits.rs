//! What circuits are good for: a while.

use super::{
    Device, RelayTask,
    links::{link, meet, pair},
};
use crate::network::Event;
use chats_core::id::DeviceKey;
use std::time::{Duration, Instant};

/// Much longer than two devices take to meet, and to make a link.
const CIRCUIT: Duration = Duration::from_secs(3);

impl Device {
    pub(super) async fn disconnected(&mut self, other: DeviceKey) {
        self.until("the end of the session", |event| match event {
            Event::Disconnected { device, .. } if *device == other => Some(()),
            _ => None,
        })
        .await;
    }
}

#[tokio::test]
async fn a_session_ends_with_its_circuit_for_both_and_the_next_one_begins_on_another() {
    let relay = RelayTask::carrying(CIRCUIT).await;
    let (mut a, mut b) = pair(&relay).await;
    for _ in 0..2 {
        meet(&mut a, &mut b).await;
        let (to_a, to_b) = (a.key, b.key);
        futures::join!(a.disconnected(to_b), b.disconnected(to_a));
    }
    meet(&mut b, &mut a).await;
}

#[tokio::test]
async fn a_session_with_a_link_outlasts_any_circuit() {
    let relay = RelayTask::carrying(CIRCUIT).await;
    let (mut a, mut b) = pair(&relay).await;
    meet(&mut a, &mut b).await;
    let begun = Instant::now();
    link(&mut a, &mut b).await;
    while begun.elapsed() < CIRCUIT + Duration::from_secs(1) {
        // Fails if the session ends.
        a.send(b.key, b"still");
        assert_eq!(b.received().await, b"still");
    }
}

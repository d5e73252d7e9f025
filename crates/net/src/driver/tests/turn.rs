//! Which relay's word about TURN counts.

use super::{Device, secret};
use crate::{
    network::{Command, Event},
    relay::{Relay, RelayEvent, Settings},
};
use chats_core::turn::{TurnAnswer, TurnGrant, TurnRefusal};
use libp2p::Multiaddr;
use std::sync::{Arc, Mutex};

/// What relays answer, in the order in which they are asked.
type Answers = Arc<Mutex<Vec<TurnAnswer>>>;

/// A relay that says what comes next of `answers` when it is asked.
async fn relay(answers: &Answers) -> Multiaddr {
    let answers = Arc::clone(answers);
    answering(move || answers.lock().unwrap().remove(0)).await
}

/// A relay that answers so.
async fn answering(mut answer: impl FnMut() -> TurnAnswer + Send + 'static) -> Multiaddr {
    let settings = Settings { turn: true, ..Settings::default() };
    let mut relay = Relay::new(&secret(), settings).unwrap();
    relay.listen("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
    let RelayEvent::Listening(addr) = relay.next().await else { panic!("not listening") };
    tokio::spawn(async move {
        loop {
            if let RelayEvent::TurnAsked(question) = relay.next().await {
                question.answer(&answer());
            }
        }
    });
    addr
}

/// A device that asks three relays, and what comes of it; all `answers` were given.
async fn asked(answers: [TurnAnswer; 3]) -> Option<TurnGrant> {
    let answers = Answers::new(Mutex::new(answers.into()));
    let relays = vec![relay(&answers).await, relay(&answers).await, relay(&answers).await];
    let mut device = Device::start(relays, false);
    device.relays_connected(3).await;
    let granted = answer(&mut device).await;
    assert!(answers.lock().unwrap().is_empty(), "not every relay was asked");
    granted
}

/// What comes of it if the device asks.
async fn answer(device: &mut Device) -> Option<TurnGrant> {
    device.tell(Command::AskForTurn(b"please".to_vec()));
    let answer = |event: &Event| match event {
        Event::Turn(grant) => Some(Some(grant.clone())),
        Event::NoTurn => Some(None),
        _ => None,
    };
    device.until("an answer", answer).await
}

fn grant(url: &str) -> TurnGrant {
    TurnGrant {
        urls: vec![url.to_owned()],
        username: "name".to_owned(),
        credential: "credential".to_owned(),
        lasts: 3600,
    }
}

#[tokio::test]
async fn who_is_refused_or_told_nonsense_asks_the_next_relay() {
    let good = grant("turn:192.0.2.1:3478?transport=udp");
    let got = asked([
        TurnAnswer::Refused(TurnRefusal::OtherCommunity),
        TurnAnswer::Granted(grant("https://example.org")),
        TurnAnswer::Granted(good.clone()),
    ]);
    assert_eq!(got.await, Some(good));
}

#[tokio::test]
async fn where_every_relay_refuses_there_is_no_turn() {
    let busy = || TurnAnswer::Refused(TurnRefusal::Busy);
    assert_eq!(asked([busy(), TurnAnswer::Refused(TurnRefusal::Spent), busy()]).await, None);
}

#[tokio::test]
async fn the_relay_that_granted_is_asked_first_from_then_on() {
    let mut relays = Vec::new();
    // Only the last grants, once, and from then on all do.
    let granted = Arc::new(Mutex::new(false));
    for url in ["turn:a", "turn:b", "turn:c"] {
        let granted = Arc::clone(&granted);
        let answer = move || {
            let mut granted = granted.lock().unwrap();
            if !*granted && url != "turn:c" {
                return TurnAnswer::Refused(TurnRefusal::Busy);
            }
            *granted = true;
            TurnAnswer::Granted(grant(url))
        };
        relays.push(answering(answer).await);
    }
    let mut device = Device::start(relays, false);
    device.relays_connected(3).await;
    for _ in 0..4 {
        assert_eq!(answer(&mut device).await, Some(grant("turn:c")));
    }
}

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
    let settings = Settings { turn: true, ..Settings::default() };
    let mut relay = Relay::new(&secret(), settings).unwrap();
    relay.listen("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
    let RelayEvent::Listening(addr) = relay.next().await else { panic!("not listening") };
    let answers = Arc::clone(answers);
    tokio::spawn(async move {
        loop {
            if let RelayEvent::TurnAsked(question) = relay.next().await {
                let answer = answers.lock().unwrap().remove(0);
                question.answer(&answer);
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
    device.tell(Command::AskForTurn(b"please".to_vec()));
    let granted = device
        .until("an answer", |event| match event {
            Event::Turn(grant) => Some(Some(grant.clone())),
            Event::NoTurn => Some(None),
            _ => None,
        })
        .await;
    assert!(answers.lock().unwrap().is_empty(), "not every relay was asked");
    granted
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

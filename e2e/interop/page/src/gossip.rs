//! Calls and answers by gossip. `js/stranger.mjs` says the same.

use crate::{
    node::{Command, Node},
    protocols::Failed,
};
use futures::{StreamExt, channel::mpsc, future::Either, pin_mut};
use futures_timer::Delay;
use libp2p::gossipsub::{
    self, IdentTopic, Message, MessageAuthenticity, MessageId, ValidationMode,
};
use std::{
    cell::RefCell,
    hash::{DefaultHasher, Hash, Hasher},
    rc::Rc,
    time::Duration,
};
use web_time::Instant;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// The first byte of a call; the rest tells it from others.
const CALL: u8 = 0;
/// The first byte of an answer, which else is as the call.
const ANSWER: u8 = 1;

pub(crate) fn topic() -> IdentTopic {
    IdentTopic::new("interop")
}

/// Without authors, and known by its content, as in the app.
pub(crate) fn behaviour() -> Result<gossipsub::Behaviour, Failed> {
    let config = gossipsub::ConfigBuilder::default()
        .validation_mode(ValidationMode::Anonymous)
        .message_id_fn(|message: &Message| {
            let mut hasher = DefaultHasher::new();
            message.data.hash(&mut hasher);
            MessageId::from(hasher.finish().to_be_bytes().to_vec())
        })
        .build()
        .map_err(|error| Failed(error.to_string()))?;
    let mut gossip = gossipsub::Behaviour::new(MessageAuthenticity::Anonymous, config)
        .map_err(|error| Failed(error.to_owned()))?;
    gossip.subscribe(&topic()).map_err(|error| Failed(error.to_string()))?;
    Ok(gossip)
}

/// What comes by gossip.
#[derive(Clone, Default)]
pub(crate) struct Gossip(Rc<RefCell<Option<mpsc::UnboundedSender<Vec<u8>>>>>);

impl Gossip {
    /// Takes note of an event; gives what to publish because of it.
    pub(crate) fn note(&self, event: gossipsub::Event) -> Option<Vec<u8>> {
        let gossipsub::Event::Message { message, .. } = event else { return None };
        let (first, rest) = message.data.split_first()?;
        if *first == CALL {
            return Some([&[ANSWER], rest].concat());
        }
        if let Some(waiting) = self.0.borrow().as_ref() {
            let _ = waiting.unbounded_send(rest.to_vec());
        }
        None
    }
}

/// See [`gossip`](crate::gossip()).
pub(crate) async fn rounds(node: &Node, count: u32) -> Result<Vec<f64>, Failed> {
    let (waiting, mut answers) = mpsc::unbounded();
    *node.gossip.0.borrow_mut() = Some(waiting);
    let mut took = Vec::new();
    for round in 0..count {
        let name = [&round.to_be_bytes()[..], &crate::protocols::noise(16)?].concat();
        let deadline = Instant::now() + PATIENCE;
        let mut started = Instant::now();
        let call = || [&[CALL], name.as_slice()].concat();
        // Until gossip reaches somebody.
        while node.ask(|reply| Command::Publish { message: call(), reply }).await?.is_err() {
            if Instant::now() > deadline {
                return Err(Failed("gossip reaches nobody".to_owned()));
            }
            Delay::new(Duration::from_millis(50)).await;
            started = Instant::now();
        }
        let late = Delay::new(PATIENCE);
        let answer = async {
            while let Some(answer) = answers.next().await {
                if answer == name {
                    return;
                }
            }
        };
        pin_mut!(answer, late);
        match futures::future::select(answer, late).await {
            Either::Left(_) => took.push(started.elapsed().as_secs_f64() * 1000.0),
            Either::Right(_) => return Err(Failed(format!("call {round} was not answered"))),
        }
    }
    Ok(took)
}

//! Two nodes, Alice and Bob, with a network and media that do as they are told at once.

use chats_core::access::{AccessAnswer, Role, Standing};
use chats_core::fixtures::{COMMUNITY, NOW, TestWallet, certificate};
use chats_core::id::{DeviceKey, DeviceSecret};
use chats_core::media::{Description, DescriptionKind, Link, LinkState, MediaCommand, MediaEvent};
use chats_core::node::{Event, Input, Node, Output, Participant, ParticipantState};
use chats_core::presence::Session;
use chats_core::time::{Duration, Time};
use std::collections::{BTreeMap, VecDeque};

const SECOND: Duration = Duration::from_secs(1);

struct Side {
    node: Node,
    key: DeviceKey,
    linked: bool,
    participants: BTreeMap<DeviceKey, Participant>,
    /// Links whose last applied description is an offer.
    offered: BTreeMap<Link, bool>,
    inbox: VecDeque<Input>,
}

struct Pair {
    sides: [Side; 2],
    now: Time,
    /// Frames that are not delivered.
    lossy: bool,
    links_opened: usize,
}

impl Pair {
    fn new() -> Self {
        let side = |number: u8| {
            let secret = DeviceSecret::from_seed(&[number; 32]);
            let signed = certificate(&TestWallet::new(number), &secret, NOW);
            Side {
                key: secret.device(),
                node: Node::new(COMMUNITY, secret, signed, NOW),
                linked: false,
                participants: BTreeMap::new(),
                offered: BTreeMap::new(),
                inbox: VecDeque::new(),
            }
        };
        let mut pair = Self { sides: [side(1), side(2)], now: NOW, lossy: false, links_opened: 0 };
        pair.run();
        let (alice, bob) = (pair.sides[0].key, pair.sides[1].key);
        pair.sides[0].inbox.push_back(Input::Arrived { source: 0, device: bob });
        pair.sides[1].inbox.push_back(Input::Present { source: 0, devices: vec![alice] });
        pair.run();
        pair.wait(SECOND * 3);
        pair
    }

    fn both_joined() -> Self {
        let mut pair = Self::new();
        pair.join(0, 1);
        pair.wait(SECOND);
        pair.join(1, 2);
        pair.wait(SECOND);
        pair
    }

    fn join(&mut self, side: usize, session: u8) {
        let meeting = crate::stage::main_meeting();
        let session = Session([session; 8]);
        self.sides[side].inbox.push_back(Input::Join { meeting, session, muted: false });
        self.run();
    }

    fn run(&mut self) {
        for round in 0.. {
            assert!(round < 10_000, "the two never come to rest");
            let mut idle = true;
            for me in 0..2 {
                if let Some(input) = self.sides[me].inbox.pop_front() {
                    self.sides[me].node.handle(input, self.now);
                    idle = false;
                }
                while let Some(output) = self.sides[me].node.poll() {
                    idle = false;
                    self.carry_out(me, output);
                }
            }
            if idle {
                break;
            }
        }
    }

    fn wait(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            let due = self.sides.iter().map(|side| side.node.wake_at()).min().unwrap();
            self.now = due.max(self.now).min(end);
            for side in &mut self.sides {
                side.inbox.push_back(Input::Tick);
            }
            self.run();
            if self.now == end {
                return;
            }
        }
    }

    fn connect(&mut self) {
        for me in 0..2 {
            let other = self.sides[1 - me].key;
            if !std::mem::replace(&mut self.sides[me].linked, true) {
                self.sides[me].inbox.push_back(Input::Connected(other));
            }
        }
    }

    fn disconnect(&mut self) {
        for me in 0..2 {
            let other = self.sides[1 - me].key;
            if std::mem::take(&mut self.sides[me].linked) {
                self.sides[me].inbox.push_back(Input::Disconnected(other));
            }
        }
    }

    fn media(&mut self, me: usize, event: MediaEvent) {
        self.sides[me].inbox.push_back(Input::Media(event));
    }

    fn carry_out(&mut self, me: usize, output: Output) {
        match output {
            Output::Dial(_) => self.connect(),
            Output::Disconnect(_) => self.disconnect(),
            Output::Send { channel, frame, .. } if self.sides[me].linked && !self.lossy => {
                let from = self.sides[me].key;
                self.sides[1 - me].inbox.push_back(Input::Received { from, channel, frame });
            }
            Output::CheckAccess(batch) => {
                let standing = Standing { role: Role::Member, device_cutoff: Time::default() };
                let standings = vec![standing; batch.wallets.len()];
                let answer = Some(AccessAnswer { standings, block: 1, sources: 1 });
                let request = batch.request;
                self.sides[me].inbox.push_back(Input::Access { request, answer });
            }
            Output::CheckVersion => self.sides[me].inbox.push_back(Input::Version(1)),
            Output::Media(command) => self.command(me, command),
            Output::Check(device) => self.sides[me].inbox.push_back(Input::Answers(device)),
            Output::Event(Event::Participant(key, participant)) => {
                self.sides[me].participants.insert(key, participant);
            }
            Output::Event(Event::ParticipantGone(key)) => {
                self.sides[me].participants.remove(&key);
            }
            Output::Pass(_)
            | Output::Link(_)
            | Output::TakeLinks { .. }
            | Output::Publish(_)
            | Output::Judge { .. }
            | Output::Send { .. }
            | Output::AskForTurn
            | Output::UseTurn(_)
            | Output::Rooms(_)
            | Output::Event(_) => {}
        }
    }

    fn command(&mut self, me: usize, command: MediaCommand) {
        match command {
            MediaCommand::Open { link } => {
                self.links_opened += 1;
                self.media(me, MediaEvent::NegotiationNeeded { link });
            }
            MediaCommand::RestartIce { link } => {
                self.media(me, MediaEvent::NegotiationNeeded { link });
            }
            MediaCommand::Describe { link } => {
                let offered = self.sides[me].offered.insert(link, false) == Some(true);
                let kind = if offered { DescriptionKind::Answer } else { DescriptionKind::Offer };
                let description = Description { kind, sdp: "v=0".to_owned() };
                self.media(me, MediaEvent::LocalDescription { link, description });
                if offered {
                    self.media(me, MediaEvent::State { link, state: LinkState::Connected });
                }
            }
            MediaCommand::Apply { link, description } => {
                let kind = description.kind;
                self.sides[me].offered.insert(link, kind == DescriptionKind::Offer);
                self.media(me, MediaEvent::Applied { link, kind });
                if kind == DescriptionKind::Answer {
                    self.media(me, MediaEvent::State { link, state: LinkState::Connected });
                }
            }
            MediaCommand::AddCandidate { .. }
            | MediaCommand::Close { .. }
            | MediaCommand::Mute(_) => {}
        }
    }

    fn seen_by(&self, me: usize) -> Option<&Participant> {
        self.sides[me].participants.get(&self.sides[1 - me].key)
    }

    fn hear_each_other(&self) -> bool {
        let hears = |me| self.seen_by(me).map(|p| p.state) == Some(ParticipantState::Connected);
        hears(0) && hears(1)
    }
}

#[test]
fn two_members_who_join_hear_each_other_over_one_connection() {
    let pair = Pair::both_joined();
    assert!(pair.hear_each_other());
    assert_eq!(pair.links_opened, 2, "one connection has two ends");
}

#[test]
fn joining_at_the_very_same_moment_leads_to_one_connection() {
    let mut pair = Pair::new();
    let meeting = crate::stage::main_meeting();
    for (side, session) in [(0, 1), (1, 2)] {
        let (meeting, session) = (meeting.clone(), Session([session; 8]));
        pair.sides[side].inbox.push_back(Input::Join { meeting, session, muted: true });
    }
    pair.run();
    pair.wait(SECOND * 5);
    assert!(pair.hear_each_other());
    assert_eq!(pair.links_opened, 2);
}

#[test]
fn muting_travels_and_so_does_unmuting() {
    let mut pair = Pair::both_joined();
    for muted in [true, false] {
        pair.sides[0].inbox.push_back(Input::SetMuted(muted));
        pair.run();
        assert_eq!(pair.seen_by(1).map(|alice| alice.muted), Some(muted));
    }
}

#[test]
fn leaving_is_seen_at_once_and_coming_back_works() {
    let mut pair = Pair::both_joined();
    pair.sides[0].inbox.push_back(Input::Leave);
    pair.run();
    assert!(pair.seen_by(1).is_none());
    assert_eq!(pair.seen_by(0).map(|bob| bob.state), Some(ParticipantState::Elsewhere));
    pair.join(0, 3);
    pair.wait(SECOND * 5);
    assert!(pair.hear_each_other());
}

#[test]
fn an_offer_that_is_lost_with_its_connection_is_made_up_for() {
    let mut pair = Pair::new();
    pair.join(0, 1);
    pair.lossy = true;
    pair.join(1, 2);
    pair.wait(SECOND);
    pair.lossy = false;
    pair.disconnect();
    pair.run();
    pair.wait(SECOND * 10);
    assert!(pair.hear_each_other());
}

#[test]
fn a_restart_whose_offer_was_lost_does_not_silence_the_pair_for_good() {
    let mut pair = Pair::both_joined();
    pair.lossy = true;
    for me in 0..2 {
        let link = pair.seen_by(me).and_then(|p| p.link).unwrap();
        pair.media(me, MediaEvent::State { link, state: LinkState::Failed });
    }
    pair.run();
    pair.wait(SECOND);
    pair.lossy = false;
    pair.wait(SECOND * 40);
    assert!(pair.hear_each_other());
}

#[test]
fn audio_outlives_a_lost_connection() {
    let mut pair = Pair::both_joined();
    pair.disconnect();
    pair.run();
    pair.wait(SECOND * 30);
    assert!(pair.hear_each_other());
    assert_eq!(pair.links_opened, 2);
}

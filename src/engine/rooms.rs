//! What members write: between the worker that has the rooms and all the others.

use super::backup::Backup;
use super::diagnostics::object;
use super::{Engine, Happening, views};
use crate::model::{About, Text};
use chats_chain::ReadError;
use chats_core::channel::Channel;
use chats_core::gossip::GossipMessage;
use chats_core::node::Input;
use chats_core::rooms::{Action, Incoming, Outgoing, View};
use chats_core::seats::{Change, Head};
use chats_core::wire;
use chats_net::network::Command;
use chats_web::rooms::{Health, State};
use chats_web::{clock, storage};
use leptos::prelude::Update;
use serde_json::{Value, json};
use wasm_bindgen_futures::spawn_local;

/// The most texts that wait to be taken back; the oldest goes first.
const MAX_RETURNED: usize = 64;

/// What was read of the community's changes.
pub(super) type Changes = Result<(Vec<Change>, Head), ReadError>;

impl Engine {
    /// Tells the rooms what happened.
    pub(super) fn tell_rooms(&self, incoming: Incoming) {
        if let Some(session) = &self.session {
            session.rooms.tell(incoming);
        }
    }

    /// Somebody here wants something of the rooms.
    pub(super) fn act_in_rooms(&mut self, action: Action) {
        let Some(session) = self.session.as_mut() else { return };
        let wrote = matches!(action, Action::Write { .. });
        session.actions += 1;
        let number = session.actions;
        let backup = Backup::of(number, &action);
        session.texts.extend(text_of(&action).map(|text| (number, text)));
        session.rooms.tell(Incoming::Act { number, action });
        if let Some(backup) = backup {
            self.backup_begun(backup);
        }
        // From the first message on there is something to lose. Some browsers ask the person, who
        // now sees what for.
        if wrote && !std::mem::replace(&mut self.asked_to_persist, true) {
            let inbox = self.inbox.clone();
            spawn_local(async move {
                storage::persist().await;
                if let Some(usage) = storage::usage().await {
                    inbox.put(Happening::Storage(usage));
                }
            });
        }
    }

    /// Does what the rooms want done.
    pub(super) fn rooms_want(&mut self, outgoing: Outgoing) {
        let Some(session) = self.session.as_mut() else { return };
        match outgoing {
            Outgoing::Send { to, frame } => {
                session.command(Command::Send { to, channel: Channel::Sync, frame: frame.into() });
            }
            Outgoing::Publish { message } => {
                let (topic, frame) = (session.topic, GossipMessage::Rooms { message });
                session.command(Command::Publish { topic, frame: wire::encode(&frame) });
            }
            Outgoing::Judge { id, source, verdict } => {
                session.command(Command::Judge { id, source, verdict });
            }
            Outgoing::ReadChanges { from } => self.read_changes(from),
            Outgoing::CheckAccess { wallet } => self.feed(Input::CheckAccess(wallet)),
            Outgoing::Seek { devices } => self.feed(Input::Seek(devices)),
            Outgoing::Show(view) => match *view {
                View::Counts(counts) => self.diagnostics.rooms = counts,
                view => views::apply(self.model, view),
            },
            Outgoing::Done { number, room, refused } => {
                self.backup_done(number, refused.is_some());
                self.text_done(number, refused.is_some());
                self.rooms_done(room, refused);
            }
            Outgoing::Backup { number, part } => self.backup_part(number, &part),
        }
    }

    /// A text became a message, or was refused and goes back to where it was written.
    fn text_done(&mut self, number: u64, refused: bool) {
        let text = self.session.as_mut().and_then(|session| session.texts.remove(&number));
        let Some(text) = text else { return };
        self.model.rooms.answered.update(|answered| *answered += 1);
        if refused {
            self.model.rooms.returned.update(|returned| {
                returned.push(text);
                let excess = returned.len().saturating_sub(MAX_RETURNED);
                returned.drain(..excess);
            });
        }
    }

    fn read_changes(&self, from: u64) {
        let (Some(chain), Some(ready)) = (self.chain.clone(), &self.ready) else {
            return self.tell_rooms(Incoming::NoChanges);
        };
        let (inbox, id) = (self.inbox.clone(), ready.config.community.id);
        spawn_local(async move {
            let changes = chain.history(id, from, clock::now()).await;
            inbox.put(Happening::Changes(from, changes));
        });
    }

    pub(super) fn changes_read(&mut self, from: u64, changes: Changes) {
        match changes {
            Ok((changes, head)) => self.tell_rooms(Incoming::Changes { from, changes, head }),
            Err(error) => {
                self.chain_failed(&error);
                self.tell_rooms(Incoming::NoChanges);
            }
        }
    }

    /// What `#/doctor` says of the rooms.
    pub(super) fn rooms_diagnosed(&self) -> Value {
        let Some(session) = &self.session else { return Value::Null };
        let Health { state, restarts } = session.rooms.health();
        let (state, reason) = match state {
            State::Idle => ("idle", None),
            State::Starting => ("starting", None),
            State::Running => ("running", None),
            State::Failing(reason) => ("failing", Some(reason)),
        };
        let counts = &self.diagnostics.rooms;
        let refused = object(counts.refused.iter().cloned().map(|(why, n)| (why, json!(n))));
        json!({
            "state": state,
            "reason": reason,
            "restarts": restarts,
            "ops": counts.ops,
            "control": counts.control,
            "sealed": counts.sealed,
            "version": counts.version,
            "refused": refused,
        })
    }
}

/// The text in an action that writes one.
fn text_of(action: &Action) -> Option<Text> {
    let (room, markdown, about) = match action {
        Action::Write { room, markdown, reply, .. } => (room, markdown, reply.map(About::Reply)),
        Action::Edit { room, target, markdown, .. } => (room, markdown, Some(About::Edit(*target))),
        _ => return None,
    };
    Some(Text { room: *room, markdown: markdown.clone(), about })
}

//! Everyone in a meeting, as the page shows them: rows that stay while what is in them changes.

use crate::model::{Model, Person};
use chats_core::id::{DeviceKey, MeetingName, Wallet};
use chats_core::media::Link;
use chats_core::node::{Participant, ParticipantState};
use chats_core::small::{SmallMap, SmallSet};
use chats_core::speaking::Speaking;
use chats_core::time::Time;
use chats_web::audio::meter::Level;
use chats_web::clock;
use leptos::prelude::*;
use std::cell::RefCell;
use std::rc::Rc;

/// A row, and what is behind it.
struct Row {
    person: Person,
    hand: Option<Time>,
    link: Option<Link>,
    voice: Speaking,
}

/// The rows by device. Levels come about 20 times a second and person, so they go straight into
/// the signals, past the engine's queue.
#[derive(Clone)]
pub(super) struct People {
    model: Model,
    rows: Rc<RefCell<SmallMap<DeviceKey, Row>>>,
}

impl People {
    pub(super) fn new(model: Model) -> Self {
        Self { model, rows: Rc::default() }
    }

    /// Takes what is known of somebody now.
    pub(super) fn update(&self, device: DeviceKey, participant: Participant) {
        let Participant { wallet, meeting, joined, muted, hand, state, link, relayed } =
            participant;
        let mut rows = self.rows.borrow_mut();
        let same = |row: &&mut Row| row.person.joined == joined && row.person.meeting == meeting;
        if let Some(row) = rows.get_mut(&device).filter(same) {
            row.link = link;
            row.hand = hand;
            set(&row.person.state, state);
            set(&row.person.muted, muted);
            set(&row.person.relayed, relayed);
            if muted || state != ParticipantState::Connected {
                quiet(row);
            }
            return order_hands(&rows);
        }
        let person = person(device, wallet, meeting, joined, muted, state, false);
        set(&person.relayed, relayed);
        rows.insert(device, Row { person, hand, link, voice: Speaking::default() });
        drop(rows);
        self.publish();
    }

    /// Puts ourselves among them.
    pub(super) fn join(
        &self,
        device: DeviceKey,
        wallet: Wallet,
        meeting: MeetingName,
        joined: Time,
        muted: bool,
    ) {
        let state = ParticipantState::Connected;
        let person = person(device, wallet, meeting, joined, muted, state, true);
        let row = Row { person, hand: None, link: None, voice: Speaking::default() };
        self.rows.borrow_mut().insert(device, row);
        self.publish();
    }

    pub(super) fn remove(&self, device: DeviceKey) {
        if self.rows.borrow_mut().remove(&device).is_some() {
            self.publish();
        }
    }

    pub(super) fn clear(&self) {
        self.rows.borrow_mut().clear();
        self.publish();
    }

    /// Shows that we muted ourselves, or no longer do.
    pub(super) fn mute_own(&self, muted: bool) {
        if let Some(row) = self.rows.borrow_mut().values_mut().find(|row| row.person.me) {
            set(&row.person.muted, muted);
            if muted {
                quiet(row);
            }
        }
    }

    /// Shows since when our own hand is raised, if it is.
    pub(super) fn raise_own(&self, hand: Option<Time>) {
        let mut rows = self.rows.borrow_mut();
        if let Some(row) = rows.values_mut().find(|row| row.person.me) {
            row.hand = hand;
        }
        order_hands(&rows);
    }

    /// How loud the other side of a link is.
    pub(super) fn heard(&self, link: Link, level: Level) {
        self.level(|row| row.link == Some(link), level);
    }

    /// How loud we are.
    pub(super) fn heard_own(&self, level: Level) {
        self.level(|row| row.person.me, level);
    }

    fn level(&self, of: impl Fn(&Row) -> bool, level: Level) {
        let mut rows = self.rows.borrow_mut();
        let Some(row) = rows.values_mut().find(|row| of(row)) else { return };
        if row.person.muted.get_untracked() {
            return;
        }
        row.person.level.set(level.rms);
        set(&row.person.speaking, row.voice.hear(level.rms, clock::now()));
    }

    fn publish(&self) {
        let rows = self.rows.borrow();
        order_hands(&rows);
        let order: SmallSet<_> =
            rows.iter().map(|(device, row)| (row.person.joined, *device)).collect();
        let people = order.iter().filter_map(|(_, device)| rows.get(device));
        self.model.people.set(people.map(|row| row.person.clone()).collect());
    }
}

fn person(
    device: DeviceKey,
    wallet: Wallet,
    meeting: MeetingName,
    joined: Time,
    muted: bool,
    state: ParticipantState,
    me: bool,
) -> Person {
    Person {
        device,
        wallet,
        me,
        meeting,
        joined,
        state: ArcRwSignal::new(state),
        muted: ArcRwSignal::new(muted),
        hand: ArcRwSignal::new(None),
        relayed: ArcRwSignal::new(false),
        speaking: ArcRwSignal::new(false),
        level: ArcRwSignal::new(0.0),
    }
}

/// Numbers the raised hands of each meeting, the first raised first.
fn order_hands(rows: &SmallMap<DeviceKey, Row>) {
    for (device, row) in rows {
        let number = row.hand.map(|hand| {
            let here = rows.iter().filter(|(_, other)| other.person.meeting == row.person.meeting);
            let raised = here.filter_map(|(other, row)| Some((row.hand?, *other)));
            1 + raised.filter(|before| *before < (hand, *device)).count()
        });
        set(&row.person.hand, number);
    }
}

fn quiet(row: &mut Row) {
    row.voice = Speaking::default();
    row.person.level.set(0.0);
    set(&row.person.speaking, false);
}

fn set<T: PartialEq + Clone + Send + Sync + 'static>(signal: &ArcRwSignal<T>, value: T) {
    if signal.get_untracked() != value {
        signal.set(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    #[wasm_bindgen_test]
    fn hands_are_numbered_by_when_they_were_raised_in_each_meeting() {
        let mut rows = SmallMap::new();
        for (device, meeting, hand) in
            [(1, "main", Some(30)), (2, "main", None), (3, "main", Some(10)), (4, "other", Some(5))]
        {
            let (key, wallet) = (DeviceKey([device; 32]), Wallet([device; 20]));
            let meeting = MeetingName::parse(meeting).unwrap();
            let state = ParticipantState::Connected;
            let person = person(key, wallet, meeting, Time(0), false, state, false);
            let hand = hand.map(Time);
            rows.insert(key, Row { person, hand, link: None, voice: Speaking::default() });
        }
        order_hands(&rows);
        let numbers: Vec<_> = rows.values().map(|row| row.person.hand.get_untracked()).collect();
        assert_eq!(numbers, [Some(2), None, Some(1), Some(1)]);
    }
}

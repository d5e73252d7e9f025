//! What a room shows: all ops that count, taken together.
//!
//! Of edits, reactions and states the one with the greatest id stands, and a tombstone beats every
//! edit; so the order in which ops are taken means nothing. The words themselves are kept
//! elsewhere: a timeline names the op that has them.

use crate::access::Role;
use crate::content::{Content, RoomState};
use crate::epoch::Policy;
use crate::id::Wallet;
use crate::op::OpId;
use crate::time::Time;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

mod marks;

use marks::Marks;

/// Who wrote an op, and with which role at its epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Author {
    /// Who.
    pub wallet: Wallet,
    /// As what.
    pub role: Role,
}

/// A message as it is to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The op that said it.
    pub id: OpId,
    /// Who said it.
    pub author: Wallet,
    /// The op whose words are to be shown: its own, or its newest edit's; `None` if it was taken
    /// away.
    pub words: Option<OpId>,
    /// What was put to it: the emoji, and whose they are.
    pub reactions: Vec<(String, Vec<Wallet>)>,
    /// Whether it is pinned.
    pub pinned: bool,
}

/// What kind of thing stands in a timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Words,
    /// Of a type that is not known here.
    Unknown,
}

/// What a value was set to, and by which op.
type Set<T> = Option<(OpId, T)>;

/// What a room shows.
#[derive(Debug, Default)]
pub struct Timeline {
    said: BTreeMap<OpId, (Author, Said)>,
    /// By what they are put to, which may not be there yet.
    marks: BTreeMap<OpId, Marks>,
    pins: BTreeMap<OpId, (OpId, bool)>,
    name: Set<String>,
    topic: Set<String>,
    /// The ops that say so.
    tightened: BTreeSet<OpId>,
    names: BTreeMap<Wallet, (OpId, String)>,
    /// Ops of which something else took the place, and what did.
    superseded: BTreeMap<OpId, OpId>,
    /// What was counted last, and what that comes to by now: rooms ask for it with every change.
    unread: Cell<Option<Unread>>,
}

/// How many messages are new to somebody.
#[derive(Debug, Clone, Copy)]
struct Unread {
    since: Option<OpId>,
    reader: Wallet,
    count: usize,
}

impl Unread {
    /// Whether a message is one of them.
    fn is(&self, id: &OpId, author: &Author) -> bool {
        author.wallet != self.reader && self.since.is_none_or(|since| *id > since)
    }
}

impl Timeline {
    /// The most emoji of one wallet on one message; more are not shown.
    pub const MAX_REACTIONS: usize = 16;

    /// Takes an op that counts; `direct` if the room is for direct messages. Gives the message
    /// that looks different now, if one does.
    pub fn take(
        &mut self,
        id: OpId,
        author: Author,
        content: &Content,
        direct: bool,
    ) -> Option<OpId> {
        match content {
            Content::Text(_) => self.say(id, author, Said::Words),
            Content::Unknown { .. } => self.say(id, author, Said::Unknown),
            Content::Edit(edit) => {
                let marks = self.marks.entry(edit.target).or_default();
                let other = marks.edit(id, author.wallet);
                self.supersede(id, other);
                Some(edit.target)
            }
            Content::Reaction(reaction) => {
                let marks = self.marks.entry(reaction.target).or_default();
                let other = marks.react(id, author.wallet, reaction);
                self.supersede(id, other);
                Some(reaction.target)
            }
            Content::Tombstone(tombstone) => {
                self.marks.entry(tombstone.target).or_default().bury(id, author);
                Some(tombstone.target)
            }
            Content::State(state) => self.set_state(id, author, state, direct),
            Content::Profile(profile) => {
                let name = self.names.entry(author.wallet).or_insert((id, String::new()));
                let (other, _) = *name;
                if other <= id {
                    *name = (id, profile.name.clone());
                }
                self.supersede(id, other);
                None
            }
        }
    }

    fn say(&mut self, id: OpId, author: Author, said: Said) -> Option<OpId> {
        let known = self.said.insert(id, (author, said)).is_some();
        if let Some(unread) = self.unread.get_mut().as_mut().filter(|it| it.is(&id, &author)) {
            unread.count += usize::from(!known);
        }
        Some(id)
    }

    /// A message, if it is there.
    #[must_use]
    pub fn message(&self, id: OpId) -> Option<Message> {
        let (author, said) = *self.said.get(&id)?;
        let marks = self.marks.get(&id);
        let gone = marks.is_some_and(|marks| marks.buried_by(author.wallet).is_some());
        let edit = marks.and_then(|marks| marks.newest_edit(author.wallet));
        let words = (!gone && said == Said::Words).then(|| edit.unwrap_or(id));
        let shown = marks.filter(|_| !gone);
        Some(Message {
            id,
            author: author.wallet,
            words,
            reactions: shown.map(|marks| marks.reactions(Self::MAX_REACTIONS)).unwrap_or_default(),
            pinned: !gone && self.pins.get(&id).is_some_and(|(_, set)| *set),
        })
    }

    /// Whether a message is of a type that needs a newer version of the app.
    #[must_use]
    pub fn is_unknown(&self, id: OpId) -> bool {
        self.said.get(&id).is_some_and(|(_, said)| *said == Said::Unknown)
    }

    /// The ids of messages, in the order of the room.
    pub fn messages(&self) -> impl DoubleEndedIterator<Item = OpId> {
        self.said.keys().copied()
    }

    /// How many messages came after `since` from others than `reader`.
    #[must_use]
    pub fn unread(&self, since: Option<OpId>, reader: Wallet) -> usize {
        let known = self.unread.get().filter(|it| (it.since, it.reader) == (since, reader));
        let counted = known.unwrap_or_else(|| {
            let mut counted = Unread { since, reader, count: 0 };
            let new = self.said.iter().rev().take_while(|(id, _)| since.is_none_or(|it| **id > it));
            counted.count = new.filter(|(id, (author, _))| counted.is(id, author)).count();
            counted
        });
        self.unread.set(Some(counted));
        counted.count
    }

    /// What the room is called.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_ref().map(|(_, name)| name.as_str())
    }

    /// What it is about.
    #[must_use]
    pub fn topic(&self) -> Option<&str> {
        self.topic.as_ref().map(|(_, topic)| topic.as_str()).filter(|topic| !topic.is_empty())
    }

    /// Whether newcomers were since shut out from what was said before; never undone.
    #[must_use]
    pub fn tightened(&self) -> bool {
        !self.tightened.is_empty()
    }

    /// Ops whose content shows in nothing any more, since something that was said before `until`
    /// took its place or took it away. They still count.
    pub fn spent(&self, until: Time) -> impl Iterator<Item = OpId> {
        let early = move |by: OpId| by.hlc().time() < until;
        let superseded = self.superseded.iter();
        let superseded = superseded.filter(move |(id, by)| early(**by) && !self.states(**id));
        let buried = self.marks.iter().filter_map(move |(target, marks)| {
            let (author, said) = self.said.get(target)?;
            let by = marks.buried_by(author.wallet)?;
            let words = *said == Said::Words && early(by);
            words.then(|| [Some(*target), marks.newest_edit(author.wallet)])
        });
        let buried = buried.flat_map(|both| both.into_iter().flatten());
        superseded.map(|(id, _)| *id).chain(buried)
    }

    /// Whether an op says something of the room that still holds.
    fn states(&self, id: OpId) -> bool {
        let says = |set: &Set<String>| set.as_ref().is_some_and(|(by, _)| *by == id);
        says(&self.name)
            || says(&self.topic)
            || self.tightened.contains(&id)
            || self.pins.values().any(|(by, _)| *by == id)
    }

    /// Takes note of two ops that say something of the same, of which the later one stands.
    fn supersede(&mut self, one: OpId, other: OpId) {
        if one != other {
            let (earlier, later) = (one.min(other), one.max(other));
            let by = self.superseded.entry(earlier).or_insert(later);
            *by = later.min(*by);
        }
    }

    /// What a wallet wants to be called here.
    #[must_use]
    pub fn name_of(&self, wallet: Wallet) -> Option<&str> {
        let (_, name) = self.names.get(&wallet)?;
        (!name.is_empty()).then_some(name)
    }

    fn set_state(
        &mut self,
        id: OpId,
        author: Author,
        state: &RoomState,
        direct: bool,
    ) -> Option<OpId> {
        if !direct && !moderates(author.role) {
            return None;
        }
        let mut others = vec![
            set(&mut self.name, id, state.name.as_ref()),
            set(&mut self.topic, id, state.topic.as_ref()),
        ];
        if state.policy == Some(Policy::FromJoin) {
            self.tightened.insert(id);
        }
        let pinned = state.pin.map(|pin| {
            let held = self.pins.entry(pin.target).or_insert((id, pin.set));
            others.push(Some(held.0));
            if held.0 <= id {
                *held = (id, pin.set);
            }
            pin.target
        });
        others.into_iter().flatten().for_each(|other| self.supersede(id, other));
        pinned
    }
}

const fn moderates(role: Role) -> bool {
    matches!(role, Role::Moderator | Role::Owner)
}

/// Sets a value, unless what set it is later. Gives the op that set it before.
fn set<T: Clone>(held: &mut Set<T>, id: OpId, new: Option<&T>) -> Option<OpId> {
    let new = new?;
    let before = held.as_ref().map(|(before, _)| *before);
    if before.is_none_or(|before| before <= id) {
        *held = Some((id, new.clone()));
    }
    before
}

#[cfg(test)]
mod tests;

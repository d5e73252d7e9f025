//! Giving items: read from the store a few at a time, packed into messages, and no more of these
//! on their way than were not answered for.

use super::seam::{Output, Ticket};
use super::session::Context;
use super::wire::{End, MAX_ITEM, MAX_ITEMS, MAX_MESSAGE, SetNumber, SyncMessage};
use crate::op::OpId;
use crate::store::SetId;
use minicbor::bytes::ByteVec;
use std::collections::VecDeque;

/// The most messages of items that are on their way without an answer.
pub(super) const MAX_UNANSWERED: usize = 8;
/// The most items that are read from the store at once.
const MAX_LOAD: usize = MAX_ITEMS;
/// The most bytes around an item in a message, and around all of them.
const AROUND: (usize, usize) = (5, 16);

#[derive(Debug)]
struct Loading {
    ticket: Ticket,
    set: SetNumber,
    /// All that are next, and whether each is being read: what is not here cannot be.
    ids: Vec<(OpId, bool)>,
}

/// What one session still has to give.
#[derive(Debug)]
pub(super) struct Sending {
    /// Whether each item was asked for. Then no bytes stand for what is not here any more;
    /// otherwise it is left out.
    asked: bool,
    queue: VecDeque<(SetNumber, OpId)>,
    loading: Option<Loading>,
    loaded: VecDeque<(SetNumber, OpId, Vec<u8>)>,
    /// Set and items of each message that was not answered for.
    unanswered: VecDeque<(SetNumber, Vec<OpId>)>,
}

impl Sending {
    pub(super) fn new(asked: bool) -> Self {
        let (queue, loaded, unanswered) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
        Self { asked, queue, loading: None, loaded, unanswered }
    }

    /// Adds items to what is to be given.
    pub(super) fn give(&mut self, set: SetNumber, ids: impl IntoIterator<Item = OpId>) {
        self.queue.extend(ids.into_iter().map(|id| (set, id)));
    }

    /// How many items were not sent yet.
    pub(super) fn waiting(&self) -> usize {
        let loading = self.loading.as_ref().map_or(0, |loading| loading.ids.len());
        self.queue.len() + loading + self.loaded.len()
    }

    /// Whether all was sent and answered for.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting() == 0 && self.unanswered.is_empty()
    }

    /// Whether the store was asked with this ticket.
    pub(super) fn awaits(&self, ticket: Ticket) -> bool {
        self.loading.as_ref().is_some_and(|loading| loading.ticket == ticket)
    }

    /// Whether it is for our own store to go on.
    pub(super) const fn is_loading(&self) -> bool {
        self.loading.is_some()
    }

    /// The store answered, to this session or another.
    pub(super) fn loaded(&mut self, ticket: Ticket, items: Vec<Vec<u8>>) {
        let Some(loading) = self.loading.take_if(|loading| loading.ticket == ticket) else {
            return;
        };
        let mut items = items.into_iter();
        for (id, read) in loading.ids {
            let item = if read { items.next() } else { None };
            let item = item.filter(|item| item.len() <= MAX_ITEM).unwrap_or_default();
            if self.asked || !item.is_empty() {
                self.loaded.push_back((loading.set, id, item));
            }
        }
    }

    /// The other side answered for the oldest message that it has not answered for.
    pub(super) fn committed(
        &mut self,
        set: SetNumber,
        ids: Vec<OpId>,
        key: SetId,
        cx: &mut Context<'_>,
    ) -> Result<(), End> {
        let (sent_set, sent) = self.unanswered.pop_front().ok_or(End::Malformed)?;
        if sent_set != set || !ids.iter().all(|id| sent.contains(id)) {
            return Err(End::Malformed);
        }
        if !ids.is_empty() {
            cx.out.push_back(Output::Delivered { to: cx.peer, set: key, ids });
        }
        Ok(())
    }

    /// Does what can be done now.
    pub(super) fn advance(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        loop {
            // One message ahead of what is sent next.
            while self.loading.is_none() && !self.queue.is_empty() && self.loaded.len() <= MAX_ITEMS
            {
                self.load(cx);
            }
            let (items, bytes) = self.next_message();
            let ready = self.is_full(items) || self.loading.is_none() && items > 0;
            if !ready || self.unanswered.len() >= MAX_UNANSWERED {
                return Ok(());
            }
            if !cx.ledger.give_bytes(cx.peer, bytes, cx.now) {
                return Err(End::Spent);
            }
            self.send(items, cx);
        }
    }

    /// How many of what was read go into the next message, and how many bytes they are.
    fn next_message(&self) -> (usize, usize) {
        let (mut items, mut bytes) = (0, AROUND.1);
        let first = self.loaded.front().map(|(set, ..)| *set);
        for (set, _, item) in self.loaded.iter().take(MAX_ITEMS) {
            let more = bytes + item.len() + AROUND.0;
            if more > MAX_MESSAGE || Some(*set) != first {
                break;
            }
            (items, bytes) = (items + 1, more);
        }
        (items, bytes)
    }

    fn is_full(&self, items: usize) -> bool {
        items == MAX_ITEMS || items < self.loaded.len()
    }

    /// Has what is next read from the store; what is not here is not asked for.
    fn load(&mut self, cx: &mut Context<'_>) {
        let Some((set, _)) = self.queue.front().copied() else { return };
        let key = cx.keys.get(usize::from(set)).copied();
        let Some(key) = key else { return self.queue.clear() };
        let known = cx.sets.set(key);
        let next = self.queue.iter().take(MAX_LOAD).take_while(|(other, _)| *other == set).count();
        let here = |id: &OpId| known.is_some_and(|known| known.has(id));
        let ids: Vec<_> = self.queue.drain(..next).map(|(_, id)| (id, here(&id))).collect();
        let wanted: Vec<OpId> = ids.iter().filter(|(_, read)| *read).map(|(id, _)| *id).collect();
        let ticket = cx.ticket();
        self.loading = Some(Loading { ticket, set, ids });
        if wanted.is_empty() {
            self.loaded(ticket, Vec::new());
        } else {
            cx.out.push_back(Output::Load { ticket, set: key, ids: wanted });
        }
    }

    fn send(&mut self, count: usize, cx: &mut Context<'_>) {
        let Some(set) = self.loaded.front().map(|(set, ..)| *set) else { return };
        let (mut ids, mut items) = (Vec::new(), Vec::new());
        for (_, id, item) in self.loaded.drain(..count) {
            if !item.is_empty() {
                ids.push(id);
            }
            items.push(ByteVec::from(item));
        }
        self.unanswered.push_back((set, ids));
        cx.send(&SyncMessage::Items { set, items });
    }
}

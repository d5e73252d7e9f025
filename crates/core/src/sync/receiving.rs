//! Taking items: those that were asked for, or that the other side thinks we have not; and
//! answering for them once the store has committed.

use super::seam::{Output, Ticket};
use super::sending::MAX_UNANSWERED;
use super::session::Context;
use super::wire::{End, SetNumber, SyncMessage};
use crate::op::OpId;
use crate::store::SetId;
use minicbor::bytes::ByteVec;
use std::collections::VecDeque;

/// A message of items that was not answered for.
#[derive(Debug)]
struct Batch {
    set: SetNumber,
    /// What is on disk here.
    here: Vec<OpId>,
    /// Until the store answered: with what ticket, and how many items it was given.
    open: Option<(Ticket, usize)>,
}

/// What one session is being given.
#[derive(Debug, Default)]
pub(super) struct Receiving {
    /// What was asked for and did not come yet, in its order.
    asked: VecDeque<(SetNumber, OpId)>,
    batches: VecDeque<Batch>,
    /// Of how much of what was asked for nothing came.
    missing: usize,
}

impl Receiving {
    /// How many items were asked for and did not come yet.
    pub(super) fn asked(&self) -> usize {
        self.asked.len()
    }

    /// Whether all has come and was answered for.
    pub(super) fn is_idle(&self) -> bool {
        self.asked.is_empty() && self.batches.is_empty()
    }

    /// Whether the store was given items with this ticket.
    pub(super) fn awaits(&self, ticket: Ticket) -> bool {
        self.batches.iter().any(|batch| batch.open.is_some_and(|(open, _)| open == ticket))
    }

    /// Whether it is for our own store to go on.
    pub(super) fn is_committing(&self) -> bool {
        !self.batches.is_empty()
    }

    /// How many of the items that were asked for since this was asked last did not exist.
    pub(super) fn take_missing(&mut self) -> usize {
        std::mem::take(&mut self.missing)
    }

    /// These are about to be asked for.
    pub(super) fn ask(&mut self, set: SetNumber, ids: &[OpId]) {
        self.asked.extend(ids.iter().map(|id| (set, *id)));
    }

    /// Items came. They are what was asked for, in that order, or are for `fits` to accept.
    pub(super) fn items(
        &mut self,
        set: SetNumber,
        key: SetId,
        items: Vec<ByteVec>,
        fits: Option<&dyn Fn(&OpId) -> bool>,
        cx: &mut Context<'_>,
    ) -> Result<(), End> {
        if self.batches.len() >= MAX_UNANSWERED {
            return Err(End::Malformed);
        }
        let bytes = items.iter().map(|item| item.len()).sum();
        if !cx.ledger.take_bytes(cx.peer, bytes, cx.now) {
            return Err(End::Spent);
        }
        let known = cx.sets.set(key).ok_or(End::Finished)?;
        let (mut here, mut new) = (Vec::new(), Vec::new());
        for item in items {
            let asked = self.asked.pop_front();
            if item.is_empty() && asked.is_some() {
                self.missing += 1;
                continue;
            }
            let id = cx.sets.id(key, &item).ok_or(End::Malformed)?;
            let right = match (asked, fits) {
                (Some(asked), _) => asked == (set, id),
                (None, Some(fits)) => fits(&id),
                (None, None) => false,
            };
            if !right {
                return Err(End::Malformed);
            }
            if known.has(&id) {
                here.push(id);
            } else if new.iter().any(|(other, _)| *other == id) {
                return Err(End::Malformed);
            } else if !known.knows(&id) {
                new.push((id, Vec::from(item)));
            }
        }
        let open = (!new.is_empty()).then(|| (cx.ticket(), new.len()));
        self.batches.push_back(Batch { set, here, open });
        if let Some((ticket, _)) = open {
            cx.out.push_back(Output::Received { ticket, from: cx.peer, set: key, items: new });
        }
        self.answer(cx);
        Ok(())
    }

    /// Our store answered, to this session or another.
    pub(super) fn committed(
        &mut self,
        ticket: Ticket,
        ids: &[OpId],
        invalid: usize,
        cx: &mut Context<'_>,
    ) -> Result<(), End> {
        let open = |batch: &&mut Batch| batch.open.is_some_and(|(open, _)| open == ticket);
        let Some(batch) = self.batches.iter_mut().find(open) else { return Ok(()) };
        batch.here.extend(ids);
        let judged = batch.open.take().map_or(0, |(_, judged)| judged);
        if cx.ledger.judge(cx.peer, judged, invalid, cx.now) {
            return Err(End::Malformed);
        }
        self.answer(cx);
        Ok(())
    }

    /// Answers for what can be answered for, in the order in which it came.
    fn answer(&mut self, cx: &mut Context<'_>) {
        while let Some(batch) = self.batches.pop_front_if(|batch| batch.open.is_none()) {
            cx.send(&SyncMessage::Committed { set: batch.set, ids: batch.here });
        }
    }
}

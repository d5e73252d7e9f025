//! Finding out what two devices do not both have: negentropy, protocol version 1.
//!
//! Nothing is kept from one round to the next, so sets may change in between: what comes in
//! meanwhile is at worst compared twice.

use super::ids::IdSet;
use super::window::Window;
use super::wire::MAX_NEGENTROPY;
use crate::op::OpId;
use negentropy::{Bound, Error, Id, Item, Negentropy, NegentropyStorageBase};
use std::ops::Range;

/// What the side that asks learnt in one round.
#[derive(Debug, Default)]
pub(super) struct Learnt {
    /// What the other side has not.
    pub(super) have: Vec<OpId>,
    /// What only the other side has, as it says.
    pub(super) need: Vec<OpId>,
    /// What to ask next, if not all is known yet.
    pub(super) next: Option<Vec<u8>>,
}

/// How many ids a round over this window looks at.
pub(super) fn work(set: &IdSet, window: Window) -> usize {
    set.span(window).len()
}

/// The first question.
pub(super) fn ask(set: &IdSet, window: Window) -> Option<Vec<u8>> {
    View::negentropy(set, window).ok()?.initiate().ok()
}

/// The answer to a question, or `None` if it makes no sense.
pub(super) fn answer(set: &IdSet, window: Window, question: &[u8]) -> Option<Vec<u8>> {
    View::negentropy(set, window).ok()?.reconcile(question).ok()
}

/// What follows from an answer, or `None` if it makes no sense.
pub(super) fn learn(set: &IdSet, window: Window, answer: &[u8]) -> Option<Learnt> {
    let mut negentropy = View::negentropy(set, window).ok()?;
    negentropy.set_initiator();
    let (mut have, mut need) = (Vec::new(), Vec::new());
    let next = negentropy.reconcile_with_ids(answer, &mut have, &mut need).ok()?;
    let ids = |ids: Vec<Id>| -> Vec<OpId> { ids.iter().map(|id| OpId(*id.as_bytes())).collect() };
    let (have, need) = (ids(have), ids(need));
    let inside = need.iter().all(|id| window.contains(id.hlc()));
    inside.then_some(Learnt { have, need, next })
}

/// A window of a set, as negentropy reads it.
struct View<'a> {
    set: &'a IdSet,
    span: Range<usize>,
}

impl<'a> View<'a> {
    fn negentropy(set: &'a IdSet, window: Window) -> Result<Negentropy<'a, Self>, Error> {
        Negentropy::owned(Self { set, span: set.span(window) }, MAX_NEGENTROPY as u64)
    }

    fn items(&self, range: Range<usize>) -> impl Iterator<Item = Item> {
        let place = |at: usize| self.span.start.saturating_add(at).min(self.span.end);
        self.set
            .range(place(range.start)..place(range.end))
            .map(|id| Item::with_timestamp_and_id(id.hlc().0, Id::from_byte_array(id.0)))
    }
}

impl NegentropyStorageBase for View<'_> {
    fn size(&self) -> Result<usize, Error> {
        Ok(self.span.len())
    }

    fn get_item(&self, at: usize) -> Result<Option<Item>, Error> {
        Ok(self.items(at..at.saturating_add(1)).next())
    }

    fn iterate(
        &self,
        begin: usize,
        end: usize,
        each: &mut dyn FnMut(Item, usize) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        for (item, at) in self.items(begin..end).zip(begin..) {
            if !each(item, at)? {
                break;
            }
        }
        Ok(())
    }

    fn find_lower_bound(&self, first: usize, last: usize, bound: &Bound) -> usize {
        // An id begins with its time, so a bound by time and id is one by id: the part of a
        // bound's id that is not given counts as zeros.
        let mut least = [0; 32];
        least.iter_mut().zip(bound.item.timestamp.to_be_bytes()).for_each(|(to, from)| *to = from);
        let least = OpId(least).max(OpId(*bound.item.id.as_bytes()));
        self.set.rank(&least).saturating_sub(self.span.start).clamp(first, last)
    }
}

//! The ids that a device knows of one set.
//!
//! They lie in sorted pieces of bounded length, one after the other. So what comes late, or in
//! the order in which sync brings it (newest first), moves some kilobytes and never all.

use super::window::Window;
use crate::hlc::Hlc;
use crate::op::OpId;
use std::ops::Range;

/// The most ids of a piece.
const PIECE: usize = 256;

/// Ids in their order, 32 bytes each and little more.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Sorted {
    /// None is empty.
    pieces: Vec<Vec<OpId>>,
    len: usize,
}

impl Sorted {
    /// The first piece that ends with this id or a later one.
    fn piece(&self, id: &OpId) -> usize {
        self.pieces.partition_point(|piece| piece.last().is_some_and(|last| last < id))
    }

    fn contains(&self, id: &OpId) -> bool {
        self.pieces.get(self.piece(id)).is_some_and(|piece| piece.binary_search(id).is_ok())
    }

    fn insert(&mut self, id: OpId) -> bool {
        // What is later than all goes to the end of the last piece.
        let at = self.piece(&id).min(self.pieces.len().saturating_sub(1));
        let Some(piece) = self.pieces.get_mut(at) else {
            self.pieces.push(vec![id]);
            self.len += 1;
            return true;
        };
        let Err(place) = piece.binary_search(&id) else { return false };
        self.len += 1;
        if piece.len() < PIECE {
            piece.insert(place, id);
            return true;
        }
        // At either end a new piece begins, so that a run in either direction fills its pieces.
        let (new, next) = match place {
            0 => (vec![id], at),
            PIECE => (vec![id], at + 1),
            _ => {
                let mut upper = piece.split_off(PIECE / 2);
                match place.checked_sub(PIECE / 2) {
                    Some(place) => upper.insert(place, id),
                    None => piece.insert(place, id),
                }
                (upper, at + 1)
            }
        };
        self.pieces.insert(next, new);
        true
    }

    fn remove(&mut self, id: &OpId) -> bool {
        let at = self.piece(id);
        let Some(piece) = self.pieces.get_mut(at) else { return false };
        let Ok(place) = piece.binary_search(id) else { return false };
        piece.remove(place);
        if piece.is_empty() {
            self.pieces.remove(at);
        }
        self.len -= 1;
        true
    }

    /// How many ids are less than this one.
    fn rank(&self, id: &OpId) -> usize {
        let at = self.piece(id);
        let before: usize = self.pieces.iter().take(at).map(Vec::len).sum();
        before + self.pieces.get(at).map_or(0, |piece| piece.partition_point(|other| other < id))
    }

    fn range(&self, range: Range<usize>) -> impl Iterator<Item = &OpId> {
        let (mut at, mut skip) = (0, range.start);
        while let Some(piece) = self.pieces.get(at).filter(|piece| piece.len() <= skip) {
            skip -= piece.len();
            at += 1;
        }
        self.pieces.iter().skip(at).flatten().skip(skip).take(range.len())
    }

    /// Takes away all before `hlc`.
    fn drop_before(&mut self, hlc: Hlc) {
        let first = first_of(hlc);
        let whole = self.piece(&first);
        let gone: usize = self.pieces.drain(..whole).map(|piece| piece.len()).sum();
        self.len -= gone;
        if let Some(piece) = self.pieces.first_mut() {
            let less = piece.partition_point(|id| *id < first);
            piece.drain(..less);
            self.len -= less;
        }
    }
}

/// The least id of this moment.
fn first_of(hlc: Hlc) -> OpId {
    let mut id = [0; 32];
    id.iter_mut().zip(hlc.0.to_be_bytes()).for_each(|(to, from)| *to = from);
    OpId(id)
}

/// What a device knows of one set: the ids of what it has, and of what it refused.
///
/// What was refused (invalid, or not to be opened for long) takes part in the comparison as what
/// is there does, so it is not fetched again, but its body is neither kept nor given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IdSet {
    all: Sorted,
    refused: Sorted,
    horizon: Hlc,
}

impl IdSet {
    /// The most ids that are known of one set; those before the newest so many are dropped.
    pub const MAX: usize = 200_000;

    /// The least moment that this set still reaches back to.
    #[must_use]
    pub const fn horizon(&self) -> Hlc {
        self.horizon
    }

    /// How many are known, the refused among them.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.all.len
    }

    /// Whether none is known.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.all.len == 0
    }

    /// Whether this one is known, had or refused.
    #[must_use]
    pub fn knows(&self, id: &OpId) -> bool {
        self.all.contains(id)
    }

    /// Whether this one is here.
    #[must_use]
    pub fn has(&self, id: &OpId) -> bool {
        self.all.contains(id) && !self.refused.contains(id)
    }

    /// Takes in what is now on disk here. Returns whether it was not before, and is wanted:
    /// nothing before the horizon is.
    pub fn insert(&mut self, id: OpId) -> bool {
        let new = self.refused.remove(&id) | self.admit(id);
        new && self.all.contains(&id)
    }

    /// Takes in what is not wanted here, whether or not it was here before.
    pub fn refuse(&mut self, id: OpId) {
        self.admit(id);
        if self.all.contains(&id) {
            self.refused.insert(id);
        }
    }

    /// Forgets one that turned out to be lost here, so that it will be fetched again.
    pub fn forget(&mut self, id: &OpId) {
        self.refused.remove(id);
        self.all.remove(id);
    }

    /// Forgets all that was refused, so that it will be fetched and judged anew: what the
    /// judgement rests on has changed. Gives what that was.
    pub fn forget_refused(&mut self) -> Vec<OpId> {
        let refused: Vec<_> = std::mem::take(&mut self.refused).pieces.concat();
        refused.iter().for_each(|id| _ = self.all.remove(id));
        refused
    }

    /// Forgets all before `horizon`, and keeps it from coming back.
    pub fn prune(&mut self, horizon: Hlc) {
        if horizon > self.horizon {
            self.horizon = horizon;
            self.all.drop_before(horizon);
            self.refused.drop_before(horizon);
        }
    }

    /// All of a window, in their order.
    pub fn ids(&self, window: Window) -> impl Iterator<Item = &OpId> {
        self.all.range(self.span(window))
    }

    /// Where a window begins and ends among all that is known.
    pub(super) fn span(&self, window: Window) -> Range<usize> {
        let start = self.all.rank(&first_of(window.from));
        start..self.all.rank(&first_of(window.until)).max(start)
    }

    /// How many are less than this one.
    pub(super) fn rank(&self, id: &OpId) -> usize {
        self.all.rank(id)
    }

    /// Those with these places in the order.
    pub(super) fn range(&self, range: Range<usize>) -> impl Iterator<Item = &OpId> {
        self.all.range(range)
    }

    fn admit(&mut self, id: OpId) -> bool {
        let new = id.hlc() >= self.horizon && self.all.insert(id);
        let oldest = self.all.pieces.first().and_then(|piece| piece.first());
        if let Some(oldest) = oldest.map(OpId::hlc).filter(|_| self.all.len > Self::MAX) {
            self.prune(Hlc(oldest.0.saturating_add(1)));
        }
        new
    }
}

impl Extend<OpId> for IdSet {
    fn extend<I: IntoIterator<Item = OpId>>(&mut self, ids: I) {
        ids.into_iter().for_each(|id| {
            self.insert(id);
        });
    }
}

impl FromIterator<OpId> for IdSet {
    fn from_iter<I: IntoIterator<Item = OpId>>(ids: I) -> Self {
        let mut set = Self::default();
        set.extend(ids);
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn id(hlc: u64, tail: u8) -> OpId {
        let mut id = first_of(Hlc(hlc));
        id.0[31] = tail;
        id
    }

    fn window(from: u64, until: u64) -> Window {
        Window { from: Hlc(from), until: Hlc(until) }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Insert(u64),
        Run(u64, bool),
        Refuse(u64),
        Prune(u64),
        ForgetRefused,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            8 => (0..4000_u64).prop_map(Step::Insert),
            4 => (0..3000_u64, any::<bool>()).prop_map(|(from, up)| Step::Run(from, up)),
            3 => (0..4000_u64).prop_map(Step::Refuse),
            1 => (0..300_u64).prop_map(Step::Prune),
            1 => Just(Step::ForgetRefused),
        ]
    }

    proptest! {
        #[test]
        fn an_id_set_does_what_plain_sets_do(
            steps in prop::collection::vec(step(), 0..60),
            (from, until) in (0..4000_u64, 0..4000_u64),
        ) {
            let mut set = IdSet::default();
            let (mut all, mut refused) = (BTreeSet::new(), BTreeSet::new());
            let mut horizon = 0;
            for step in steps {
                match step {
                    Step::Insert(at) => {
                        let known = refused.remove(&id(at, 0));
                        let new = at >= horizon && all.insert(id(at, 0));
                        prop_assert_eq!(set.insert(id(at, 0)), known || new);
                    }
                    Step::Run(from, up) => {
                        let mut run: Vec<_> = (from..from + 600).map(|at| id(at, 0)).collect();
                        if !up {
                            run.reverse();
                        }
                        for id in run {
                            refused.remove(&id);
                            if id.hlc().0 >= horizon {
                                all.insert(id);
                            }
                            set.insert(id);
                        }
                    }
                    Step::Refuse(at) => {
                        set.refuse(id(at, 0));
                        if at >= horizon {
                            all.insert(id(at, 0));
                            refused.insert(id(at, 0));
                        }
                    }
                    Step::Prune(to) => {
                        horizon = horizon.max(to);
                        set.prune(Hlc(to));
                        all.retain(|id| id.hlc().0 >= horizon);
                        refused.retain(|id| id.hlc().0 >= horizon);
                    }
                    Step::ForgetRefused => {
                        prop_assert!(set.forget_refused().iter().eq(&refused));
                        all.retain(|id| !refused.contains(id));
                        refused.clear();
                    }
                }
                prop_assert_eq!(set.len(), all.len());
                prop_assert_eq!(set.is_empty(), all.is_empty());
                prop_assert!(set.all.pieces.iter().all(|it| (1..=PIECE).contains(&it.len())));
            }
            prop_assert!(set.ids(Window::ALL).eq(&all));
            let inside = |id: &&OpId| window(from, until).contains(id.hlc());
            prop_assert!(set.ids(window(from, until)).eq(all.iter().filter(inside)));
            for at in 0..4000 {
                prop_assert_eq!(set.knows(&id(at, 0)), all.contains(&id(at, 0)));
                let has = all.contains(&id(at, 0)) && !refused.contains(&id(at, 0));
                prop_assert_eq!(set.has(&id(at, 0)), has);
            }
        }
    }

    #[test]
    fn runs_in_either_direction_fill_their_pieces() {
        let up: IdSet = (0..10_000).map(|at| id(at, 0)).collect();
        let down: IdSet = (0..10_000).rev().map(|at| id(at, 0)).collect();
        assert!(up.ids(Window::ALL).eq(down.ids(Window::ALL)));
        assert_eq!((up.all.pieces.len(), down.all.pieces.len()), (40, 40));
    }

    #[test]
    fn of_too_many_the_oldest_are_dropped_and_do_not_come_back() {
        let mut set: IdSet = (0..IdSet::MAX as u64).map(|at| id(at, 0)).collect();
        assert_eq!((set.len(), set.horizon()), (IdSet::MAX, Hlc(0)));
        assert!(set.insert(id(1 << 40, 0)));
        assert_eq!((set.len(), set.horizon()), (IdSet::MAX, Hlc(1)));
        assert!(!set.insert(id(0, 1)) && !set.knows(&id(0, 1)));
    }
}

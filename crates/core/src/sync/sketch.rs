//! Finding out in one or two rounds what two devices do not both have, when that is little of
//! much: sketches of Yang, Gilad and Alizadeh, "Practical Rateless Set Reconciliation" (SIGCOMM
//! 2024), section 4.
//!
//! A sketch is a list of cells. Every id goes into the first, and into ever fewer of those behind:
//! into cell i with a chance of 1 / (1 + i / 2). Of two sets that are alike, the difference of
//! their sketches holds but what one of them lacks, and about 1.4 cells for each of these are
//! enough to take them out again, one after the other. How much the sets have in common does not
//! matter.

use super::ids::IdSet;
use super::short::{Key, Short};
use super::window::Window;
use crate::op::OpId;

/// The most cells of a sketch.
pub const MAX_CELLS: usize = 1024;
/// Bytes of a cell: sum, check and count, big endian.
pub const CELL: usize = 8 + 4 + 2;
/// Fewer ids than this are compared without a sketch.
const LEAST: usize = 256;
/// How much longer it takes to put an id into a sketch than to look at it.
const WEIGHT: usize = 8;
/// Cells of the first sketch of a window.
const FIRST: usize = 32;
/// How many times as many cells the next one has at least.
const GROWTH: usize = 3;

/// The sum of the ids that are in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Cell {
    sum: u64,
    check: u32,
    count: u16,
}

/// What the side that answers found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// All of it.
    Difference {
        /// What the side that asks has not.
        have: Vec<OpId>,
        /// What this side has not.
        lack: Vec<Short>,
    },
    /// So many cells are needed. With none, the window is better compared without a sketch.
    Again(usize),
}

/// How many cells a window is first compared by; `None` if it is better compared without.
pub(super) fn first(set: &IdSet, window: Window) -> Option<usize> {
    (set.span(window).len() >= LEAST).then_some(FIRST)
}

/// Whether so many cells may be asked for after so many.
pub(super) const fn is_next(cells: usize, before: usize) -> bool {
    before < cells && cells <= MAX_CELLS
}

/// How much a round over this window costs, in ids that are looked at without a sketch.
pub(super) fn work(set: &IdSet, window: Window) -> usize {
    set.span(window).len() * WEIGHT
}

/// The cells of a window, written down, and how many ids are in it.
pub(super) fn ask(set: &IdSet, window: Window, key: Key, cells: usize) -> (u32, Vec<u8>) {
    let shorts = shorts(set, window, key);
    let known = u32::try_from(shorts.len()).unwrap_or(u32::MAX);
    (known, Sketch::of(&shorts, cells).encode())
}

/// Compares a window with what the other side's cells say. `None` if they make no sense.
pub(super) fn answer(
    set: &IdSet,
    window: Window,
    key: Key,
    (known, theirs): (u32, &[u8]),
) -> Option<Found> {
    let theirs = Sketch::decode(theirs)?;
    let cells = theirs.0.len();
    // Each that is on one side alone takes a cell.
    let unlike = set.span(window).len().abs_diff(known as usize);
    if unlike > MAX_CELLS * 2 / 3 {
        return Some(Found::Again(0));
    }
    if unlike <= cells {
        let shorts = shorts(set, window, key);
        let ours = Sketch::of(&shorts, cells);
        if let Some((lack, mut here)) = ours.taken_from(theirs).take_out() {
            here.sort_unstable();
            let ids = set.ids(window).zip(&shorts);
            let have = ids.filter(|(_, short)| here.binary_search(short).is_ok());
            return Some(Found::Difference { have: have.map(|(id, _)| *id).collect(), lack });
        }
    }
    let next = (cells * GROWTH).max(unlike + unlike / 2 + FIRST / 2).min(MAX_CELLS);
    Some(Found::Again(if is_next(next, cells) { next } else { 0 }))
}

/// The ids of a window that the other side named; those that are not there any more are left out.
pub(super) fn named(set: &IdSet, window: Window, key: Key, mut shorts: Vec<Short>) -> Vec<OpId> {
    shorts.sort_unstable();
    let ids = set.ids(window).filter(|id| shorts.binary_search(&key.short(id)).is_ok());
    ids.copied().collect()
}

fn shorts(set: &IdSet, window: Window, key: Key) -> Vec<Short> {
    if set.span(window).is_empty() {
        return Vec::new();
    }
    set.ids(window).map(|id| key.short(id)).collect()
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Sketch(Vec<Cell>);

impl Sketch {
    fn of(shorts: &[Short], cells: usize) -> Self {
        let mut sketch = Self(vec![Cell::default(); cells]);
        shorts.iter().for_each(|short| sketch.change(*short, 1));
        sketch
    }

    /// Puts one in (1), or takes it out (-1 as a `u16`).
    fn change(&mut self, Short(short): Short, count: u16) {
        let check = check(short);
        for at in Cells::of(short) {
            let Some(cell) = self.0.get_mut(at) else { return };
            cell.sum ^= short;
            cell.check ^= check;
            cell.count = cell.count.wrapping_add(count);
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len() * CELL);
        for Cell { sum, check, count } in &self.0 {
            bytes.extend_from_slice(&sum.to_be_bytes());
            bytes.extend_from_slice(&check.to_be_bytes());
            bytes.extend_from_slice(&count.to_be_bytes());
        }
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (cells, rest) = bytes.as_chunks::<CELL>();
        let right = rest.is_empty() && (1..=MAX_CELLS).contains(&cells.len());
        right.then(|| Self(cells.iter().filter_map(|cell| Cell::decode(cell)).collect()))
    }

    /// The other one without what is in this one.
    fn taken_from(self, mut other: Self) -> Self {
        for (cell, own) in other.0.iter_mut().zip(self.0) {
            cell.sum ^= own.sum;
            cell.check ^= own.check;
            cell.count = cell.count.wrapping_sub(own.count);
        }
        other
    }

    /// What is in it, and what was taken from it without having been there; `None` if there are
    /// too few cells.
    fn take_out(mut self) -> Option<(Vec<Short>, Vec<Short>)> {
        let (mut more, mut less) = (Vec::new(), Vec::new());
        let mut pure: Vec<usize> = (0..self.0.len()).collect();
        while let Some(at) = pure.pop() {
            let Some((short, more_of_it)) = self.0.get(at).and_then(Cell::only) else { continue };
            // No honest cells hold more than there are of them.
            if more.len() + less.len() >= self.0.len() {
                return None;
            }
            self.change(short, if more_of_it { u16::MAX } else { 1 });
            if more_of_it {
                more.push(short)
            } else {
                less.push(short)
            }
            pure.extend(Cells::of(short.0).take_while(|at| *at < self.0.len()));
        }
        self.0.iter().all(|cell| *cell == Cell::default()).then_some((more, less))
    }
}

impl Cell {
    fn decode(bytes: &[u8]) -> Option<Self> {
        let (sum, rest) = bytes.split_first_chunk()?;
        let (check, count) = rest.split_first_chunk()?;
        Some(Self {
            sum: u64::from_be_bytes(*sum),
            check: u32::from_be_bytes(*check),
            count: u16::from_be_bytes(count.try_into().ok()?),
        })
    }

    /// The one that it holds if it holds no other, and whether it is too much there or too little.
    fn only(&self) -> Option<(Short, bool)> {
        let one = matches!(self.count, 1 | u16::MAX) && self.check == check(self.sum);
        one.then_some((Short(self.sum), self.count == 1))
    }
}

/// The cells that an id is in, in their order and without an end.
struct Cells {
    next: usize,
    random: u64,
}

impl Cells {
    const fn of(short: u64) -> Self {
        Self { next: 0, random: short }
    }
}

impl Iterator for Cells {
    type Item = usize;

    // The chance of a gap follows from that of a cell: section 4.2 there. All operations are
    // those of IEEE 754, so all devices find the same.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn next(&mut self) -> Option<usize> {
        let this = self.next;
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let drawn = mixed(self.random) as f64;
        let gap = (this as f64 + 1.5) * (4_294_967_296.0 / (drawn + 1.0).sqrt() - 1.0);
        // Behind all that anybody has, it need not be told apart.
        self.next = this.saturating_add((gap.ceil() as usize).clamp(1, usize::MAX / 2));
        Some(this)
    }
}

/// What tells the sum of several from one.
const fn check(short: u64) -> u32 {
    (mixed(short ^ 0x6a09_e667_f3bc_c908) >> 32) as u32
}

/// Every bit of it depends on every bit of that (the last step of SplitMix64).
const fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hlc::Hlc;
    use proptest::prelude::*;

    const KEY: Key = Key::new(1, 2);

    fn id(at: u64) -> OpId {
        OpId::of(Hlc(at << 16), &at.to_be_bytes())
    }

    fn set(ids: impl IntoIterator<Item = u64>) -> IdSet {
        ids.into_iter().map(id).collect()
    }

    /// What a side that has `theirs` finds of what only it has and of what only the other has.
    fn compare(ours: &IdSet, theirs: &IdSet) -> Option<(Vec<OpId>, Vec<OpId>)> {
        let mut cells = FIRST;
        loop {
            let (known, sketch) = ask(ours, Window::ALL, KEY, cells);
            assert_eq!(sketch.len(), cells * CELL);
            match answer(theirs, Window::ALL, KEY, (known, &sketch)).unwrap() {
                Found::Difference { have, lack } => {
                    return Some((have, named(ours, Window::ALL, KEY, lack)));
                }
                Found::Again(0) => return None,
                Found::Again(more) => {
                    assert!(is_next(more, cells));
                    cells = more;
                }
            }
        }
    }

    proptest! {
        #[test]
        fn what_either_lacks_is_found(
            common in 0..3000_u64,
            ours in prop::collection::btree_set(10_000..20_000_u64, 0..150),
            theirs in prop::collection::btree_set(20_000..30_000_u64, 0..150),
        ) {
            let all = |own: &std::collections::BTreeSet<u64>| set((0..common).chain(own.iter().copied()));
            let only = |own: &std::collections::BTreeSet<u64>| own.iter().copied().map(id).collect::<Vec<_>>();
            let found = compare(&all(&ours), &all(&theirs));
            prop_assert_eq!(found, Some((only(&theirs), only(&ours))));
        }

        #[test]
        fn any_bytes_lead_to_an_answer(cells in prop::collection::vec(any::<u8>(), 0..800), known in 0..400_u32) {
            let found = answer(&set(0..300), Window::ALL, KEY, (known, &cells));
            prop_assert_eq!(found.is_some(), !cells.is_empty() && cells.len() % CELL == 0);
        }
    }

    #[test]
    fn few_of_many_take_one_round_and_no_more_cells_than_that() {
        let (ours, theirs) = (set(0..5000), set((0..5000).filter(|at| at % 500 != 3)));
        let (known, sketch) = ask(&ours, Window::ALL, KEY, FIRST);
        let found = answer(&theirs, Window::ALL, KEY, (known, &sketch));
        let Some(Found::Difference { have, lack }) = found else { panic!("{found:?}") };
        assert_eq!((have.len(), lack.len()), (0, 10));
    }

    #[test]
    fn what_is_all_unlike_is_compared_without() {
        assert_eq!(compare(&set(0..5000), &set([])), None);
        assert_eq!(compare(&set(0..2000), &set(2000..4000)), None);
        assert_eq!(first(&set(0..255), Window::ALL), None);
        assert_eq!(first(&set(0..256), Window::ALL), Some(FIRST));
    }

    #[test]
    fn cells_that_hold_more_than_there_are_of_them_come_to_an_end() {
        // Each looks as if it held one, over and over.
        let cell = Cell { sum: 5, check: check(5), count: 1 };
        assert_eq!(Sketch(vec![cell; MAX_CELLS]).take_out(), None);
    }

    #[test]
    fn cells_lie_as_they_are_said_to() {
        let within = |most: usize| {
            let all =
                (0..20_000_u64).map(|at| Cells::of(mixed(at)).take_while(|it| *it < most).count());
            all.sum::<usize>() as f64 / 20_000.0
        };
        // The sum of 1 / (1 + i / 2) over all cells.
        for most in [1, 10, 100, 1000] {
            let sum: f64 = (0..most).map(|at| 1.0 / (1.0 + at as f64 / 2.0)).sum();
            assert!((within(most) / sum - 1.0).abs() < 0.02, "{} {sum}", within(most));
        }
    }
}

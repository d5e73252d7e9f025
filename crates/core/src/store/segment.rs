//! Sets as they are in memory, and segments as they are in rows.

use super::{Entry, Item, SEGMENT_BYTES, SEGMENT_ITEMS, SetId, State};
use crate::op::OpId;
use crate::time::Time;

/// Bytes of an entry in an index row: id, received, state, size.
const ENTRY: usize = 32 + 8 + 1 + 4;

/// The key of a segment's rows.
pub(super) fn key(set: SetId, number: u32) -> Vec<u8> {
    [set.0.as_slice(), &number.to_be_bytes()].concat()
}

/// What a key names.
pub(super) fn parse_key(key: &[u8]) -> Option<(SetId, u32)> {
    let (set, number) = key.split_first_chunk()?;
    Some((SetId(*set), u32::from_be_bytes(number.try_into().ok()?)))
}

/// The segments of a set.
#[derive(Debug, Default)]
pub(super) struct Set {
    /// In the order of their numbers; none is empty, except during a commit.
    pub(super) segments: Vec<Segment>,
    /// The number of the next. None is used again.
    pub(super) next: u32,
}

/// A segment, as far as it is in memory.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) number: u32,
    /// In the order of their ids.
    pub(super) entries: Vec<Entry>,
    /// The bytes of each entry, during a commit that changes them.
    pub(super) bytes: Option<Vec<Vec<u8>>>,
    /// Whether the rows are to be written anew.
    pub(super) changed: bool,
}

impl Set {
    /// How many items there are.
    pub(super) fn len(&self) -> usize {
        self.segments.iter().map(|segment| segment.entries.len()).sum()
    }

    /// Where an item is: which of the segments, and which entry of that.
    pub(super) fn find(&self, id: &OpId) -> Option<(usize, usize)> {
        let places = self.segments.iter().enumerate();
        places.rev().find_map(|(at, segment)| Some((at, segment.find(id)?)))
    }

    pub(super) fn segment(&self, number: u32) -> Option<&Segment> {
        self.position(number).and_then(|at| self.segments.get(at))
    }

    pub(super) fn segment_mut(&mut self, number: u32) -> Option<&mut Segment> {
        self.position(number).and_then(|at| self.segments.get_mut(at))
    }

    fn position(&self, number: u32) -> Option<usize> {
        self.segments.binary_search_by_key(&number, |segment| segment.number).ok()
    }

    /// Puts items, in the order of their ids, into new segments.
    pub(super) fn append(&mut self, items: impl IntoIterator<Item = Item>) {
        let mut open: Option<Segment> = None;
        for Item { entry, bytes } in items {
            let full = open.as_ref().is_some_and(|segment| {
                segment.entries.len() >= SEGMENT_ITEMS
                    || segment.size() + bytes.len() > SEGMENT_BYTES
            });
            if full {
                self.segments.extend(open.take());
            }
            let number = &mut self.next;
            let segment = open.get_or_insert_with(|| {
                *number += 1;
                Segment {
                    number: *number - 1,
                    entries: Vec::new(),
                    bytes: Some(Vec::new()),
                    changed: true,
                }
            });
            segment.entries.push(entry);
            segment.bytes.get_or_insert_default().push(bytes);
        }
        self.segments.extend(open);
    }

    /// The first `limit` entries from `bound` on, itself left out, in the order of the ids or,
    /// from the `newest`, against it; and the number of the segment of each.
    pub(super) fn select(
        &self,
        bound: Option<OpId>,
        limit: usize,
        newest: bool,
    ) -> Vec<(Entry, u32)> {
        let before = |a: &OpId, b: &OpId| if newest { a > b } else { a < b };
        let behind = |id: &OpId| bound.is_none_or(|bound| before(&bound, id));
        let ends = |segment: &Segment| {
            let (first, last) = (segment.entries.first()?.id, segment.entries.last()?.id);
            Some(if newest { (last, first) } else { (first, last) })
        };
        let mut segments: Vec<_> = self
            .segments
            .iter()
            .filter_map(|segment| Some((ends(segment)?, segment)))
            .filter(|((_, far), _)| behind(far))
            .collect();
        segments.sort_unstable_by_key(|((near, _), _)| *near);
        if newest {
            segments.reverse();
        }
        let mut selected: Vec<(Entry, u32)> = Vec::new();
        for ((near, _), segment) in segments {
            if selected.len() == limit
                && selected.last().is_none_or(|(last, _)| !before(&near, &last.id))
            {
                break;
            }
            let number = segment.number;
            let own = segment.entries.iter().filter(|entry| behind(&entry.id));
            selected.extend(own.map(|entry| (*entry, number)));
            selected.sort_unstable_by_key(|(entry, _)| entry.id);
            if newest {
                selected.reverse();
            }
            selected.truncate(limit);
        }
        selected
    }
}

impl Segment {
    /// How many bytes its items have.
    pub(super) fn size(&self) -> usize {
        self.entries.iter().map(Entry::len).sum()
    }

    /// Whether it is to be merged with others.
    pub(super) fn is_small(&self) -> bool {
        self.entries.len() <= SEGMENT_ITEMS / 2 && self.size() <= SEGMENT_BYTES / 2
    }

    pub(super) fn find(&self, id: &OpId) -> Option<usize> {
        // Segments rarely overlap, and sets have many.
        if self.entries.first()?.id > *id || self.entries.last()?.id < *id {
            return None;
        }
        self.entries.binary_search_by_key(id, |entry| entry.id).ok()
    }

    /// Takes an entry away; its bytes too, if they are there.
    pub(super) fn remove(&mut self, at: usize) {
        self.changed = true;
        self.entries.remove(at);
        if let Some(bytes) = &mut self.bytes {
            bytes.remove(at);
        }
    }

    /// What its index row holds.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut row = Vec::with_capacity(self.entries.len() * ENTRY);
        for entry in &self.entries {
            row.extend_from_slice(&entry.id.0);
            row.extend_from_slice(&entry.received.0.to_be_bytes());
            row.push(entry.state.number());
            row.extend_from_slice(&entry.size.to_be_bytes());
        }
        row
    }

    /// The segment of which an index row holds this.
    pub(super) fn decode(number: u32, row: &[u8]) -> Option<Self> {
        let (rows, rest) = row.as_chunks::<ENTRY>();
        let entries = rows.iter().map(|row| entry(row)).collect::<Option<Vec<_>>>()?;
        let rising = entries.is_sorted_by(|a, b| a.id < b.id);
        let right = rest.is_empty() && rising && !entries.is_empty();
        right.then_some(Self { number, entries, bytes: None, changed: false })
    }

    /// The bytes of each entry in what a body row holds.
    pub(super) fn split(&self, mut body: &[u8]) -> Option<Vec<Vec<u8>>> {
        let mut bytes = Vec::with_capacity(self.entries.len());
        for entry in &self.entries {
            let (own, rest) = body.split_at_checked(entry.len())?;
            bytes.push(own.to_vec());
            body = rest;
        }
        body.is_empty().then_some(bytes)
    }
}

impl Entry {
    /// Its size as a length.
    pub(super) const fn len(&self) -> usize {
        self.size as usize
    }
}

fn entry(row: &[u8]) -> Option<Entry> {
    let (id, row) = row.split_first_chunk()?;
    let (received, row) = row.split_first_chunk()?;
    let (state, size) = row.split_first()?;
    Some(Entry {
        id: OpId(*id),
        received: Time(u64::from_be_bytes(*received)),
        state: State::from_number(*state)?,
        size: u32::from_be_bytes(size.try_into().ok()?),
    })
}

impl State {
    const fn number(self) -> u8 {
        match self {
            Self::Received => 0,
            Self::Queued => 1,
            Self::Sent => 2,
            Self::Delivered => 3,
        }
    }

    const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Received),
            1 => Some(Self::Queued),
            2 => Some(Self::Sent),
            3 => Some(Self::Delivered),
            _ => None,
        }
    }
}

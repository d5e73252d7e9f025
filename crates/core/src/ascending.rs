//! Lists that can be written in one way alone.

use minicbor::decode::Error;
use minicbor::{Decode, Decoder, Encode};

/// At most `MOST` things, each once, in ascending order.
#[derive(Debug, Clone, PartialEq, Eq, Encode)]
#[cbor(transparent)]
pub struct Ascending<T, const MOST: usize>(#[n(0)] Vec<T>);

impl<T: Ord, const MOST: usize> Ascending<T, MOST> {
    /// These things, or `None` if they are more than `MOST`.
    #[must_use]
    pub fn new(things: Vec<T>) -> Option<Self> {
        let things = sorted(things);
        (things.len() <= MOST).then_some(Self(things))
    }

    /// The greatest of these things; of ids, the newest.
    #[must_use]
    pub fn newest(things: Vec<T>) -> Self {
        let mut things = sorted(things);
        things.drain(..things.len().saturating_sub(MOST));
        Self(things)
    }
}

impl<T, const MOST: usize> Ascending<T, MOST> {
    /// The things, ascending.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        &self.0
    }
}

impl<T, const MOST: usize> Default for Ascending<T, MOST> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

fn sorted<T: Ord>(mut things: Vec<T>) -> Vec<T> {
    things.sort_unstable();
    things.dedup();
    things
}

impl<'b, C, T: Ord + Decode<'b, C>, const MOST: usize> Decode<'b, C> for Ascending<T, MOST> {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, Error> {
        let count = d.array()?.and_then(|count| usize::try_from(count).ok());
        let count = count.filter(|count| *count <= MOST);
        let count = count.ok_or_else(|| Error::message("too long a list"))?;
        let mut things = Vec::with_capacity(count);
        for _ in 0..count {
            let thing = T::decode(d, ctx)?;
            if things.last().is_some_and(|last| *last >= thing) {
                return Err(Error::message("not ascending"));
            }
            things.push(thing);
        }
        Ok(Self(things))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{decode, encode};

    type Few = Ascending<u8, 3>;

    #[test]
    fn things_are_put_in_order_and_named_once() {
        assert_eq!(Few::new(vec![3, 1, 3, 2]).map(|few| few.0), Some(vec![1, 2, 3]));
        assert_eq!(Few::new(vec![3, 1, 4, 2]), None);
        assert_eq!(Few::newest(vec![3, 1, 4, 2, 4]).as_slice(), [2, 3, 4]);
    }

    #[test]
    fn only_what_is_in_order_is_read() {
        let few = Ascending(vec![1, 2, 3]);
        assert_eq!(decode::<Few>("few", &encode(&few)), Ok(few));
        for wrong in [vec![1, 3, 2], vec![1, 1], vec![1, 2, 3, 4]] {
            assert!(decode::<Few>("few", &encode(&wrong)).is_err(), "{wrong:?}");
        }
    }
}

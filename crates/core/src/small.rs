//! Maps and sets for few entries, as sorted vectors.
//!
//! They behave as those of [`std::collections`] and go through their entries in the order of the
//! keys too; what has the same name does the same. Each pair of types that a `BTreeMap` is used
//! with takes 5 to 8 kB of the page, these a tenth of that. To insert and to remove takes time in
//! proportion to the number of entries, so they are for tables with a bound of some hundreds.

use std::{slice, vec};

/// A map, as [`BTreeMap`](std::collections::BTreeMap).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmallMap<K, V>(Vec<(K, V)>);

impl<K: Ord, V> SmallMap<K, V> {
    /// An empty map.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    fn find(&self, key: &K) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| other.cmp(key))
    }

    /// How many entries there are.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes all away.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether something is kept under this key.
    pub fn contains_key(&self, key: &K) -> bool {
        self.find(key).is_ok()
    }

    /// What is kept under this key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.find(key).ok().and_then(|at| self.0.get(at)).map(|(_, value)| value)
    }

    /// What is kept under this key, to be changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.find(key).ok().and_then(|at| self.0.get_mut(at)).map(|(_, value)| value)
    }

    /// Keeps `value` under this key, and gives what was kept there.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.find(&key) {
            Ok(at) => self.0.get_mut(at).map(|(_, old)| std::mem::replace(old, value)),
            Err(at) => {
                self.0.insert(at, (key, value));
                None
            }
        }
    }

    /// Takes away what is kept under this key.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.find(key).ok().map(|at| self.0.remove(at).1)
    }

    /// Takes away the entry with the least key.
    pub fn pop_first(&mut self) -> Option<(K, V)> {
        (!self.0.is_empty()).then(|| self.0.remove(0))
    }

    /// Takes away all but the entries that `keep` answers to with true.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        self.0.retain_mut(|(key, value)| keep(key, value));
    }

    /// The place of this key, where something may be kept or not.
    pub fn entry(&mut self, key: K) -> Entry<'_, K, V> {
        Entry { at: self.find(&key), key, map: self }
    }

    /// All entries.
    pub fn iter(&self) -> <&Self as IntoIterator>::IntoIter {
        self.into_iter()
    }

    /// All entries, to change what is kept.
    pub fn iter_mut(&mut self) -> <&mut Self as IntoIterator>::IntoIter {
        self.into_iter()
    }

    /// All keys.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.0.iter().map(|(key, _)| key)
    }

    /// All that is kept.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }

    /// All that is kept, to be changed.
    pub fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut V> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    /// The keys alone.
    pub fn into_keys(self) -> impl DoubleEndedIterator<Item = K> {
        self.0.into_iter().map(|(key, _)| key)
    }

    /// What is kept alone.
    pub fn into_values(self) -> impl DoubleEndedIterator<Item = V> {
        self.0.into_iter().map(|(_, value)| value)
    }
}

impl<K, V> Default for SmallMap<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord, V> Extend<(K, V)> for SmallMap<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        entries.into_iter().for_each(|(key, value)| {
            self.insert(key, value);
        });
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for SmallMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::default();
        map.extend(entries);
        map
    }
}

impl<K, V> IntoIterator for SmallMap<K, V> {
    type Item = (K, V);
    type IntoIter = vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// An iterator over references to the parts of pairs.
type Parts<'a, Pairs, Pair, Key, Value> = std::iter::Map<Pairs, fn(Pair) -> (&'a Key, Value)>;

impl<'a, K, V> IntoIterator for &'a SmallMap<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Parts<'a, slice::Iter<'a, (K, V)>, &'a (K, V), K, &'a V>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter().map(|(key, value)| (key, value))
    }
}

impl<'a, K, V> IntoIterator for &'a mut SmallMap<K, V> {
    type Item = (&'a K, &'a mut V);
    type IntoIter = Parts<'a, slice::IterMut<'a, (K, V)>, &'a mut (K, V), K, &'a mut V>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter_mut().map(|(key, value)| (&*key, value))
    }
}

/// The place of a key in a [`SmallMap`].
#[derive(Debug)]
pub struct Entry<'a, K, V> {
    map: &'a mut SmallMap<K, V>,
    key: K,
    at: Result<usize, usize>,
}

impl<'a, K: Ord, V> Entry<'a, K, V> {
    /// What is kept there; if nothing is, what `value` gives is from now on.
    #[expect(clippy::indexing_slicing, reason = "the place is taken, or has just been")]
    pub fn or_insert_with(self, value: impl FnOnce() -> V) -> &'a mut V {
        let entries = &mut self.map.0;
        let at = self.at.unwrap_or_else(|at| {
            entries.insert(at, (self.key, value()));
            at
        });
        &mut entries[at].1
    }

    /// What is kept there; if nothing is, `value` is from now on.
    pub fn or_insert(self, value: V) -> &'a mut V {
        self.or_insert_with(|| value)
    }

    /// What is kept there; if nothing is, the type's default value is from now on.
    pub fn or_default(self) -> &'a mut V
    where
        V: Default,
    {
        self.or_insert_with(V::default)
    }
}

/// A set, as [`BTreeSet`](std::collections::BTreeSet).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmallSet<K>(Vec<K>);

impl<K: Ord> SmallSet<K> {
    /// An empty set.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// How many members it has.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this is a member.
    pub fn contains(&self, key: &K) -> bool {
        self.0.binary_search(key).is_ok()
    }

    /// Adds a member. Returns whether it was none before.
    pub fn insert(&mut self, key: K) -> bool {
        let place = self.0.binary_search(&key);
        if let Err(at) = place {
            self.0.insert(at, key);
        }
        place.is_err()
    }

    /// Takes a member away. Returns whether it was one.
    pub fn remove(&mut self, key: &K) -> bool {
        let place = self.0.binary_search(key);
        if let Ok(at) = place {
            self.0.remove(at);
        }
        place.is_ok()
    }

    /// Takes the least member away.
    pub fn pop_first(&mut self) -> Option<K> {
        (!self.0.is_empty()).then(|| self.0.remove(0))
    }

    /// Takes away all members but those that `keep` answers to with true.
    pub fn retain(&mut self, keep: impl FnMut(&K) -> bool) {
        self.0.retain(keep);
    }

    /// All members.
    pub fn iter(&self) -> slice::Iter<'_, K> {
        self.0.iter()
    }
}

impl<K> Default for SmallSet<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord> Extend<K> for SmallSet<K> {
    fn extend<I: IntoIterator<Item = K>>(&mut self, keys: I) {
        keys.into_iter().for_each(|key| {
            self.insert(key);
        });
    }
}

impl<K: Ord> FromIterator<K> for SmallSet<K> {
    fn from_iter<I: IntoIterator<Item = K>>(keys: I) -> Self {
        let mut set = Self::default();
        set.extend(keys);
        set
    }
}

impl<K> IntoIterator for SmallSet<K> {
    type Item = K;
    type IntoIter = vec::IntoIter<K>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, K> IntoIterator for &'a SmallSet<K> {
    type Item = &'a K;
    type IntoIter = slice::Iter<'a, K>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    #[derive(Debug, Clone)]
    enum Step {
        Insert(u8, u32),
        Remove(u8),
        PopFirst,
        Retain(u32),
        Entry(u8, u32),
        Change(u8, u32),
        Clear,
    }

    fn step() -> impl Strategy<Value = Step> {
        let (key, value) = (0..24_u8, 0..9_u32);
        prop_oneof![
            8 => (key.clone(), value.clone()).prop_map(|(key, value)| Step::Insert(key, value)),
            4 => key.clone().prop_map(Step::Remove),
            2 => Just(Step::PopFirst),
            1 => value.clone().prop_map(Step::Retain),
            4 => (key.clone(), value.clone()).prop_map(|(key, value)| Step::Entry(key, value)),
            4 => (key, value).prop_map(|(key, value)| Step::Change(key, value)),
            1 => Just(Step::Clear),
        ]
    }

    proptest! {
        #[test]
        fn a_small_map_does_what_a_large_one_does(steps in prop::collection::vec(step(), 0..60)) {
            let (mut small, mut large) = (SmallMap::new(), BTreeMap::new());
            for step in steps {
                match step {
                    Step::Insert(key, value) => {
                        prop_assert_eq!(small.insert(key, value), large.insert(key, value));
                    }
                    Step::Remove(key) => prop_assert_eq!(small.remove(&key), large.remove(&key)),
                    Step::PopFirst => prop_assert_eq!(small.pop_first(), large.pop_first()),
                    Step::Retain(least) => {
                        small.retain(|_, value| *value >= least);
                        large.retain(|_, value| *value >= least);
                    }
                    Step::Entry(key, more) => {
                        *small.entry(key).or_default() += more;
                        *large.entry(key).or_default() += more;
                    }
                    Step::Change(key, value) => {
                        let (old, new) = (small.get_mut(&key), large.get_mut(&key));
                        prop_assert_eq!(&old, &new);
                        if let (Some(old), Some(new)) = (old, new) {
                            (*old, *new) = (value, value);
                        }
                    }
                    Step::Clear => {
                        small.clear();
                        large.clear();
                    }
                }
                prop_assert_eq!((small.len(), small.is_empty()), (large.len(), large.is_empty()));
                prop_assert!(small.iter().eq(large.iter()) && small.keys().eq(large.keys()));
                prop_assert!(small.values().eq(large.values()));
                for key in 0..24 {
                    prop_assert_eq!(small.get(&key), large.get(&key));
                    prop_assert_eq!(small.contains_key(&key), large.contains_key(&key));
                }
            }
            let collected: SmallMap<_, _> = large.iter().rev().map(|(key, it)| (*key, *it)).collect();
            prop_assert_eq!(&collected, &small);
            prop_assert!(small.into_iter().eq(large));
        }

        #[test]
        fn a_small_set_does_what_a_large_one_does(
            steps in prop::collection::vec((any::<bool>(), 0..24_u8), 0..60),
        ) {
            let (mut small, mut large) = (SmallSet::new(), BTreeSet::new());
            for (add, key) in steps {
                if add {
                    prop_assert_eq!(small.insert(key), large.insert(key));
                } else {
                    prop_assert_eq!(small.remove(&key), large.remove(&key));
                }
                prop_assert_eq!(small.contains(&key), large.contains(&key));
                prop_assert_eq!((small.len(), small.is_empty()), (large.len(), large.is_empty()));
                prop_assert!(small.iter().eq(large.iter()));
            }
            let collected: SmallSet<_> = large.iter().rev().copied().collect();
            prop_assert_eq!(&collected, &small);
            small.retain(|key| key % 3 == 0);
            large.retain(|key| key % 3 == 0);
            prop_assert_eq!(small.pop_first(), large.pop_first());
            prop_assert!(small.into_iter().eq(large));
        }
    }

    #[test]
    fn what_is_kept_is_found_from_either_end_and_can_be_changed_in_place() {
        let mut map: SmallMap<_, _> = [(2, 'b'), (1, 'a'), (3, 'c')].into_iter().collect();
        assert_eq!(map.iter().next_back(), Some((&3, &'c')));
        map.values_mut().for_each(|value| *value = value.to_ascii_uppercase());
        map.iter_mut().filter(|(key, _)| **key == 2).for_each(|(_, value)| *value = '-');
        assert_eq!(map.clone().into_values().collect::<String>(), "A-C");
        assert!(map.into_keys().eq([1, 2, 3]));
    }
}

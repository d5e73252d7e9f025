//! Who had which seat at which version of a community.
//!
//! The contract keeps the list of all changes in storage and a rolling digest over it. Whoever has
//! the list and a digest that a quorum agreed on can say of any wallet and version what the
//! contract would have said then: [`Seats::role`] is a pure function of the two. So members judge
//! records and ops alike without asking the chain about each.

use crate::access::Role;
use crate::id::Wallet;
use crate::time::Time;
use alloy_primitives::keccak256;
use minicbor::{Decode, Encode};
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// One step in the history of a community, as the contract returns it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Change {
    /// Whose seat changed, or who paused or resumed.
    #[n(0)]
    pub account: Wallet,
    /// The new role (0, 1, 2, 3, 255), or what else happened: 16 paused, 17 resumed.
    #[n(1)]
    pub kind: u8,
    /// The time of its block.
    #[n(2)]
    pub time: Time,
}

/// How long the list is and what its digest is, as a quorum of endpoints reads it at one block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Head {
    /// How many changes there were.
    #[n(0)]
    pub version: u64,
    /// The digest of all of them.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub rolling: [u8; 32],
}

/// How what is known here compares with a [`Head`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compared {
    /// It is the same list.
    Same,
    /// The chain's list goes on where this one ends: read from [`Seats::newest`] on.
    Longer,
    /// The chain's list ends before this one, which goes on from it: an endpoint that lags, or a
    /// chain that took blocks back.
    Shorter,
    /// The chain's list is another from some version on: its blocks were replaced.
    Other,
}

/// Why a list of changes was not taken. What was known before stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SeatsError {
    /// It begins after the end of what is known.
    #[error("changes from version {from} on leave a gap after version {known}: read on from there")]
    Gap {
        /// The version that the changes follow.
        from: u64,
        /// The newest version known here.
        known: u64,
    },
    /// It does not lead to the version that it should.
    #[error("the changes lead to version {reached}, not {wanted}: read all of them at one block")]
    Length {
        /// Where they lead.
        reached: u64,
        /// Where they should.
        wanted: u64,
    },
    /// Its digest is not the chain's.
    #[error("the changes are not those that the chain's digest is of: read again from the start")]
    Digest,
    /// Longer than this program can hold.
    #[error("the community has {0} changes, more than this program can hold")]
    TooMany(u64),
}

/// The list of changes of one community, replayed.
#[derive(Debug, Clone, Default)]
pub struct Seats {
    changes: Vec<Change>,
    /// The digest after each change.
    rolling: Vec<[u8; 32]>,
    /// Places in `changes` that set a role, by account, then by place.
    by_account: Vec<u32>,
}

impl Seats {
    /// The most changes that are held.
    pub const MAX_CHANGES: u64 = 1 << 18;

    /// The newest version known.
    #[must_use]
    pub const fn newest(&self) -> u64 {
        self.changes.len() as u64
    }

    /// The digest of the changes up to `version`; that of none is zero. `None` if the version is
    /// not known here.
    #[must_use]
    pub fn rolling(&self, version: u64) -> Option<[u8; 32]> {
        match version.checked_sub(1) {
            None => Some([0; 32]),
            Some(place) => usize::try_from(place).ok().and_then(|at| self.rolling.get(at)).copied(),
        }
    }

    /// The changes that lead from `version` to the newest, to be kept or shown.
    #[must_use]
    pub fn after(&self, version: u64) -> &[Change] {
        usize::try_from(version).ok().and_then(|from| self.changes.get(from..)).unwrap_or_default()
    }

    /// The role of `wallet` at `version`, whatever pauses there were. `None` if the version is not
    /// known here.
    #[must_use]
    pub fn role(&self, wallet: Wallet, version: u64) -> Option<Role> {
        (version <= self.newest()).then(|| self.seat(wallet, version).1)
    }

    /// Whether `wallet` may take part at `version`, as far as is known.
    #[must_use]
    pub fn admits(&self, wallet: Wallet, version: u64) -> bool {
        self.role(wallet, version).is_some_and(Role::admits)
    }

    /// The change that took the seat of `wallet`, which has none at `version`, as the version that
    /// it led to. `None` if it has a seat, or never had one.
    #[must_use]
    pub fn lost(&self, wallet: Wallet, version: u64) -> Option<u64> {
        let (mut at, role) = self.seat(wallet, version);
        if role.admits() {
            return None;
        }
        while let Some(before) = at.checked_sub(1) {
            let earlier = self.seat(wallet, before);
            if earlier.1.admits() {
                return Some(at);
            }
            at = earlier.0;
        }
        None
    }

    /// Whether `wallet` had a seat at any version that is known.
    #[must_use]
    pub fn ever(&self, wallet: Wallet) -> bool {
        let start = self.first(wallet, 0);
        let own = self.by_account.get(start..).unwrap_or_default().iter();
        own.map_while(|place| self.changes.get(*place as usize))
            .take_while(|change| change.account == wallet)
            .any(|change| role_of(change).is_some_and(Role::admits))
    }

    /// The changes after `version` that took a seat or a rank away.
    pub fn losses(&self, version: u64) -> impl Iterator<Item = (u64, Wallet)> {
        self.moves(version).filter(|(_, _, from, to)| to < from).map(|(at, who, ..)| (at, who))
    }

    /// The changes after `version` that gave a seat to a wallet that had none.
    pub fn arrivals(&self, version: u64) -> impl Iterator<Item = (u64, Wallet)> {
        self.moves(version)
            .filter(|(_, _, from, _)| *from == 0)
            .filter(|(.., to)| *to > 0)
            .map(|(at, who, ..)| (at, who))
    }

    /// Compares with what the chain says.
    #[must_use]
    pub fn compare(&self, head: Head) -> Compared {
        match self.rolling(head.version) {
            None => Compared::Longer,
            Some(rolling) if rolling != head.rolling => Compared::Other,
            Some(_) if head.version < self.newest() => Compared::Shorter,
            Some(_) => Compared::Same,
        }
    }

    /// Takes the changes that lead from the version `from` to `head`, in place of all that was
    /// known from there on. Where the list came from does not matter: it is taken if it leads to
    /// the digest of `head`, and else nothing changes.
    ///
    /// # Errors
    /// [`SeatsError`]; [`SeatsError::Digest`] also if what stays before `from` is not the chain's.
    pub fn replace(&mut self, from: u64, changes: &[Change], head: Head) -> Result<(), SeatsError> {
        let known = self.newest();
        if from > known {
            return Err(SeatsError::Gap { from, known });
        }
        let reached = from.saturating_add(changes.len() as u64);
        if reached != head.version {
            return Err(SeatsError::Length { reached, wanted: head.version });
        }
        if reached > Self::MAX_CHANGES {
            return Err(SeatsError::TooMany(reached));
        }
        let mut digest = self.rolling(from).unwrap_or_default();
        let mut digests = Vec::with_capacity(changes.len());
        for (change, version) in changes.iter().zip(from + 1..) {
            digest = next_rolling(digest, change, version);
            digests.push(digest);
        }
        if digest != head.rolling {
            return Err(SeatsError::Digest);
        }
        // What is cut off are the last places, so what stays stays in order.
        let kept = usize::try_from(from).unwrap_or(usize::MAX);
        self.changes.truncate(kept);
        self.rolling.truncate(kept);
        self.by_account.retain(|place| u64::from(*place) < from);
        self.changes.extend_from_slice(changes);
        self.rolling.append(&mut digests);
        self.index(kept);
        Ok(())
    }

    /// Sorts the places from `start` on in among the others.
    fn index(&mut self, start: usize) {
        let keyed = |place: u32| {
            let change = self.changes.get(place as usize)?;
            role_of(change).map(|_| (change.account, place))
        };
        let new = (start..self.changes.len()).filter_map(|place| u32::try_from(place).ok());
        let old = self.by_account.iter().copied();
        // A heap sorts with less code than the sort of slices, which the page has no other use for.
        let sorted: BinaryHeap<_> = old.chain(new).filter_map(keyed).collect();
        self.by_account = sorted.into_sorted_vec().into_iter().map(|(_, place)| place).collect();
    }

    /// The first place in `by_account` of `wallet` with a change after `version`.
    fn first(&self, wallet: Wallet, version: u64) -> usize {
        self.by_account.partition_point(|place| {
            let account = self.changes.get(*place as usize).map(|change| change.account);
            match account.map(|account| account.cmp(&wallet)) {
                Some(Ordering::Less) => true,
                Some(Ordering::Equal) => u64::from(*place) < version,
                Some(Ordering::Greater) | None => false,
            }
        })
    }

    /// The version of the last change of a seat at or before `version`, and the role since.
    fn seat(&self, wallet: Wallet, version: u64) -> (u64, Role) {
        let before = self.first(wallet, version).checked_sub(1);
        let place = before.and_then(|at| self.by_account.get(at)).copied();
        let change = place.and_then(|place| Some((place, self.changes.get(place as usize)?)));
        match change.filter(|(_, change)| change.account == wallet) {
            Some((place, change)) => (u64::from(place) + 1, role_of(change).unwrap_or(Role::None)),
            None => (0, Role::None),
        }
    }

    /// The changes of seats after `version`: the version, whose, the rank before and after.
    fn moves(&self, version: u64) -> impl Iterator<Item = (u64, Wallet, u8, u8)> {
        self.after(version).iter().zip(version.saturating_add(1)..).filter_map(|(change, at)| {
            let before = self.seat(change.account, at - 1).1;
            Some((at, change.account, rank(before), rank(role_of(change)?)))
        })
    }
}

/// What counts as more and as less: a ban is no more than no seat.
const fn rank(role: Role) -> u8 {
    if role.admits() { role.to_contract() } else { 0 }
}

/// The role that a change gave, unless it was of another kind.
const fn role_of(change: &Change) -> Option<Role> {
    Role::from_contract(change.kind)
}

/// `keccak256(abi.encode(rolling, kind, account, version))`: four words of 32 bytes.
pub(crate) fn next_rolling(rolling: [u8; 32], change: &Change, version: u64) -> [u8; 32] {
    let mut words = [[0; 32]; 4];
    let [first, kind, account, last] = &mut words;
    *first = rolling;
    kind[31] = change.kind;
    account[12..].copy_from_slice(&change.account.0);
    last[24..].copy_from_slice(&version.to_be_bytes());
    keccak256(words.as_flattened()).0
}

#[cfg(test)]
mod tests;

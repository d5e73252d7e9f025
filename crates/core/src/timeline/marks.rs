//! What others put to a message: edits, reactions, tombstones.

use super::{Author, moderates};
use crate::content::Reaction;
use crate::id::Wallet;
use crate::op::OpId;
use std::collections::BTreeMap;

/// All that is put to one op. Whose op that is may not be known yet, so that all is kept by who
/// put it.
#[derive(Debug, Default)]
pub(super) struct Marks {
    edits: BTreeMap<Wallet, OpId>,
    /// The first tombstone of each wallet, and of any moderator.
    buried: BTreeMap<Wallet, OpId>,
    moderated: Option<OpId>,
    reactions: BTreeMap<(Wallet, String), (OpId, bool)>,
}

impl Marks {
    /// An edit; the greatest of each wallet stands. Gives the one that it was compared with.
    pub(super) fn edit(&mut self, id: OpId, by: Wallet) -> OpId {
        let edit = self.edits.entry(by).or_insert(id);
        let other = *edit;
        *edit = other.max(id);
        other
    }

    /// A tombstone.
    pub(super) fn bury(&mut self, id: OpId, by: Author) {
        let first = self.buried.entry(by.wallet).or_insert(id);
        *first = id.min(*first);
        if moderates(by.role) {
            self.moderated = Some(self.moderated.map_or(id, |first| first.min(id)));
        }
    }

    /// A reaction; the greatest of each wallet and emoji stands. Gives the one that it was compared
    /// with.
    pub(super) fn react(&mut self, id: OpId, by: Wallet, reaction: &Reaction) -> OpId {
        let key = (by, reaction.emoji.clone());
        let held = self.reactions.entry(key).or_insert((id, reaction.set));
        let (other, _) = *held;
        if other <= id {
            *held = (id, reaction.set);
        }
        other
    }

    /// The first word of somebody who may take it away, if `author` wrote it.
    pub(super) fn buried_by(&self, author: Wallet) -> Option<OpId> {
        self.moderated.into_iter().chain(self.buried.get(&author).copied()).min()
    }

    /// The edit that stands, if `author` wrote what it edits.
    pub(super) fn newest_edit(&self, author: Wallet) -> Option<OpId> {
        self.edits.get(&author).copied()
    }

    /// The emoji that stand, in the order in which the first of each came, and whose they are;
    /// at most `most` of each wallet.
    pub(super) fn reactions(&self, most: usize) -> Vec<(String, Vec<Wallet>)> {
        let mut shown: Vec<(OpId, String, Vec<Wallet>)> = Vec::new();
        let mut of_wallet = (None, 0);
        for ((wallet, emoji), (id, set)) in &self.reactions {
            if of_wallet.0 != Some(*wallet) {
                of_wallet = (Some(*wallet), 0);
            }
            if !set || of_wallet.1 >= most {
                continue;
            }
            of_wallet.1 += 1;
            match shown.iter_mut().find(|(_, known, _)| known == emoji) {
                Some((first, _, wallets)) => {
                    *first = (*first).min(*id);
                    wallets.push(*wallet);
                }
                None => shown.push((*id, emoji.clone(), vec![*wallet])),
            }
        }
        shown.sort_by_key(|(first, _, _)| *first);
        shown.into_iter().map(|(_, emoji, wallets)| (emoji, wallets)).collect()
    }
}

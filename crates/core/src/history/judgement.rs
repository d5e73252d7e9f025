//! Which ops of a room count.

use super::{BTreeMap, BTreeSet, DeviceKey, EpochId, History, OpId, Role, Time, Wallet};

/// Where an epoch stands among those of its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The version of the community's seats.
    pub version: u64,
    /// Which of the epochs of that version, from 1.
    pub generation: u16,
}

/// A device has lost its right to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// For its ops in epochs before this one, the heads decide. Later ones count as those of other
    /// devices do: its wallet may have come back.
    pub position: Position,
    /// The last ops that count, of all valid records and of all who held a later one.
    pub heads: Vec<OpId>,
}

/// What is known beside the ops themselves.
pub trait Judge {
    /// Where a valid epoch of this room stands; `None` if there is no such.
    fn position(&self, epoch: EpochId) -> Option<Position>;
    /// Whether earlier ops of a device were cut off.
    fn cut(&self, device: DeviceKey) -> Option<Cut>;
    /// Whose device it was at a time, by a certificate that covered it.
    fn wallet(&self, device: DeviceKey, at: Time) -> Option<Wallet>;
    /// The role of a wallet at a version of the community's seats.
    fn role(&self, wallet: Wallet, version: u64) -> Role;
}

/// Why an op does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// No valid record of its epoch is held.
    UnknownEpoch,
    /// No certificate of its device covers its time.
    NoCertificate,
    /// Its author had no seat.
    NoSeat,
    /// Its device was cut off before.
    Cut,
}

/// What becomes of an op.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It counts.
    Counts {
        /// Who wrote it.
        author: Wallet,
        /// With which role.
        role: Role,
    },
    /// It does not, as far as is known now.
    Refused(Reason),
}

impl History {
    /// What becomes of each of the ops `ids` that is held.
    pub fn judge<'a>(
        &'a self,
        ids: impl Iterator<Item = OpId> + 'a,
        judge: &'a dyn Judge,
    ) -> impl Iterator<Item = (OpId, Verdict)> + 'a {
        let mut cuts = BTreeMap::<DeviceKey, Option<(Position, BTreeSet<OpId>)>>::new();
        ids.filter_map(move |id| {
            let fact = self.fact(id)?;
            let cut = cuts.entry(fact.device).or_insert_with(|| {
                judge.cut(fact.device).map(|cut| (cut.position, self.reached(&cut.heads)))
            });
            let verdict = verdict(id, &fact, cut.as_ref(), judge);
            Some((id, verdict.unwrap_or_else(Verdict::Refused)))
        })
    }

    /// What would become of a held op if its device had not been cut off.
    pub fn uncut(&self, id: OpId, judge: &dyn Judge) -> Option<Verdict> {
        let verdict = verdict(id, &self.fact(id)?, None, judge);
        Some(verdict.unwrap_or_else(Verdict::Refused))
    }
}

fn verdict(
    id: OpId,
    fact: &super::Fact,
    cut: Option<&(Position, BTreeSet<OpId>)>,
    judge: &dyn Judge,
) -> Result<Verdict, Reason> {
    let position = judge.position(fact.epoch).ok_or(Reason::UnknownEpoch)?;
    if cut.is_some_and(|(from, reached)| position < *from && !reached.contains(&id)) {
        return Err(Reason::Cut);
    }
    let author = judge.wallet(fact.device, id.hlc().time()).ok_or(Reason::NoCertificate)?;
    let role = judge.role(author, position.version);
    if role.admits() { Ok(Verdict::Counts { author, role }) } else { Err(Reason::NoSeat) }
}

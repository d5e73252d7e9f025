//! Which records of a room hold.

use super::{Held, Keyring, Position, View};
use crate::access::Role;
use crate::control::{EpochRecord, RoomKind};
use crate::op::OpId;
use crate::small::SmallMap;

/// What came of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It holds.
    Valid,
    /// It was made before the chain took blocks back: the digest at its version is another now.
    /// What members wrote under it counts, by the seats that they have there now, but nobody sends
    /// under it, and whom it cuts off does not count.
    Replaced,
    /// It cannot be checked yet. It may be read with.
    Waiting(Waiting),
    /// It does not hold, as far as is known.
    Invalid(Invalid),
}

/// Why a record cannot be checked yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// Nothing was worked out since it came.
    Unsettled,
    /// Its version of the seats is not known here.
    Version,
    /// No certificate of its author is known that covers its time.
    Certificate,
    /// One of its parents is not here, or waits itself.
    Parent,
}

/// Why a record does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invalid {
    /// Its author's wallet had no seat, or is not in the room.
    Seat,
    /// It begins a room that its author may not begin.
    Founder,
    /// One of its parents does not hold.
    Parent,
    /// Its generation does not follow from its parents, or one of them is of a later version.
    Generation,
    /// Its parents are of several kinds of room, or the room's id tells of another.
    Kind,
    /// Its id, its write key or the room in it do not follow from its secret.
    Secret,
}

/// The records judged so far: what came of each, and the kind of room that it tells of.
type Judged = SmallMap<OpId, (State, Option<RoomKind>)>;

impl State {
    /// Whether what was written under a record of this state counts.
    pub(super) const fn counts(self) -> bool {
        matches!(self, Self::Valid | Self::Replaced)
    }
}

impl Keyring {
    /// Judges all records, parents before their children.
    pub(super) fn judge(&mut self, view: View<'_>) {
        let mut judged = Judged::new();
        let (mut policy, mut room_kind) = (None, None);
        for ((_, id), held) in &self.records {
            let verdict = self.verdict(held, view, &judged);
            let (state, kind) = match verdict {
                Ok(kind)
                    if view.seats.rolling(held.record.version) == Some(held.record.rolling) =>
                {
                    (State::Valid, Some(kind))
                }
                Ok(kind) => (State::Replaced, Some(kind)),
                Err(state) => (state, None),
            };
            if let Some(charter) = held.record.charter.filter(|_| state.counts()) {
                policy = policy.max(Some(charter.policy));
                room_kind = kind.filter(|kind| self.fits_room(*kind));
            }
            judged.insert(*id, (state, kind));
        }
        (self.settled.policy, self.settled.kind) = (policy, room_kind);
        for ((_, id), held) in &mut self.records {
            held.state = judged.get(id).map_or(held.state, |(state, _)| *state);
        }
    }

    fn verdict(&self, held: &Held, view: View<'_>, judged: &Judged) -> Result<RoomKind, State> {
        let record = &*held.record;
        if held.fits == Some(false) {
            return Err(State::Invalid(Invalid::Secret));
        }
        if record.version > view.seats.newest() {
            return Err(State::Waiting(Waiting::Version));
        }
        let kind = match record.charter {
            Some(charter) => founded(record, charter.kind)?,
            None => self.inherited(record, judged)?,
        };
        let wallet = view.devices.wallet_at(record.author, record.time);
        let wallet = wallet.ok_or(State::Waiting(Waiting::Certificate))?;
        let role = view.seats.role(wallet, record.version).unwrap_or(Role::None);
        // Which version it would be now that gave its author the seat cannot be said.
        let replaced = view.seats.rolling(record.version) != Some(record.rolling);
        let seated = role.admits() || replaced && view.seats.ever(wallet);
        if !seated || !kind.includes(wallet) {
            return Err(State::Invalid(Invalid::Seat));
        }
        let founds = kind != RoomKind::All || matches!(role, Role::Moderator | Role::Owner);
        if record.charter.is_some() && !founds {
            return Err(State::Invalid(Invalid::Founder));
        }
        // Who does not know the room's id cannot tell, and makes no epochs either.
        if self.settled.room.is_some() && !self.fits_room(kind) {
            return Err(State::Invalid(Invalid::Kind));
        }
        Ok(kind)
    }

    fn fits_room(&self, kind: RoomKind) -> bool {
        self.settled.room.as_ref().is_some_and(|room| kind.fits(room))
    }

    /// The kind of room that a record's parents tell of, if they all hold and it follows them.
    fn inherited(&self, record: &EpochRecord, judged: &Judged) -> Result<RoomKind, State> {
        let (mut kind, mut generation) = (None, 0);
        let mut verdict = Ok(());
        for parent in record.parents.as_slice() {
            let place = self.places.get(parent).copied();
            if place.is_some_and(|place| place >= record.position()) {
                return Err(State::Invalid(Invalid::Generation));
            }
            match (place, judged.get(parent)) {
                (Some(place), Some((state, of))) if state.counts() => {
                    if kind.is_some() && kind != *of {
                        return Err(State::Invalid(Invalid::Kind));
                    }
                    kind = *of;
                    let beside = place.version == record.version;
                    generation = generation.max(if beside { place.generation } else { 0 });
                }
                (_, Some((State::Invalid(_), _))) => verdict = Err(State::Invalid(Invalid::Parent)),
                _ => verdict = verdict.and(Err(State::Waiting(Waiting::Parent))),
            }
        }
        verdict?;
        if generation.checked_add(1) != Some(record.generation) {
            return Err(State::Invalid(Invalid::Generation));
        }
        kind.ok_or(State::Invalid(Invalid::Parent))
    }

    /// The record to send under.
    pub(super) fn choose(&self, view: View<'_>) -> Option<(Position, OpId)> {
        let mut best: Option<(&(Position, OpId), &Held)> = None;
        for (at, held) in self.openable().filter(|(_, held)| held.state == State::Valid) {
            let stands = view.devices.stands(held.record.author, view.now);
            let higher = best.is_none_or(|((position, _), other)| {
                at.0 > *position || (at.0 == *position && held.record.epoch < other.record.epoch)
            });
            if stands && higher {
                best = Some((at, held));
            }
        }
        best.map(|(at, _)| *at)
    }

    /// The records that hold, on whatever list, and can be opened.
    pub(super) fn openable(&self) -> impl Iterator<Item = (&(Position, OpId), &Held)> {
        self.records.iter().filter(|(_, it)| it.state.counts() && it.fits == Some(true))
    }

    /// How many records tell of another list of changes than is known here, or of a longer one.
    pub(crate) fn strange(&self) -> usize {
        let strange = [State::Replaced, State::Waiting(Waiting::Version)];
        self.records.values().filter(|held| strange.contains(&held.state)).count()
    }
}

/// A record that begins a room begins at the first generation.
fn founded(record: &EpochRecord, kind: RoomKind) -> Result<RoomKind, State> {
    if record.generation == 1 { Ok(kind) } else { Err(State::Invalid(Invalid::Generation)) }
}

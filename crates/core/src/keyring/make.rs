//! The next epoch of a room.

use super::{Keyring, View};
use crate::access::Role;
use crate::control::{Cause, Charter, ControlItem, Cut, EpochRecord, PageRef, RoomKind, WrapPage};
use crate::epoch::{EpochId, EpochKeys, EpochSecret, RoomId};
use crate::id::{Community, DeviceKey, DeviceSecret, DeviceSignature};
use crate::op::{MAX_PARENTS, OpId, Parents};
use crate::small::SmallMap;
use crate::wire;
use crate::wrap::{self, Random};
use zeroize::Zeroizing;

/// An epoch that was made here.
#[derive(Debug)]
pub struct NewEpoch {
    /// Which.
    pub epoch: EpochId,
    /// Its secret, to be kept and [restored](Keyring::restore).
    pub secret: EpochSecret,
    /// Its pages, then its record, to be kept, inserted and passed on.
    pub items: Vec<ControlItem>,
}

/// Why no epoch was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MakeError {
    /// No key of the room is held.
    #[error("no key of this room is here yet: wait until another member sends it")]
    NoKey,
    /// Others would not take it.
    #[error(
        "this device may not make keys for this room: its wallet has no seat in it, or its certificate has ended"
    )]
    NotAllowed,
    /// There were too many at this version.
    #[error(
        "the keys of this room were changed too often: try again after the next change of members"
    )]
    Generations,
}

/// What differs between the first epoch of a room and a later one.
struct Plan {
    generation: u16,
    parents: Parents,
    charter: Option<Charter>,
    kind: RoomKind,
    cuts: SmallMap<DeviceKey, Cause>,
}

impl Keyring {
    /// The keyring of a new room, and its first epoch.
    ///
    /// # Errors
    /// [`MakeError::NotAllowed`].
    pub fn found(
        community: Community,
        charter: Charter,
        me: &DeviceSecret,
        view: View<'_>,
        random: &mut Random<'_>,
    ) -> Result<(Self, NewEpoch), MakeError> {
        let mut bytes = Zeroizing::new([0; 16]);
        random(&mut *bytes);
        let room = charter.kind.room(*bytes);
        let mut keyring = Self::new(community, room.tag(), me.device());
        keyring.settled.kind = Some(charter.kind);
        let role = view
            .devices
            .wallet(keyring.own)
            .and_then(|it| view.seats.role(it, view.seats.newest()));
        let founds =
            charter.kind != RoomKind::All || matches!(role, Some(Role::Moderator | Role::Owner));
        if !keyring.may_make(view) || !founds {
            return Err(MakeError::NotAllowed);
        }
        let plan = Plan {
            generation: 1,
            parents: Parents::default(),
            charter: Some(charter),
            kind: charter.kind,
            cuts: keyring.cuts_to_make(view, &[]),
        };
        let epoch = keyring.seal(&room, plan, me, view, &mut |_| Vec::new(), random);
        Ok((keyring, epoch))
    }

    /// Makes the next epoch of the room, for the devices of all who have a seat now. `last_ops`
    /// tells the last ops of a device that are held here and count.
    ///
    /// # Errors
    /// [`MakeError`].
    pub fn make(
        &self,
        me: &DeviceSecret,
        view: View<'_>,
        last_ops: &mut dyn FnMut(DeviceKey) -> Vec<OpId>,
        random: &mut Random<'_>,
    ) -> Result<NewEpoch, MakeError> {
        let (Some(room), Some(kind)) = (self.room(), self.kind()) else {
            return Err(MakeError::NoKey);
        };
        if !self.may_make(view) || me.device() != self.own {
            return Err(MakeError::NotAllowed);
        }
        let version = view.seats.newest();
        let named: Vec<_> =
            self.holding().flat_map(|(_, held)| held.record.parents.as_slice()).collect();
        // From the highest position, which no other names.
        let heads = self.holding().rev().map(|(at, _)| at).filter(|(_, id)| !named.contains(&id));
        let heads: Vec<_> = heads.take(MAX_PARENTS).collect();
        let beside = heads.iter().filter(|(position, _)| position.version == version);
        let generation = beside.map(|(position, _)| position.generation).max().unwrap_or(0);
        let parents = Parents::newest(heads.into_iter().map(|(_, id)| *id).collect());
        let plan = Plan {
            generation: generation.checked_add(1).ok_or(MakeError::Generations)?,
            cuts: self.cuts_to_make(view, parents.as_slice()),
            parents,
            charter: None,
            kind,
        };
        Ok(self.seal(room, plan, me, view, last_ops, random))
    }

    fn seal(
        &self,
        room: &RoomId,
        plan: Plan,
        me: &DeviceSecret,
        view: View<'_>,
        last_ops: &mut dyn FnMut(DeviceKey) -> Vec<OpId>,
        random: &mut Random<'_>,
    ) -> NewEpoch {
        let Plan { generation, parents, charter, kind, cuts } = plan;
        let (version, time) = (view.seats.newest(), view.now);
        let (mut bytes, mut nonce) = (Zeroizing::new([0; 32]), [0; 24]);
        random(&mut *bytes);
        random(&mut nonce);
        let secret = EpochSecret::new(*bytes);
        let epoch = secret.id(self.tag, version, generation, self.own);
        let keys = EpochKeys::derive(&secret, &epoch);
        let seated = |wallet| view.seats.admits(wallet, version) && kind.includes(wallet);
        let recipients = view.devices.recipients(time, seated);
        let trusted = recipients.iter().filter(|it| !self.doubts(it.device));
        let recipients: Vec<_> = trusted.map(|it| (it.device, it.prekey)).collect();
        let place = (self.community, self.tag, epoch);
        let pages = wrap::seal_pages(place, time, &secret, &recipients, random);
        let mut items: Vec<_> = pages.into_iter().map(ControlItem::Page).collect();
        let record = EpochRecord {
            community: self.community,
            room_tag: self.tag,
            version,
            rolling: view.seats.rolling(version).unwrap_or_default(),
            generation,
            parents,
            author: self.own,
            time,
            epoch,
            write_key: keys.write_key(),
            room: keys.seal_room(room, nonce),
            charter,
            cuts: Vec::new(),
            pages: items.iter().filter_map(page_ref).collect(),
            signature: DeviceSignature([0; 64]),
        };
        let record = with_cuts(record, cuts, last_ops).sign(me);
        items.push(ControlItem::Record(Box::new(record)));
        NewEpoch { epoch, secret, items }
    }
}

fn page_ref(item: &ControlItem) -> Option<PageRef> {
    let ControlItem::Page(WrapPage { wraps, .. }) = item else { return None };
    Some(PageRef { first: wraps.first()?.device, page: item.id() })
}

/// As many of the cuts as fit into the record, those first that no later certificate can lift. The
/// others are left to the next one, which is due at once.
fn with_cuts(
    mut record: EpochRecord,
    cuts: SmallMap<DeviceKey, Cause>,
    last_ops: &mut dyn FnMut(DeviceKey) -> Vec<OpId>,
) -> EpochRecord {
    let item = ControlItem::Record(Box::new(record.clone()));
    // The list of cuts itself takes up to two bytes more when it is not empty.
    let mut room = item.max_size().saturating_sub(item.encode().len() + 2);
    let lifts = |cause: &Cause| matches!(cause, Cause::Expired(_));
    let (late, first): (Vec<_>, Vec<_>) = cuts.into_iter().partition(|(_, cause)| lifts(cause));
    let mut chosen = SmallMap::new();
    for (device, cause) in first.into_iter().chain(late) {
        let cut = Cut { device, cause, heads: Parents::newest(last_ops(device)) };
        let size = wire::encode(&cut).len();
        if size > room {
            break;
        }
        room -= size;
        chosen.insert(device, cut);
    }
    record.cuts = chosen.into_values().collect();
    record
}

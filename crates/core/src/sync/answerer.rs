//! The side that a session was begun with: it answers.

use super::reconcile;
use super::seam::Output;
use super::session::{Context, Flows, MAX_ROUNDS};
use super::short::{Key, Short};
use super::sketch::{self, Found};
use super::window::Window;
use super::wire::{End, MAX_FETCH, RoomOffer, Salt, SetNumber, SyncMessage, TagHash};
use crate::epoch::RoomTag;
use crate::id::DeviceKey;
use crate::op::OpId;
use crate::store::SetId;

/// The most windows of one set.
const MAX_WINDOWS: usize = 4;
/// The most items that may be asked for and not be sent yet.
const MAX_ASKED: usize = 4 * MAX_FETCH;

/// What the side that answers knows of its session.
#[derive(Debug)]
pub(super) struct Answerer {
    /// What was compared, and in how many rounds.
    windows: Vec<(SetNumber, Window, u32)>,
    /// Of sketches.
    key: Key,
}

impl Answerer {
    /// The side that answers in a session with these salts, the leader's first.
    pub(super) fn new(leader: &Salt, own: &Salt) -> Self {
        Self { windows: Vec::new(), key: Key::of(leader, own) }
    }

    /// Answers a hello. Returns the sets by their numbers.
    pub(super) fn begin(
        own: DeviceKey,
        salt: (&Salt, Salt),
        offers: &[RoomOffer],
        mut rooms: Vec<RoomTag>,
        cx: &mut Context<'_>,
    ) -> Vec<SetId> {
        let (theirs, ours) = salt;
        let mut hashes: Vec<_> =
            rooms.iter().map(|room| TagHash::of(*room, theirs, cx.peer, own)).collect();
        let mut keys = vec![SetId::CONTROL];
        let mut common = Vec::new();
        for offer in offers {
            let Some(at) = hashes.iter().position(|hash| *hash == offer.tag) else { continue };
            hashes.swap_remove(at);
            let room = rooms.swap_remove(at);
            let key = SetId::from(room);
            let Some(set) = cx.sets.set(key) else { continue };
            keys.push(key);
            let tag = TagHash::of(room, &ours, own, cx.peer);
            common.push(RoomOffer { tag, horizon: set.horizon() });
        }
        cx.send(&SyncMessage::Welcome { salt: ours, rooms: common });
        keys
    }

    /// A question.
    pub(super) fn reconcile(
        &mut self,
        set: SetNumber,
        window: Window,
        question: &[u8],
        flows: &mut Flows,
        cx: &mut Context<'_>,
    ) -> Result<(), End> {
        let known = cx.set(set)?;
        flows.work.spend(reconcile::work(known, window))?;
        self.count(set, window)?;
        let answer = reconcile::answer(known, window, question).ok_or(End::Malformed)?;
        if !cx.ledger.give_bytes(cx.peer, answer.len(), cx.now) {
            return Err(End::Spent);
        }
        cx.send(&SyncMessage::Reconcile { set, window, negentropy: answer.into() });
        Ok(())
    }

    /// A sketch: how many ids are in the window there, and its cells.
    pub(super) fn sketch(
        &mut self,
        (set, window): (SetNumber, Window),
        theirs: (u32, &[u8]),
        flows: &mut Flows,
        cx: &mut Context<'_>,
    ) -> Result<(), End> {
        let known = cx.set(set)?;
        flows.work.spend(sketch::work(known, window))?;
        self.count(set, window)?;
        match sketch::answer(known, window, self.key, theirs).ok_or(End::Malformed)? {
            Found::Difference { have, lack } => {
                let bytes = have.len() * size_of::<OpId>() + lack.len() * size_of::<Short>();
                if !cx.ledger.give_bytes(cx.peer, bytes, cx.now) {
                    return Err(End::Spent);
                }
                cx.send(&SyncMessage::Difference { set, window, have, lack });
            }
            Found::Again(cells) => {
                let cells = u16::try_from(cells).unwrap_or_default();
                cx.send(&SyncMessage::Again { set, window, cells });
            }
        }
        Ok(())
    }

    fn count(&mut self, set: SetNumber, window: Window) -> Result<(), End> {
        let same = |it: &&mut (SetNumber, Window, u32)| (it.0, it.1) == (set, window);
        if let Some((_, _, rounds)) = self.windows.iter_mut().find(same) {
            *rounds += 1;
            return if *rounds > MAX_ROUNDS { Err(End::TooMuch) } else { Ok(()) };
        }
        if self.windows.iter().filter(|it| it.0 == set).count() >= MAX_WINDOWS {
            return Err(End::TooMuch);
        }
        self.windows.push((set, window, 1));
        Ok(())
    }

    /// It asks for items.
    pub(super) fn fetch(
        set: SetNumber,
        ids: Vec<OpId>,
        flows: &mut Flows,
        cx: &mut Context<'_>,
    ) -> Result<(), End> {
        cx.set(set)?;
        if flows.sending.waiting() + ids.len() > MAX_ASKED {
            return Err(End::Malformed);
        }
        if !cx.ledger.give(cx.peer, ids.len(), cx.now) {
            return Err(End::Spent);
        }
        flows.sending.give(set, ids);
        Ok(())
    }

    /// Whether an item of this set may be given unasked: it was found to be missing.
    pub(super) fn fits(&self, set: SetNumber, id: &OpId) -> bool {
        self.windows.iter().any(|it| it.0 == set && it.1.contains(id.hlc()))
    }

    /// It says that a window is done with.
    pub(super) fn done(
        &self,
        set: SetNumber,
        window: Window,
        cx: &mut Context<'_>,
    ) -> Result<(), End> {
        if !self.windows.iter().any(|it| (it.0, it.1) == (set, window)) {
            return Err(End::Malformed);
        }
        let set = cx.key(set)?;
        cx.out.push_back(Output::Completed { with: cx.peer, set, window, missing: 0, led: false });
        Ok(())
    }
}

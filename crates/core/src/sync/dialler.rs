//! The side that began a session, and leads it: it compares, asks for what it has not, and gives
//! what the other side has not.

use super::reconcile;
use super::seam::Output;
use super::session::{Context, Flows, MAX_ROUNDS};
use super::short::{Key, Short};
use super::sketch;
use super::window::Window;
use super::wire::{End, RoomOffer, Salt, SetNumber, SyncMessage, TagHash};
use crate::epoch::RoomTag;
use crate::hlc::Hlc;
use crate::id::DeviceKey;
use crate::op::OpId;
use crate::store::SetId;
use crate::time::{Duration, Time};
use std::collections::VecDeque;

/// How many windows are compared ahead of the one whose items travel.
const AHEAD: usize = 8;
/// No window is compared ahead while so many ids are known to be missing on either side.
const MAX_AHEAD: usize = 20_000;
/// The most ids that one side may lack of a window.
const MAX_LACKED: usize = super::ids::IdSet::MAX;
/// How many items are asked for at once; up to twice as many are on their way. What is lost with
/// the connection was asked for in vain, and counts.
const FETCH: usize = 512;
/// How long comparing one window may take.
const COMPARING: Duration = Duration::from_secs(60);

/// A window of which both sides are to have the same.
#[derive(Debug)]
struct Task {
    set: SetNumber,
    window: Window,
    began: Time,
    rounds: u32,
    stage: Stage,
    /// What the other side has not.
    have: Vec<OpId>,
    /// What this side has not, and has not asked for. The next is the last.
    need: Vec<OpId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// By negentropy.
    Comparing,
    /// By a sketch of so many cells.
    Sketched(usize),
    Compared,
    /// Items travel. Whether all that is needed could be asked for.
    Moving {
        all: bool,
    },
}

/// What the side that leads knows of its session.
#[derive(Debug)]
pub(super) struct Dialler {
    /// What the hello said.
    rooms: Vec<RoomTag>,
    salt: Salt,
    /// Of sketches, once there is a welcome.
    key: Key,
    pub(super) welcomed: bool,
    plan: VecDeque<(SetNumber, Window)>,
    tasks: VecDeque<Task>,
}

impl Dialler {
    /// Says hello.
    pub(super) fn begin(
        own: DeviceKey,
        salt: Salt,
        rooms: Vec<RoomTag>,
        cx: &mut Context<'_>,
    ) -> Self {
        let offers = rooms.iter().filter_map(|room| {
            let horizon = cx.sets.set(SetId::from(*room))?.horizon();
            Some(RoomOffer { tag: TagHash::of(*room, &salt, own, cx.peer), horizon })
        });
        let hello = SyncMessage::Hello { salt, rooms: offers.collect() };
        cx.send(&hello);
        let (plan, tasks) = (VecDeque::new(), VecDeque::new());
        Self { rooms, salt, key: Key::default(), welcomed: false, plan, tasks }
    }

    /// The other side named the rooms that both have. Returns the sets by their numbers.
    pub(super) fn welcome(
        &mut self,
        own: DeviceKey,
        salt: &Salt,
        offers: &[RoomOffer],
        cx: &Context<'_>,
    ) -> Result<Vec<SetId>, End> {
        if std::mem::replace(&mut self.welcomed, true) {
            return Err(End::Malformed);
        }
        self.key = Key::of(&self.salt, salt);
        let mut rooms = std::mem::take(&mut self.rooms).into_iter();
        let mut keys = vec![SetId::CONTROL];
        let mut windows = Vec::new();
        for offer in offers {
            let room = rooms
                .find(|room| TagHash::of(*room, salt, cx.peer, own) == offer.tag)
                .ok_or(End::Malformed)?;
            let key = SetId::from(room);
            keys.push(key);
            let horizon = cx.sets.set(key).map_or(Hlc::default(), |set| set.horizon());
            windows.push(Window::of_room(cx.now, horizon.max(offer.horizon)));
        }
        // What rooms rest on goes first; then what is newest in all of them.
        self.plan.push_back((0, Window::ALL));
        for age in 0..3 {
            for (number, windows) in (1..).zip(&windows) {
                let window = windows.get(age).filter(|window| !window.is_empty());
                self.plan.extend(window.map(|window| (number, *window)));
            }
        }
        Ok(keys)
    }

    /// The answer to a question.
    pub(super) fn reconcile(
        &mut self,
        set: SetNumber,
        window: Window,
        answer: &[u8],
        flows: &mut Flows,
        cx: &mut Context<'_>,
    ) -> Result<(), End> {
        let asked = |task: &&mut Task| {
            (task.set, task.window, task.stage) == (set, window, Stage::Comparing)
        };
        let task = self.tasks.iter_mut().find(asked).ok_or(End::Malformed)?;
        let known = cx.set(set)?;
        flows.work.spend(reconcile::work(known, window))?;
        let learnt = reconcile::learn(known, window, answer).ok_or(End::Malformed)?;
        task.have.extend(learnt.have);
        task.need.extend(learnt.need);
        if task.have.len().max(task.need.len()) > MAX_LACKED {
            return Err(End::TooMuch);
        }
        let Some(next) = learnt.next else {
            task.compared();
            return Ok(());
        };
        task.rounds += 1;
        if task.rounds > MAX_ROUNDS {
            return Err(End::TooMuch);
        }
        cx.send(&SyncMessage::Reconcile { set, window, negentropy: next.into() });
        Ok(())
    }

    /// The answer to a sketch: all that is unlike.
    pub(super) fn difference(
        &mut self,
        (set, window): (SetNumber, Window),
        have: Vec<OpId>,
        lack: Vec<Short>,
        flows: &mut Flows,
        cx: &mut Context<'_>,
    ) -> Result<(), End> {
        let key = self.key;
        let (task, cells) = self.sketched(set, window)?;
        if have.len() + lack.len() > cells || !have.iter().all(|id| window.contains(id.hlc())) {
            return Err(End::Malformed);
        }
        if !lack.is_empty() {
            let known = cx.set(set)?;
            flows.work.spend(sketch::work(known, window))?;
            task.have = sketch::named(known, window, key, lack);
        }
        task.need = have;
        task.compared();
        Ok(())
    }

    /// The other answer to a sketch: it takes so many cells, or negentropy.
    pub(super) fn again(
        &mut self,
        (set, window): (SetNumber, Window),
        cells: usize,
        flows: &mut Flows,
        cx: &mut Context<'_>,
    ) -> Result<(), End> {
        let key = self.key;
        let (task, before) = self.sketched(set, window)?;
        task.stage = match cells {
            0 => Stage::Comparing,
            cells if sketch::is_next(cells, before) => Stage::Sketched(cells),
            _ => return Err(End::Malformed),
        };
        task.ask(key, flows, cx)
    }

    /// The window that was asked about by a sketch, and by how many cells.
    fn sketched(&mut self, set: SetNumber, window: Window) -> Result<(&mut Task, usize), End> {
        let mut tasks =
            self.tasks.iter_mut().filter(|task| (task.set, task.window) == (set, window));
        let task = tasks.next().ok_or(End::Malformed)?;
        match task.stage {
            Stage::Sketched(cells) => Ok((task, cells)),
            _ => Err(End::Malformed),
        }
    }

    /// Does what can be done now.
    pub(super) fn advance(&mut self, flows: &mut Flows, cx: &mut Context<'_>) -> Result<(), End> {
        if !self.welcomed {
            return Ok(());
        }
        loop {
            self.compare(flows, cx)?;
            // All windows were gone through.
            let task = self.tasks.front_mut().ok_or(End::Finished)?;
            if task.is_comparing() || !task.travel(flows, cx)? {
                return Ok(());
            }
            let Task { set, window, .. } = *task;
            self.tasks.pop_front();
            cx.send(&SyncMessage::Done { set, window });
            let key = cx.key(set)?;
            let missing = flows.receiving.take_missing();
            cx.out.push_back(Output::Completed {
                with: cx.peer,
                set: key,
                window,
                missing,
                led: true,
            });
        }
    }

    /// Asks the first question of windows that are next.
    fn compare(&mut self, flows: &mut Flows, cx: &mut Context<'_>) -> Result<(), End> {
        let lacked = |task: &Task| task.have.len() + task.need.len();
        while self.tasks.len() < AHEAD
            && self.tasks.front().is_none_or(|task| task.set != 0)
            && self.tasks.iter().map(lacked).sum::<usize>() < MAX_AHEAD
            && let Some((set, window)) = self.plan.pop_front()
        {
            let (have, need) = (Vec::new(), Vec::new());
            let first = sketch::first(cx.set(set)?, window);
            let stage = first.map_or(Stage::Comparing, Stage::Sketched);
            let task = Task { set, window, began: cx.now, rounds: 1, stage, have, need };
            task.ask(self.key, flows, cx)?;
            self.tasks.push_back(task);
        }
        Ok(())
    }

    /// By when windows must have been compared.
    pub(super) fn deadline(&self) -> Option<Time> {
        let comparing = self.tasks.iter().filter(|task| task.is_comparing());
        comparing.map(|task| task.began + COMPARING).min()
    }
}

impl Task {
    const fn is_comparing(&self) -> bool {
        matches!(self.stage, Stage::Comparing | Stage::Sketched(_))
    }

    /// Asks the first question of how it is compared now.
    fn ask(&self, key: Key, flows: &mut Flows, cx: &mut Context<'_>) -> Result<(), End> {
        let Self { set, window, .. } = *self;
        let known = cx.set(set)?;
        if let Stage::Sketched(cells) = self.stage {
            flows.work.spend(sketch::work(known, window))?;
            let (known, cells) = sketch::ask(known, window, key, cells);
            cx.send(&SyncMessage::Sketch { set, window, known, cells: cells.into() });
        } else {
            flows.work.spend(reconcile::work(known, window))?;
            let question = reconcile::ask(known, window).ok_or(End::TooMuch)?;
            cx.send(&SyncMessage::Reconcile { set, window, negentropy: question.into() });
        }
        Ok(())
    }

    /// All that is unlike is known.
    fn compared(&mut self) {
        for ids in [&mut self.have, &mut self.need] {
            ids.sort_unstable();
            ids.dedup();
        }
        self.stage = Stage::Compared;
    }

    /// Lets items travel, the newest first. Returns whether all have.
    fn travel(&mut self, flows: &mut Flows, cx: &mut Context<'_>) -> Result<bool, End> {
        let known = cx.set(self.set)?;
        if let Stage::Compared = self.stage {
            self.stage = Stage::Moving { all: true };
            flows.sending.give(self.set, std::mem::take(&mut self.have).into_iter().rev());
        }
        while !self.need.is_empty() && flows.receiving.asked() <= FETCH {
            let rest = self.need.len().saturating_sub(FETCH);
            let mut ids: Vec<OpId> = self.need.drain(rest..).rev().collect();
            // Something may have come from others since.
            ids.retain(|id| !known.knows(id));
            let may = cx.ledger.take(cx.peer, ids.len(), cx.now);
            if may < ids.len() {
                ids.truncate(may);
                self.need.clear();
                self.stage = Stage::Moving { all: false };
            }
            if !ids.is_empty() {
                flows.receiving.ask(self.set, &ids);
                cx.send(&SyncMessage::Fetch { set: self.set, ids });
            }
        }
        flows.sending.advance(cx)?;
        if !flows.sending.is_idle() || !flows.receiving.is_idle() {
            return Ok(false);
        }
        if self.stage == (Stage::Moving { all: false }) { Err(End::Spent) } else { Ok(true) }
    }
}

//! One session, from either side.

use super::answerer::Answerer;
use super::budget::Ledger;
use super::dialler::Dialler;
use super::ids::IdSet;
use super::receiving::Receiving;
use super::seam::{Output, Sets, Ticket};
use super::sending::Sending;
use super::wire::{End, MAX_ROOMS, RoomOffer, Salt, SetNumber, SyncMessage};
use crate::id::DeviceKey;
use crate::op::OpId;
use crate::store::SetId;
use crate::time::{Duration, Time};
use crate::wire;
use std::collections::VecDeque;

/// The most rounds in which one window is compared.
pub(super) const MAX_ROUNDS: u32 = 64;
/// How many ids one session may look at, each round anew: a whole set in as many rounds.
const MAX_WORK: usize = IdSet::MAX * 64;
/// What a round costs on top of the ids that it looks at.
const ROUND: usize = 1024;
/// How long the other side may say nothing while it is its turn.
const SILENCE: Duration = Duration::from_secs(60);
/// The longest that a session lasts. The next one goes on where it stopped.
const LONGEST: Duration = Duration::from_secs(600);

/// What a session needs of what is around it.
pub(super) struct Context<'a> {
    pub(super) peer: DeviceKey,
    pub(super) now: Time,
    /// The sets by their numbers.
    pub(super) keys: &'a [SetId],
    pub(super) sets: &'a dyn Sets,
    pub(super) ledger: &'a mut Ledger,
    pub(super) tickets: &'a mut Ticket,
    pub(super) out: &'a mut VecDeque<Output>,
}

impl<'a> Context<'a> {
    /// A ticket that was never given out.
    pub(super) fn ticket(&mut self) -> Ticket {
        *self.tickets += 1;
        *self.tickets
    }

    pub(super) fn send(&mut self, message: &SyncMessage) {
        self.out.push_back(Output::Send { to: self.peer, frame: wire::encode(message) });
    }

    /// The set that the other side means.
    pub(super) fn key(&self, set: SetNumber) -> Result<SetId, End> {
        self.keys.get(usize::from(set)).copied().ok_or(End::Malformed)
    }

    /// What is known of it here. If a room was left meanwhile there is nothing more to say.
    pub(super) fn set(&self, set: SetNumber) -> Result<&'a IdSet, End> {
        self.sets.set(self.key(set)?).ok_or(End::Finished)
    }

    /// All rooms that are spoken of.
    pub(super) fn rooms(&self) -> Vec<crate::epoch::RoomTag> {
        let mut rooms = self.sets.rooms();
        rooms.truncate(MAX_ROOMS);
        rooms
    }
}

/// How much a session may still look at.
#[derive(Debug)]
pub(super) struct Work(usize);

impl Work {
    pub(super) fn spend(&mut self, ids: usize) -> Result<(), End> {
        self.0 = self.0.checked_sub(ids + ROUND).ok_or(End::TooMuch)?;
        Ok(())
    }
}

/// What goes on in a session whichever side leads it.
#[derive(Debug)]
pub(super) struct Flows {
    pub(super) sending: Sending,
    pub(super) receiving: Receiving,
    pub(super) work: Work,
}

#[derive(Debug)]
enum Role {
    Dialler(Dialler),
    Answerer(Answerer),
}

/// What happened in a session.
pub(super) enum Event {
    Message(SyncMessage),
    Loaded(Ticket, Vec<Vec<u8>>),
    Committed(Ticket, Vec<OpId>, usize),
}

/// What is around all sessions.
pub(super) struct Around<'a> {
    pub(super) now: Time,
    pub(super) sets: &'a dyn Sets,
    pub(super) ledger: &'a mut Ledger,
    pub(super) tickets: &'a mut Ticket,
    pub(super) out: &'a mut VecDeque<Output>,
}

impl Around<'_> {
    fn context<'b>(&'b mut self, peer: DeviceKey, keys: &'b [SetId]) -> Context<'b> {
        let Around { now, sets, ledger, tickets, out } = self;
        Context { peer, now: *now, keys, sets: *sets, ledger, tickets, out }
    }
}

/// A session with one device.
#[derive(Debug)]
pub(super) struct Session {
    own: DeviceKey,
    peer: DeviceKey,
    began: Time,
    heard: Time,
    keys: Vec<SetId>,
    flows: Flows,
    role: Role,
}

impl Session {
    fn new(own: DeviceKey, peer: DeviceKey, now: Time, keys: Vec<SetId>, role: Role) -> Self {
        let sending = Sending::new(matches!(role, Role::Answerer(_)));
        let flows = Flows { sending, receiving: Receiving::default(), work: Work(MAX_WORK) };
        Self { own, peer, began: now, heard: now, keys, flows, role }
    }

    /// Begins one.
    pub(super) fn dial(
        own: DeviceKey,
        peer: DeviceKey,
        salt: Salt,
        mut around: Around<'_>,
    ) -> Self {
        let now = around.now;
        let mut cx = around.context(peer, &[]);
        let dialler = Dialler::begin(own, salt, cx.rooms(), &mut cx);
        Self::new(own, peer, now, Vec::new(), Role::Dialler(dialler))
    }

    /// Answers one.
    pub(super) fn answer(
        own: DeviceKey,
        peer: DeviceKey,
        salt: (&Salt, Salt),
        offers: &[RoomOffer],
        mut around: Around<'_>,
    ) -> Self {
        let now = around.now;
        let mut cx = around.context(peer, &[]);
        let answerer = Answerer::new(salt.0, &salt.1);
        let keys = Answerer::begin(own, salt, offers, cx.rooms(), &mut cx);
        Self::new(own, peer, now, keys, Role::Answerer(answerer))
    }

    /// Whether this side leads it.
    pub(super) const fn led(&self) -> bool {
        matches!(self.role, Role::Dialler(_))
    }

    /// Whether this side began it and knows nothing yet of the other.
    pub(super) const fn unanswered(&self) -> bool {
        matches!(&self.role, Role::Dialler(dialler) if !dialler.welcomed)
    }

    /// Whether the store was asked with this ticket, and has not answered.
    pub(super) fn awaits(&self, ticket: Ticket) -> bool {
        self.flows.sending.awaits(ticket) || self.flows.receiving.awaits(ticket)
    }

    /// By when something must have happened.
    pub(super) fn deadline(&self) -> Time {
        let mut deadline = self.began + LONGEST;
        let Flows { sending, receiving, .. } = &self.flows;
        if !sending.is_loading() && !receiving.is_committing() {
            deadline = deadline.min(self.heard + SILENCE);
        }
        if let Role::Dialler(dialler) = &self.role {
            deadline = dialler.deadline().map_or(deadline, |due| due.min(deadline));
        }
        deadline
    }

    /// Takes what happened.
    ///
    /// # Errors
    /// Why the session is over.
    pub(super) fn handle(&mut self, event: Event, mut around: Around<'_>) -> Result<(), End> {
        let Self { own, peer, heard, keys, flows, role, .. } = self;
        if let Event::Message(_) = event {
            *heard = around.now;
        }
        let event = match (event, &mut *role) {
            (Event::Message(SyncMessage::Welcome { salt, rooms }), Role::Dialler(dialler)) => {
                *keys = dialler.welcome(*own, &salt, &rooms, &around.context(*peer, &[]))?;
                None
            }
            // What is left of a session that is over may come first.
            (Event::Message(_), Role::Dialler(dialler)) if !dialler.welcomed => return Ok(()),
            (event, _) => Some(event),
        };
        let mut cx = around.context(*peer, keys);
        match event {
            Some(Event::Message(message)) => match role {
                Role::Dialler(dialler) => led(dialler, message, flows, &mut cx)?,
                Role::Answerer(answerer) => answered(answerer, message, flows, &mut cx)?,
            },
            Some(Event::Loaded(ticket, items)) => flows.sending.loaded(ticket, items),
            Some(Event::Committed(ticket, ids, invalid)) => {
                flows.receiving.committed(ticket, &ids, invalid, &mut cx)?;
            }
            None => {}
        }
        match role {
            Role::Dialler(dialler) => dialler.advance(flows, &mut cx),
            Role::Answerer(_) => flows.sending.advance(&mut cx),
        }
    }
}

fn led(
    dialler: &mut Dialler,
    message: SyncMessage,
    flows: &mut Flows,
    cx: &mut Context<'_>,
) -> Result<(), End> {
    match message {
        SyncMessage::Reconcile { set, window, negentropy } => {
            dialler.reconcile(set, window, &negentropy, flows, cx)
        }
        SyncMessage::Difference { set, window, have, lack } => {
            dialler.difference((set, window), have, lack, flows, cx)
        }
        SyncMessage::Again { set, window, cells } => {
            dialler.again((set, window), usize::from(cells), flows, cx)
        }
        SyncMessage::Items { set, items } => {
            let key = cx.key(set)?;
            flows.receiving.items(set, key, items, None, cx)
        }
        SyncMessage::Committed { set, ids } => {
            let key = cx.key(set)?;
            flows.sending.committed(set, ids, key, cx)
        }
        _ => Err(End::Malformed),
    }
}

fn answered(
    answerer: &mut Answerer,
    message: SyncMessage,
    flows: &mut Flows,
    cx: &mut Context<'_>,
) -> Result<(), End> {
    match message {
        SyncMessage::Reconcile { set, window, negentropy } => {
            answerer.reconcile(set, window, &negentropy, flows, cx)
        }
        SyncMessage::Sketch { set, window, known, cells } => {
            answerer.sketch((set, window), (known, &cells), flows, cx)
        }
        SyncMessage::Fetch { set, ids } => Answerer::fetch(set, ids, flows, cx),
        SyncMessage::Items { set, items } => {
            let key = cx.key(set)?;
            if cx.ledger.take(cx.peer, items.len(), cx.now) < items.len() {
                return Err(End::Spent);
            }
            let fits = |id: &OpId| answerer.fits(set, id);
            flows.receiving.items(set, key, items, Some(&fits), cx)
        }
        SyncMessage::Committed { set, ids } => {
            let key = cx.key(set)?;
            flows.sending.committed(set, ids, key, cx)
        }
        SyncMessage::Done { set, window } => answerer.done(set, window, cx),
        _ => Err(End::Malformed),
    }
}

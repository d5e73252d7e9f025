//! One room: its keys, its ops, and what they come to.

use super::keys::Lacking;
use crate::content::{Content, Edit, Mentions, Text};
use crate::control::{EpochRecord, RoomKind};
use crate::epoch::{EpochId, EpochKeys, RoomTag};
use crate::history::{Fact, History, Judge, Position, Reason, Verdict};
use crate::hlc::{Arrival, HybridClock};
use crate::id::{Community, DeviceKey, Wallet};
use crate::keyring::{Keyring, View};
use crate::op::{Envelope, Header, OpError, OpId};
use crate::small::SmallMap;
use crate::store::State;
use crate::sync::IdSet;
use crate::time::Time;
use crate::timeline::{Author, Timeline};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The most texts that are kept in memory beside those that are shown.
const MAX_WORDS: usize = 512;
/// The most ops that wait for a key in memory; of those the store keeps more.
const MAX_SEALED: usize = 50_000;

/// The most ops from far ahead whose ids are remembered.
const MAX_FAR: usize = 1024;

/// The type of content that is a message.
const TEXT: u16 = 1;

/// How much of one author is shown in a span of time.
type Limit = (fn(Time) -> Span, usize);

/// How much of one author is shown.
const PACE: [Limit; 2] =
    [(|at| Span::Minute(at.0 / 60_000), 30), (|at| Span::Day(at.0 / 86_400_000), 5000)];

/// A span of time in which ops of one author are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Span {
    Minute(u64),
    Day(u64),
}

/// What a text or an edit says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) markdown: String,
    pub(super) reply: Option<OpId>,
}

/// What of an op's content is kept in memory.
#[derive(Debug)]
enum Kept {
    Text,
    Edit(OpId),
    Other(Box<Content>),
}

/// How far the reading of what was kept is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loading {
    /// Up to before this op; `None`: it has not begun.
    Before(Option<OpId>),
    Done,
}

/// An op was taken, or not.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It is here already.
    Known,
    /// It could be read.
    Opened,
    /// No key for it is here.
    Sealed,
    /// It is ahead of the clock here, until then.
    Early(Time),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) keyring: Keyring,
    pub(super) history: History,
    pub(super) timeline: Timeline,
    pub(super) ids: IdSet,
    pub(super) clock: HybridClock,
    pub(super) loading: Loading,
    /// What came to the keyring since it was settled.
    pub(super) unsettled: bool,
    /// All ops are to be judged anew.
    pub(super) unjudged: bool,
    /// There may be keys now for ops that had none, or they may be read now.
    pub(super) unopened: bool,
    /// Ops of our own that no other device is known to have.
    pub(super) undelivered: BTreeMap<OpId, State>,
    /// Of those, what could not be kept.
    pub(super) unkept: BTreeSet<OpId>,
    /// Ops without a key here, and since when they are here.
    pub(super) sealed: BTreeMap<OpId, (EpochId, Time)>,
    /// Of those, our own: until they can be read, nothing can be written after them.
    pub(super) own_sealed: BTreeSet<OpId>,
    /// Ops ahead of the clock here.
    pub(super) early: BTreeMap<OpId, Time>,
    /// Ops that were refused since they are too far ahead of it.
    pub(super) far: BTreeSet<OpId>,
    /// Ops without their bodies.
    pub(super) bodiless: BTreeSet<OpId>,
    /// When it was last looked for what need not be kept.
    pub(super) swept: Time,
    /// How many ops are under each epoch.
    pub(super) under: SmallMap<EpochId, u64>,
    pub(super) read: Option<OpId>,
    /// What is to be said once there is a key to say it under.
    pub(super) drafts: VecDeque<Pending>,
    /// The newest of those that were written since the start, as they are kept.
    pub(super) unsent: BTreeMap<OpId, Vec<u8>>,
    /// Of those, which wait for the record of their epoch to be delivered before they go out.
    pub(super) held: BTreeSet<OpId>,
    /// The chain took back a seat of somebody who may have keys of this room.
    pub(super) taken_back: bool,
    /// Of which epochs: of those that stand no higher than this.
    pub(super) leaked: Option<Position>,
    /// When the next epoch is to be made, if it is still due then.
    pub(super) epoch_at: Option<Time>,
    /// The epochs whose keys are missing.
    pub(super) lacking: SmallMap<EpochId, Lacking>,
    /// Who asks for keys is to be looked at.
    pub(super) unprepared: bool,
    /// When keys were last asked for.
    pub(super) asked: Option<Time>,
    /// Epochs of which others were told that their keys are wrong.
    pub(super) bad: BTreeSet<EpochId>,
    /// Heads that were vouched for after a cut.
    pub(super) vouched: BTreeSet<OpId>,
    /// How many records tell of another list of changes than is known here.
    pub(super) strange: usize,
    /// Pages that were read to look for keys.
    pub(super) pages: BTreeSet<OpId>,
    pub(super) typing: SmallMap<Wallet, Time>,
    pub(super) said_typing: Option<Time>,
    /// Words that are being read.
    pub(super) reading: BTreeSet<OpId>,
    /// Words that are not here any more.
    pub(super) lost_words: BTreeSet<OpId>,
    /// Why ops that were judged do not count, to be counted.
    pub(super) refusals: Vec<Reason>,
    /// Ops that are kept and not shown since there are too many, to be counted.
    pub(super) excess: u64,
    /// What each author wrote in each minute, and in each day.
    pace: BTreeMap<(Wallet, Span), BTreeSet<OpId>>,
    keys: SmallMap<EpochId, EpochKeys>,
    kept: BTreeMap<OpId, Kept>,
    counts: BTreeSet<OpId>,
    /// Ops that came after their device was known to be cut off, and never counted.
    late: BTreeSet<OpId>,
    mentions_me: BTreeSet<OpId>,
    words: BTreeMap<OpId, Said>,
}

/// An action that waits for a key.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) number: Option<u64>,
    pub(super) content: Content,
    pub(super) since: Time,
}

/// Why an op is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused(pub(super) &'static str);

impl From<OpError> for Refused {
    fn from(error: OpError) -> Self {
        Self(match error {
            OpError::Signature => "an op whose device did not sign it",
            OpError::WriteSignature => "an op that nobody with the room's key wrote",
            OpError::OtherRoom | OpError::OtherEpoch(_) => "an op of another room or epoch",
            OpError::Header | OpError::Body | OpError::BodyHash => "an op that does not open",
            OpError::Order => "an op that names later ones as earlier",
            _ => "an op that is not written as ops are",
        })
    }
}

impl Room {
    pub(super) fn new(keyring: Keyring, loading: Loading) -> Self {
        Self {
            keyring,
            history: History::default(),
            timeline: Timeline::default(),
            ids: IdSet::default(),
            clock: HybridClock::default(),
            loading,
            unsettled: true,
            unjudged: false,
            unopened: false,
            undelivered: BTreeMap::new(),
            unkept: BTreeSet::new(),
            sealed: BTreeMap::new(),
            own_sealed: BTreeSet::new(),
            early: BTreeMap::new(),
            far: BTreeSet::new(),
            bodiless: BTreeSet::new(),
            swept: Time::default(),
            under: SmallMap::new(),
            read: None,
            drafts: VecDeque::new(),
            unsent: BTreeMap::new(),
            held: BTreeSet::new(),
            pace: BTreeMap::new(),
            taken_back: false,
            leaked: None,
            epoch_at: None,
            lacking: SmallMap::new(),
            unprepared: true,
            asked: None,
            bad: BTreeSet::new(),
            vouched: BTreeSet::new(),
            strange: 0,
            pages: BTreeSet::new(),
            typing: SmallMap::new(),
            said_typing: None,
            reading: BTreeSet::new(),
            lost_words: BTreeSet::new(),
            refusals: Vec::new(),
            excess: 0,
            keys: SmallMap::new(),
            kept: BTreeMap::new(),
            counts: BTreeSet::new(),
            late: BTreeSet::new(),
            mentions_me: BTreeSet::new(),
            words: BTreeMap::new(),
        }
    }

    /// Whether a wallet's devices have a place in it, as far as can be told.
    pub(super) fn is_of(&self, wallet: Wallet) -> bool {
        self.keyring.may_include(wallet)
    }

    pub(super) fn is_direct(&self) -> bool {
        let mut claims = self.keyring.claims().peekable();
        claims.peek().is_some() && claims.all(|kind| kind != RoomKind::All)
    }

    /// The keys of an epoch, if they are here.
    pub(super) fn keys(&mut self, epoch: EpochId) -> Option<&EpochKeys> {
        if !self.keys.contains_key(&epoch) {
            let keys = self.keyring.keys(epoch)?;
            self.keys.insert(epoch, keys);
        }
        self.keys.get(&epoch)
    }

    /// Takes an op from others or from the store. What it names is not yet [judged](Self::judge).
    pub(super) fn take(
        &mut self,
        community: Community,
        me: Wallet,
        bytes: &[u8],
        now: Time,
    ) -> Result<(OpId, Taken), Refused> {
        let envelope = Envelope::decode(bytes)?;
        let (id, signed) = (envelope.id(), envelope.signed());
        if signed.room != self.keyring.tag() {
            return Err(Refused("an op of another room or epoch"));
        }
        if self.history.holds(id) {
            return Ok((id, Taken::Known));
        }
        match id.hlc().arrival(now) {
            Arrival::Due => {}
            Arrival::Waits { until } => {
                self.early.insert(id, until);
                return Ok((id, Taken::Early(until)));
            }
            Arrival::Refused => {
                if self.far.len() < MAX_FAR {
                    self.far.insert(id);
                }
                return Err(Refused("an op from more than a day ahead"));
            }
        }
        let epoch = signed.epoch;
        let Some(keys) = self.keys(epoch) else {
            return self.take_sealed(&envelope, epoch, now).map(|()| (id, Taken::Sealed));
        };
        let header = envelope.open_header(keys)?;
        let body = envelope.has_body().then(|| envelope.open_body(keys)).transpose()?;
        let content = body.map(|body| Content::decode(header.content_type, body.content()));
        let content =
            content.transpose().map_err(|_| Refused("an op whose content is not as it must be"))?;
        if !self.history.vouched(id, header.device, header.sequence) {
            let room = self.keyring.room().ok_or(Refused("an op of a room that is not known"))?;
            envelope.verify_header(&header, &community, room)?;
        }
        self.add(id, epoch, &header, content, me);
        Ok((id, Taken::Opened))
    }

    fn take_sealed(
        &mut self,
        envelope: &Envelope<'_>,
        epoch: EpochId,
        now: Time,
    ) -> Result<(), Refused> {
        let mut known = self.keyring.write_keys(epoch).peekable();
        if known.peek().is_some() && !known.any(|key| envelope.verify_write(&key).is_ok()) {
            return Err(OpError::WriteSignature.into());
        }
        if self.sealed.len() < MAX_SEALED {
            self.sealed.insert(envelope.id(), (epoch, now));
        }
        Ok(())
    }

    /// Takes an op that is known to be as it says; of one that lost its body there is no content.
    pub(super) fn add(
        &mut self,
        id: OpId,
        epoch: EpochId,
        header: &Header,
        content: Option<Content>,
        me: Wallet,
    ) {
        let fact = Fact {
            device: header.device,
            sequence: header.sequence,
            previous: header.previous,
            epoch,
            content_type: header.content_type,
        };
        self.history.add(id, &fact, header.parents.as_slice());
        self.clock.see(id.hlc());
        self.sealed.remove(&id);
        self.own_sealed.remove(&id);
        self.early.remove(&id);
        *self.under.entry(epoch).or_default() += 1;
        if content.is_none() {
            self.bodiless.insert(id);
        }
        let kept = match content {
            Some(Content::Text(Text { markdown, reply, mentions })) => {
                self.note_words(id, Said { markdown, reply }, &mentions, me);
                Kept::Text
            }
            Some(Content::Edit(Edit { target, markdown, mentions })) => {
                self.note_words(id, Said { markdown, reply: None }, &mentions, me);
                Kept::Edit(target)
            }
            Some(other) => Kept::Other(Box::new(other)),
            None if header.content_type == TEXT => Kept::Text,
            None => return,
        };
        self.kept.insert(id, kept);
    }

    fn note_words(&mut self, id: OpId, said: Said, mentions: &Mentions, me: Wallet) {
        if mentions.as_slice().contains(&me) {
            self.mentions_me.insert(id);
        }
        self.words.insert(id, said);
    }

    /// Ops whose bodies are of no use any more: others took their place, or took them away, before
    /// `until`.
    pub(super) fn spent(&self, until: Time) -> Vec<OpId> {
        let here = |id: &OpId| {
            let whole = self.ids.has(id) && !self.bodiless.contains(id);
            // What nobody else has is kept as it is.
            whole && !self.undelivered.contains_key(id)
        };
        self.timeline.spent(until).filter(here).collect()
    }

    /// The body of an op is not here any more.
    pub(super) fn lose_body(&mut self, id: OpId) {
        self.bodiless.insert(id);
        self.words.remove(&id);
        self.mentions_me.remove(&id);
    }

    /// Takes away words that need not be in memory: the oldest, but none from `shown` on.
    pub(super) fn trim_words(&mut self, shown: Option<OpId>) {
        while self.words.len() > MAX_WORDS {
            match self.words.first_key_value() {
                Some((id, _)) if shown.is_none_or(|shown| *id < shown) => self.words.pop_first(),
                _ => return,
            };
        }
    }

    /// What an op says, if it is in memory.
    pub(super) fn words(&self, id: OpId) -> Option<&Said> {
        self.words.get(&id)
    }

    /// Puts words into memory that were read again.
    pub(super) fn recall(&mut self, bytes: &[u8]) {
        let Ok(envelope) = Envelope::decode(bytes) else { return };
        let Some(keys) = self.keys(envelope.signed().epoch) else { return };
        let Ok(header) = envelope.open_header(keys) else { return };
        let Ok(body) = envelope.open_body(keys) else { return };
        let said = match Content::decode(header.content_type, body.content()) {
            Ok(Content::Text(text)) => Said { markdown: text.markdown, reply: text.reply },
            Ok(Content::Edit(edit)) => Said { markdown: edit.markdown, reply: None },
            _ => return,
        };
        self.words.insert(envelope.id(), said);
    }

    /// Whether a message, or what it was changed to, mentions us.
    pub(super) fn mentions_me(&self, id: OpId) -> bool {
        self.mentions_me.contains(&id)
    }

    /// Works out which of these ops count, and gives the messages that look different now.
    pub(super) fn judge(&mut self, ids: &[OpId], view: View<'_>) -> Vec<OpId> {
        let cut = |id: &OpId| {
            let device = self.history.fact(*id).map(|fact| fact.device);
            device.is_some_and(|device| self.keyring.cut(device).is_some())
        };
        if self.unjudged || ids.iter().any(cut) {
            return self.judge_all(ids, view);
        }
        let judge = self.keyring.judge_of(view.seats, view.devices);
        let verdicts: Vec<_> = self.history.judge(ids.iter().copied(), &judge).collect();
        let direct = self.is_direct();
        let mut changed = Vec::new();
        for (id, verdict) in verdicts {
            self.note_late(id, verdict, true);
            match verdict {
                Verdict::Counts { author, role } => {
                    changed.extend(self.show(id, Author { wallet: author, role }, direct));
                }
                Verdict::Refused(reason) => self.refusals.push(reason),
            }
        }
        self.tighten();
        changed
    }

    /// The same for all; what became of the timeline is for whoever shows it to find out.
    fn judge_all(&mut self, new: &[OpId], view: View<'_>) -> Vec<OpId> {
        self.unjudged = false;
        let before: BTreeSet<OpId> = self.timeline.messages().collect();
        let judge = self.keyring.judge_of(view.seats, view.devices);
        let verdicts: Vec<_> = self.history.judge(self.history.ids(), &judge).collect();
        let counted = std::mem::take(&mut self.counts);
        (self.timeline, self.pace) = (Timeline::default(), BTreeMap::new());
        let direct = self.is_direct();
        for (id, verdict) in verdicts {
            self.note_late(id, verdict, new.contains(&id));
            match verdict {
                Verdict::Counts { author, role } => {
                    self.show(id, Author { wallet: author, role }, direct);
                }
                Verdict::Refused(reason) if new.contains(&id) || counted.contains(&id) => {
                    self.refusals.push(reason);
                }
                Verdict::Refused(_) => {}
            }
        }
        // All were taken in their order, so none took the place of another.
        self.unjudged = false;
        self.tighten();
        let mut all = before;
        all.extend(self.timeline.messages());
        all.into_iter().collect()
    }

    /// Takes note of whether an op came when its device was known to be cut off before it: then
    /// nobody here can say that it was written earlier.
    fn note_late(&mut self, id: OpId, verdict: Verdict, new: bool) {
        match verdict {
            Verdict::Counts { .. } => {
                self.late.remove(&id);
            }
            Verdict::Refused(_) if !new => {}
            Verdict::Refused(_) => {
                let device = self.history.fact(id).map(|fact| fact.device);
                if device.is_some_and(|device| self.keyring.cut(device).is_some()) {
                    self.late.insert(id);
                }
            }
        }
    }

    /// The last ops of a device that was cut off which would count if its cut named them, and were
    /// here before that was known.
    pub(super) fn lost_to_cut(&self, device: DeviceKey, view: View<'_>) -> Vec<OpId> {
        let Some(cut) = self.keyring.cut(device) else { return Vec::new() };
        let judge = self.keyring.judge_of(view.seats, view.devices);
        let counts = |id| {
            let fact = self.history.fact(id).filter(|_| !self.late.contains(&id));
            fact.and_then(|fact| judge.position(fact.epoch)).is_some_and(|at| at < cut.position)
                && matches!(self.history.uncut(id, &judge), Some(Verdict::Counts { .. }))
        };
        self.history.last_beyond(device, &cut.heads, &counts)
    }

    /// Whether an op that counts is one of the first of its author in its minute and its day: the
    /// rest are kept and not shown. One that comes late may take the place of another, which is
    /// noticed when all are judged anew.
    fn within_pace(&mut self, id: OpId, author: Wallet) -> bool {
        let mut within = true;
        for (span, most) in PACE {
            let all = self.pace.entry((author, span(id.hlc().time()))).or_default();
            all.insert(id);
            within &= all.range(..id).count() < most;
            self.unjudged |= within && all.len() > most;
        }
        within
    }

    /// Whether this author may write now and be shown.
    pub(super) fn may_go_on(&self, author: Wallet, now: Time) -> bool {
        PACE.iter().all(|(span, most)| {
            self.pace.get(&(author, span(now))).is_none_or(|all| all.len() < *most)
        })
    }

    fn show(&mut self, id: OpId, author: Author, direct: bool) -> Option<OpId> {
        if !self.within_pace(id, author.wallet) {
            self.counts.insert(id);
            self.excess += 1;
            return None;
        }
        self.counts.insert(id);
        let none = || (String::new(), Mentions::default());
        let content = match self.kept.get(&id)? {
            Kept::Other(content) => return self.timeline.take(id, author, content, direct),
            Kept::Text => {
                let (markdown, mentions) = none();
                Content::Text(Text { markdown, reply: None, mentions })
            }
            Kept::Edit(target) => {
                let (markdown, mentions) = none();
                Content::Edit(Edit { target: *target, markdown, mentions })
            }
        };
        self.timeline.take(id, author, &content, direct)
    }

    fn tighten(&mut self) {
        if self.timeline.tightened() {
            self.keyring.tighten();
        }
    }

    /// Whether an op counts.
    pub(super) fn counts(&self, id: OpId) -> bool {
        self.counts.contains(&id)
    }

    /// The last ops of a device that count, for a cut.
    pub(super) fn last_of(&self, device: DeviceKey) -> Vec<OpId> {
        self.history.last_beyond(device, &[], &|id| self.counts(id))
    }

    /// Whether somebody without a seat may have the key that is sent under, by a seat that the chain
    /// took back.
    pub(super) fn leaks(&self) -> bool {
        let sending = self.keyring.sending().map(EpochRecord::position);
        sending.zip(self.leaked).is_some_and(|(sending, leaked)| sending <= leaked)
    }

    /// Ops that may be opened now that there is a key, and that can be read from the store.
    pub(super) fn openable(&mut self) -> Vec<OpId> {
        let waiting: BTreeSet<EpochId> = self.sealed.values().map(|(epoch, _)| *epoch).collect();
        let open: Vec<_> = waiting.into_iter().filter(|it| self.keys(*it).is_some()).collect();
        let ready = self.sealed.iter().filter(|(_, (epoch, _))| open.contains(epoch));
        ready.map(|(id, _)| *id).filter(|id| self.ids.has(id)).collect()
    }

    /// The first moment of an op that is ahead, and can be read from the store then.
    pub(super) fn early_at(&self) -> Option<Time> {
        let kept = self.early.iter().filter(|(id, _)| self.ids.has(id));
        kept.map(|(_, at)| *at).min()
    }

    /// Takes those out whose moment has come.
    pub(super) fn due(&mut self, now: Time) -> Vec<OpId> {
        let Self { early, ids, .. } = self;
        let due = early.extract_if(.., |id, at| *at <= now && ids.has(id));
        due.map(|(id, _)| id).collect()
    }

    /// When what waits for a key may be written, or has waited for long enough.
    pub(super) fn drafts_wake_at(&self) -> Option<Time> {
        let patience = self.drafts.front()?.since + super::act::PATIENCE;
        Some(self.epoch_at.map_or(patience, |at| at.min(patience)))
    }

    /// The newest messages of a room, newest last, from `from` on or that many.
    pub(super) fn newest(&self, count: usize) -> (Vec<OpId>, bool) {
        let mut ids: Vec<_> = self.timeline.messages().rev().take(count + 1).collect();
        let more = ids.len() > count;
        ids.truncate(count);
        ids.reverse();
        (ids, more)
    }

    /// How many messages of others were not read, and whether one of them mentions us.
    pub(super) fn unread(&self, me: Wallet) -> (usize, bool) {
        let after = |id: &OpId| self.read.is_none_or(|read| *id > read);
        let mentioned = self.mentions_me.iter().rev().take_while(|id| after(id));
        (self.timeline.unread(self.read, me), mentioned.copied().any(|id| self.counts(id)))
    }

    /// When something was said last.
    pub(super) fn last(&self) -> Option<Time> {
        self.timeline.messages().next_back().map(|id| id.hlc().time())
    }
}

/// What a room's public name is among sets.
pub(super) fn tag_of(set: crate::store::SetId) -> RoomTag {
    RoomTag(set.0)
}

/// Why an op does not count, for people who mend things.
pub(super) const fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::UnknownEpoch => "an op under keys that do not hold, or not yet",
        Reason::NoCertificate => "an op of a device that no wallet vouched for at its time",
        Reason::NoSeat => "an op of somebody without a seat",
        Reason::Cut => "an op of a device that was cut off before",
    }
}

/// The id of an op by its bytes, if they are those of an op of this room.
pub(super) fn op_id(room: RoomTag, bytes: &[u8]) -> Option<OpId> {
    let envelope = Envelope::decode(bytes).ok()?;
    (envelope.signed().room == room).then(|| envelope.id())
}

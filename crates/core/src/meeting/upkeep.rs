//! What time does to a meeting: heartbeats, calls to be made, connections to be mended, people
//! who are gone.

use super::{Attendee, Call, MAX_SPEAKERS, Meetings, Seat, Servers, calls, offers};
use crate::access::{AccessBook, Standing, Verdict};
use crate::budget::Budget;
use crate::id::{DeviceKey, Wallet};
use crate::media::{Link, LinkState};
use crate::node::{JoinRefusal, Outbox, Participant, ParticipantState};
use crate::peers::{Peers, Urgency};
use crate::presence::{EXPIRY, INTERVAL};
use crate::small::{SmallMap, SmallSet};
use crate::time::{Duration, Time};

/// How long the later one of a pair has to call before the other does.
const CALL_PATIENCE: Duration = Duration::from_secs(3);
/// How long nothing may be heard before a connection is mended that has not failed: a moment
/// without network mends itself.
const DOWN_PATIENCE: Duration = Duration::from_secs(1);
/// How long a connection may take to find a direct path before it looks for one by a TURN server
/// that was not at hand when it was made.
const DIRECT_PATIENCE: Duration = Duration::from_secs(2);
/// How often we say where we are while somebody in our meeting lost us, or we them: those who
/// have no connection hear by gossip that the other is still there.
const LOST_INTERVAL: Duration = Duration::from_secs(4);
/// The shortest time between saying where we are and saying it because somebody was lost.
const LOST_PACE: Duration = Duration::from_secs(1);
/// How long somebody without network and without audio is still shown, or without audio and
/// connected anew without a word about a meeting.
const GONE_AFTER: Duration = Duration::from_secs(5);

impl Attendee {
    pub(super) fn hears(&self) -> bool {
        self.call.as_ref().is_some_and(|call| call.state == LinkState::Connected)
    }

    /// When it is forgotten unless it says that it is still there: it is connected anew, and
    /// whoever is in a meeting says so at once.
    fn ghost_at(&self, device: DeviceKey, peers: &Peers) -> Option<Time> {
        let (since, ready) = peers.ready_since(device)?;
        (self.heard < since && !self.hears()).then(|| ready + GONE_AFTER)
    }

    /// When it is forgotten unless something is heard from it or of it, if it seems to have
    /// neither network nor audio.
    fn lost_at(&self) -> Option<Time> {
        self.lost.map(|lost| lost.max(self.heard) + GONE_AFTER)
    }

    /// When the call is of no more use.
    fn ends_at(&self) -> Option<Time> {
        self.call.as_ref().and_then(|call| call.ends_at(self.restarts))
    }

    /// When to try whether the call can be mended.
    fn mend_at(&self) -> Option<Time> {
        let can = |call: &&Call| call.mended.is_none() && !call.broken && !call.checking;
        let call = self.call.as_ref().filter(can)?;
        let down = call.down.filter(|_| call.ever_connected);
        [down.map(|down| down + DOWN_PATIENCE), call.failed].into_iter().flatten().min()
    }

    /// When the call is to look for new paths, as those that it had are in doubt.
    fn renew_at(&self) -> Option<Time> {
        self.call.as_ref().filter(|call| !call.broken && !call.checking)?.stale
    }

    /// When the call is to look for paths by a TURN server that it does not know of.
    fn reroute_at(&self, servers: Servers) -> Option<Time> {
        let call = self.call.as_ref().filter(|call| !call.broken)?;
        match call.state {
            LinkState::Connected => {
                (call.relayed && call.grant < servers.moved).then_some(servers.at)
            }
            _ => {
                (call.grant < servers.grants).then(|| servers.at.max(call.since + DIRECT_PATIENCE))
            }
        }
    }

    fn state(&self) -> ParticipantState {
        match &self.call {
            Some(call) if call.state == LinkState::Connected => ParticipantState::Connected,
            _ if self.given_up => ParticipantState::Failed,
            _ if self.ever_heard => ParticipantState::Reconnecting,
            _ => ParticipantState::Connecting,
        }
    }
}

impl Meetings {
    /// Does what is due at `now`. Returns why our own stay ended, if it had to.
    pub(crate) fn tick(
        &mut self,
        now: Time,
        peers: &mut Peers,
        access: &AccessBook,
        out: &mut Outbox,
    ) -> Option<JoinRefusal> {
        self.let_go(now, peers, access, out);
        if self.say_at().is_some_and(|at| at <= now) {
            self.say(false, Urgency::Upkeep, now, peers, out);
        }
        let Some(seat) = self.seat.clone() else {
            peers.no_company();
            return None;
        };
        let seated = match self.seated(&seat, peers) {
            Ok(seated) => seated,
            Err(refusal) => {
                self.leave(now, peers, out);
                return Some(refusal);
            }
        };
        let mut unheard = Vec::new();
        for (device, other) in &mut self.others {
            if seated.contains(device) {
                peers.keep_company(*device, Some(now));
                let made = (&mut self.budget, &mut self.links, self.servers);
                keep_up(*device, other, &seat, made, now, peers, out);
                if !other.hears() && !other.given_up {
                    unheard.push(*device);
                }
            } else {
                other.hang_up(out);
                other.met = None;
            }
        }
        // A call is made, or mended, where there is a way to speak of it.
        for device in unheard {
            peers.ring(device, Urgency::News, now);
        }
        self.tell_hearing(now, peers, out);
        None
    }

    /// When to say where we are.
    fn say_at(&self) -> Option<Time> {
        let seat = self.seat.as_ref()?;
        let here = self.others.values().filter(|other| other.presence.meeting == seat.meeting);
        let lost = here.filter_map(|other| other.lost).max().map(|lost| {
            if seat.said < lost {
                lost.max(seat.said + LOST_PACE)
            } else {
                seat.said + LOST_INTERVAL
            }
        });
        let regular = seat.said + INTERVAL;
        Some(lost.map_or(regular, |lost| lost.min(regular)))
    }

    /// Forgets those who are gone, and those who may not be here, whatever still connects us.
    fn let_go(&mut self, now: Time, peers: &Peers, access: &AccessBook, out: &mut Outbox) {
        let mut gone = Vec::new();
        for (device, other) in &mut self.others {
            // A page that ended without a word leaves its relays at once, and its links silent.
            let alive = peers.is_listed(*device) || !other.ever_heard;
            let reachable = (peers.is_ready(*device) && alive) || peers.rests(*device);
            let there = other.hears() || reachable;
            let lost = if there { None } else { Some(other.lost.unwrap_or(now)) };
            other.lost = lost;
            let silent = !other.hears() && now.since(other.heard) >= EXPIRY;
            let void = |verdict: Verdict| {
                let Standing { role, device_cutoff } = verdict.standing;
                !role.admits() || other.certificate.check_cutoff(device_cutoff).is_err()
            };
            let expelled = other.certificate.expired(peers.time().shown(now))
                || access.verdict(other.wallet(), now).is_some_and(void);
            let ghost = other.ghost_at(*device, peers).is_some_and(|at| at <= now);
            if expelled || ghost || silent || other.lost_at().is_some_and(|at| at <= now) {
                gone.push(*device);
            }
        }
        for device in gone {
            self.forget(device, out);
        }
    }

    /// Who speaks in our meeting besides us: the first twelve by the time of joining, one device
    /// for each wallet. An error if that leaves us out.
    pub(super) fn seated(&self, seat: &Seat, peers: &Peers) -> Result<Vec<DeviceKey>, JoinRefusal> {
        let own = peers.own();
        let here = (seat.joined, own.secret.device(), own.certificate.statement.wallet);
        let others = self.others.iter().filter(|(_, o)| o.presence.meeting == seat.meeting);
        let mut all: SmallSet<_> =
            others.map(|(device, o)| (o.presence.joined, *device, o.wallet())).collect();
        all.insert(here);
        let mut wallets = SmallSet::new();
        all.retain(|(_, device, wallet)| wallets.insert(*wallet) || *device == here.1);
        let first = all.iter().find(|(_, _, wallet)| *wallet == here.2);
        if first.is_some_and(|(_, device, _)| *device != here.1) {
            return Err(JoinRefusal::OtherDevice);
        }
        let seated: Vec<_> =
            all.into_iter().map(|(_, device, _)| device).take(MAX_SPEAKERS).collect();
        if seated.contains(&here.1) { Ok(seated) } else { Err(JoinRefusal::Full) }
    }

    /// When [`Self::tick`] has something to do.
    pub(crate) fn wake_at(&self, peers: &Peers) -> Option<Time> {
        let say = self.say_at();
        let tell = self.tell_wake(peers);
        let others = self.others.iter().flat_map(|(device, other)| {
            let lost = other.lost_at();
            let silent = (!other.hears()).then(|| other.heard + EXPIRY);
            let ghost = other.ghost_at(*device, peers);
            let expires = Time::from_secs(other.certificate.statement.expires);
            let due = peers.is_ready(*device).then(|| {
                let idle = other.call.is_none() && !other.given_up;
                let free = self.budget.free_at(other.wallet());
                let call = other.met.filter(|_| idle).map(|met| free.max(met + CALL_PATIENCE));
                let (mend, renew) = (other.mend_at(), other.renew_at());
                [call, mend, renew, other.reroute_at(self.servers), other.ends_at()]
            });
            let always = [lost, silent, ghost, Some(peers.time().when(expires))];
            always.into_iter().chain(due.into_iter().flatten())
        });
        others.chain([say, tell]).flatten().min()
    }

    /// Whether a device is in a meeting, as people see it.
    pub(crate) fn shows(&self, device: DeviceKey) -> bool {
        self.others.contains_key(&device)
    }

    /// Everyone who is in a meeting, for people to see.
    pub(crate) fn participants(&self) -> SmallMap<DeviceKey, Participant> {
        let ours = self.seat.as_ref().map(|seat| &seat.meeting);
        let mut participants = SmallMap::new();
        participants.extend(self.others.iter().map(|(device, other)| {
            let together = ours == Some(&other.presence.meeting);
            let participant = Participant {
                wallet: other.wallet(),
                meeting: other.presence.meeting.clone(),
                joined: other.presence.joined,
                muted: other.presence.muted,
                hand: other.presence.hand,
                state: if together { other.state() } else { ParticipantState::Elsewhere },
                link: other.call.as_ref().map(|call| call.link),
                relayed: other.hears() && other.call.as_ref().is_some_and(|call| call.relayed),
            };
            (*device, participant)
        }));
        participants
    }
}

/// Calls, mends or makes anew the connection to one who speaks in our meeting.
fn keep_up(
    device: DeviceKey,
    other: &mut Attendee,
    seat: &Seat,
    (budget, links, servers): (&mut Budget<Wallet>, &mut u32, Servers),
    now: Time,
    peers: &Peers,
    out: &mut Outbox,
) {
    let met = *other.met.get_or_insert(now);
    if !peers.is_ready(device) {
        return;
    }
    if other.ends_at().is_some_and(|at| at <= now) {
        other.despair(out);
    }
    let due = [other.mend_at(), other.renew_at(), other.reroute_at(servers)];
    let mend = due.into_iter().flatten().any(|at| at <= now);
    if let Some(call) = other.call.as_mut() {
        if mend {
            (call.stale, call.restarted, call.grant) = (None, Some(now), servers.grants);
            if call.state != LinkState::Connected {
                call.mended = Some(now);
            }
            call.negotiation.renew();
            calls::drain(device, other, seat, peers, out);
        }
        return;
    }
    let later = (seat.joined, peers.own().secret.device()) > (other.presence.joined, device);
    let due = later || other.attempt > 0 || now.since(met) >= CALL_PATIENCE;
    if due && !other.given_up && budget.spend(other.wallet(), now) {
        other.attempt = other.attempt.saturating_add(1);
        *links += 1;
        let mut call = Call::open(Link(*links), offers(peers, device), servers, now, out);
        call.negotiation.begin();
        other.call = Some(call);
        calls::drain(device, other, seat, peers, out);
    }
}

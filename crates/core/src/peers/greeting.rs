//! Hello: who passes, and who does not.

use super::{Connection, Peers};
use crate::access::AccessBook;
use crate::channel::Channel;
use crate::hello::{Hello, HelloMessage, Refusal};
use crate::id::DeviceKey;
use crate::node::{Event, Outbox, Output};
use crate::time::{Duration, Time};
use crate::wire;

/// How long a device may take to pass.
const HELLO_TIME: Duration = Duration::from_secs(10);

impl Peers {
    /// Takes a frame of the hello channel.
    pub(crate) fn received(
        &mut self,
        device: DeviceKey,
        frame: &[u8],
        now: Time,
        access: &mut AccessBook,
        out: &mut Outbox,
    ) {
        let community = self.own.community;
        let Some(connection) = self.peers.get_mut(&device).and_then(|peer| peer.session.as_mut())
        else {
            return;
        };
        match wire::decode::<HelloMessage>("hello", frame) {
            Ok(HelloMessage::Hello(hello)) if connection.theirs.is_none() => {
                let certificate = &hello.certificate;
                if certificate.statement.registry == community.registry
                    && hello.community != community.id
                {
                    return self.refuse(device, Refusal::OtherCommunity, now, out);
                }
                if certificate.check(device, community.registry, self.time.shown(now)).is_err() {
                    return self.refuse(device, Refusal::Certificate, now, out);
                }
                let ahead = ahead(hello.time, now);
                connection.theirs = Some(hello);
                if let Some(peer) = self.peers.get_mut(&device) {
                    peer.ahead = ahead;
                }
                self.judge(device, now, access, out);
            }
            Ok(HelloMessage::Welcome) if connection.greeted => connection.welcomed = true,
            Ok(HelloMessage::Refused(refusal)) => {
                out.push(Output::Event(Event::RefusedBy { device, refusal }));
                // It will not come to us, so it is for us to try again. One to whom we said nothing
                // would have us come and say who we are, for a word of refusal.
                let greeted = connection.greeted;
                if let Some(peer) = self.peers.get_mut(&device) {
                    peer.wanted |= greeted;
                    Self::shun(peer, now);
                }
                self.drop_connection(device, now, out);
            }
            Ok(HelloMessage::Hello(_) | HelloMessage::Welcome) | Err(_) => {
                self.refuse(device, Refusal::Malformed, now, out);
            }
        }
    }

    /// Lets a device pass, or not, by what is known of its wallet now.
    fn judge(&mut self, device: DeviceKey, now: Time, access: &mut AccessBook, out: &mut Outbox) {
        let Some(peer) = self.peers.get_mut(&device) else {
            return;
        };
        let Some(connection) = peer.session.as_mut() else {
            return;
        };
        let Some(hello) = connection.theirs.as_deref() else {
            return;
        };
        let certificate = &hello.certificate;
        if certificate.expired(self.time.shown(now)) {
            return self.refuse(device, Refusal::Certificate, now, out);
        }
        let Some(verdict) = access.verdict(certificate.statement.wallet, now) else {
            access.want(certificate.statement.wallet);
            return;
        };
        if !verdict.standing.role.admits() {
            return self.refuse(device, Refusal::NotAMember, now, out);
        }
        if certificate.check_cutoff(verdict.standing.device_cutoff).is_err() {
            return self.refuse(device, Refusal::Certificate, now, out);
        }
        if connection.passed {
            return;
        }
        if certificate.check_wallet().is_err() {
            return self.refuse(device, Refusal::Certificate, now, out);
        }
        connection.passed = true;
        peer.wanted = true;
        if hello.version > access.version() {
            out.push(Output::CheckVersion);
        }
        out.push(Output::Pass(device));
        send(device, &HelloMessage::Welcome, out);
        self.greet(device, now, access.version(), out);
    }

    /// Says why and lets go of it.
    fn refuse(&mut self, device: DeviceKey, refusal: Refusal, now: Time, out: &mut Outbox) {
        send(device, &HelloMessage::Refused(refusal), out);
        out.push(Output::Event(Event::Refused { device, refusal }));
        if let Some(peer) = self.peers.get_mut(&device)
            && refusal != Refusal::Undecided
        {
            // It is for this one to come back, once it has what it lacks.
            peer.wanted = false;
            Self::shun(peer, now);
        }
        self.drop_connection(device, now, out);
    }

    fn drop_connection(&mut self, device: DeviceKey, now: Time, out: &mut Outbox) {
        let spread = self.spread(device);
        if let Some(peer) = self.peers.get_mut(&device) {
            (peer.session, peer.rest) = (None, None);
            peer.link.gone();
            peer.companion = None;
            // Whatever it was, it will not be different in a second.
            peer.failures = peer.failures.max(2);
            peer.failed(now, spread);
        }
        out.push(Output::Disconnect(device));
    }

    pub(super) fn greet(&mut self, device: DeviceKey, now: Time, version: u64, out: &mut Outbox) {
        let Some(connection) = self.peers.get_mut(&device).and_then(|peer| peer.session.as_mut())
        else {
            return;
        };
        if !std::mem::replace(&mut connection.greeted, true) {
            let hello = Hello {
                certificate: self.own.certificate.clone(),
                community: self.own.community.id,
                version,
                time: now,
            };
            send(device, &HelloMessage::Hello(Box::new(hello)), out);
        }
    }

    /// The chain gave new verdicts: those who waited may pass, those who lost their seat go.
    pub(crate) fn judge_all(&mut self, now: Time, access: &mut AccessBook, out: &mut Outbox) {
        let devices: Vec<_> = self.peers.keys().copied().collect();
        for device in devices {
            self.judge(device, now, access, out);
        }
    }

    /// Keeps certificates fresh, and gives up on those who take too long to pass.
    pub(super) fn look_at_hellos(&mut self, now: Time, access: &mut AccessBook, out: &mut Outbox) {
        let sessions = self.peers.values().filter_map(|peer| peer.session.as_ref());
        for hello in sessions.filter_map(|session| session.theirs.as_ref()) {
            access.refresh(hello.certificate.statement.wallet, now);
        }
        let slow = |connection: &Connection| {
            !connection.ready() && now.since(connection.since) >= HELLO_TIME
        };
        let late = self.peers.iter().filter(|(_, peer)| peer.session.as_ref().is_some_and(slow));
        let late: Vec<_> = late.map(|(device, _)| *device).collect();
        for device in late {
            self.refuse(device, Refusal::Undecided, now, out);
        }
        let shown = self.time.shown(now);
        let expired = |connection: &Connection| {
            connection.theirs.as_ref().is_some_and(|hello| hello.certificate.expired(shown))
        };
        if self.peers.values().any(|peer| peer.session.as_ref().is_some_and(expired)) {
            self.judge_all(now, access, out);
        }
    }

    /// When a hello takes too long, or a certificate expires.
    pub(super) fn hello_wake(&self) -> Option<Time> {
        let due = |connection: &Connection| {
            if !connection.ready() {
                return Some(connection.since + HELLO_TIME);
            }
            let expires = connection.theirs.as_ref()?.certificate.statement.expires;
            Some(self.time.when(Time::from_secs(expires)))
        };
        self.peers.values().filter_map(|peer| due(peer.session.as_ref()?)).min()
    }
}

/// How far `theirs` is ahead of `ours`, at most a day either way.
fn ahead(theirs: Time, ours: Time) -> i64 {
    let difference = i128::from(theirs.0) - i128::from(ours.0);
    i64::try_from(difference.clamp(-86_400_000, 86_400_000)).unwrap_or_default()
}

fn send(device: DeviceKey, message: &HelloMessage, out: &mut Outbox) {
    out.send(device, Channel::Hello, wire::encode(message));
}

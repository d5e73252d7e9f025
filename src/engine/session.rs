//! From signing in to signing out: the node, and everything it speaks through.

use super::{Engine, Happening, turn, voice};
use crate::model::{
    Account, MeetingStage, MemberView, MicrophoneStatus, Problem, RelayStatus, RelayView, Stage,
    Text,
};
use crate::route::Route;
use chats_chain::{Answer, ReadError};
use chats_core::access::{AccessAnswer, Batch, Role, Verdict};
use chats_core::certificate::DeviceCertificate;
use chats_core::hello::Hello;
use chats_core::id::{DeviceKey, DeviceSecret, GossipTopic, Wallet};
use chats_core::node::{Event, Input, LinkFailure, Member, Node, Output};
use chats_core::presence::Session as Stay;
use chats_core::rooms::Outgoing;
use chats_core::small::{SmallMap, SmallSet};
use chats_core::time::Duration;
use chats_core::wire;
use chats_net::network::{self, Command, Network, RelayState, SendError};
use chats_net::{Multiaddr, browser};
use chats_web::rooms::RoomsWorker;
use chats_web::rtc::Connections;
use chats_web::{clock, page, random};
use futures::{FutureExt, StreamExt, future, select};
use leptos::prelude::*;
use std::collections::VecDeque;

/// The most commands that wait for a busy network; beyond that it is started anew.
const MAX_WAITING: usize = 4096;

/// How long the others are given to hear that we left, once the sign-in ends.
const GOOD_BYE: Duration = Duration::from_millis(300);

/// Everything that lives as long as the sign-in.
pub(super) struct Session {
    node: Node,
    device: DeviceKey,
    secret: DeviceSecret,
    wallet: Wallet,
    pub(super) network: Option<Network>,
    waiting: VecDeque<Command>,
    pub(super) connections: Connections,
    pub(super) rooms: RoomsWorker,
    /// What was asked of them so far.
    pub(super) actions: u64,
    /// Texts among that which are not answered yet; the rooms refuse what is too much at once.
    pub(super) texts: SmallMap<u64, Text>,
    members: SmallMap<DeviceKey, Member>,
    own: Option<Verdict>,
    pub(super) topic: GossipTopic,
    /// The servers that direct links may use.
    pub(super) ice: browser::IceServers,
    /// What relays are asked with for the use of their TURN servers.
    turn_request: Vec<u8>,
    paths: SmallMap<DeviceKey, (network::Path, Option<u32>)>,
}

/// What comes by itself from what a session speaks through.
pub(super) enum Said {
    /// From the network; `None` if it ended.
    Network(Option<network::Event>),
    /// From the rooms.
    Rooms(Outgoing),
}

impl Session {
    pub(super) const fn node(&self) -> &Node {
        &self.node
    }

    /// Waits for the next.
    pub(super) async fn next(&mut self) -> Said {
        let network = async {
            match self.network.as_mut() {
                Some(network) => network.next().await,
                None => future::pending().await,
            }
        };
        futures::pin_mut!(network);
        select! {
            event = network.fuse() => Said::Network(event),
            outgoing = self.rooms.next().fuse() => match outgoing {
                Some(outgoing) => Said::Rooms(outgoing),
                None => future::pending().await,
            },
        }
    }

    pub(super) const fn device(&self) -> DeviceKey {
        self.device
    }

    pub(super) const fn wallet(&self) -> Wallet {
        self.wallet
    }

    /// Who is connected, or online between two circuits, and then without a round trip.
    pub(super) fn peers(
        &self,
    ) -> impl Iterator<Item = (DeviceKey, Option<Wallet>, network::Path, Option<u32>)> {
        let resting = self.members.keys().filter(|device| !self.paths.contains_key(*device));
        let resting = resting.map(|device| (device, (network::Path::Circuit, None)));
        let connected = self.paths.iter().map(|(device, path)| (device, *path));
        connected.chain(resting).map(|(device, (path, rtt))| {
            (*device, self.members.get(device).map(|member| member.wallet), path, rtt)
        })
    }

    /// How many members there are to whom everything goes without a relay.
    fn links(&self) -> usize {
        let direct = self.paths.iter().filter(|(_, (path, _))| *path == network::Path::Direct);
        let wallets = direct.filter_map(|(device, _)| Some(self.members.get(device)?.wallet));
        wallets.collect::<SmallSet<_>>().len()
    }

    /// Hands a command to the network, after those that wait already.
    pub(super) fn command(&mut self, command: Command) {
        self.waiting.push_back(command);
        self.flush();
    }

    /// Hands over as much as the network takes. Returns whether it keeps up.
    fn flush(&mut self) -> bool {
        let Some(network) = self.network.as_mut() else {
            self.waiting.clear();
            return true;
        };
        while let Some(command) = self.waiting.pop_front() {
            match network.try_send(command.clone()) {
                Ok(()) => {}
                Err(SendError::Full) => {
                    self.waiting.push_front(command);
                    break;
                }
                Err(error) => leptos::logging::error!("a message was not sent: {error}"),
            }
        }
        self.waiting.len() <= MAX_WAITING
    }
}

impl Engine {
    pub(super) fn begin_session(
        &mut self,
        secret: DeviceSecret,
        certificate: Box<DeviceCertificate>,
    ) {
        let Some(ready) = &self.ready else { return };
        let community = ready.config.community;
        let (wallet, device) = (certificate.statement.wallet, secret.device());
        let events = self.inbox.clone();
        let people = self.voice.people().clone();
        let ice: Vec<_> = ready.config.ice.iter().map(|urls| turn::open_server(urls)).collect();
        let for_links: Vec<_> = ice.iter().flat_map(turn::each_url).collect();
        let connections = Connections::new(
            self.voice.audio().clone(),
            ice,
            move |event| events.put(Happening::Media(event)),
            move |link, level| people.heard(link, level),
        );
        let hello = Hello {
            certificate: (*certificate).clone(),
            community: community.id,
            version: 0,
            time: clock::now(),
        };
        connections.set_microphone(self.voice.microphone());
        let rooms = RoomsWorker::new(community, certificate.clone());
        let node = Node::new(community, secret.clone(), *certificate, clock::now());
        self.model.account.set(Some(Account { wallet, device, role: None }));
        self.set_stage(Stage::Checking);
        self.session = Some(Session {
            node,
            device,
            secret,
            wallet,
            network: None,
            waiting: VecDeque::new(),
            connections,
            rooms,
            actions: 0,
            texts: SmallMap::new(),
            members: SmallMap::new(),
            own: None,
            topic: community.gossip_topic(),
            ice: for_links.into(),
            turn_request: wire::encode(&hello),
            paths: SmallMap::new(),
        });
        self.drain();
    }

    pub(super) fn end_session(&mut self) {
        self.feed(Input::Leave);
        voice::forget_meeting();
        self.voice.close();
        self.voice.people().clear();
        if let Some(network) = self.session.take().and_then(|session| session.network) {
            wasm_bindgen_futures::spawn_local(say_good_bye(network));
        }
        self.model.account.set(None);
        self.model.rooms.clear();
        self.model.links.set(0);
        self.model.members.set(Vec::new());
        self.model.relays.set(Vec::new());
        self.model.meeting.set(MeetingStage::Lobby);
    }

    /// Tells the node what happened, and does what it then asks for.
    pub(super) fn feed(&mut self, input: Input) {
        if let Some(session) = self.session.as_mut() {
            session.node.handle(input, clock::now());
            self.drain();
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.as_mut().and_then(|session| session.node.poll()) {
            self.perform(output);
        }
        if !self.session.as_mut().is_none_or(Session::flush) {
            self.network_stopped();
        }
    }

    fn perform(&mut self, output: Output) {
        let Some(session) = self.session.as_mut() else { return };
        match output {
            Output::Dial(device) => session.command(Command::Dial(device)),
            Output::Disconnect(device) => session.command(Command::Disconnect(device)),
            Output::Pass(device) => session.command(Command::Pass(device)),
            Output::Send { to, channel, frame } => {
                session.command(Command::Send { to, channel, frame });
            }
            Output::Link(device) => session.command(Command::Link(device)),
            Output::Check(device) => session.command(Command::Check(device)),
            Output::TakeLinks { device, take } => {
                session.command(Command::TakeLinks { device, take });
            }
            Output::Publish(frame) => {
                let topic = session.topic;
                session.command(Command::Publish { topic, frame });
            }
            Output::Judge { id, source, verdict } => {
                session.command(Command::Judge { id, source, verdict });
            }
            Output::AskForTurn => {
                let request = session.turn_request.clone();
                session.command(Command::AskForTurn(request));
            }
            Output::UseTurn(grant) => self.use_turn(grant),
            Output::Media(command) => session.connections.execute(command),
            Output::Rooms(incoming) => session.rooms.tell(incoming),
            Output::CheckAccess(batch) => self.check_access(batch),
            Output::CheckVersion => self.check_version(),
            Output::Event(event) => self.show(event),
        }
    }

    fn check_access(&self, Batch { request, wallets }: Batch) {
        let (Some(chain), Some(ready)) = (self.chain.clone(), &self.ready) else { return };
        let (inbox, id) = (self.inbox.clone(), ready.config.community.id);
        wasm_bindgen_futures::spawn_local(async move {
            let answer = chain.standings(id, &wallets, clock::now()).await;
            let answer = answer.map(|answer| {
                let (block, agree) = (answer.block, answer.agree);
                let sources = u8::try_from(agree).unwrap_or(u8::MAX);
                answer.map(|standings| AccessAnswer { standings, block, sources })
            });
            inbox.put(Happening::Access(request, answer));
        });
    }

    fn check_version(&self) {
        let (Some(chain), Some(ready)) = (self.chain.clone(), &self.ready) else { return };
        let (inbox, id) = (self.inbox.clone(), ready.config.community.id);
        wasm_bindgen_futures::spawn_local(async move {
            inbox.put(Happening::Version(chain.version(id, clock::now()).await));
        });
    }

    pub(super) fn version_heard(&mut self, answer: Result<u64, ReadError>) {
        match answer {
            Ok(version) => {
                self.feed(Input::Version(version));
                if self.notices.open("chain") {
                    // One endpoint answers again; whether enough do is for all to say.
                    self.read_community();
                }
            }
            Err(error) => self.chain_failed(&error),
        }
    }

    pub(super) fn access_answered(
        &mut self,
        request: u32,
        answer: Result<Answer<AccessAnswer>, ReadError>,
    ) {
        let answer = match answer {
            Ok(answer) => {
                self.notices.solved("chain");
                self.diagnostics.read("seats", &answer);
                Some(answer.value)
            }
            Err(error) => {
                self.chain_failed(&error);
                None
            }
        };
        self.feed(Input::Access { request, answer });
    }

    fn show(&mut self, event: Event) {
        match event {
            Event::Own(verdict) => self.own_verdict(verdict),
            Event::CertificateExpired => {
                self.end_session();
                self.set_stage(Stage::SignedOut);
                self.notices.raise("sign-in", expired());
            }
            Event::Online(device, member) => self.change_members(|all| {
                all.insert(device, member);
            }),
            Event::Offline(device) => self.change_members(|all| {
                all.remove(&device);
            }),
            Event::Attack { device } => self.attacked(device),
            Event::Refused { device: _, refusal } => self.diagnostics.refused(refusal),
            Event::RefusedBy { device: _, refusal } => self.diagnostics.refused_by(refusal),
            Event::Ignored { device: _ } => self.diagnostics.ignored += 1,
            Event::Joined { meeting, joined } => {
                let Some(session) = &self.session else { return };
                let muted = self.model.muted.get_untracked();
                voice::remember_meeting(meeting.as_str(), muted);
                let people = self.voice.people();
                people.join(session.device(), session.wallet, meeting.clone(), joined, muted);
                self.model.hand.set(false);
                self.model.meeting.set(MeetingStage::In(meeting));
            }
            Event::NotJoined(refusal) => {
                voice::forget_meeting();
                self.model.meeting.set(MeetingStage::Refused(refusal));
            }
            Event::Left => {
                if let Some(session) = &self.session {
                    self.voice.people().remove(session.device());
                }
                self.model.meeting.set(MeetingStage::Lobby);
            }
            Event::Participant(device, participant) => {
                self.voice.people().update(device, participant);
            }
            Event::ParticipantGone(device) => self.voice.people().remove(device),
        }
    }

    /// The keys of a direct link are not those that were signed for: somebody in between put in
    /// others, or the device itself did.
    fn attacked(&mut self, device: DeviceKey) {
        let member = self.session.as_ref().and_then(|session| session.members.get(&device));
        let who = member.map_or_else(|| "a member".to_owned(), |member| member.wallet.short());
        self.notices.raise(
            "attack",
            Problem {
                title: format!("Somebody interfered with your connection to {who}."),
                help: "The keys in use are not the ones that were signed for: somebody between \
                       you put in others, or that device did. The connection was not used. If it \
                       happens again, tell them some other way."
                    .to_owned(),
                retry: false,
            },
        );
    }

    /// The contract spoke about our own wallet.
    fn own_verdict(&mut self, verdict: Verdict) {
        let role = verdict.standing.role;
        if let Some(session) = self.session.as_mut() {
            session.own = Some(verdict);
        }
        self.model.account.update(|account| {
            if let Some(account) = account {
                account.role = Some(role);
            }
        });
        if !role.admits() {
            self.stop_network();
            self.voice.close();
            self.read_community();
            return self.set_stage(Stage::Refused { role });
        }
        if self.model.stage.get_untracked() != Stage::SignedIn {
            self.set_stage(Stage::SignedIn);
            page::mark_once("chats:signed-in");
        }
        self.start_network();
        if let Some(session) = &self.session {
            session.rooms.start();
        }
        self.change_members(|_| {});
        self.return_to_meeting();
    }

    /// Goes back into the meeting that this tab was in before it was reloaded.
    fn return_to_meeting(&mut self) {
        let Route::Meeting(here) = self.model.route.get_untracked() else { return };
        if self.model.meeting.get_untracked() != MeetingStage::Lobby {
            return;
        }
        if let Some((meeting, muted)) = voice::remembered_meeting()
            && meeting == here.as_str()
        {
            self.voice.open(String::new());
            self.join(muted);
        }
    }

    fn count_links(&self) {
        let links = self.session.as_ref().map_or(0, Session::links);
        if self.model.links.get_untracked() != links {
            self.model.links.set(links);
        }
    }

    fn change_members(&mut self, change: impl FnOnce(&mut SmallMap<DeviceKey, Member>)) {
        let Some(session) = self.session.as_mut() else { return };
        change(&mut session.members);
        let own_role = session.own.map_or(Role::None, |own| own.standing.role);
        let me = MemberView {
            device: session.device(),
            wallet: session.wallet,
            role: own_role,
            me: true,
        };
        let view = |(device, member): (&DeviceKey, &Member)| {
            let (device, wallet) = (*device, member.wallet);
            let role = member.verdict.standing.role;
            ((wallet, device), MemberView { device, wallet, role, me: false })
        };
        let others: SmallMap<_, _> = session.members.iter().map(view).collect();
        self.model.members.set(std::iter::once(me).chain(others.into_values()).collect());
        self.count_links();
    }

    pub(super) fn join(&mut self, muted: bool) {
        let Route::Meeting(meeting) = self.model.route.get_untracked() else { return };
        page::mark("chats:joined");
        let listening = matches!(
            self.model.microphone.get_untracked(),
            MicrophoneStatus::Off | MicrophoneStatus::Problem(_)
        );
        self.model.muted.set(muted || listening);
        let session = Stay(random::bytes());
        self.feed(Input::Join { meeting, session, muted: muted || listening });
    }

    pub(super) fn set_hand(&mut self, raised: bool) {
        self.feed(Input::SetHand(raised));
        let hand = self.session.as_ref().and_then(|session| session.node.hand());
        self.model.hand.set(hand.is_some());
        self.voice.people().raise_own(hand);
    }

    /// Sends the microphone that is open now, or silence, on all connections.
    pub(super) fn send_voice(&mut self) {
        if let Some(session) = &self.session {
            session.connections.set_microphone(self.voice.microphone());
        }
    }

    fn start_network(&mut self) {
        let Some(ready) = &self.ready else { return };
        let Some(session) = self.session.as_mut() else { return };
        if session.network.is_some() {
            return;
        }
        let view = |addr: &String| RelayView { addr: addr.clone(), state: RelayStatus::Connecting };
        self.model.relays.set(ready.config.relays.iter().map(view).collect());
        match browser::start(&session.secret, ready.relays.clone(), session.ice.clone()) {
            Ok(network) => {
                session.network = Some(network);
                session.command(Command::Meet(ready.config.community.meet_tag()));
                session.command(Command::Subscribe(session.topic));
            }
            Err(error) => self.notices.raise(
                "network",
                Problem {
                    title: "The network cannot be started.".to_owned(),
                    help: format!("{error}. Sign out and in again to make a new device."),
                    retry: false,
                },
            ),
        }
    }

    fn stop_network(&mut self) {
        if let Some(session) = self.session.as_mut() {
            session.network = None;
            session.waiting.clear();
            let devices: Vec<_> = std::mem::take(&mut session.paths).into_keys().collect();
            for device in devices {
                self.feed(Input::Disconnected(device));
            }
        }
        self.model.relays.set(Vec::new());
    }

    /// The network ended or fell behind: starts another one.
    pub(super) fn network_stopped(&mut self) {
        leptos::logging::error!("the network stopped and is started again");
        self.stop_network();
        self.start_network();
    }

    pub(super) fn retry_relays(&mut self) {
        if let Some(session) = self.session.as_mut() {
            session.command(Command::RetryNow);
        }
    }

    pub(super) fn network_said(&mut self, event: network::Event) {
        use network::Event as Said;
        match event {
            Said::Relay { addr, state } => self.relay_said(&addr, state),
            Said::Listening(_) => {}
            Said::Present { source, devices } => self.feed(Input::Present { source, devices }),
            Said::Arrived { source, device } => self.feed(Input::Arrived { source, device }),
            Said::Left(device) => self.feed(Input::Left(device)),
            Said::Connected { device, path } => {
                if let Some(session) = self.session.as_mut() {
                    session.paths.insert(device, (path, None));
                }
                self.feed(Input::Connected(device));
                if path == network::Path::Direct {
                    self.feed(Input::Linked(device));
                }
            }
            Said::Linked(device) => {
                if let Some((path, _)) =
                    self.session.as_mut().and_then(|session| session.paths.get_mut(&device))
                {
                    *path = network::Path::Direct;
                }
                self.count_links();
                self.feed(Input::Linked(device));
            }
            Said::Answers(device) => self.feed(Input::Answers(device)),
            Said::LinkOffered(device) => self.feed(Input::LinkOffered(device)),
            Said::LinkFailed { device, attack, reason } => {
                leptos::logging::warn!("no direct link to {device}: {reason}");
                let failure = if attack { LinkFailure::Attack } else { LinkFailure::Unreachable };
                self.feed(Input::LinkFailed { device, failure });
            }
            Said::Gossip { source, id, frame } => self.feed(Input::Gossip { source, id, frame }),
            Said::Turn(grant) => self.feed(Input::Turn(Some(grant))),
            Said::NoTurn => self.feed(Input::Turn(None)),
            Said::GossipReaches(device) => self.feed(Input::GossipReaches(device)),
            Said::DialFailed { device, reason: _ } => self.feed(Input::DialFailed(device)),
            Said::Disconnected { device, reason: _ } => {
                if let Some(session) = self.session.as_mut() {
                    session.paths.remove(&device);
                }
                self.count_links();
                self.feed(Input::Disconnected(device));
            }
            Said::Received { from, channel, frame } => {
                self.feed(Input::Received { from, channel, frame });
            }
            Said::Rtt { device, rtt } => {
                if let Some((_, known)) =
                    self.session.as_mut().and_then(|session| session.paths.get_mut(&device))
                {
                    *known = u32::try_from(rtt.as_millis()).ok();
                }
            }
        }
    }

    fn relay_said(&mut self, addr: &Multiaddr, state: RelayState) {
        let state = match state {
            RelayState::Standby => RelayStatus::Standby,
            RelayState::Connecting => RelayStatus::Connecting,
            RelayState::Connected { rtt } => {
                page::mark_once("chats:relay-connected");
                let rtt_ms = rtt.and_then(|rtt| u32::try_from(rtt.as_millis()).ok());
                RelayStatus::Connected { rtt_ms }
            }
            RelayState::Failed { reason, clock_ahead, .. } => {
                RelayStatus::Failed { reason, clock_ahead }
            }
        };
        let is_connected = |state: &RelayStatus| matches!(state, RelayStatus::Connected { .. });
        let mut came = is_connected(&state);
        let mut relays = self.ready.iter().flat_map(|ready| &ready.relays);
        let place = relays.position(|relay| relay == addr);
        self.model.relays.update(|relays| {
            if let Some(relay) = place.and_then(|place| relays.get_mut(place)) {
                came &= !is_connected(&relay.state);
                relay.state = state;
            }
        });
        if came {
            self.feed(Input::RelayCame);
        }
    }
}

/// Keeps a network that has been told its last until that is under way, then closes it.
async fn say_good_bye(network: Network) {
    let ended = network.for_each(|_| future::ready(()));
    futures::pin_mut!(ended);
    future::select(ended, Box::pin(clock::sleep(GOOD_BYE))).await;
}

fn expired() -> Problem {
    Problem {
        title: "Your sign-in has run out.".to_owned(),
        help: "It lasts 30 days. Connect your wallet again to go on.".to_owned(),
        retry: false,
    }
}

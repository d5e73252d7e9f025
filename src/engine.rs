//! The one driver of the core: everything that happens comes here, and everything that is to be
//! done goes out from here.
//!
//! What takes time runs in tasks of its own, which report back as [`Happening`]s; so the engine
//! itself never waits for anything but the next thing to happen.

mod backup;
mod diagnostics;
mod notices;
mod people;
mod revoke;
mod rooms;
mod session;
mod sign_in;
mod startup;
mod turn;
mod views;
mod voice;

use crate::model::{MeetingStage, Model, Problem, Stage};
use crate::route::Route;
use crate::text;
use chats_chain::{AlloyRpc, Answer, Communities, CommunityRecord, ReadError};
use chats_core::access::AccessAnswer;
use chats_core::control::Revoke;
use chats_core::id::{DeviceKey, DeviceSecret, Wallet};
use chats_core::media::MediaEvent;
use chats_core::rooms::Action as RoomsAction;
use chats_core::{certificate::DeviceCertificate, node::Input};
use chats_web::audio::microphone::{Microphone, MicrophoneError, MicrophoneInfo};
use chats_web::wallet::discovery::Discovery;
use chats_web::wallet::{BrowserWallet, WalletEvent};
use chats_web::{Subscription, clock, page};
use diagnostics::Diagnostics;
use futures::channel::{mpsc, oneshot};
use futures::stream::{self, FusedStream};
use futures::{FutureExt, StreamExt, future, select_biased};
use leptos::prelude::*;
use notices::Notices;
use session::Session;
use startup::{Ready, Stop};
use std::rc::Rc;
use std::time::Duration;
use voice::Voice;

/// How many happenings may wait; the engine takes them as they come, so only a hanging page gets
/// there, and then the newest are lost with a word in the console.
const QUEUE: usize = 1024;

/// What a person asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Try again whatever failed: start, chain, relays.
    Retry,
    /// Take over from the other tab.
    UseHere,
    /// Sign in with the wallet of this id.
    Connect(String),
    /// Give up signing in.
    CancelConnect,
    /// Answer a test wallet's question.
    Approve(bool),
    /// Forget the device.
    SignOut,
    /// Open the microphone (the lobby is shown), with this device id; empty for the default.
    OpenMicrophone(String),
    /// Join the meeting of the current route.
    Join {
        /// Whether to begin muted.
        muted: bool,
    },
    /// Leave it.
    Leave,
    /// Mute or unmute.
    SetMuted(bool),
    /// Raise or lower our hand.
    SetHand(bool),
    /// Let sound be heard; called from a click.
    TurnOnSound,
    /// Try again to reach a participant.
    RetryParticipant(DeviceKey),
    /// Take a notice away.
    Dismiss(u32),
    /// Do something with rooms or devices.
    Rooms(RoomsAction),
    /// Have the wallet of this id sign that a device of ours is signed out for good.
    Revoke(DeviceKey, String),
}

/// How pages ask for things.
#[derive(Debug, Clone)]
pub struct Actions(mpsc::Sender<Action>);

impl Actions {
    /// Asks; carried out soon after.
    pub fn send(&self, action: Action) {
        if self.0.clone().try_send(action).is_err() {
            leptos::logging::error!("too much is asked at once; something was left undone");
        }
    }
}

/// Everything that can happen to the engine.
enum Happening {
    Action(Action),
    /// The page may start, or not.
    Started(Result<Box<Ready>, Stop>),
    /// What the chain says of the community.
    Community(Result<Answer<CommunityRecord>, ReadError>),
    /// The wallets in the browser are now these.
    Wallets(Vec<BrowserWallet>),
    /// A test wallet asks to sign a text.
    Approval(String, oneshot::Sender<bool>),
    /// The wallet gave its address, in the attempt of this number.
    Address(u32, Wallet),
    /// The wallet reports something while it is being asked.
    Wallet(u32, WalletEvent),
    /// The attempt to sign in of this number came to its end.
    SignedIn(u32, Result<(DeviceSecret, Box<DeviceCertificate>), Problem>),
    /// The sign-in could not be kept for the next visit.
    NotKept(Problem),
    /// The wallet signed that a device is signed out for good, or did not.
    Revoked(Result<Box<Revoke>, Problem>),
    /// The device was forgotten, or could not be.
    SignedOut(Result<(), Problem>),
    /// The chain's answer to a batch.
    Access(u32, Result<Answer<AccessAnswer>, ReadError>),
    /// One endpoint's word on the community's version, or that none has a word.
    Version(Result<u64, ReadError>),
    /// The community's changes after this version.
    Changes(u64, rooms::Changes),
    Media(MediaEvent),
    /// The microphone was opened, in the attempt of this number.
    Microphone(u32, Result<Microphone, MicrophoneError>),
    /// The open microphone is gone.
    Unplugged,
    /// These microphones can be chosen.
    Microphones(Vec<MicrophoneInfo>),
    SoundBlocked(bool),
    /// The URL's fragment changed.
    Fragment(String),
    Online(bool),
    /// The machine has another network.
    NetworkChanged,
    /// The page can be seen again.
    Seen,
    /// Another tab took the device over.
    Stolen,
    /// What the browser says of its storage.
    Storage(chats_web::storage::Usage),
}

/// Where tasks and handlers report to.
#[derive(Debug, Clone)]
struct Inbox(mpsc::Sender<Happening>);

impl Inbox {
    fn put(&self, happening: Happening) {
        if self.0.clone().try_send(happening).is_err() {
            leptos::logging::error!("too much happens at once; something was left undone");
        }
    }
}

/// The engine's state between two happenings.
struct Engine {
    model: Model,
    inbox: Inbox,
    ready: Option<Box<Ready>>,
    chain: Option<Rc<Communities<AlloyRpc>>>,
    wallets: Vec<BrowserWallet>,
    discovery: Option<Discovery>,
    /// Counts attempts to sign in; what an older one reports means nothing.
    attempt: u32,
    wallet_events: Option<Subscription>,
    approval: Option<oneshot::Sender<bool>>,
    session: Option<Session>,
    voice: Voice,
    notices: Notices,
    diagnostics: Diagnostics,
    subscriptions: Vec<Subscription>,
    /// The browser was asked to keep what is kept here.
    asked_to_persist: bool,
    /// A backup that is being written or read.
    backup: Option<backup::Backup>,
}

/// Starts the engine. It runs as long as the page.
pub fn start(model: Model) -> Actions {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let inbox = Inbox(sender);
    let engine = Engine {
        model,
        inbox: inbox.clone(),
        ready: None,
        chain: None,
        wallets: Vec::new(),
        discovery: None,
        attempt: 0,
        wallet_events: None,
        approval: None,
        session: None,
        voice: Voice::new(model, &inbox),
        notices: Notices::new(model),
        diagnostics: Diagnostics::default(),
        subscriptions: Vec::new(),
        asked_to_persist: false,
        backup: None,
    };
    let (actions, asked) = mpsc::channel(QUEUE);
    let happenings = stream::select(receiver, asked.map(Happening::Action));
    wasm_bindgen_futures::spawn_local(engine.run(happenings));
    Actions(actions)
}

impl Engine {
    async fn run(mut self, mut inbox: impl FusedStream<Item = Happening> + Unpin) {
        self.watch_browser();
        self.go(&page::hash());
        self.start(false);
        loop {
            let wake = self.session.as_ref().map(|session| session.node().wake_at());
            let showing_doctor = self.model.route.get_untracked() == Route::Doctor;
            let tick = async {
                match wake {
                    Some(at) => {
                        // A second at most, so that a clock set back does not stop everything.
                        let wait = at.since(clock::now()).min(Duration::from_secs(1));
                        clock::sleep(wait.max(Duration::from_millis(20))).await;
                    }
                    None if showing_doctor => clock::sleep(Duration::from_secs(1)).await,
                    None => future::pending().await,
                }
            };
            let said = async {
                match self.session.as_mut() {
                    Some(session) => session.next().await,
                    None => future::pending().await,
                }
            };
            enum Next {
                Happened(Happening),
                Said(session::Said),
                Tick,
            }
            let next = {
                futures::pin_mut!(tick, said);
                select_biased! {
                    happening = inbox.next() => match happening {
                        Some(happening) => Next::Happened(happening),
                        None => return,
                    },
                    said = said.fuse() => Next::Said(said),
                    () = tick.fuse() => Next::Tick,
                }
            };
            match next {
                Next::Happened(happening) => self.happened(happening),
                Next::Said(session::Said::Network(Some(event))) => self.network_said(event),
                Next::Said(session::Said::Network(None)) => self.network_stopped(),
                Next::Said(session::Said::Rooms(outgoing)) => self.rooms_want(outgoing),
                Next::Tick => self.feed(Input::Tick),
            }
            self.diagnose();
        }
    }

    fn watch_browser(&mut self) {
        let put = |happening: fn(_) -> Happening| {
            let inbox = self.inbox.clone();
            move |value| inbox.put(happening(value))
        };
        self.subscriptions.push(page::on_hash(put(Happening::Fragment)));
        let online = self.inbox.clone();
        self.subscriptions.push(page::on_online(move |is| online.put(Happening::Online(is))));
        let blocked = self.inbox.clone();
        self.subscriptions.push(
            self.voice.audio().on_blocked(move |is| blocked.put(Happening::SoundBlocked(is))),
        );
        self.model.online.set(page::is_online());
        let network = self.inbox.clone();
        self.subscriptions.extend(page::on_network(move || network.put(Happening::NetworkChanged)));
        let seen = self.inbox.clone();
        self.subscriptions.extend(page::on_visible(move |visible| {
            if visible {
                seen.put(Happening::Seen);
            }
        }));
        let wallets = self.inbox.clone();
        self.discovery =
            Some(Discovery::start(move |found| wallets.put(Happening::Wallets(found))));
    }

    /// Starts, or starts over; `steal` takes the device from another tab.
    fn start(&mut self, steal: bool) {
        self.model.stage.set(Stage::Starting);
        let inbox = self.inbox.clone();
        wasm_bindgen_futures::spawn_local(async move {
            let started = startup::start(steal).await.map(Box::new);
            inbox.put(Happening::Started(started));
        });
    }

    fn happened(&mut self, happening: Happening) {
        match happening {
            Happening::Action(action) => self.act(action),
            Happening::Started(started) => self.started(started),
            Happening::Community(answer) => self.community_read(answer),
            Happening::Wallets(found) => self.wallets_found(found),
            Happening::Approval(text, answer) => {
                self.model.approval.set(Some(text));
                self.approval = Some(answer);
            }
            Happening::Address(attempt, wallet) => self.address_given(attempt, wallet),
            Happening::Wallet(attempt, event) => self.wallet_said(attempt, event),
            Happening::SignedIn(attempt, result) => self.signed_in(attempt, result),
            Happening::NotKept(problem) => self.notices.raise("sign-in", problem),
            Happening::Revoked(result) => self.revoked(result),
            Happening::SignedOut(result) => self.signed_out(result),
            Happening::Access(request, answer) => self.access_answered(request, answer),
            Happening::Version(answer) => self.version_heard(answer),
            Happening::Changes(from, changes) => self.changes_read(from, changes),
            Happening::Media(event) => self.feed(Input::Media(event)),
            Happening::Microphone(attempt, result) => self.microphone_opened(attempt, result),
            Happening::Unplugged => self.microphone_unplugged(),
            Happening::Microphones(list) => self.voice.list(list),
            Happening::SoundBlocked(blocked) => self.model.sound_blocked.set(blocked),
            Happening::Fragment(fragment) => self.go(&fragment),
            Happening::Online(online) => self.went_online(online),
            Happening::NetworkChanged => self.network_changed(),
            // Timers slept: what waits for its next attempt need not wait any more.
            Happening::Seen => self.retry_relays(),
            Happening::Stolen => self.stolen(),
            Happening::Storage(usage) => {
                self.model.rooms.persisted.set(usage.persisted);
                self.diagnostics.storage = Some(usage);
            }
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Retry => self.retry(),
            Action::UseHere => self.start(true),
            Action::Connect(id) => self.connect(&id),
            Action::CancelConnect => self.cancel_connect(),
            Action::Approve(yes) => {
                self.model.approval.set(None);
                if let Some(answer) = self.approval.take() {
                    // Whoever asked may have given up meanwhile.
                    let _ = answer.send(yes);
                }
            }
            Action::SignOut => self.sign_out(),
            Action::OpenMicrophone(id) => {
                self.feed(Input::Prepare);
                self.voice.open(id);
            }
            Action::Join { muted } => self.join(muted),
            Action::Leave => {
                voice::forget_meeting();
                self.feed(Input::Leave);
            }
            Action::SetMuted(muted) => {
                self.set_muted(muted);
                if !muted && self.voice.microphone().is_none() {
                    self.voice.open(self.model.microphone_id.get_untracked());
                }
            }
            Action::SetHand(raised) => self.set_hand(raised),
            Action::TurnOnSound => self.voice.audio().resume_all(),
            Action::RetryParticipant(device) => self.feed(Input::Retry(device)),
            Action::Dismiss(id) => self.notices.dismiss(id),
            Action::Rooms(action) => self.act_in_rooms(action),
            Action::Revoke(device, wallet) => self.revoke(device, &wallet),
        }
    }

    fn go(&mut self, fragment: &str) {
        // Before it is known which community this is, its places are not either.
        let community = self.ready.as_ref().map_or(0, |ready| ready.config.community.id);
        let route = Route::parse(fragment, community);
        if self.model.route.get_untracked() == route {
            return;
        }
        let here = match &route {
            Route::Meeting(meeting) => Some(meeting.clone()),
            _ => None,
        };
        if let MeetingStage::Refused(_) = self.model.meeting.get_untracked() {
            self.model.meeting.set(MeetingStage::Lobby);
        }
        if let MeetingStage::In(meeting) = self.model.meeting.get_untracked()
            && here.as_ref().is_some_and(|here| *here != meeting)
        {
            self.feed(Input::Leave);
        }
        self.model.route.set(route);
        if here.is_none() && self.model.meeting.get_untracked() == MeetingStage::Lobby {
            self.voice.close();
        }
    }

    fn retry(&mut self) {
        match self.model.stage.get_untracked() {
            Stage::Unusable(_) => self.start(false),
            stage => {
                if matches!(stage, Stage::Undecided { .. } | Stage::Refused { .. }) {
                    self.model.stage.set(Stage::Checking);
                }
                self.read_community();
                self.feed(Input::Recheck);
                self.retry_relays();
            }
        }
    }

    fn went_online(&mut self, online: bool) {
        self.model.online.set(online);
        if online {
            self.retry();
            self.feed(Input::NetworkChanged);
        }
    }

    fn network_changed(&mut self) {
        self.retry_relays();
        self.feed(Input::NetworkChanged);
    }

    fn stolen(&mut self) {
        self.cancel_connect();
        self.end_session();
        self.ready = None;
        self.model.stage.set(Stage::OtherTab);
    }

    fn started(&mut self, started: Result<Box<Ready>, Stop>) {
        let mut ready = match started {
            Ok(ready) => ready,
            Err(Stop::OtherTab) => return self.model.stage.set(Stage::OtherTab),
            Err(Stop::Problem(problem)) => return self.set_stage(Stage::Unusable(problem)),
        };
        let inbox = self.inbox.clone();
        self.subscriptions.push(ready.hold.on_stolen(move || inbox.put(Happening::Stolen)));
        let endpoints = ready.config.rpc.iter().map(|url| chats_web::rpc::endpoint(url)).collect();
        let registry = ready.config.community.registry;
        self.chain = Some(Rc::new(Communities::new(registry, endpoints)));
        self.model.community.update(|community| {
            community.id = ready.config.community.id;
            if community.name.is_empty() {
                community.name.clone_from(&ready.config.name);
            }
        });
        startup::set_accent(ready.config.accent.as_deref());
        self.model.route.set(Route::parse(&page::hash(), ready.config.community.id));
        let device = ready.device.take();
        self.ready = Some(ready);
        self.read_community();
        self.wallets_found(self.discovery.as_ref().map(Discovery::wallets).unwrap_or_default());
        match device {
            Some((secret, certificate)) => self.begin_session(secret, certificate),
            None => self.set_stage(Stage::SignedOut),
        }
        self.read_storage();
    }

    /// Changes the stage; the first with something to read marks the page as ready.
    fn set_stage(&self, stage: Stage) {
        self.model.stage.set(stage);
        leptos::prelude::request_animation_frame(|| page::mark_once("chats:app-ready"));
    }

    fn read_community(&self) {
        let (Some(chain), Some(ready)) = (self.chain.clone(), &self.ready) else { return };
        let (inbox, id) = (self.inbox.clone(), ready.config.community.id);
        wasm_bindgen_futures::spawn_local(async move {
            let answer = chain.community(id, clock::now()).await;
            inbox.put(Happening::Community(answer));
        });
    }

    fn community_read(&mut self, answer: Result<Answer<CommunityRecord>, ReadError>) {
        match answer {
            Ok(answer) => {
                self.notices.solved("chain");
                self.diagnostics.read("community", &answer);
                let reading = startup::reading(&answer);
                self.model.community.update(|community| {
                    let record = answer.value;
                    community.name = record.name;
                    community.about = record.profile;
                    community.owner = Some(record.owner);
                    community.members = record.members;
                    community.paused = record.paused;
                    community.read = Some(reading);
                });
            }
            Err(error) => self.chain_failed(&error),
        }
    }

    /// The chain gave no answer. Whoever is in stays in; everyone is told.
    fn chain_failed(&mut self, error: &ReadError) {
        self.diagnostics.chain_error = Some(error.to_string());
        match self.model.stage.get_untracked() {
            Stage::Checking | Stage::Undecided { .. } => {
                // The page itself says it now.
                self.notices.solved("chain");
                self.set_stage(Stage::Undecided { reason: text::sentence(error) });
            }
            _ => self.notices.raise(
                "chain",
                Problem {
                    title: "The chain cannot be read right now.".to_owned(),
                    help: format!(
                        "{} What is running goes on; nobody new is let in.",
                        text::sentence(error)
                    ),
                    retry: true,
                },
            ),
        }
    }
}

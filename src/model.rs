//! What the page shows, as signals. The engine writes them; pages read them.

mod rooms;

pub use rooms::{About, Message, Place, Room, Rooms, Shown, Text, Writing};

use crate::route::Route;
use chats_core::access::Role;
use chats_core::id::{DeviceKey, MeetingName, Wallet};
use chats_core::node::{JoinRefusal, ParticipantState};
use chats_core::time::Time;
use leptos::prelude::*;

/// Where the visitor stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Stage {
    /// Reading the configuration and what this browser keeps.
    Starting,
    /// The app cannot run here; the problem says why and what helps.
    Unusable(Problem),
    /// Another tab of this browser holds the device.
    OtherTab,
    /// Nobody is signed in.
    SignedOut,
    /// A wallet was chosen and is asked for its address.
    AskingAddress,
    /// The wallet is asked for the one signature.
    AskingSignature,
    /// The chain is asked about the wallet.
    Checking,
    /// The chain gave no answer; nothing is decided. Offers to try again.
    Undecided {
        /// In words for people.
        reason: String,
    },
    /// The contract does not let the wallet in.
    Refused {
        /// [`Role::Banned`] or [`Role::None`], which members read too while the community is paused.
        role: Role,
    },
    /// Let in.
    SignedIn,
}

/// Something that went wrong, in words for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What happened, one short sentence.
    pub title: String,
    /// Why, if known, and what to do now.
    pub help: String,
    /// Whether trying again may help; shown as a button "Try again".
    pub retry: bool,
}

/// What the chain (and until it answers, the configuration) says of the community.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CommunityView {
    /// Its number in the registry.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// One sentence about it, may be empty.
    pub about: String,
    /// Who is behind it.
    pub owner: Option<Wallet>,
    /// How many seats it has.
    pub members: u64,
    /// Whether its owner shuts members out for now.
    pub paused: bool,
    /// Where this was read.
    pub read: Option<Reading>,
}

/// Where something was read on chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The block.
    pub block: u64,
    /// How many endpoints agreed.
    pub sources: u8,
    /// Endpoints that could not be believed or reached, with the reason.
    pub problems: Vec<(String, String)>,
}

/// Who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The wallet.
    pub wallet: Wallet,
    /// The device of this browser.
    pub device: DeviceKey,
    /// The wallet's role, once the contract said it.
    pub role: Option<Role>,
}

/// How a relay stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayView {
    /// Its multiaddress.
    pub addr: String,
    /// Its state.
    pub state: RelayStatus,
}

/// A relay's state, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayStatus {
    /// Enough others serve us.
    Standby,
    /// Not yet.
    Connecting,
    /// Yes.
    Connected {
        /// Round trip in milliseconds, once measured.
        rtt_ms: Option<u32>,
    },
    /// No.
    Failed {
        /// Why.
        reason: String,
        /// It answers, but the clock here is ahead of its.
        clock_ahead: bool,
    },
}

/// A member who is online: one entry for each device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberView {
    /// The device.
    pub device: DeviceKey,
    /// Whose it is.
    pub wallet: Wallet,
    /// The wallet's role.
    pub role: Role,
    /// Whether it is this device.
    pub me: bool,
}

/// A wallet that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletChoice {
    /// To be named in [`crate::engine::Action::Connect`].
    pub id: String,
    /// As the wallet names itself.
    pub name: String,
    /// A `data:image/` URI, if the wallet gave one.
    pub icon: Option<String>,
}

/// How the microphone stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MicrophoneStatus {
    /// Not asked for.
    Off,
    /// The browser is asking the person.
    Asking,
    /// Open.
    Live,
    /// It cannot be had; one may listen all the same.
    Problem(Problem),
}

/// A microphone that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MicrophoneChoice {
    /// The browser's id for it.
    pub id: String,
    /// The browser's name for it.
    pub label: String,
}

/// Where we are with a meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MeetingStage {
    /// In no meeting; the lobby, if the route is a meeting's.
    Lobby,
    /// In this one.
    In(MeetingName),
    /// Could not join, or had to leave.
    Refused(JoinRefusal),
}

/// Somebody in a meeting. The parts that change are signals of their own, so that a row in a list
/// stays the row it is.
#[derive(Debug, Clone)]
pub struct Person {
    /// Their device.
    pub device: DeviceKey,
    /// Their wallet.
    pub wallet: Wallet,
    /// Whether it is this device.
    pub me: bool,
    /// Which meeting they are in.
    pub meeting: MeetingName,
    /// Since when, by their clock: with the device, this tells one stay from another.
    pub joined: Time,
    /// Whether we hear each other; always connected for ourselves.
    pub state: ArcRwSignal<ParticipantState>,
    /// Whether they muted themselves.
    pub muted: ArcRwSignal<bool>,
    /// If their hand is raised, how many in this meeting raised theirs before, and one.
    pub hand: ArcRwSignal<Option<usize>>,
    /// Whether the sound between us goes through a relay.
    pub relayed: ArcRwSignal<bool>,
    /// Whether they speak now.
    pub speaking: ArcRwSignal<bool>,
    /// How loud they are, 0 to 1, about 20 times a second.
    pub level: ArcRwSignal<f32>,
}

/// Something the person should know, shown as an alert until dismissed or solved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// To be named in [`crate::engine::Action::Dismiss`].
    pub id: u32,
    /// What it says.
    pub problem: Problem,
}

/// Everything the pages read.
#[derive(Debug, Clone, Copy)]
pub struct Model {
    /// Where the visitor stands.
    pub stage: RwSignal<Stage>,
    /// Where in the app we are.
    pub route: RwSignal<Route>,
    /// The community.
    pub community: RwSignal<CommunityView>,
    /// Who is signed in.
    pub account: RwSignal<Option<Account>>,
    /// The relays.
    pub relays: RwSignal<Vec<RelayView>>,
    /// Whether the browser says that it is online.
    pub online: RwSignal<bool>,
    /// Members who are online, this device first, then by wallet.
    pub members: RwSignal<Vec<MemberView>>,
    /// How many members we are connected to without a relay.
    pub links: RwSignal<usize>,
    /// Wallets to choose from.
    pub wallets: RwSignal<Vec<WalletChoice>>,
    /// A text that a test wallet asks to approve.
    pub approval: RwSignal<Option<String>>,
    /// The microphone.
    pub microphone: RwSignal<MicrophoneStatus>,
    /// Microphones to choose from.
    pub microphones: RwSignal<Vec<MicrophoneChoice>>,
    /// The chosen one's id; empty for the browser's default.
    pub microphone_id: RwSignal<String>,
    /// How loud the microphone is, 0 to 1.
    pub level: RwSignal<f32>,
    /// Where we are with a meeting.
    pub meeting: RwSignal<MeetingStage>,
    /// Everyone in any meeting, in the order of joining; ourselves too once we are in one.
    pub people: RwSignal<Vec<Person>>,
    /// Whether our own microphone is muted.
    pub muted: RwSignal<bool>,
    /// Whether our own hand is raised.
    pub hand: RwSignal<bool>,
    /// Whether the browser holds back sound until a click.
    pub sound_blocked: RwSignal<bool>,
    /// Rooms and messages, devices and what is kept.
    pub rooms: Rooms,
    /// What the person should know.
    pub notices: RwSignal<Vec<Notice>>,
    /// The diagnostics of `#/doctor`, as JSON.
    pub diagnostics: RwSignal<String>,
}

impl Model {
    /// Before anything is known.
    pub fn new() -> Self {
        Self {
            stage: RwSignal::new(Stage::Starting),
            route: RwSignal::new(Route::Home),
            community: RwSignal::default(),
            account: RwSignal::new(None),
            relays: RwSignal::default(),
            online: RwSignal::new(true),
            members: RwSignal::default(),
            links: RwSignal::default(),
            wallets: RwSignal::default(),
            approval: RwSignal::new(None),
            microphone: RwSignal::new(MicrophoneStatus::Off),
            microphones: RwSignal::default(),
            microphone_id: RwSignal::default(),
            level: RwSignal::new(0.0),
            meeting: RwSignal::new(MeetingStage::Lobby),
            people: RwSignal::default(),
            muted: RwSignal::new(false),
            hand: RwSignal::new(false),
            sound_blocked: RwSignal::new(false),
            rooms: Rooms::new(),
            notices: RwSignal::default(),
            diagnostics: RwSignal::default(),
        }
    }
}

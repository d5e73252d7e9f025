//! What there is to see, one module for each place.

mod account;
mod backup;
mod call;
mod connect;
mod doctor;
mod gate;
mod home;
mod lobby;
mod lost;
mod meeting;
mod members;
mod nav;
mod notices;
mod room;
mod room_form;
mod settings;
mod shell;
mod status;
mod welcome;

pub use connect::{Approval, Choosing, ConnectDialog};
pub use room::Drafts;
pub use shell::Shell;

use crate::engine::{Action, Actions};
use crate::model::{MeetingStage, Model, Person, Problem, Stage};
use crate::route::{RoomAddress, Route};
use crate::text;
use chats_core::access::Role;
use chats_core::epoch::RoomTag;
use chats_core::id::MeetingName;
use chats_web::page;
use leptos::prelude::*;

/// What fills the middle of the page. Coarser than [`Stage`] and [`Route`] together, so that a
/// screen stays while details change.
#[derive(Debug, Clone, PartialEq)]
pub enum Screen {
    Starting,
    Unusable(Problem),
    OtherTab,
    Welcome,
    Checking,
    Undecided(String),
    Refused(Role),
    Home,
    People,
    Room(RoomAddress),
    Meeting(MeetingName),
    Settings,
    Doctor,
    Lost,
}

impl Screen {
    /// Which it is.
    pub fn of(stage: &Stage, route: &Route) -> Self {
        match (stage, route) {
            (_, Route::Doctor) => Self::Doctor,
            (Stage::Starting, _) => Self::Starting,
            (Stage::Unusable(problem), _) => Self::Unusable(problem.clone()),
            (Stage::OtherTab, _) => Self::OtherTab,
            (_, Route::Unknown) => Self::Lost,
            (Stage::SignedOut | Stage::AskingAddress | Stage::AskingSignature, _) => Self::Welcome,
            (Stage::Checking, _) => Self::Checking,
            (Stage::Undecided { reason }, _) => Self::Undecided(reason.clone()),
            (Stage::Refused { role }, _) => Self::Refused(*role),
            (Stage::SignedIn, Route::Home) => Self::Home,
            (Stage::SignedIn, Route::People) => Self::People,
            (Stage::SignedIn, Route::Settings) => Self::Settings,
            (Stage::SignedIn, Route::Room(address)) => Self::Room(address.clone()),
            (Stage::SignedIn, Route::Meeting(name)) => Self::Meeting(name.clone()),
        }
    }

    /// What to call it in the window's title, beside the community's name.
    pub fn title(&self) -> Option<String> {
        match self {
            Self::Meeting(name) => Some(text::meeting_title(name)),
            Self::People => Some(text::rooms::PEOPLE.to_owned()),
            Self::Settings => Some(text::rooms::settings::TITLE.to_owned()),
            Self::Doctor => Some(text::DIAGNOSTICS.to_owned()),
            Self::Lost => Some(text::lost::TITLE.to_owned()),
            _ => None,
        }
    }
}

/// The model, as the app provides it.
fn model() -> Model {
    expect_context()
}

/// A way to ask the engine for something.
fn ask() -> Callback<Action> {
    let actions: Actions = expect_context();
    Callback::new(move |action| actions.send(action))
}

/// Where a room is found.
fn room_link(model: Model, tag: RoomTag) -> String {
    let community = model.community.with_untracked(|community| community.id);
    Route::Room(RoomAddress::Tag(tag)).fragment(community)
}

/// Goes to a room.
fn go_to_room(model: Model, tag: RoomTag) {
    page::set_hash(&room_link(model, tag));
}

/// Whether we may make rooms, and take away what others said.
fn moderates(model: Model) -> Memo<bool> {
    let role = move || model.account.with(|account| account.as_ref().and_then(|it| it.role));
    Memo::new(move |_| matches!(role(), Some(Role::Moderator | Role::Owner)))
}

/// The one meeting that every community has.
fn main_meeting() -> Option<MeetingName> {
    MeetingName::parse("main")
}

/// Where a meeting is found.
fn meeting_link(model: Model, name: &MeetingName) -> String {
    Route::Meeting(name.clone()).fragment(model.community.with(|community| community.id))
}

/// Whoever is in this meeting, in the order of joining.
fn people_in(model: Model, name: MeetingName) -> Signal<Vec<Person>> {
    Signal::derive(move || {
        model.people.with(|all| all.iter().filter(|it| it.meeting == name).cloned().collect())
    })
}

/// How many are in this meeting.
fn count_in(model: Model, name: MeetingName) -> Memo<usize> {
    Memo::new(move |_| model.people.with(|all| all.iter().filter(|it| it.meeting == name).count()))
}

/// The meeting we are in.
fn current_meeting(model: Model) -> Memo<Option<MeetingName>> {
    Memo::new(move |_| match model.meeting.get() {
        MeetingStage::In(name) => Some(name),
        MeetingStage::Lobby | MeetingStage::Refused(_) => None,
    })
}

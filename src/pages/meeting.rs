//! A meeting's place: lobby, meeting, or why neither.

use super::call::Call;
use super::lobby::Lobby;
use super::{ask, model};
use crate::engine::Action;
use crate::model::MeetingStage;
use crate::text::{self, meeting};
use crate::ui::{Button, Panel, changing};
use chats_core::id::MeetingName;
use chats_core::node::JoinRefusal;
use leptos::prelude::*;

/// Whatever this meeting needs now.
#[component]
pub fn Meeting(
    /// Which.
    name: MeetingName,
) -> impl IntoView {
    let model = model();
    let stage = Memo::new(move |_| model.meeting.get());
    changing(move || {
        let name = name.clone();
        match stage.get() {
            MeetingStage::In(current) if current == name => view! { <Call name=name /> }.into_any(),
            MeetingStage::In(_) | MeetingStage::Lobby => view! { <Lobby name=name /> }.into_any(),
            MeetingStage::Refused(why) => view! { <NotLetIn why=why /> }.into_any(),
        }
    })
}

/// Could not join, or had to leave.
#[component]
fn NotLetIn(
    /// Why.
    why: JoinRefusal,
) -> impl IntoView {
    let (model, ask) = (model(), ask());
    let (title, help) = match why {
        JoinRefusal::Full => (meeting::FULL, meeting::FULL_HELP),
        JoinRefusal::OtherDevice => (meeting::OTHER_DEVICE, meeting::OTHER_DEVICE_HELP),
    };
    let again = move |()| ask.run(Action::Join { muted: model.muted.get_untracked() });
    view! {
        <Panel icon="people" title=title help=help alert=true>
            <div class="actions">
                <Button
                    label=text::TRY_AGAIN
                    look="button-primary"
                    on_press=Callback::new(again)
                />
                <Button
                    label=meeting::GO_BACK
                    on_press=Callback::new(move |()| ask.run(Action::Leave))
                />
            </div>
        </Panel>
    }
}

//! What a room is to be called, and what newcomers may read in it.

use super::ask;
use crate::engine::Action;
use crate::text;
use crate::text::rooms::form;
use crate::ui::{Button, TextField, Typed};
use chats_core::content::MAX_NAME;
use chats_core::epoch::Policy;
use chats_core::rooms::{self, RoomView};
use leptos::{ev, prelude::*};

/// The longest topic, in characters; of most languages these are fewer bytes than are allowed.
const MAX_TOPIC: usize = 200;

/// The form, in a dialog that is open: of a new room, or of one that is there.
#[component]
pub fn RoomForm(
    /// Whether the dialog is open.
    open: RwSignal<bool>,
    /// The room that is there.
    #[prop(optional_no_strip)]
    room: Option<Signal<RoomView>>,
) -> impl IntoView {
    let ask = ask();
    let now = room.map(|room| room.get_untracked());
    let text = |text: Option<&String>| RwSignal::new(text.cloned().unwrap_or_default());
    let name = text(now.as_ref().and_then(|room| room.name.as_ref()));
    let topic = text(now.as_ref().and_then(|room| room.topic.as_ref()));
    let strict = now.as_ref().is_some_and(|room| room.policy == Policy::FromJoin);
    // Nobody opens again to newcomers what was promised to be closed to them.
    let fixed = strict;
    let strict = RwSignal::new(strict);
    let save = move |event: ev::SubmitEvent| {
        event.prevent_default();
        let called = name.get_untracked().trim().to_owned();
        let policy = if strict.get_untracked() { Policy::FromJoin } else { Policy::OpenHistory };
        if called.is_empty() {
            return;
        }
        open.set(false);
        let action = match &now {
            None => rooms::Action::CreateRoom { name: called, policy },
            Some(now) => {
                let topic = topic.get_untracked().trim().to_owned();
                rooms::Action::SetRoom {
                    room: now.tag,
                    name: Some(called).filter(|name| now.name.as_ref() != Some(name)),
                    topic: Some(topic).filter(|topic| now.topic.as_deref().unwrap_or("") != topic),
                    pin: None,
                    tighten: policy > now.policy,
                }
            }
        };
        ask.run(Action::Rooms(action));
    };
    let choice = move |value: bool, label: &'static str, help: Option<&'static str>| {
        view! {
            <label class="choice">
                <input
                    type="radio"
                    name="policy"
                    prop:checked=move || strict.get() == value
                    prop:disabled=fixed
                    on:change=Box::new(move |_| strict.set(value)) as Typed
                />
                <span>{label} {help.map(|help| view! { <small>{help}</small> }.into_any())}</span>
            </label>
        }
        .into_any()
    };
    let warning = room.is_some().then_some(form::FROM_JOIN_HELP);
    view! {
        <form class="room-form" on:submit=save>
            <TextField id=if room.is_some() { "room-name" } else { "new-room-name" } label=form::NAME value=name most=MAX_NAME />
            {room.map(|_| {
                let (label, most) = (form::TOPIC, MAX_TOPIC);
                view! { <TextField id="room-topic" label=label value=topic most=most /> }.into_any()
            })}
            <fieldset>
                <legend>{form::NEWCOMERS}</legend>
                {choice(false, form::EVERYTHING, Some(form::EVERYTHING_HELP))}
                {choice(true, form::FROM_JOIN, warning)}
            </fieldset>
            <div class="actions">
                <Button label=text::CANCEL on_press=Callback::new(move |()| open.set(false)) />
                <button type="submit" class="button button-primary">
                    {if room.is_some() { form::SAVE } else { form::MAKE }}
                </button>
            </div>
        </form>
    }
}

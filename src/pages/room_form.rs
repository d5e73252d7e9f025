//! What a room is to be called, and what newcomers may read in it.

use super::ask;
use crate::engine::Action;
use crate::text::rooms::form;
use crate::text::{self};
use crate::ui::{Button, TextField};
use chats_core::content::MAX_NAME;
use chats_core::epoch::Policy;
use chats_core::rooms::{self, RoomView};
use leptos::{ev, prelude::*};

/// The longest topic, in characters; of most languages these are fewer bytes than are allowed.
const MAX_TOPIC: usize = 200;

/// The form, in a dialog: of a new room, or of one that is there.
#[component]
pub fn RoomForm(
    /// Whether the dialog is open.
    open: RwSignal<bool>,
    /// The room that is there.
    #[prop(optional_no_strip)]
    room: Option<Signal<RoomView>>,
) -> impl IntoView {
    let ask = ask();
    let (name, topic) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let policy = RwSignal::new(Policy::OpenHistory);
    // Each time it opens it says how things are.
    Effect::new(move |_| {
        if open.get() {
            let now = room.map(|room| room.get_untracked());
            let text = |text: Option<&String>| text.cloned().unwrap_or_default();
            name.set(text(now.as_ref().and_then(|room| room.name.as_ref())));
            topic.set(text(now.as_ref().and_then(|room| room.topic.as_ref())));
            policy.set(now.map_or(Policy::OpenHistory, |room| room.policy));
        }
    });
    let save = move |event: ev::SubmitEvent| {
        event.prevent_default();
        let called = name.get_untracked().trim().to_owned();
        let policy = policy.get_untracked();
        if called.is_empty() {
            return;
        }
        open.set(false);
        let action = match room.map(|room| room.get_untracked()) {
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
    let fixed = move || room.is_some_and(|room| room.with(|it| it.policy == Policy::FromJoin));
    let choice = move |value: Policy, label: &'static str, help: Option<&'static str>| {
        view! {
            <label class="choice">
                <input
                    type="radio"
                    name="policy"
                    prop:checked=move || policy.get() == value
                    prop:disabled=fixed
                    on:change=Box::new(move |_| policy.set(value)) as crate::ui::Typed
                />
                <span>{label} {help.map(|help| view! { <small>{help}</small> })}</span>
            </label>
        }
    };
    let warning = room.is_some().then_some(form::FROM_JOIN_HELP);
    view! {
        <form class="room-form" on:submit=save>
            <TextField id=if room.is_some() { "room-name" } else { "new-room-name" } label=form::NAME value=name most=MAX_NAME />
            {room.is_some().then(|| view! { <TextField id="room-topic" label=form::TOPIC value=topic most=MAX_TOPIC /> })}
            <fieldset>
                <legend>{form::NEWCOMERS}</legend>
                {choice(Policy::OpenHistory, form::EVERYTHING, Some(form::EVERYTHING_HELP))}
                {choice(Policy::FromJoin, form::FROM_JOIN, warning)}
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

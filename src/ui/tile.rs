//! Somebody in a meeting.

use super::{Badge, Icon, Portrait, When, changing, percent, press};
use crate::model::Person;
use crate::text::{self, meeting};
use chats_core::access::Role;
use chats_core::node::ParticipantState;
use leptos::prelude::*;

/// One person: portrait, name, and how it goes with the sound.
#[component]
pub fn Tile(
    /// Who.
    person: Person,
    /// What they may do here, once known.
    #[prop(into)]
    role: Signal<Option<Role>>,
    /// Tries to reach them again.
    on_retry: Callback<()>,
) -> impl IntoView {
    let Person { device, wallet, me, state, muted, hand, relayed, speaking, level, .. } = person;
    let state = Memo::new(move |_| state.get());
    let muted = Memo::new(move |_| muted.get());
    let hand = Memo::new(move |_| hand.get());
    let speaking = Memo::new(move |_| speaking.get());
    let words = Memo::new(move |_| state_words(state.get(), relayed.get()));
    let short = wallet.short();
    let name = if me { text::shell::YOU.to_owned() } else { short.clone() };
    view! {
        <li
            class="tile"
            data-address=wallet.to_string()
            data-peer=device.to_string()
            data-state=move || state_name(state.get())
            data-muted=move || muted.get().to_string()
            data-speaking=move || speaking.get().to_string()
            data-hand=move || hand.get().is_some().to_string()
        >
            <div class="ring" style:--level=move || percent(level.get()).to_string()>
                <Portrait wallet=wallet />
                {changing(move || raised(hand.get()))}
                <When on=muted>
                    <span class="corner" title=meeting::MUTED>
                        <Icon name="mic-off" />
                        <span class="visually-hidden">{meeting::MUTED}</span>
                    </span>
                </When>
            </div>
            <p class="tile-name" title=wallet.to_string()>
                <span>{name}</span>
                {changing(move || role.get().map(|role| view! { <Badge role=role /> }).into_any())}
            </p>
            {changing(move || state_line(words.get()))}
            <When on=move || state.get() == ParticipantState::Failed>
                <button
                    type="button"
                    class="button button-small"
                    on:click=press(move || on_retry.run(()))
                >
                    {text::TRY_AGAIN}
                    <span class="visually-hidden">" "{meeting::retry_whom(&short)}</span>
                </button>
            </When>
        </li>
    }
}

/// The raised hand, with its place in the order.
fn raised(number: Option<usize>) -> AnyView {
    let hand = number.map(|number| {
        view! {
            <span class="corner corner-hand" title=meeting::hand(number)>
                <Icon name="hand" />
                <span aria-hidden="true">{number.to_string()}</span>
                <span class="visually-hidden">{meeting::hand(number)}</span>
            </span>
        }
        .into_any()
    });
    hand.into_any()
}

fn state_line(words: Option<&'static str>) -> AnyView {
    words.map(|words| view! { <p class="tile-state">{words}</p> }.into_any()).into_any()
}

/// The value of `data-state`.
const fn state_name(state: ParticipantState) -> &'static str {
    match state {
        ParticipantState::Elsewhere | ParticipantState::Connecting => "connecting",
        ParticipantState::Connected => "connected",
        ParticipantState::Reconnecting => "reconnecting",
        ParticipantState::Failed => "failed",
    }
}

/// Nothing while all is well.
const fn state_words(state: ParticipantState, relayed: bool) -> Option<&'static str> {
    match state {
        ParticipantState::Elsewhere | ParticipantState::Connecting => Some(meeting::CONNECTING),
        ParticipantState::Connected if relayed => Some(meeting::RELAYED),
        ParticipantState::Connected => None,
        ParticipantState::Reconnecting => Some(meeting::RECONNECTING),
        ParticipantState::Failed => Some(meeting::FAILED),
    }
}

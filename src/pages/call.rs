//! In a meeting.

use super::{ask, count_in, current_meeting, meeting_link, model, people_in};
use crate::engine::Action;
use crate::model::{MicrophoneStatus, Model, Person};
use crate::text::{self, meeting};
use crate::ui::{
    Banner, Button, CopyButton, Icon, Live, NoticeCard, Tile, When, changing, each, press, saying,
};
use chats_core::id::{DeviceKey, MeetingName};
use leptos::{ev, prelude::*};
use wasm_bindgen::JsCast;

/// The people, and the bar with what one can do.
#[component]
pub fn Call(
    /// Which meeting.
    name: MeetingName,
) -> impl IntoView {
    let (model, ask) = (model(), ask());
    let people = people_in(model, name.clone());
    say_what_happens(people);
    act_by_key(model, ask);
    let title = text::meeting_title(&name);
    let alone = Memo::new(move |_| people.with(|all| all.iter().all(|person| person.me)));
    let role = move |person: &Person| {
        let wallet = person.wallet;
        Signal::derive(move || {
            let member = |all: &Vec<crate::model::MemberView>| {
                all.iter().find(|member| member.wallet == wallet).map(|member| member.role)
            };
            model.members.with(member)
        })
    };
    let show = move |person: Person| {
        let (role, device) = (role(&person), person.device);
        let retry = Callback::new(move |()| ask.run(Action::RetryParticipant(device)));
        view! { <Tile person=person role=role on_retry=retry /> }
    };
    let link = Signal::derive(move || {
        // Tracks the route: the address changes with it.
        model.route.track();
        location().href().unwrap_or_default()
    });
    view! {
        <section class="call" aria-label=meeting::REGION>
            <h2>{title}</h2>
            <When on=model.sound_blocked>
                <Banner icon="sound" text=meeting::SOUND_BLOCKED>
                    <Button
                        label=meeting::TURN_ON_SOUND
                        look="button-primary"
                        on_press=Callback::new(move |()| ask.run(Action::TurnOnSound))
                    />
                </Banner>
            </When>
            <MicrophoneTrouble />
            <ul class="people" role="list" aria-label=meeting::PARTICIPANTS>
                {each(move || people.get(), |person| (person.device, person.joined), show)}
            </ul>
            <When on=alone>
                <div class="alone">
                    <h3>{meeting::FIRST}</h3>
                    <p class="quiet">{meeting::FIRST_HELP}</p>
                    <CopyButton value=link label=meeting::COPY_LINK />
                </div>
            </When>
            <div class="call-bar">
                <MuteButton />
                <HandButton />
                <span class="here">
                    <Icon name="people" />
                    <span>{saying(move || people.with(Vec::len).to_string())} <span>" "{meeting::HERE}</span></span>
                </span>
                <LeaveButton />
            </div>
        </section>
    }
}

/// The microphone failed during the meeting.
#[component]
fn MicrophoneTrouble() -> impl IntoView {
    let (model, ask) = (model(), ask());
    let again = Callback::new(move |()| {
        ask.run(Action::OpenMicrophone(model.microphone_id.get_untracked()));
    });
    let microphone = Memo::new(move |_| model.microphone.get());
    changing(move || match microphone.get() {
        MicrophoneStatus::Problem(problem) => {
            view! { <NoticeCard problem=problem on_retry=again /> }.into_any()
        }
        _ => ().into_any(),
    })
}

/// Mutes and unmutes.
#[component]
fn MuteButton() -> impl IntoView {
    let (model, ask) = (model(), ask());
    let muted = model.muted;
    let word = move || if muted.get() { meeting::UNMUTE } else { meeting::MUTE };
    view! {
        <button
            type="button"
            class="button button-bar"
            data-muted=move || muted.get().to_string()
            title=meeting::MUTE_KEY
            on:click=press(move || ask.run(Action::SetMuted(!muted.get_untracked())))
        >
            <Icon name=Signal::derive(move || if muted.get() { "mic-off" } else { "mic" }) />
            <span>
                {saying(word)} <span class="visually-hidden">" "{meeting::MUTE_WHAT}</span>
            </span>
        </button>
    }
}

/// Raises and lowers our hand.
#[component]
fn HandButton() -> impl IntoView {
    let (model, ask) = (model(), ask());
    let raised = model.hand;
    let word = move || if raised.get() { meeting::LOWER } else { meeting::RAISE };
    view! {
        <button
            type="button"
            class="button button-bar button-hand"
            data-raised=move || raised.get().to_string()
            title=meeting::HAND_KEY
            on:click=press(move || ask.run(Action::SetHand(!raised.get_untracked())))
        >
            <Icon name="hand" />
            <span>
                {saying(word)} <span class="visually-hidden">" "{meeting::HAND}</span>
            </span>
        </button>
    }
}

/// Leaves.
#[component]
fn LeaveButton() -> impl IntoView {
    let ask = ask();
    view! {
        <button
            type="button"
            class="button button-bar button-danger"
            on:click=press(move || ask.run(Action::Leave))
        >
            <Icon name="leave" />
            <span>
                {meeting::LEAVE} <span class="visually-hidden">" "{meeting::LEAVE_WHAT}</span>
            </span>
        </button>
    }
}

/// The way back to the meeting one is in, from anywhere else.
#[component]
pub fn CallStrip() -> impl IntoView {
    let model = model();
    let current = current_meeting(model);
    act_by_key(model, ask());
    changing(move || {
        let strip = current.get().map(|name| {
            let title = text::meeting_title(&name);
            let label = title.clone();
            let count = count_in(model, name.clone());
            view! {
                <aside class="call-bar call-strip" aria-label=label>
                    <a class="call-strip-link" href=meeting_link(model, &name)>
                        <span>{title}</span>
                        <span class="quiet">{saying(move || meeting::in_call(count.get()))}</span>
                    </a>
                    <MuteButton />
                    <LeaveButton />
                </aside>
            }
            .into_any()
        });
        strip.into_any()
    })
}

/// While in a meeting M mutes and unmutes, and H raises and lowers the hand, unless somebody is
/// typing.
fn act_by_key(model: Model, ask: Callback<Action>) {
    let current = current_meeting(model);
    let handle = window_event_listener(ev::keydown, move |event| {
        let plain = !(event.ctrl_key() || event.alt_key() || event.meta_key() || event.repeat());
        if !plain || in_field(&event) || current.get_untracked().is_none() {
            return;
        }
        let key = event.key();
        if key.eq_ignore_ascii_case("m") {
            ask.run(Action::SetMuted(!model.muted.get_untracked()));
        } else if key.eq_ignore_ascii_case("h") {
            ask.run(Action::SetHand(!model.hand.get_untracked()));
        }
    });
    on_cleanup(move || handle.remove());
}

/// Whether the key went to something one types or chooses in, or to a dialog.
fn in_field(event: &ev::KeyboardEvent) -> bool {
    let target = event.target().and_then(|it| it.dyn_into::<web_sys::Element>().ok());
    let selector = "input, textarea, select, [contenteditable], dialog";
    target.is_some_and(|it| it.closest(selector).is_ok_and(|found| found.is_some()))
}

/// Tells who cannot see the portraits who comes and goes, and whose hands rise.
fn say_what_happens(people: Signal<Vec<Person>>) {
    let Some(live) = use_context::<Live>() else { return };
    Effect::new(move |before: Option<Vec<(DeviceKey, String, bool)>>| {
        let now: Vec<_> = people.with(|all| {
            let others = all.iter().filter(|it| !it.me);
            others.map(|it| (it.device, it.wallet.short(), it.hand.get().is_some())).collect()
        });
        if let Some(before) = before {
            let mut words = Vec::new();
            for (device, who, raised) in &now {
                let was = before.iter().find(|(it, ..)| it == device).map(|(.., raised)| *raised);
                if was.is_none() {
                    words.push(meeting::joined(who));
                }
                match (was.unwrap_or(false), *raised) {
                    (false, true) => words.push(meeting::raised(who)),
                    (true, false) => words.push(meeting::lowered(who)),
                    _ => {}
                }
            }
            let gone = before.iter().filter(|(it, ..)| now.iter().all(|(here, ..)| here != it));
            words.extend(gone.map(|(_, who, _)| meeting::left(who)));
            if !words.is_empty() {
                live.say(words.join(". "));
            }
        }
        now
    });
}

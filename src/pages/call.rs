//! In a meeting.

use super::{ask, count_in, current_meeting, meeting_link, model, people_in};
use crate::engine::Action;
use crate::model::{MicrophoneStatus, Model, Person};
use crate::text::{self, meeting};
use crate::ui::{Banner, CopyButton, Icon, Live, NoticeCard, Tile};
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
    say_who_comes_and_goes(people);
    mute_by_key(model, ask);
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
    let link = Signal::derive(move || {
        // Tracks the route: the address changes with it.
        model.route.track();
        location().href().unwrap_or_default()
    });
    view! {
        <section class="call" aria-label=meeting::REGION>
            <h2>{title}</h2>
            <Show when=move || model.sound_blocked.get()>
                <Banner icon="sound" text=meeting::SOUND_BLOCKED>
                    <button
                        type="button"
                        class="button button-primary"
                        on:click=move |_| ask.run(Action::TurnOnSound)
                    >
                        {meeting::TURN_ON_SOUND}
                    </button>
                </Banner>
            </Show>
            <MicrophoneTrouble />
            <ul class="people" role="list" aria-label=meeting::PARTICIPANTS>
                <For each=move || people.get() key=|person| (person.device, person.joined) let:person>
                    {
                        let (role, device) = (role(&person), person.device);
                        let retry = Callback::new(move |()| ask.run(Action::RetryParticipant(device)));
                        view! { <Tile person=person role=role on_retry=retry /> }
                    }
                </For>
            </ul>
            <Show when=move || alone.get()>
                <div class="alone">
                    <h3>{meeting::FIRST}</h3>
                    <p class="quiet">{meeting::FIRST_HELP}</p>
                    <CopyButton value=link label=meeting::COPY_LINK />
                </div>
            </Show>
            <div class="call-bar">
                <MuteButton />
                <span class="here">
                    <Icon name="people" />
                    <span>{move || people.with(Vec::len)} <span>" "{meeting::HERE}</span></span>
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
    move || match microphone.get() {
        MicrophoneStatus::Problem(problem) => {
            Some(view! { <NoticeCard problem=problem on_retry=again /> })
        }
        _ => None,
    }
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
            on:click=move |_| ask.run(Action::SetMuted(!muted.get_untracked()))
        >
            <Icon name=Signal::derive(move || if muted.get() { "mic-off" } else { "mic" }) />
            <span>
                {word} <span class="visually-hidden">" "{meeting::MUTE_WHAT}</span>
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
            on:click=move |_| ask.run(Action::Leave)
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
    mute_by_key(model, ask());
    move || {
        current.get().map(|name| {
            let title = text::meeting_title(&name);
            let label = title.clone();
            let count = count_in(model, name.clone());
            view! {
                <aside class="call-bar call-strip" aria-label=label>
                    <a class="call-strip-link" href=meeting_link(model, &name)>
                        <span>{title}</span>
                        <span class="quiet">{move || meeting::in_call(count.get())}</span>
                    </a>
                    <MuteButton />
                    <LeaveButton />
                </aside>
            }
        })
    }
}

/// M mutes and unmutes while in a meeting, unless somebody is typing.
fn mute_by_key(model: Model, ask: Callback<Action>) {
    let current = current_meeting(model);
    let handle = window_event_listener(ev::keydown, move |event| {
        let plain = !(event.ctrl_key() || event.alt_key() || event.meta_key() || event.repeat());
        let is_m = event.key().eq_ignore_ascii_case("m");
        if plain && is_m && !in_field(&event) && current.get_untracked().is_some() {
            ask.run(Action::SetMuted(!model.muted.get_untracked()));
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

/// Tells who cannot see the portraits.
fn say_who_comes_and_goes(people: Signal<Vec<Person>>) {
    let Some(live) = use_context::<Live>() else { return };
    Effect::new(move |before: Option<Vec<(DeviceKey, String)>>| {
        let now: Vec<_> = people.with(|all| {
            all.iter().filter(|it| !it.me).map(|it| (it.device, it.wallet.short())).collect()
        });
        if let Some(before) = before {
            let came = now.iter().filter(|who| !before.contains(who));
            let went = before.iter().filter(|who| !now.contains(who));
            let words: Vec<_> = came
                .map(|(_, who)| meeting::joined(who))
                .chain(went.map(|(_, who)| meeting::left(who)))
                .collect();
            if !words.is_empty() {
                live.say(words.join(". "));
            }
        }
        now
    });
}

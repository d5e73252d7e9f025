//! Before a meeting: see that you will be heard, see who is there.

use super::{ask, model, people_in};
use crate::engine::Action;
use crate::model::{Account, MicrophoneStatus, Person};
use crate::text::{self, meeting};
use crate::ui::{
    LevelMeter, MicrophoneSelect, NoticeCard, Portrait, When, changing, each, percent, press,
    saying,
};
use chats_core::id::MeetingName;
use leptos::prelude::*;

/// The lobby of a meeting. Opens the microphone.
#[component]
pub fn Lobby(
    /// Which meeting.
    name: MeetingName,
) -> impl IntoView {
    let (model, ask) = (model(), ask());
    let microphone = Memo::new(move |_| model.microphone.get());
    let open = move || ask.run(Action::OpenMicrophone(model.microphone_id.get_untracked()));
    Effect::new(move |_| {
        if microphone.get() == MicrophoneStatus::Off {
            open();
        }
    });
    let problem = Memo::new(move |_| match microphone.get() {
        MicrophoneStatus::Problem(problem) => Some(problem),
        _ => None,
    });
    let mute = move || problem.with(Option::is_some);
    let hint = move || match microphone.get() {
        MicrophoneStatus::Problem(_) => meeting::JOIN_LISTEN,
        MicrophoneStatus::Asking => meeting::ASKING,
        MicrophoneStatus::Off | MicrophoneStatus::Live => meeting::LEVEL_HELP,
    };
    let title = text::meeting_title(&name);
    view! {
        <section class="lobby" aria-labelledby="lobby-title">
            <h2 id="lobby-title">{title}</h2>
            <There people=people_in(model, name) />
            <div class="card lobby-card">
                <div class="ring ring-large" style:--level=move || percent(model.level.get()).to_string()>
                    {changing(move || {
                        let face = |it: Account| view! { <Portrait wallet=it.wallet /> }.into_any();
                        model.account.get().map(face).into_any()
                    })}
                </div>
                {changing(move || {
                    let again = Callback::new(move |()| open());
                    let card = |it| view! { <NoticeCard problem=it on_retry=again /> }.into_any();
                    problem.get().map(card).into_any()
                })}
                <MicrophoneSelect
                    choices=model.microphones
                    chosen=model.microphone_id
                    on_choose=Callback::new(move |id| ask.run(Action::OpenMicrophone(id)))
                />
                <LevelMeter level=model.level />
                <p id="lobby-hint" class="quiet">
                    {saying(hint)}
                </p>
                <div class="lobby-actions">
                    <button
                        type="button"
                        class="button button-primary button-large"
                        aria-describedby="lobby-hint"
                        on:click=press(move || ask.run(Action::Join { muted: mute() }))
                    >
                        {meeting::JOIN}
                    </button>
                    <When on=move || !mute()>
                        <button
                            type="button"
                            class="button button-large"
                            on:click=press(move || ask.run(Action::Join { muted: true }))
                        >
                            {meeting::JOIN_MUTED}
                        </button>
                    </When>
                </div>
            </div>
        </section>
    }
}

/// Who is in the meeting already.
#[component]
fn There(
    /// Them.
    people: Signal<Vec<Person>>,
) -> impl IntoView {
    let nobody = Memo::new(move |_| people.with(Vec::is_empty));
    let somebody = Signal::derive(move || !nobody.get());
    let show = |person: Person| {
        view! {
            <li>
                <Portrait wallet=person.wallet />
                <span>{person.wallet.short()}</span>
            </li>
        }
    };
    view! {
        <div class="there">
            <When on=nobody>
                <p class="quiet">{meeting::NOBODY}</p>
            </When>
            <When on=somebody>
                <ul class="there-list" role="list" aria-label=meeting::ALREADY>
                    {each(move || people.get(), |person| (person.device, person.joined), show)}
                </ul>
            </When>
        </div>
    }
}

//! The front page of whoever is in.

use super::{current_meeting, main_meeting, meeting_link, model, people_in};
use crate::model::{Person, Reading};
use crate::text::{self, home};
use crate::ui::{Icon, Portrait, changing, each, saying};
use chats_core::id::MeetingName;
use leptos::prelude::*;

/// The most portraits shown in a row; the number beside them says the rest.
const SHOWN: usize = 7;

/// The meeting, and where all this was checked.
#[component]
pub fn Home() -> impl IntoView {
    let model = model();
    let about = move || {
        let about = model.community.with(|community| community.about.clone());
        if about.is_empty() {
            return ().into_any();
        }
        view! { <p class="about">{about}</p> }.into_any()
    };
    view! {
        {changing(about)}
        {main_meeting().map(|name| view! { <MeetingCard name=name /> })}
        <Checked />
    }
}

/// A meeting, who is in it, and the way there.
#[component]
fn MeetingCard(
    /// Which.
    name: MeetingName,
) -> impl IntoView {
    let model = model();
    let people = people_in(model, name.clone());
    let current = current_meeting(model);
    let (title, link) = (text::meeting_title(&name), name.clone());
    let inside = move || current.get().as_ref() == Some(&name);
    let shown = move || people.with(|all| all.iter().take(SHOWN).cloned().collect::<Vec<_>>());
    let show = |person: Person| view! { <Portrait wallet=person.wallet /> };
    let words = move || match people.with(Vec::len) {
        0 => home::EMPTY.to_owned(),
        n => home::here(n),
    };
    view! {
        <section class="card meeting-card">
            <span class="card-icon">
                <Icon name="meeting" />
            </span>
            <div class="meeting-card-words">
                <h2>{title}</h2>
                <p class="quiet">{saying(words)}</p>
            </div>
            <div class="faces" aria-hidden="true">
                {each(shown, |person| (person.device, person.joined), show)}
            </div>
            <a class="button button-primary" href=move || meeting_link(model, &link)>
                {saying(move || if inside() { home::RETURN } else { home::GO })}
            </a>
        </section>
    }
}

/// Where the community was read, how many agreed, and who could not be used.
#[component]
fn Checked() -> impl IntoView {
    let model = model();
    let words = move || {
        let (members, read) = model.community.with(|it| (it.members, it.read.clone()));
        let Some(Reading { block, sources, problems }) = read else {
            return view! { <p class="quiet">{home::NOT_READ}</p> }.into_any();
        };
        let trouble = (!problems.is_empty()).then(|| {
            let lines = problems.iter().map(|(endpoint, reason)| {
                view! {
                    <li>
                        <code>{endpoint.clone()}</code>
                        <span class="quiet">{reason.clone()}</span>
                    </li>
                }
                .into_any()
            });
            view! {
                <details>
                    <summary>{home::problems(problems.len())}</summary>
                    <ul role="list">{lines.collect_view()}</ul>
                </details>
            }
            .into_any()
        });
        view! {
            <p class="quiet">{home::read(members, block)} " " {home::agree(sources)}</p>
            {trouble}
        }
        .into_any()
    };
    view! {
        <section class="checked">
            <Icon name="shield" />
            <div>
                <h2>{home::CHECKED}</h2>
                {changing(words)}
            </div>
        </section>
    }
}

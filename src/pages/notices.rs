//! What the engine wants the person to know.

use super::{ask, model};
use crate::engine::Action;
use crate::ui::NoticeCard;
use leptos::prelude::*;

/// All open notices, oldest first.
#[component]
pub fn Notices() -> impl IntoView {
    let (model, ask) = (model(), ask());
    view! {
        <For each=move || model.notices.get() key=|notice| notice.id let:notice>
            <NoticeCard
                problem=notice.problem
                on_retry=Callback::new(move |()| ask.run(Action::Retry))
                on_dismiss=Callback::new(move |()| ask.run(Action::Dismiss(notice.id)))
            />
        </For>
    }
}

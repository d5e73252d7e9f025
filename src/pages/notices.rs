//! What the engine wants the person to know.

use super::{ask, model};
use crate::engine::Action;
use crate::model::Notice;
use crate::ui::{NoticeCard, each};
use leptos::prelude::*;

/// All open notices, oldest first.
#[component]
pub fn Notices() -> impl IntoView {
    let (model, ask) = (model(), ask());
    let show = move |notice: Notice| {
        view! {
            <NoticeCard
                problem=notice.problem
                on_retry=Callback::new(move |()| ask.run(Action::Retry))
                on_dismiss=Callback::new(move |()| ask.run(Action::Dismiss(notice.id)))
            />
        }
    };
    each(move || model.notices.get(), |notice| notice.id, show)
}

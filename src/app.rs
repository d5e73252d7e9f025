//! The page as a whole: which screen is shown, and the frame around it.

use crate::engine::Actions;
use crate::model::Model;
use crate::pages::{Approval, Choosing, ConnectDialog, Drafts, Screen, Shell};
use crate::text;
use crate::ui::{Live, LiveRegion, Now};
use leptos::prelude::*;

/// The app. Pages find the model and the actions in the context.
#[component]
pub fn App(model: Model, actions: Actions) -> impl IntoView {
    let live = Live::new();
    let choosing = Choosing::new(model);
    provide_context(model);
    provide_context(actions);
    provide_context(live);
    provide_context(choosing);
    provide_context(Drafts::new());
    provide_context(Now::start());
    let screen = Memo::new(move |_| Screen::of(&model.stage.get(), &model.route.get()));
    Effect::new(move |_| {
        let place = screen.with(Screen::title);
        let name = model.community.with(|community| community.name.clone());
        let app = if name.is_empty() { text::APP } else { &name };
        document().set_title(&place.map_or_else(|| app.to_owned(), |it| format!("{it} · {app}")));
    });
    view! {
        <Shell screen=screen />
        <ConnectDialog />
        <Approval />
        <LiveRegion live=live />
    }
}

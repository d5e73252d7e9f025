//! No such page.

use crate::text::lost;
use crate::ui::Panel;
use leptos::prelude::*;

/// Says so, and leads home.
#[component]
pub fn Lost() -> impl IntoView {
    view! {
        <Panel icon="home" title=lost::TITLE help=lost::HELP>
            <div class="actions">
                <a class="button button-primary" href="#/">
                    {lost::HOME}
                </a>
            </div>
        </Panel>
    }
}

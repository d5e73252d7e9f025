//! Where one can go.

use super::{count_in, current_meeting, main_meeting, meeting_link, model};
use crate::route::Route;
use crate::text::{self, meeting, shell};
use crate::ui::{Icon, When};
use leptos::prelude::*;

/// Home and the meetings: a column, a rail, or a bar at the bottom, as there is room.
#[component]
pub fn Rooms() -> impl IntoView {
    let model = model();
    let here = move |route: Route| (model.route.get() == route).then_some("page");
    let current = current_meeting(model);
    let meetings = main_meeting().map(|name| {
        let count = count_in(model, name.clone());
        let (link, route) = (name.clone(), Route::Meeting(name.clone()));
        let title = text::meeting_title(&name);
        let inside = Memo::new(move |_| current.get().as_ref() == Some(&name));
        view! {
            <li>
                <a
                    href=move || meeting_link(model, &link)
                    aria-current=move || here(route.clone())
                    data-joined=move || inside.get().to_string()
                >
                    <Icon name="meeting" />
                    <span class="nav-label">{title}</span>
                    <When on=move || { count.get() > 0 }>
                        <span class="count">
                            {move || count.get()}
                            <span class="visually-hidden">
                                {move || format!(" {}", meeting::in_it(count.get()))}
                            </span>
                        </span>
                    </When>
                </a>
            </li>
        }
    });
    view! {
        <nav class="rooms" aria-label=shell::ROOMS>
            <ul role="list">
                <li>
                    <a href="#/" aria-current=move || here(Route::Home)>
                        <Icon name="home" />
                        <span class="nav-label">{shell::HOME}</span>
                    </a>
                </li>
                {meetings}
            </ul>
        </nav>
    }
}

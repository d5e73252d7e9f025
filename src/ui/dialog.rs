//! Modal dialogs on the browser's own element.

use leptos::{ev, html, prelude::*};

/// A dialog that is open while `open` says so. Escape asks `on_cancel`; the dialog never closes
/// by itself.
#[component]
pub fn Dialog(
    /// An id of its own within the page.
    id: &'static str,
    /// Its title and accessible name.
    title: &'static str,
    /// Whether it is open.
    #[prop(into)]
    open: Signal<bool>,
    /// Asked for when the person wants it gone.
    on_cancel: Callback<()>,
    /// What it holds.
    children: Children,
) -> impl IntoView {
    let node = NodeRef::<html::Dialog>::new();
    Effect::new(move |_| {
        let Some(dialog) = node.get() else { return };
        match (open.get(), dialog.open()) {
            // It fails only while the element is not in the page, and then nobody is asked.
            (true, false) => drop(dialog.show_modal()),
            (false, true) => dialog.close(),
            _ => {}
        }
    });
    let cancel = move |event: ev::Event| {
        event.prevent_default();
        on_cancel.run(());
    };
    // Browsers close at the second Escape whatever the page says.
    let closed = move |_| {
        // It is told a moment later: the dialog may be gone by then.
        if open.try_get_untracked() == Some(true) {
            on_cancel.run(());
        }
    };
    let title_id = format!("{id}-title");
    let labelled_by = title_id.clone();
    view! {
        <dialog
            id=id
            class="dialog"
            aria-labelledby=labelled_by
            node_ref=node
            on:cancel=cancel
            on:close=closed
        >
            // Reading starts at the title; nothing is pressed by a stray Enter.
            <h2 id=title_id tabindex="-1" autofocus>
                {title}
            </h2>
            {children()}
        </dialog>
    }
}

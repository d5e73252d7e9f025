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
    // The browser tells of a closing a moment later, and whatever else happens comes first: the
    // dialog may be gone by then, or open again. So what was closed here is counted.
    let by_page = StoredValue::new(0_usize);
    Effect::new(move |_| {
        let Some(dialog) = node.get() else { return };
        match (open.get(), dialog.open()) {
            // It fails only while the element is not in the page, and then nobody is asked.
            (true, false) => drop(dialog.show_modal()),
            (false, true) => {
                by_page.update_value(|closings| *closings += 1);
                dialog.close();
            }
            _ => {}
        }
    });
    let cancel = move |event: ev::Event| {
        event.prevent_default();
        on_cancel.run(());
    };
    // Browsers close at the second Escape whatever the page says.
    let closed = move |_| match by_page.try_get_value() {
        Some(0) if open.try_get_untracked() == Some(true) => on_cancel.run(()),
        Some(1..) => by_page.update_value(|closings| *closings -= 1),
        _ => {}
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

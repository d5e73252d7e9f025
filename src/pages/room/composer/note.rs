//! What a command answers, for the one who typed it.

use crate::text;
use crate::ui::IconButton;
use leptos::prelude::*;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Note {
    pub(super) title: String,
    /// Terms, and what there is to say of them.
    pub(super) lines: Vec<(String, String)>,
    pub(super) text: String,
}

/// The answer, until it is put away.
pub(super) fn card(note: Note, shown: RwSignal<Option<Note>>) -> AnyView {
    let lines = note.lines.into_iter().map(|(term, said)| {
        view! {
            <div>
                <dt>{term}</dt>
                <dd>{said}</dd>
            </div>
        }
        .into_any()
    });
    view! {
        <div class="note" role="status">
            <div>
                <b>{note.title}</b>
                <dl>{lines.collect_view()}</dl>
                <p class="quiet">{note.text}</p>
            </div>
            <IconButton
                icon="close"
                label=text::DISMISS
                on_press=Callback::new(move |()| shown.set(None))
            />
        </div>
    }
    .into_any()
}

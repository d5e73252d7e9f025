//! What one may mean by what one has begun to type: a command, or somebody who is online.

use super::super::{Desk, commands, mentions};
use crate::text::rooms::compose;
use crate::ui::changing;
use chats_core::id::Wallet;
use leptos::{ev, prelude::*};

/// The most that are offered at a time.
const MAX: usize = 7;

/// Something that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Choice {
    what: What,
    label: String,
    help: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Command(&'static str),
    Person(Wallet),
}

/// What is offered, and which of it is marked.
#[derive(Clone, Copy)]
pub(super) struct Choices {
    desk: Desk,
    caret: RwSignal<usize>,
    marked: RwSignal<usize>,
    closed: RwSignal<bool>,
}

impl Choices {
    pub(super) fn of(desk: Desk, caret: RwSignal<usize>) -> Self {
        Self { desk, caret, marked: RwSignal::new(0), closed: RwSignal::new(false) }
    }

    fn all(self) -> Vec<Choice> {
        if self.closed.get() {
            return Vec::new();
        }
        self.desk.draft.text.with(|text| offered(self.desk, text, self.caret.get()))
    }

    /// Offers again, after something was typed.
    pub(super) fn reopen(self) {
        self.closed.set(false);
        self.marked.set(0);
    }

    /// The id of the one that is marked.
    pub(super) fn active_id(self) -> Option<String> {
        let any = !self.all().is_empty();
        any.then(|| ["choice-", &self.marked.get().to_string()].concat())
    }

    /// Whether the key was meant for the list.
    pub(super) fn key(self, event: &ev::KeyboardEvent) -> bool {
        let (all, marked) = untrack(|| (self.all(), self.marked.get()));
        let (count, Some(choice)) = (all.len(), all.get(marked)) else { return false };
        match event.key().as_str() {
            "ArrowDown" => self.marked.set((marked + 1) % count),
            "ArrowUp" => self.marked.set((marked + count - 1) % count),
            "Escape" => self.closed.set(true),
            "Enter" if self.complete(choice) || event.shift_key() => return false,
            "Enter" | "Tab" => self.take(choice.what),
            _ => return false,
        }
        event.prevent_default();
        true
    }

    /// Whether the command is typed in full already.
    fn complete(self, choice: &Choice) -> bool {
        let typed = |text: &String| match choice.what {
            What::Command(command) => text.strip_prefix('/') == Some(command),
            What::Person(_) => false,
        };
        self.desk.draft.text.with_untracked(typed)
    }

    fn take(self, what: What) {
        let draft = self.desk.draft;
        let text = draft.text.get_untracked();
        let caret = mentions::place(&text, self.caret.get_untracked());
        let (before, after) = match what {
            What::Command(command) => (["/", command, " "].concat(), String::new()),
            What::Person(wallet) => {
                let Some((at, _)) = mentions::begun(&text, caret) else { return };
                let name = self.desk.called(wallet);
                let mut call = String::new();
                draft.chosen.update_value(|all| call = mentions::called(all, wallet, &name));
                let (before, after) = (text.get(..at), text.get(caret..));
                ([before.unwrap_or(""), &call, " "].concat(), after.unwrap_or("").to_owned())
            }
        };
        let end = before.encode_utf16().count();
        draft.text.set([before, after].concat());
        self.caret.set(end);
        let end = u32::try_from(end).unwrap_or(u32::MAX);
        // The field has the new text by then.
        request_animation_frame(move || {
            if let Some(field) = self.desk.field.try_get_untracked().flatten() {
                // Fails for no text area.
                let _ = field.set_selection_range(end, end);
            }
        });
    }

    /// The list.
    pub(super) fn list(self) -> AnyView {
        let rows = move || {
            let row = |(at, choice): (usize, Choice)| {
                // Not at the click: the field would have lost the focus by then.
                let take = move |event: ev::PointerEvent| {
                    event.prevent_default();
                    self.take(choice.what);
                };
                view! {
                    <li
                        id=["choice-", &at.to_string()].concat()
                        role="option"
                        aria-selected=move || (self.marked.get() == at).to_string()
                        on:pointerdown=take
                    >
                        <b>{choice.label}</b>
                        " "
                        <span class="quiet">{choice.help}</span>
                    </li>
                }
                .into_any()
            };
            self.all().into_iter().enumerate().map(row).collect_view().into_any()
        };
        view! {
            <ul
                id="choices"
                class="choices"
                role="listbox"
                aria-label=compose::CHOICES
                hidden=move || self.all().is_empty()
            >
                {changing(rows)}
            </ul>
        }
        .into_any()
    }
}

fn offered(desk: Desk, text: &str, caret: usize) -> Vec<Choice> {
    let command = |(command, needs, help): &'static (&'static str, &'static str, &'static str)| {
        let label = ["/", command, " ", needs].concat();
        Choice { what: What::Command(command), label, help: (*help).to_owned() }
    };
    let commands: Vec<_> = commands::hints(text).map(command).collect();
    if !commands.is_empty() {
        return commands;
    }
    let caret = mentions::place(text, caret);
    let Some((_, name)) = mentions::begun(text, caret) else { return Vec::new() };
    let me = desk.me();
    let mut found: Vec<Choice> = Vec::new();
    desk.model.members.with(|members| {
        for wallet in members.iter().map(|member| member.wallet) {
            let what = What::Person(wallet);
            let (label, address) = (desk.called(wallet), wallet.to_string());
            let fits = [&label, &address].into_iter().any(|it| begins(it, name));
            let known = found.iter().any(|choice| choice.what == what);
            if fits && !known && me != Some(wallet) && found.len() < MAX {
                found.push(Choice { what, help: wallet.short(), label });
            }
        }
    });
    found
}

fn begins(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|it| it.eq_ignore_ascii_case(start))
}

//! What becomes of a text that is sent.

use super::note::Note;
use super::{About, Desk};
use crate::pages::go_to_room;
use crate::pages::room::commands::Wish;
use crate::pages::room::{mentions, name_of, room_title};
use crate::text::rooms::compose;
use crate::text::{self, shell, time};
use chats_core::content::{MAX_MENTIONS, Mentions};
use chats_core::control::RoomKind;
use chats_core::epoch::Policy;
use chats_core::id::Wallet;
use chats_core::rooms::Action;
use leptos::prelude::*;

/// The text as it is sent.
pub(super) fn ready(desk: Desk, text: &str) -> String {
    desk.draft.chosen.with_value(|chosen| mentions::expand(text.trim(), chosen))
}

/// Says something in a room, or says it better.
pub(in crate::pages::room) fn say(desk: Desk, markdown: String, about: Option<About>) {
    let room = desk.tag;
    let mentions = Mentions::new(mentions::named(&markdown)).unwrap_or_default();
    desk.ask(match about {
        Some(About::Edit(target)) => Action::Edit { room, target, markdown, mentions },
        Some(About::Reply(id)) => Action::Write { room, markdown, reply: Some(id), mentions },
        None => Action::Write { room, markdown, reply: None, mentions },
    });
}

/// Sends what is in the field, or does what it wants.
pub(super) fn send(desk: Desk, note: RwSignal<Option<Note>>) {
    let draft = desk.draft;
    draft.settle();
    let text = draft.text.with_untracked(|text| ready(desk, text));
    if text.is_empty() {
        return;
    }
    let about = draft.about.get_untracked();
    let tell = |title: String| note.set(Some(Note { title, ..Note::default() }));
    let wish = match about {
        Some(About::Edit(_)) => Wish::Say(&text),
        _ => Wish::read(&text),
    };
    match wish {
        Wish::Say(words) => {
            if Mentions::new(mentions::named(words)).is_none() {
                return tell(compose::too_many_mentions(MAX_MENTIONS));
            }
            say(desk, words.to_owned(), about);
            note.set(None);
            return draft.sent();
        }
        Wish::Help => note.set(Some(help())),
        Wish::Peers => note.set(Some(peers(desk))),
        Wish::Info => note.set(Some(info(desk))),
        Wish::Name(name) => {
            desk.ask(Action::SetName { room: desk.tag, name: name.to_owned() });
            note.set(None);
        }
        Wish::History => {
            desk.ask(Action::Older);
            note.set(None);
            let first = desk.model.rooms.shown.with_untracked(|it| it.messages.first().cloned());
            desk.sought.set(first.map(|row| row.id));
        }
        Wish::Message { who, text } => match find(desk, who) {
            None => return tell(compose::NOBODY.to_owned()),
            Some(wallet) if desk.me() == Some(wallet) => {
                return tell(compose::NOT_YOURSELF.to_owned());
            }
            Some(wallet) => {
                desk.drafts.post(wallet, text.to_owned());
                open_direct(desk, wallet);
            }
        },
        Wish::Impossible(why) => return tell(why),
    }
    draft.clear();
}

/// Who is meant: an address, a short one, or the name of somebody who is online.
fn find(desk: Desk, who: &str) -> Option<Wallet> {
    let who = who.trim_start_matches('@');
    if let Some(wallet) = Wallet::parse(who) {
        return Some(wallet);
    }
    let mut members = desk.model.members.get_untracked().into_iter().map(|member| member.wallet);
    desk.model.rooms.shown.with_untracked(|shown| {
        members.find(|wallet| {
            let name = name_of(shown, *wallet);
            wallet.short() == who || name.is_some_and(|name| name.eq_ignore_ascii_case(who))
        })
    })
}

/// Goes to the room of direct messages with somebody; makes it if there is none.
fn open_direct(desk: Desk, wallet: Wallet) {
    let known = desk.model.rooms.list.with_untracked(|rooms| {
        let with = |room: &&crate::model::Room| {
            room.view.with_untracked(|view| match view.kind {
                Some(RoomKind::Direct(one, other)) => one == wallet || other == wallet,
                _ => false,
            })
        };
        rooms.iter().flatten().find(with).map(|room| room.tag)
    });
    match known {
        Some(tag) => go_to_room(desk.model, tag),
        None => desk.ask(Action::Direct { wallet }),
    }
}

fn help() -> Note {
    let line = |(command, needs, help): &(&str, &str, &str)| {
        (["/", command, " ", needs].concat(), (*help).to_owned())
    };
    Note {
        title: compose::HELP.to_owned(),
        lines: compose::COMMANDS.iter().map(line).collect(),
        text: compose::HELP_MORE.to_owned(),
    }
}

fn peers(desk: Desk) -> Note {
    let mut lines: Vec<(String, String)> = Vec::new();
    for member in desk.model.members.get_untracked() {
        let line = (desk.called(member.wallet), member.wallet.to_string());
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    Note { title: shell::MEMBERS.to_owned(), lines, text: String::new() }
}

fn info(desk: Desk) -> Note {
    let view = desk.view.get_untracked();
    let policy = match view.policy {
        Policy::OpenHistory => compose::INFO_OPEN,
        Policy::FromJoin => compose::INFO_FROM_JOIN,
    };
    let last = view.last.map(|last| (compose::INFO_LAST.to_owned(), time::exact(last)));
    let address = (text::rooms::ADDRESS.to_owned(), view.tag.to_string());
    let topic = view.topic.clone().map(|topic| (text::rooms::form::TOPIC.to_owned(), topic));
    Note {
        title: room_title(&view, desk.me()),
        lines: topic.into_iter().chain(last).chain([address]).collect(),
        text: policy.to_owned(),
    }
}

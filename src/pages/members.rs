//! Who is online.

use super::{ask, model};
use crate::engine::Action;
use crate::model::MemberView;
use crate::text::{self, shell};
use crate::ui::{Badge, IconButton, Portrait, ShortAddress, When, each, saying};
use chats_core::access::Role;
use chats_core::id::Wallet;
use chats_core::rooms;
use leptos::prelude::*;

/// A wallet with all its devices.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Line {
    wallet: Wallet,
    role: Role,
    me: bool,
    devices: usize,
}

/// One line for each wallet, in the order given.
fn lines(members: &[MemberView]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for member in members {
        match lines.iter_mut().find(|line| line.wallet == member.wallet) {
            Some(line) => {
                line.devices += 1;
                line.me |= member.me;
            }
            None => lines.push(Line {
                wallet: member.wallet,
                role: member.role,
                me: member.me,
                devices: 1,
            }),
        }
    }
    lines
}

fn span(words: String) -> AnyView {
    view! { <span>{words}</span> }.into_any()
}

/// Everyone who is online; at the side, below the front page, or on a page of their own.
#[component]
pub fn Members() -> impl IntoView {
    let (model, ask) = (model(), ask());
    let lines = Memo::new(move |_| model.members.with(|members| lines(members)));
    let alone = Memo::new(move |_| lines.with(|lines| lines.iter().all(|line| line.me)));
    let show = move |line: Line| {
        let wallet = line.wallet;
        let write = (!line.me).then(|| {
            let direct = move |()| ask.run(Action::Rooms(rooms::Action::Direct { wallet }));
            view! {
                <IconButton
                    icon="message"
                    label=text::rooms::message(&wallet.short())
                    on_press=Callback::new(direct)
                />
            }
            .into_any()
        });
        view! {
            <li class="member">
                <Portrait wallet=wallet />
                <div data-address=wallet.to_string()>
                    <ShortAddress wallet=wallet />
                    <p>
                        {line.me.then(|| span(shell::YOU.to_owned()))}
                        <Badge role=line.role />
                        {(line.role == Role::Member)
                            .then(|| span(text::role(line.role).to_owned()))}
                        {(line.devices > 1)
                            .then(|| span(shell::devices(line.devices)))}
                    </p>
                </div>
                {write}
            </li>
        }
    };
    view! {
        <section class="members" aria-labelledby="members-title">
            <h2 id="members-title">
                {shell::MEMBERS} <span class="count" aria-hidden="true">
                    {saying(move || lines.with(Vec::len).to_string())}
                </span>
            </h2>
            <ul role="list" aria-label=shell::MEMBERS>
                {each(move || lines.get(), Clone::clone, show)}
            </ul>
            <When on=alone>
                <p class="quiet">{shell::ALONE}</p>
            </When>
        </section>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chats_core::id::DeviceKey;
    use wasm_bindgen_test::wasm_bindgen_test;

    #[wasm_bindgen_test]
    fn devices_of_one_wallet_share_a_line() {
        let member = |device: u8, wallet: u8, me| MemberView {
            device: DeviceKey([device; 32]),
            wallet: Wallet([wallet; 20]),
            role: Role::Member,
            me,
        };
        let lines = lines(&[member(1, 1, true), member(2, 2, false), member(3, 1, false)]);
        let seen: Vec<_> = lines.iter().map(|l| (l.wallet.0[0], l.me, l.devices)).collect();
        assert_eq!(seen, [(1, true, 2), (2, false, 1)]);
    }
}

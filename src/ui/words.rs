//! What people wrote, as elements: nothing of it is ever read as markup, and nothing is loaded.

use chats_core::id::Wallet;
use chats_core::markdown::{self, Block, Inline};
use leptos::{html, prelude::*};

/// The words of a message. `called` says what somebody who is mentioned is called.
pub fn words(markdown: &str, called: &dyn Fn(Wallet) -> String) -> AnyView {
    let blocks = markdown::parse(markdown).into_iter().map(|block| match block {
        Block::Paragraph(parts) => element("p", inlines(parts, called)),
        Block::Quote(parts) => element("blockquote", inlines(parts, called)),
        Block::List { ordered, items } => {
            let items = items.into_iter().map(|item| element("li", inlines(item, called)));
            element(if ordered { "ol" } else { "ul" }, items.collect())
        }
        Block::Code { language, text } => {
            let language = language.map(|language| element("b", vec![language.into_any()]));
            let code = element("code", vec![text.into_any()]);
            element("pre", language.into_iter().chain([code]).collect())
        }
    });
    blocks.collect::<Vec<_>>().into_any()
}

fn inlines(parts: Vec<Inline>, called: &dyn Fn(Wallet) -> String) -> Vec<AnyView> {
    let inline = |part| match part {
        Inline::Text(text) => text.into_any(),
        Inline::Code(text) => element("code", vec![text.into_any()]),
        Inline::Bold(parts) => element("strong", inlines(parts, called)),
        Inline::Italic(parts) => element("em", inlines(parts, called)),
        Inline::Struck(parts) => element("del", inlines(parts, called)),
        Inline::Link { url, words } => view! {
            <a class="link" href=url target="_blank" rel="noopener noreferrer">
                {inlines(words, called)}
            </a>
        }
        .into_any(),
        Inline::Mention(wallet) => {
            let name = ["@", &called(wallet)].concat();
            view! {
                <span class="mention" title=wallet.to_string()>
                    {name}
                </span>
            }
            .into_any()
        }
        Inline::Break => element("br", Vec::new()),
    };
    parts.into_iter().map(inline).collect()
}

/// An element by its name: those of Leptos have a type each, and code for each type.
fn element(name: &'static str, children: Vec<AnyView>) -> AnyView {
    html::custom(name).child(children).into_any()
}

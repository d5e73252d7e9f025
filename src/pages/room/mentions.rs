//! People who are named in what is written. While one writes they stand there by their names; what
//! is sent names their wallets.

use chats_core::id::Wallet;
use chats_core::markdown::{self, Block, Inline};

/// Those who were chosen, and how they are called in the text, with the `@`.
pub(super) type Chosen = Vec<(String, Wallet)>;

/// The name that is being typed before the place `caret`: where its `@` stands, and what follows.
pub(super) fn begun(text: &str, caret: usize) -> Option<(usize, &str)> {
    let before = text.get(..caret)?;
    let at = before.rfind('@')?;
    let name = before.get(at + 1..)?;
    let stands_alone = before.get(..at)?.chars().next_back().is_none_or(char::is_whitespace);
    (stands_alone && !name.contains(char::is_whitespace)).then_some((at, name))
}

/// The place in bytes of a place that the browser counts in UTF-16.
pub(super) fn place(text: &str, utf16: usize) -> usize {
    let mut units = 0;
    let past = text.char_indices().find(|(_, it)| {
        let here = units >= utf16;
        units += it.len_utf16();
        here
    });
    past.map_or(text.len(), |(at, _)| at)
}

/// How a wallet is to be called in a text: by its name, unless somebody else is already.
pub(super) fn called(chosen: &mut Chosen, wallet: Wallet, name: &str) -> String {
    let by_name = ["@", name].concat();
    let taken = chosen.iter().any(|(known, other)| *known == by_name && *other != wallet);
    let call = if taken { ["@", &wallet.to_string()].concat() } else { by_name };
    if !chosen.iter().any(|(known, _)| *known == call) {
        chosen.push((call.clone(), wallet));
    }
    call
}

/// The text with wallets in place of names.
pub(super) fn expand(text: &str, chosen: &Chosen) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('@') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let longest = chosen.iter().filter(|(call, _)| is_call(from, call));
        match longest.max_by_key(|(call, _)| call.len()) {
            Some((call, wallet)) => {
                out.push('@');
                out.push_str(&wallet.to_string());
                rest = from.get(call.len()..).unwrap_or_default();
            }
            None => {
                out.push('@');
                rest = from.get(1..).unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    out
}

fn is_call(text: &str, call: &str) -> bool {
    text.strip_prefix(call).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
}

/// The other way round, for a text that is to be changed.
pub(super) fn collapse(markdown: &str, name: &dyn Fn(Wallet) -> String) -> (String, Chosen) {
    let mut chosen = Chosen::new();
    let mut text = markdown.to_owned();
    for wallet in named(markdown) {
        let call = called(&mut chosen, wallet, &name(wallet));
        text = text.replace(&["@", &wallet.to_string()].concat(), &call);
    }
    (text, chosen)
}

/// The wallets that a text names.
pub(super) fn named(markdown: &str) -> Vec<Wallet> {
    let mut wallets = Vec::new();
    for block in markdown::parse(markdown) {
        match block {
            Block::Paragraph(parts) | Block::Quote(parts) => gather(&parts, &mut wallets),
            Block::List { items, .. } => items.iter().for_each(|it| gather(it, &mut wallets)),
            Block::Code { .. } => {}
        }
    }
    wallets
}

fn gather(parts: &[Inline], wallets: &mut Vec<Wallet>) {
    for part in parts {
        match part {
            Inline::Mention(wallet) => wallets.push(*wallet),
            Inline::Bold(parts) | Inline::Italic(parts) | Inline::Struck(parts) => {
                gather(parts, wallets);
            }
            Inline::Link { words, .. } => gather(words, wallets),
            Inline::Text(_) | Inline::Code(_) | Inline::Break => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    const ANN: Wallet = Wallet([1; 20]);
    const BEN: Wallet = Wallet([2; 20]);

    #[wasm_bindgen_test]
    fn a_name_is_begun_by_an_at_that_stands_alone() {
        assert_eq!(begun("hi @an", 6), Some((3, "an")));
        assert_eq!(begun("@", 1), Some((0, "")));
        assert_eq!(begun("hi @an", 4), Some((3, "")));
        assert_eq!(begun("me@an", 5), None);
        assert_eq!(begun("@an hi", 6), None);
        assert_eq!(begun("hi", 2), None);
    }

    #[wasm_bindgen_test]
    fn places_are_found_behind_letters_of_any_size() {
        let text = "a😂é@b";
        assert_eq!(place(text, 0), 0);
        assert_eq!(place(text, 3), 5);
        assert_eq!(place(text, 4), 7);
        assert_eq!(place(text, 99), text.len());
    }

    #[wasm_bindgen_test]
    fn what_is_sent_names_wallets_and_reads_as_names_again() {
        let mut chosen = Chosen::new();
        let (ann, ben) = (called(&mut chosen, ANN, "Ann"), called(&mut chosen, BEN, "Ann Lee"));
        let text = format!("{ann}, {ben}: hi @Anna and me@x");
        let sent = expand(&text, &chosen);
        assert_eq!(sent, format!("@{ANN}, @{BEN}: hi @Anna and me@x"));
        let name = |wallet| if wallet == ANN { "Ann".to_owned() } else { "Ann Lee".to_owned() };
        assert_eq!(collapse(&sent, &name), (text, chosen));
    }

    #[wasm_bindgen_test]
    fn two_of_one_name_are_told_apart() {
        let mut chosen = Chosen::new();
        assert_eq!(called(&mut chosen, ANN, "Sam"), "@Sam");
        assert_eq!(called(&mut chosen, BEN, "Sam"), format!("@{BEN}"));
        assert_eq!(called(&mut chosen, ANN, "Sam"), "@Sam");
        assert_eq!(expand(&format!("@Sam @{BEN}"), &chosen), format!("@{ANN} @{BEN}"));
    }

    #[wasm_bindgen_test]
    fn whoever_is_named_anywhere_in_a_text_is_found() {
        let text = format!("**@{ANN}**\n- @{BEN}\n```\n@{ANN}\n```\n`@{BEN}`");
        assert_eq!(named(&text), [ANN, BEN]);
    }
}

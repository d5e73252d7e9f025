use crate::{bytes, check, hex};
use chats_core::content::{
    Content, Edit, Mentions, Pin, Profile, Reaction, RoomState, Text, Tombstone,
};
use chats_core::epoch::Policy;
use chats_core::id::Wallet;
use chats_core::op::OpId;
use serde_json::{Value, json};

fn target() -> OpId {
    OpId(bytes("target"))
}

fn wallets() -> [Wallet; 2] {
    let mut wallets = [Wallet(bytes("Ada")), Wallet(bytes("Bob"))];
    wallets.sort_unstable();
    wallets
}

/// Content, and its fields for people.
fn contents() -> Vec<(Content, Value)> {
    let mentions = Mentions::new(wallets().to_vec()).expect("two are few");
    let text =
        |markdown: &str, reply, mentions| Text { markdown: markdown.to_owned(), reply, mentions };
    let target_hex = || hex(target().0);
    vec![
        (
            Content::Text(text("hello", None, Mentions::default())),
            json!({ "markdown": "hello", "reply": null, "mentions": [] }),
        ),
        (
            Content::Text(text("**hi** 👋", Some(target()), mentions)),
            json!({
                "markdown": "**hi** 👋",
                "reply": target_hex(),
                "mentions": wallets().map(|wallet| hex(wallet.0)),
            }),
        ),
        (
            Content::Edit(Edit {
                target: target(),
                markdown: "better".to_owned(),
                mentions: Mentions::default(),
            }),
            json!({ "target": target_hex(), "markdown": "better", "mentions": [] }),
        ),
        (
            Content::Reaction(Reaction { target: target(), emoji: "👍".to_owned(), set: true }),
            json!({ "target": target_hex(), "emoji": "👍", "set": true }),
        ),
        (Content::Tombstone(Tombstone { target: target() }), json!({ "target": target_hex() })),
        (
            Content::State(RoomState { name: Some("kitchen".to_owned()), ..RoomState::default() }),
            json!({ "name": "kitchen", "topic": null, "pin": null, "policy": null }),
        ),
        (
            Content::State(RoomState {
                name: None,
                topic: Some(String::new()),
                pin: Some(Pin { target: target(), set: false }),
                policy: Some(Policy::FromJoin),
            }),
            json!({ "name": null, "topic": "", "pin": [target_hex(), false], "policy": 1 }),
        ),
        (Content::Profile(Profile { name: "Ada".to_owned() }), json!({ "name": "Ada" })),
    ]
}

/// What must be refused, and why.
fn refused() -> Vec<(u16, &'static str, Vec<u8>)> {
    let text = |markdown: &str, mentions: &[Wallet]| {
        minicbor::to_vec((markdown, None::<OpId>, mentions)).expect("it can be written")
    };
    let [first, second] = wallets();
    let line = |line: &str| minicbor::to_vec([line]).expect("it can be written");
    vec![
        (1, "mentions not ascending", text("hi", &[second, first])),
        (1, "a mention twice", text("hi", &[first, first])),
        (1, "not UTF-8", b"\x83\x61\xff\xf6\x80".to_vec()),
        (1, "a field too many", b"\x84\x62hi\xf6\x80\xf6".to_vec()),
        (1, "bytes behind it", b"\x83\x62hi\xf6\x80\x00".to_vec()),
        (1, "a longer head than needed", b"\x83\x78\x02hi\xf6\x80".to_vec()),
        (1, "a list without a length", b"\x83\x62hi\xf6\x9f\xff".to_vec()),
        (4, "no target", b"\x80".to_vec()),
        (5, "nulls left out", b"\x81\x61a".to_vec()),
        (5, "a policy that is not known", b"\x84\xf6\xf6\xf6\x02".to_vec()),
        (6, "65 bytes of name", line(&"a".repeat(65))),
        (6, "a line break in a name", line("a\nb")),
    ]
}

#[test]
fn contents_and_what_is_refused() {
    let read = contents().into_iter().map(|(content, fields)| {
        let bytes = content.encode().expect("it may be written");
        let content_type = content.content_type();
        assert_eq!(Content::decode(content_type, &bytes), Ok(content));
        json!({ "content type": content_type, "fields": fields, "content": hex(bytes) })
    });
    let refused = refused().into_iter().map(|(content_type, why, bytes)| {
        assert!(Content::decode(content_type, &bytes).is_err(), "{why}");
        json!({ "content type": content_type, "why": why, "content": hex(bytes) })
    });
    let vectors = json!({
        "read": read.collect::<Vec<_>>(),
        "refused": refused.collect::<Vec<_>>(),
    });
    check("content", &vectors);
}

use super::*;
use crate::epoch::Policy;
use crate::id::Wallet;
use proptest::prelude::*;

const OP: OpId = OpId([7; 32]);

fn text(markdown: &str) -> Content {
    let mentions = Mentions::new(vec![Wallet([2; 20]), Wallet([1; 20])]).expect("two are few");
    Content::Text(Text { markdown: markdown.to_owned(), reply: Some(OP), mentions })
}

fn reaction(emoji: &str) -> Content {
    Content::Reaction(Reaction { target: OP, emoji: emoji.to_owned(), set: true })
}

fn state(name: Option<&str>, topic: Option<&str>) -> Content {
    let (name, topic) = (name.map(str::to_owned), topic.map(str::to_owned));
    Content::State(RoomState { name, topic, ..RoomState::default() })
}

fn profile(name: &str) -> Content {
    Content::Profile(Profile { name: name.to_owned() })
}

fn every_type() -> Vec<Content> {
    vec![
        text("**hi** 👋"),
        Content::Edit(Edit {
            target: OP,
            markdown: "ho".to_owned(),
            mentions: Mentions::default(),
        }),
        reaction("👍"),
        Content::Tombstone(Tombstone { target: OP }),
        Content::State(RoomState {
            name: Some("kitchen".to_owned()),
            topic: Some(String::new()),
            pin: Some(Pin { target: OP, set: false }),
            policy: Some(Policy::FromJoin),
        }),
        profile("Ada"),
        Content::Unknown { content_type: 900, bytes: vec![1, 2, 3] },
    ]
}

#[test]
fn every_type_reads_as_it_was_written() {
    for content in every_type() {
        let bytes = content.encode().expect("it may be written");
        assert_eq!(Content::decode(content.content_type(), &bytes), Ok(content));
    }
}

#[test]
fn every_truncation_of_a_known_type_is_refused() {
    for content in &every_type()[..6] {
        let bytes = content.encode().expect("it may be written");
        for length in 0..bytes.len() {
            let read = Content::decode(content.content_type(), &bytes[..length]);
            assert!(matches!(read, Err(ContentError::Wire(_))), "{content:?}: {length} bytes");
        }
    }
}

#[test]
fn nothing_may_stand_behind_content() {
    for content in &every_type()[..6] {
        let mut bytes = content.encode().expect("it may be written");
        bytes.push(0xf6);
        let read = Content::decode(content.content_type(), &bytes);
        assert!(matches!(read, Err(ContentError::Wire(_))), "{content:?}");
    }
}

#[test]
fn what_a_state_leaves_as_it_was_is_written_as_null() {
    assert_eq!(state(None, None).encode(), Ok(vec![0x84, 0xf6, 0xf6, 0xf6, 0xf6]));
    assert_eq!(Content::decode(5, &[0x84, 0xf6, 0xf6, 0xf6, 0xf6]), Ok(state(None, None)));
    assert!(Content::decode(5, &[0x80]).is_err());
}

#[test]
fn a_text_has_at_most_ten_thousand_characters() {
    let longest = text(&"é".repeat(10_000)).encode().expect("it may be written");
    assert!(Content::decode(1, &longest).is_ok());
    let refused =
        ContentError::TooLong { what: "text", unit: "characters", is: 10_001, most: 10_000 };
    assert_eq!(text(&"é".repeat(10_001)).encode(), Err(refused));
}

#[test]
fn the_longest_text_fits_into_an_op() {
    let wallets = (0..32).map(|number| Wallet([number; 20])).collect();
    let mentions = Mentions::new(wallets).expect("32 are allowed");
    let content =
        Content::Text(Text { markdown: "👋".repeat(10_000), reply: Some(OP), mentions });
    assert!(content.encode().expect("it may be written").len() < 60_000);
}

#[test]
fn a_text_that_is_too_long_is_refused_when_it_arrives() {
    let long = Text { markdown: "a".repeat(10_001), reply: None, mentions: Mentions::default() };
    let read = Content::decode(1, &wire::encode(&long));
    assert!(matches!(read, Err(ContentError::TooLong { is: 10_001, .. })));
    let long = Edit { target: OP, markdown: long.markdown, mentions: long.mentions };
    assert!(matches!(
        Content::decode(2, &wire::encode(&long)),
        Err(ContentError::TooLong { is: 10_001, .. })
    ));
}

#[test]
fn at_most_32_wallets_are_mentioned() {
    let wallets: Vec<Wallet> = (0..33).map(|number| Wallet([number; 20])).collect();
    assert_eq!(Mentions::new(wallets.clone()), None);
    let read = Content::decode(1, &wire::encode(&("hi", None::<OpId>, wallets)));
    assert!(matches!(read, Err(ContentError::Wire(WireError::Malformed { .. }))));
}

#[test]
fn names_topics_and_emoji_have_their_lengths() {
    let long = |what, is| {
        let most = is - 1;
        Err(ContentError::TooLong { what, unit: "bytes", is, most })
    };
    let a = |length| "a".repeat(length);
    assert!(profile(&a(64)).encode().is_ok());
    assert_eq!(profile(&a(65)).encode(), long("name", 65));
    assert!(state(Some(&a(64)), Some(&a(256))).encode().is_ok());
    assert_eq!(state(Some(&a(65)), None).encode(), long("name", 65));
    assert_eq!(state(None, Some(&a(257))).encode(), long("topic", 257));
    assert!(reaction(&a(32)).encode().is_ok());
    assert_eq!(reaction(&a(33)).encode(), long("emoji", 33));
    assert_eq!(reaction("").encode(), Err(ContentError::Empty("emoji")));
}

#[test]
fn names_topics_and_emoji_are_one_line() {
    assert_eq!(profile("a\nb").encode(), Err(ContentError::Control("name")));
    assert_eq!(state(None, Some("a\u{7f}")).encode(), Err(ContentError::Control("topic")));
    assert_eq!(reaction("\0").encode(), Err(ContentError::Control("emoji")));
    let name = Profile { name: "\r".to_owned() };
    assert_eq!(Content::decode(6, &wire::encode(&name)), Err(ContentError::Control("name")));
}

#[test]
fn types_to_come_are_kept_as_they_are() {
    for content_type in [0, 7, 8, 9, 10, u16::MAX] {
        let content = Content::decode(content_type, b"\xff anything").expect("it is kept");
        assert_eq!(content.content_type(), content_type);
        assert_eq!(content.encode().as_deref(), Ok(&b"\xff anything"[..]));
    }
}

#[test]
fn what_changes_an_op_names_it() {
    let named = every_type().iter().map(|content| content.target().is_some()).collect::<Vec<_>>();
    assert_eq!(named, [false, true, true, true, false, false, false]);
}

proptest! {
    #[test]
    fn whatever_is_read_is_written_as_it_came(
        content_type in 0..8_u16,
        bytes in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        if let Ok(content) = Content::decode(content_type, &bytes) {
            prop_assert_eq!(content.encode(), Ok(bytes));
        }
    }

    #[test]
    fn texts_read_as_they_were_written(
        markdown in ".{0,200}",
        reply in proptest::option::of(any::<[u8; 32]>()),
        wallets in proptest::collection::vec(any::<[u8; 20]>(), 0..32),
    ) {
        let mentions = wallets.into_iter().map(Wallet).collect();
        let mentions = Mentions::new(mentions).expect("at most 32");
        let content = Content::Text(Text { markdown, reply: reply.map(OpId), mentions });
        let bytes = content.encode().expect("it may be written");
        prop_assert_eq!(Content::decode(1, &bytes), Ok(content));
    }
}

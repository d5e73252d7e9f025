use super::*;
use proptest::prelude::*;

const WALLET: &str = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC";

fn text(words: &str) -> Inline {
    Inline::Text(words.to_owned())
}

fn link(url: &str, words: &str) -> Inline {
    Inline::Link { url: url.to_owned(), words: vec![text(words)] }
}

fn line(words: &str) -> Vec<Inline> {
    match parse(words).as_slice() {
        [Block::Paragraph(parts)] => parts.clone(),
        other => panic!("{words:?} reads as {other:?}"),
    }
}

#[test]
fn emphasis_is_read() {
    assert_eq!(
        line("**b** *i* _i_ ~~s~~ `c`"),
        [
            Inline::Bold(vec![text("b")]),
            text(" "),
            Inline::Italic(vec![text("i")]),
            text(" "),
            Inline::Italic(vec![text("i")]),
            text(" "),
            Inline::Struck(vec![text("s")]),
            text(" "),
            Inline::Code("c".to_owned()),
        ]
    );
}

#[test]
fn emphasis_lies_in_emphasis() {
    let inner = Inline::Italic(vec![text("i")]);
    assert_eq!(line("**b *i***"), [Inline::Bold(vec![text("b "), inner.clone()])]);
    assert_eq!(line("**b _i_ b**"), [Inline::Bold(vec![text("b "), inner, text(" b")])]);
}

#[test]
fn marks_without_a_partner_are_text() {
    for words in ["2 * 3 * 4", "a*", "**", "_", "snake_case_name", "`", "~~ a ~~", "[a](b)", "* *"]
    {
        let shown: String = plain(words, 100);
        assert_eq!(shown.replace("* ", "").trim(), words.replace("* ", "").trim(), "{words}");
    }
    assert_eq!(line("snake_case_name"), [text("snake_case_name")]);
}

#[test]
fn code_is_taken_as_it_stands() {
    assert_eq!(line("`**a**`"), [Inline::Code("**a**".to_owned())]);
    assert_eq!(
        parse("```rust\nlet a = *b;\n\n**x**\n```\nafter"),
        [
            Block::Code {
                language: Some("rust".to_owned()),
                text: "let a = *b;\n\n**x**".to_owned(),
            },
            Block::Paragraph(vec![text("after")]),
        ]
    );
}

#[test]
fn code_without_an_end_goes_on_to_the_end() {
    assert_eq!(parse("```\na"), [Block::Code { language: None, text: "a".to_owned() }]);
}

#[test]
fn only_web_addresses_are_links() {
    assert_eq!(line("[words](https://a.example/b)"), [link("https://a.example/b", "words")]);
    let refused = ["javascript:alert(1)", "data:text/html,x", "//a.example", "https://", "/a"];
    for url in refused {
        let words = format!("[words]({url})");
        let is_link = |part: &Inline| matches!(part, Inline::Link { .. });
        assert!(!line(&words).iter().any(is_link), "{url}");
    }
}

#[test]
fn an_address_stands_for_itself_without_the_end_of_the_sentence() {
    let url = "https://a.example/b_(c)";
    assert_eq!(line(&format!("see {url}.")), [text("see "), link(url, url), text(".")]);
    assert_eq!(line(&format!("({url})")), [text("("), link(url, url), text(")")]);
}

#[test]
fn a_wallet_is_mentioned_only_with_a_right_checksum() {
    let wallet = Wallet::parse(WALLET).unwrap();
    assert_eq!(line(&format!("hi @{WALLET}!")), [text("hi "), Inline::Mention(wallet), text("!")]);
    let wrong = format!("@{}", WALLET.replace("BC", "Bc"));
    assert_eq!(line(&wrong), [text(&wrong)]);
    let longer = format!("@{WALLET}00");
    assert_eq!(line(&longer), [text(&longer)]);
}

#[test]
fn quotes_and_lists_are_read() {
    assert_eq!(
        parse("> a\n> b\nc"),
        [
            Block::Quote(vec![text("a"), Inline::Break, text("b")]),
            Block::Paragraph(vec![text("c")]),
        ]
    );
    assert_eq!(
        parse("- a\n- b\n1. c"),
        [
            Block::List { ordered: false, items: vec![vec![text("a")], vec![text("b")]] },
            Block::List { ordered: true, items: vec![vec![text("c")]] },
        ]
    );
}

#[test]
fn lines_of_a_paragraph_stay_lines() {
    assert_eq!(line("a\nb"), [text("a"), Inline::Break, text("b")]);
    assert_eq!(parse("a\n\nb").len(), 2);
}

#[test]
fn a_backslash_takes_the_meaning_from_a_mark() {
    assert_eq!(line(r"\*a\* \a"), [text(r"*a* \a")]);
}

#[test]
fn html_is_text() {
    let html = "<img src=x onerror=alert(1)>";
    assert_eq!(line(html), [text(html)]);
}

#[test]
fn what_lies_too_deep_is_text() {
    let deep = format!("{}a{}", "[*".repeat(50), "*](https://a.example)".repeat(50));
    fn depth(parts: &[Inline]) -> usize {
        let of = |part: &Inline| match part {
            Inline::Bold(inner)
            | Inline::Italic(inner)
            | Inline::Struck(inner)
            | Inline::Link { words: inner, .. } => 1 + depth(inner),
            _ => 0,
        };
        parts.iter().map(of).max().unwrap_or(0)
    }
    assert!(depth(&line(&deep)) <= usize::from(MAX_DEPTH));
}

#[test]
fn a_preview_is_one_line_and_short() {
    assert_eq!(plain("**Hello**\n\n- a\n- b\n```\nx\ny\n```", 100), "Hello a b  x y");
    assert_eq!(plain("abcdef", 4), "abc…");
}

proptest! {
    #[test]
    fn any_text_is_read(words in "[a\\*_~`\\[\\]\\(\\)\\\\>h:/@0x\n .-]{0,200}") {
        let _ = parse(&words);
    }

    #[test]
    fn words_without_marks_come_through_as_they_are(words in "[a-zA-Z0-9éß ,;]{1,100}") {
        let shown = plain(&words, 200);
        prop_assert_eq!(shown.trim(), words.trim());
    }
}

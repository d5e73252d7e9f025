//! Marks within a line.

use super::{Inline, MAX_DEPTH};
use crate::id::Wallet;

/// What a mark makes of what it holds.
type Make = fn(Vec<Inline>) -> Inline;

/// Marks that stand on both sides of what they mean, the longer ones first.
const PAIRS: [(&str, Make); 4] =
    [("**", Inline::Bold), ("~~", Inline::Struck), ("*", Inline::Italic), ("_", Inline::Italic)];
const SCHEMES: [&str; 2] = ["https://", "http://"];
/// `@0x` and 40 digits.
const MENTION: usize = 43;

/// Reads one line.
pub(super) fn parse(line: &str) -> Vec<Inline> {
    nested(line, MAX_DEPTH)
}

fn nested(line: &str, depth: u8) -> Vec<Inline> {
    let mut parts = Parts::default();
    let mut rest = line;
    let mut before = None;
    while let Some(first) = rest.chars().next() {
        let found = special(rest, before, depth, line);
        let (part, len) = match found {
            Some((part, len)) => (Some(part), len),
            None => (None, first.len_utf8()),
        };
        let (taken, after) = rest.split_at_checked(len).unwrap_or((rest, ""));
        match part {
            Some(part) => parts.push(part),
            None => parts.text(taken),
        }
        before = taken.chars().next_back();
        rest = after;
    }
    parts.end()
}

#[derive(Default)]
struct Parts {
    done: Vec<Inline>,
    text: String,
}

impl Parts {
    fn text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn push(&mut self, part: Inline) {
        match part {
            Inline::Text(text) => self.text.push_str(&text),
            part => {
                self.flush();
                self.done.push(part);
            }
        }
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            self.done.push(Inline::Text(std::mem::take(&mut self.text)));
        }
    }

    fn end(mut self) -> Vec<Inline> {
        self.flush();
        self.done
    }
}

/// What begins `rest` if that is not just text, and how many bytes of it that takes.
fn special(rest: &str, before: Option<char>, depth: u8, line: &str) -> Option<(Inline, usize)> {
    let in_word = before.is_some_and(char::is_alphanumeric);
    match rest.as_bytes().first()? {
        b'\\' => escaped(rest),
        b'`' => {
            let (code, _) = rest.strip_prefix('`')?.split_once('`')?;
            let part = (!code.is_empty()).then(|| Inline::Code(code.to_owned()))?;
            Some((part, code.len() + 2))
        }
        b'*' | b'~' | b'_' if depth > 0 => paired(rest, in_word, depth),
        b'[' if depth > 0 => link(rest, depth, line),
        b'h' if !in_word => bare_link(rest),
        b'@' if !in_word => {
            let wallet = Wallet::parse(rest.get(1..MENTION)?)?;
            let more = rest.get(MENTION..)?.starts_with(|c: char| c.is_ascii_alphanumeric());
            (!more).then_some((Inline::Mention(wallet), MENTION))
        }
        _ => None,
    }
}

/// A backslash takes its meaning from a mark that follows.
fn escaped(rest: &str) -> Option<(Inline, usize)> {
    let next = rest.chars().nth(1).filter(char::is_ascii_punctuation)?;
    Some((Inline::Text(next.to_string()), 2))
}

fn paired(rest: &str, in_word: bool, depth: u8) -> Option<(Inline, usize)> {
    let (mark, make) = PAIRS.iter().find(|(mark, _)| rest.starts_with(mark))?;
    // An underscore within a word is part of the word.
    if *mark == "_" && in_word {
        return None;
    }
    let inner = rest.strip_prefix(mark)?;
    if inner.starts_with([' ', '\t']) {
        return None;
    }
    let end = closing(inner, mark)?;
    let inside = inner.get(..end)?;
    Some((make(nested(inside, depth - 1)), end + 2 * mark.len()))
}

/// Where the closing mark stands.
fn closing(inner: &str, mark: &str) -> Option<usize> {
    inner.char_indices().map(|(at, _)| at).find(|at| {
        let inside = inner.get(..*at).unwrap_or_default();
        let Some(after) = inner.get(*at..).and_then(|rest| rest.strip_prefix(mark)) else {
            return false;
        };
        let ends = !inside.is_empty() && !inside.ends_with([' ', '\t', '\\']);
        // Of several marks in a row the last ones close what was opened first.
        let last = !mark.chars().next().is_some_and(|it| after.starts_with(it));
        let whole = mark.len() > 1 || !inside.ends_with(mark);
        ends && last && whole && (mark != "_" || !after.starts_with(char::is_alphanumeric))
    })
}

/// `[words](address)`.
fn link(rest: &str, depth: u8, line: &str) -> Option<(Inline, usize)> {
    // Looked for once from the end of the line, so that many brackets do not cost their square.
    let (last, _) = line.rsplit_once("](")?;
    if last.len() < line.len() - rest.len() {
        return None;
    }
    let (words, after) = rest.strip_prefix('[')?.split_once("](")?;
    let (url, _) = after.split_once(')')?;
    if words.is_empty() || words.contains('[') || !is_url(url) {
        return None;
    }
    let words_read = nested(words, depth - 1);
    let link = Inline::Link { url: url.to_owned(), words: without_links(words_read) };
    Some((link, words.len() + url.len() + 4))
}

/// Links do not lie in each other: the inner one's words stay.
fn without_links(parts: Vec<Inline>) -> Vec<Inline> {
    parts
        .into_iter()
        .flat_map(|part| match part {
            Inline::Link { words, .. } => words,
            part => vec![part],
        })
        .collect()
}

/// An address that stands for itself, without the full stop that ends a sentence.
fn bare_link(rest: &str) -> Option<(Inline, usize)> {
    let end = rest.find(|c: char| c.is_whitespace() || "<>\"`".contains(c)).unwrap_or(rest.len());
    let mut url = rest.get(..end)?;
    loop {
        let open = url.matches('(').count() >= url.matches(')').count();
        let shorter = match url.chars().next_back() {
            Some('.' | ',' | ';' | ':' | '!' | '?' | '\'' | '*' | '_' | '~') => true,
            Some(')') => !open,
            _ => false,
        };
        if !shorter {
            break;
        }
        url = url.get(..url.len() - 1)?;
    }
    let link = Inline::Link { url: url.to_owned(), words: vec![Inline::Text(url.to_owned())] };
    is_url(url).then_some((link, url.len()))
}

/// Whether it is an address that a page may link to.
fn is_url(url: &str) -> bool {
    let host = SCHEMES.iter().find_map(|scheme| url.strip_prefix(scheme));
    let plain = |c: char| !c.is_whitespace() && !c.is_control();
    host.is_some_and(|host| host.starts_with(|c: char| c.is_alphanumeric() || c == '['))
        && url.chars().all(plain)
        && url.len() <= 2048
}

//! What people write: a small and safe part of Markdown.
//!
//! Paragraphs, quotes, lists and fenced code; within them bold, italic, struck through, code,
//! links and mentions. There is no raw HTML and no image: whatever is not understood is text.

use crate::id::Wallet;

mod inline;

/// How deep emphasis, links and the like may lie in each other; what lies deeper is text.
const MAX_DEPTH: u8 = 6;

/// A part of a text that stands on lines of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// Running text.
    Paragraph(Vec<Inline>),
    /// Lines that began with `>`.
    Quote(Vec<Inline>),
    /// Lines that began with `-`, `*` or a number and a full stop.
    List {
        /// Whether they began with numbers.
        ordered: bool,
        /// One entry for each line.
        items: Vec<Vec<Inline>>,
    },
    /// What stood between two lines of three backquotes.
    Code {
        /// What the first of those lines names, at most 32 of `a-z`, `0-9`, `+`, `-` and `#`.
        language: Option<String>,
        /// The lines, without the last line break.
        text: String,
    },
}

/// A part of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inline {
    /// As it stands.
    Text(String),
    /// `` `code` ``.
    Code(String),
    /// `**bold**`.
    Bold(Vec<Inline>),
    /// `*italic*` or `_italic_`.
    Italic(Vec<Inline>),
    /// `~~struck through~~`.
    Struck(Vec<Inline>),
    /// `[words](https://…)`, or an address that stands for itself.
    Link {
        /// Begins with `https://` or `http://`; nothing else is a link.
        url: String,
        /// What is shown.
        words: Vec<Inline>,
    },
    /// `@0x…`: a wallet.
    Mention(Wallet),
    /// The end of a line within a paragraph.
    Break,
}

/// Reads a text.
#[must_use]
pub fn parse(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(language) = fence(line) {
            let mut code = Vec::new();
            for line in lines.by_ref().take_while(|line| line.trim() != "```") {
                code.push(line);
            }
            blocks.push(Block::Code { language, text: code.join("\n") });
        } else if let Some(first) = quoted(line) {
            let mut quote = vec![first];
            while let Some(next) = lines.peek().and_then(|line| quoted(line)) {
                quote.push(next);
                lines.next();
            }
            blocks.push(Block::Quote(inlines(&quote)));
        } else if let Some((ordered, first)) = item(line) {
            let mut items = vec![inline::parse(first)];
            while let Some((_, next)) =
                lines.peek().and_then(|line| item(line)).filter(|(kind, _)| *kind == ordered)
            {
                items.push(inline::parse(next));
                lines.next();
            }
            blocks.push(Block::List { ordered, items });
        } else if !line.trim().is_empty() {
            let mut paragraph = vec![line];
            while let Some(next) = lines.next_if(|line| continues(line)) {
                paragraph.push(next);
            }
            blocks.push(Block::Paragraph(inlines(&paragraph)));
        }
    }
    blocks
}

/// The text without its marks, in one line, at most `most` characters: for announcements and
/// previews.
#[must_use]
pub fn plain(text: &str, most: usize) -> String {
    let mut words = String::new();
    for block in parse(text) {
        match block {
            Block::Paragraph(parts) | Block::Quote(parts) => flatten(&parts, &mut words),
            Block::List { items, .. } => {
                for item in items {
                    flatten(&item, &mut words);
                    words.push(' ');
                }
            }
            Block::Code { text, .. } => words.push_str(&text.replace('\n', " ")),
        }
        words.push(' ');
    }
    let words = words.trim();
    if words.chars().count() <= most {
        return words.to_owned();
    }
    let mut cut: String = words.chars().take(most.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

fn flatten(parts: &[Inline], words: &mut String) {
    for part in parts {
        match part {
            Inline::Text(text) | Inline::Code(text) => words.push_str(text),
            Inline::Bold(parts) | Inline::Italic(parts) | Inline::Struck(parts) => {
                flatten(parts, words);
            }
            Inline::Link { words: parts, .. } => flatten(parts, words),
            Inline::Mention(wallet) => {
                words.push('@');
                words.push_str(&wallet.short());
            }
            Inline::Break => words.push(' '),
        }
    }
}

fn inlines(lines: &[&str]) -> Vec<Inline> {
    let mut parts = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        if index > 0 {
            parts.push(Inline::Break);
        }
        parts.extend(inline::parse(line.trim()));
    }
    parts
}

/// The language, if any, of a line that begins a block of code.
fn fence(line: &str) -> Option<Option<String>> {
    let language = line.trim().strip_prefix("```")?.trim();
    if language.contains('`') {
        return None;
    }
    let is_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-#".contains(&b);
    let fits = (1..=32).contains(&language.len()) && language.bytes().all(is_name);
    Some(fits.then(|| language.to_owned()))
}

fn quoted(line: &str) -> Option<&str> {
    line.trim_start().strip_prefix('>')
}

/// Whether a line is an entry of a list, with numbers or without, and what it says.
fn item(line: &str) -> Option<(bool, &str)> {
    let line = line.trim_start();
    if let Some(rest) = line.strip_prefix("- ").or_else(|| line.strip_prefix("* ")) {
        return Some((false, rest));
    }
    let (number, rest) = line.split_once(". ")?;
    let counts = (1..=3).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    counts.then_some((true, rest))
}

fn continues(line: &str) -> bool {
    let begins = fence(line).is_some() || quoted(line).is_some() || item(line).is_some();
    !begins && !line.trim().is_empty()
}

#[cfg(test)]
mod tests;

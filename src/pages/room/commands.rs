//! What begins with a slash.

use crate::text::rooms::compose;

/// What somebody wants who sends a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wish<'a> {
    /// To say it.
    Say(&'a str),
    /// To see what can be typed.
    Help,
    /// To see who is online.
    Peers,
    /// To be called so in this room; empty for nothing.
    Name(&'a str),
    /// To see older messages.
    History,
    /// To see what there is to know of the room.
    Info,
    /// To write to one person.
    Message {
        /// To whom, in whatever way.
        who: &'a str,
        /// What.
        text: &'a str,
    },
    /// Nothing that can be done: why.
    Impossible(String),
}

impl<'a> Wish<'a> {
    /// Reads it. `/me` is said as it stands: it is told from other words where it is shown.
    pub(super) fn read(text: &'a str) -> Self {
        let text = text.trim();
        let Some(rest) = text.strip_prefix('/') else { return Self::Say(text) };
        if rest.starts_with('/') {
            return Self::Say(rest);
        }
        let (command, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let rest = rest.trim();
        match command {
            "help" => Self::Help,
            "peers" => Self::Peers,
            "name" => Self::Name(rest),
            "history" => Self::History,
            "info" => Self::Info,
            "me" if !rest.is_empty() => Self::Say(text),
            "msg" => match rest.split_once(char::is_whitespace) {
                Some((who, text)) => Self::Message { who, text: text.trim() },
                None => Self::incomplete(command),
            },
            "me" => Self::incomplete(command),
            _ => Self::Impossible(compose::unknown(command)),
        }
    }

    fn incomplete(command: &str) -> Self {
        let needs = compose::COMMANDS.iter().find(|(known, ..)| *known == command);
        Self::Impossible(compose::usage(command, needs.map_or("", |(_, needs, _)| needs)))
    }
}

/// The commands that a text may become, as long as its first word is not complete.
pub(super) fn hints(
    text: &str,
) -> impl Iterator<Item = &'static (&'static str, &'static str, &'static str)> {
    let begun = text.strip_prefix('/').filter(|rest| !rest.contains(char::is_whitespace));
    let fits =
        move |(command, ..): &&(&str, &str, &str)| begun.is_some_and(|it| command.starts_with(it));
    compose::COMMANDS.iter().filter(fits)
}

/// What somebody says they do, if a message is of that kind.
pub(super) fn deed(markdown: &str) -> Option<&str> {
    markdown.strip_prefix("/me ").map(str::trim_start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    #[wasm_bindgen_test]
    fn commands_are_told_from_words() {
        assert_eq!(Wish::read(" hello /help "), Wish::Say("hello /help"));
        assert_eq!(Wish::read("//shrug"), Wish::Say("/shrug"));
        assert_eq!(Wish::read("/help"), Wish::Help);
        assert_eq!(Wish::read("/name  Ann Lee "), Wish::Name("Ann Lee"));
        assert_eq!(Wish::read("/name"), Wish::Name(""));
        assert_eq!(
            Wish::read("/msg 0xab  hi there"),
            Wish::Message { who: "0xab", text: "hi there" }
        );
        assert_eq!(Wish::read("/me waves"), Wish::Say("/me waves"));
        assert_eq!(deed("/me waves"), Some("waves"));
        assert_eq!(deed("me waves"), None);
    }

    #[wasm_bindgen_test]
    fn what_cannot_be_done_says_how_it_could() {
        for (typed, said) in [("/msg ann", "/msg WHO TEXT"), ("/me", "/me TEXT"), ("/foo", "/help")]
        {
            let Wish::Impossible(why) = Wish::read(typed) else { panic!("{typed} was read") };
            assert!(why.contains(said), "{why}");
        }
    }

    #[wasm_bindgen_test]
    fn commands_are_offered_until_their_name_is_complete() {
        let names = |text| hints(text).map(|(name, ..)| *name).collect::<Vec<_>>();
        assert_eq!(names("/").len(), compose::COMMANDS.len());
        assert_eq!(names("/m"), ["msg", "me"]);
        assert!(names("/me ").is_empty());
        assert!(names("hello").is_empty());
    }
}

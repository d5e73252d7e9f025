//! What an op says.
//!
//! Whether it counts depends on who says it; that is not judged here. Markdown is text here.

mod profile;
mod reaction;
mod state;
mod text;
mod tombstone;

pub use profile::Profile;
pub use reaction::Reaction;
pub use state::{Pin, RoomState};
pub use text::{Edit, MAX_CHARACTERS, MAX_MENTIONS, Mentions, Text};
pub use tombstone::Tombstone;

use crate::op::OpId;
use crate::wire::{self, WireError};

/// The longest name of a room or a person, in bytes.
pub const MAX_NAME: usize = 64;

/// The content of an op.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Something said.
    Text(Text),
    /// Something said before, said better.
    Edit(Edit),
    /// What somebody thinks of an op.
    Reaction(Reaction),
    /// An op is taken away.
    Tombstone(Tombstone),
    /// What the room is called and how it is used.
    State(RoomState),
    /// What the writer is called.
    Profile(Profile),
    /// Of a type that is not known here: kept, and passed on as it is.
    Unknown {
        /// Its type.
        content_type: u16,
        /// Its bytes.
        bytes: Vec<u8>,
    },
}

/// Why content was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContentError {
    /// Not the bytes of such content.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// Longer than may be.
    #[error("the {what} has {is} {unit}, at most {most} are allowed: make it shorter")]
    TooLong {
        /// What is.
        what: &'static str,
        /// Characters or bytes.
        unit: &'static str,
        /// How many it has.
        is: usize,
        /// How many it may have.
        most: usize,
    },
    /// Has line breaks or other characters that steer and do not show.
    #[error("the {0} has a line break or another character that does not show: leave it out")]
    Control(&'static str),
    /// Has nothing in it.
    #[error("the {0} is empty")]
    Empty(&'static str),
}

impl Content {
    /// Reads the content of an op whose header says that it is of this type.
    ///
    /// # Errors
    /// The first of the [`ContentError`]s that applies.
    pub fn decode(content_type: u16, bytes: &[u8]) -> Result<Self, ContentError> {
        let content = match content_type {
            1 => Self::Text(wire::decode("text", bytes)?),
            2 => Self::Edit(wire::decode("edit", bytes)?),
            3 => Self::Reaction(wire::decode("reaction", bytes)?),
            4 => Self::Tombstone(wire::decode("tombstone", bytes)?),
            5 => Self::State(wire::decode("room state", bytes)?),
            6 => Self::Profile(wire::decode("profile", bytes)?),
            _ => Self::Unknown { content_type, bytes: bytes.to_vec() },
        };
        content.check()?;
        Ok(content)
    }

    /// Writes it down, for an op of its [`Self::content_type`].
    ///
    /// # Errors
    /// The first of the [`ContentError`]s that applies: nobody would read it.
    pub fn encode(&self) -> Result<Vec<u8>, ContentError> {
        self.check()?;
        Ok(match self {
            Self::Text(content) => wire::encode(content),
            Self::Edit(content) => wire::encode(content),
            Self::Reaction(content) => wire::encode(content),
            Self::Tombstone(content) => wire::encode(content),
            Self::State(content) => wire::encode(content),
            Self::Profile(content) => wire::encode(content),
            Self::Unknown { bytes, .. } => bytes.clone(),
        })
    }

    /// Its type, for the header of its op.
    #[must_use]
    pub const fn content_type(&self) -> u16 {
        match self {
            Self::Text(_) => 1,
            Self::Edit(_) => 2,
            Self::Reaction(_) => 3,
            Self::Tombstone(_) => 4,
            Self::State(_) => 5,
            Self::Profile(_) => 6,
            Self::Unknown { content_type, .. } => *content_type,
        }
    }

    /// The op that it changes how others see, if it does.
    #[must_use]
    pub const fn target(&self) -> Option<OpId> {
        match self {
            Self::Edit(Edit { target, .. })
            | Self::Reaction(Reaction { target, .. })
            | Self::Tombstone(Tombstone { target }) => Some(*target),
            Self::Text(_) | Self::State(_) | Self::Profile(_) | Self::Unknown { .. } => None,
        }
    }

    fn check(&self) -> Result<(), ContentError> {
        match self {
            Self::Text(text) => text::check(&text.markdown),
            Self::Edit(edit) => text::check(&edit.markdown),
            Self::Reaction(reaction) => reaction.check(),
            Self::State(state) => state.check(),
            Self::Profile(profile) => check_line("name", &profile.name, MAX_NAME),
            Self::Tombstone(_) | Self::Unknown { .. } => Ok(()),
        }
    }
}

/// Checks a text that is shown in one line; `most` is in bytes.
fn check_line(what: &'static str, text: &str, most: usize) -> Result<(), ContentError> {
    if text.len() > most {
        return Err(ContentError::TooLong { what, unit: "bytes", is: text.len(), most });
    }
    if text.chars().any(char::is_control) {
        return Err(ContentError::Control(what));
    }
    Ok(())
}

#[cfg(test)]
mod tests;

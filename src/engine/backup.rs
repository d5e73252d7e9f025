//! Backups: a file that the browser saves, and one that is taken in.

use super::Engine;
use crate::text::rooms::backup as words;
use chats_core::rooms::Action;
use chats_web::page::Download;
use leptos::prelude::*;

/// What is under way, under the number of the action that asked for it.
pub(super) struct Backup {
    number: u64,
    /// What was written so far; nothing if a file is taken in.
    file: Option<Download>,
}

impl Backup {
    /// What becomes of an action, if it is about a backup.
    pub(super) fn of(number: u64, action: &Action) -> Option<Self> {
        match action {
            Action::Export { .. } => Some(Self { number, file: Some(Download::new()) }),
            Action::Import { .. } => Some(Self { number, file: None }),
            _ => None,
        }
    }
}

impl Engine {
    /// Something about a backup was asked for.
    pub(super) fn backup_begun(&mut self, backup: Backup) {
        let doing = if backup.file.is_some() { words::WRITING } else { words::READING };
        self.model.rooms.backup.set(doing);
        self.backup = Some(backup);
    }

    /// The next part of the file.
    pub(super) fn backup_part(&self, number: u64, part: &[u8]) {
        let backup = self.backup.as_ref().filter(|backup| backup.number == number);
        if let Some(file) = backup.and_then(|backup| backup.file.as_ref()) {
            file.push(part);
        }
    }

    /// It came to its end.
    pub(super) fn backup_done(&mut self, number: u64, refused: bool) {
        let Some(backup) = self.backup.take_if(|backup| backup.number == number) else { return };
        let said = match (refused, backup.file) {
            (true, _) => "",
            (false, Some(file)) => {
                file.save(words::FILE);
                words::WRITTEN
            }
            (false, None) => words::READ,
        };
        self.model.rooms.backup.set(said);
    }
}

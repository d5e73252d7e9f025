//! A store in a file, and what ends its writer.

mod conformance;
mod file;
mod kill;
mod space;

use chats_core::store::{StoreError, conformance::Place};
use chats_peer::store::Redb;
use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

/// Set in processes that a test starts to be ended: the file to write to.
const FILE: &str = "CHATS_TEST_STORE";

/// A file of its own.
struct InFolder(tempfile::TempDir);

impl InFolder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("community.redb")
    }
}

impl Place for InFolder {
    type Backend = Redb;

    async fn open(&self) -> Result<Redb, StoreError> {
        Redb::open(&self.file()).await
    }
}

/// The place that a process started by [`again`] is to write to; `None` in the test itself.
struct Given(PathBuf);

impl Given {
    fn place() -> Option<Self> {
        std::env::var_os(FILE).map(|file| Self(file.into()))
    }
}

impl Place for Given {
    type Backend = Redb;

    async fn open(&self) -> Result<Redb, StoreError> {
        Redb::open(&self.0).await
    }
}

/// This program, to run the test called `name` alone as a process that writes to this place.
fn again(name: &str, place: &InFolder) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", name, "--nocapture"]).env(FILE, place.file());
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

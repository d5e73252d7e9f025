//! What people should know, each thing once.

use crate::model::{Model, Notice, Problem};
use leptos::prelude::*;

/// The most notices shown at a time; the oldest goes first.
const MAX: usize = 4;

/// Notices by topic: a newer one about the same takes the older one's place.
pub(super) struct Notices {
    model: Model,
    next: u32,
    topics: Vec<(&'static str, u32)>,
}

impl Notices {
    pub(super) const fn new(model: Model) -> Self {
        Self { model, next: 0, topics: Vec::new() }
    }

    pub(super) fn raise(&mut self, topic: &'static str, problem: Problem) {
        let same = |notice: &Notice, id: u32| notice.id == id && notice.problem == problem;
        let shown = self.topics.iter().find(|(known, _)| *known == topic).map(|(_, id)| *id);
        if let Some(id) = shown
            && self.model.notices.with_untracked(|all| all.iter().any(|n| same(n, id)))
        {
            return;
        }
        self.solved(topic);
        self.next += 1;
        let id = self.next;
        self.topics.push((topic, id));
        self.model.notices.update(|notices| {
            notices.push(Notice { id, problem });
            let excess = notices.len().saturating_sub(MAX);
            notices.drain(..excess);
        });
    }

    /// Whether something is said about this topic.
    pub(super) fn open(&self, topic: &'static str) -> bool {
        self.topics.iter().any(|(known, _)| *known == topic)
    }

    pub(super) fn solved(&mut self, topic: &'static str) {
        let ids: Vec<_> = self.topics.extract_if(.., |(known, _)| *known == topic).collect();
        for (_, id) in ids {
            self.dismiss(id);
        }
    }

    pub(super) fn dismiss(&mut self, id: u32) {
        if self.model.notices.with_untracked(|all| all.iter().any(|notice| notice.id == id)) {
            self.model.notices.update(|all| all.retain(|notice| notice.id != id));
        }
        self.topics.retain(|(_, known)| *known != id);
    }

    pub(super) fn clear(&mut self) {
        self.topics.clear();
        self.model.notices.set(Vec::new());
    }
}

//! What `#/doctor` shows: how everything stands, as JSON, for whoever mends it.

use super::{Engine, Happening};
use crate::model::RelayStatus;
use crate::route::Route;
use chats_chain::Answer;
use chats_core::hello::Refusal;
use chats_core::rooms::Counts;
use chats_core::small::SmallMap;
use chats_net::network::Path;
use chats_web::page;
use chats_web::storage::{self, Usage};
use leptos::prelude::*;
use serde_json::{Value, json};

/// What is counted and remembered for it.
#[derive(Default)]
pub(super) struct Diagnostics {
    pub(super) storage: Option<Usage>,
    pub(super) ignored: u64,
    pub(super) rooms: Counts,
    pub(super) chain_error: Option<String>,
    chain: Option<Value>,
    problems: SmallMap<&'static str, Vec<(String, String)>>,
    refused: SmallMap<Refusal, u64>,
    refused_by: SmallMap<Refusal, u64>,
}

impl Diagnostics {
    /// Notes where the chain was last read, to answer which question. What was wrong with an
    /// endpoint stays noted until the same question is answered again.
    pub(super) fn read<T>(&mut self, question: &'static str, answer: &Answer<T>) {
        let problem = |(endpoint, problem): &(String, chats_chain::Problem)| {
            (endpoint.clone(), problem.to_string())
        };
        self.problems.insert(question, answer.problems.iter().map(problem).collect());
        self.chain_error = None;
        self.chain = Some(json!({
            "block": answer.block,
            "sources": answer.sources,
            "agree": answer.agree,
        }));
    }

    pub(super) fn refused(&mut self, refusal: Refusal) {
        *self.refused.entry(refusal).or_default() += 1;
    }

    pub(super) fn refused_by(&mut self, refusal: Refusal) {
        *self.refused_by.entry(refusal).or_default() += 1;
    }
}

impl Engine {
    pub(super) fn read_storage(&self) {
        let inbox = self.inbox.clone();
        wasm_bindgen_futures::spawn_local(async move {
            if let Some(usage) = storage::usage().await {
                inbox.put(Happening::Storage(usage));
            }
        });
    }

    /// Writes the diagnostics anew if they are being looked at.
    pub(super) fn diagnose(&self) {
        if self.model.route.get_untracked() != Route::Doctor {
            return;
        }
        let text = serde_json::to_string_pretty(&self.diagnostics()).unwrap_or_default();
        if self.model.diagnostics.with_untracked(|shown| *shown != text) {
            self.model.diagnostics.set(text);
        }
    }

    fn diagnostics(&self) -> Value {
        let relays = self.model.relays.get_untracked().into_iter().map(|relay| {
            let (state, rtt, reason) = match relay.state {
                RelayStatus::Standby => ("standby", None, None),
                RelayStatus::Connecting => ("connecting", None, None),
                RelayStatus::Connected { rtt_ms } => ("connected", rtt_ms, None),
                RelayStatus::Failed { reason, .. } => ("failed", None, Some(reason)),
            };
            json!({ "addr": relay.addr, "state": state, "rttMs": rtt, "reason": reason })
        });
        let peers = self.session.iter().flat_map(|session| session.peers());
        let peers = peers.map(|(device, wallet, path, rtt)| {
            let path = match path {
                Path::Circuit => "circuit",
                Path::Direct => "webrtc",
            };
            let wallet = wallet.map(|wallet| wallet.to_string());
            json!({ "peer": device.to_string(), "wallet": wallet, "path": path, "rttMs": rtt })
        });
        let hearing = self.session.iter().flat_map(|session| session.node().hearing());
        let hearing = hearing.map(|(device, heard)| {
            let heard: Vec<_> = heard.iter().map(ToString::to_string).collect();
            json!({ "peer": device.to_string(), "hears": heard })
        });
        let counts = |counts: &SmallMap<Refusal, u64>| -> Value {
            object(counts.iter().map(|(refusal, n)| (format!("{refusal:?}"), json!(n))))
        };
        let seen = &self.diagnostics;
        let mut chain = seen.chain.clone().unwrap_or_else(|| json!({}));
        if let (Some(chain), Some(ready)) = (chain.as_object_mut(), &self.ready) {
            chain.insert("id".to_owned(), json!(ready.config.community.registry.chain));
            chain.insert("error".to_owned(), json!(seen.chain_error));
            let mut problems = Vec::new();
            for problem in seen.problems.values().flatten() {
                if !problems.contains(&problem) {
                    problems.push(problem);
                }
            }
            chain.insert("problems".to_owned(), json!(problems));
        }
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "peer": self.session.as_ref().map(|session| session.device().to_string()),
            "wallet": self.session.as_ref().map(|session| session.wallet().to_string()),
            "relays": relays.collect::<Vec<_>>(),
            "peers": peers.collect::<Vec<_>>(),
            "hearing": hearing.collect::<Vec<_>>(),
            "chain": chain,
            "storage": seen.storage.map(|usage| json!({
                "persisted": usage.persisted, "usage": usage.bytes,
            })),
            "rooms": self.rooms_diagnosed(),
            "refused": counts(&seen.refused),
            "refusedBy": counts(&seen.refused_by),
            "ignored": seen.ignored,
            "timings": object(page::marks().into_iter().map(|(name, time)| (name, json!(time)))),
        })
    }
}

/// Entries as a JSON object. Inserted one by one: collecting would sort them first, by code of
/// its own for this one page.
pub(super) fn object(entries: impl Iterator<Item = (String, Value)>) -> Value {
    let mut object = serde_json::Map::new();
    entries.for_each(|(key, value)| {
        object.insert(key, value);
    });
    Value::Object(object)
}

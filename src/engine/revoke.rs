//! Signing a device out for good: the wallet's word, which the rooms then spread.

use super::{Action, Engine, Happening};
use crate::model::Problem;
use chats_core::control::Revoke;
use chats_core::id::{DeviceKey, Wallet};
use chats_core::rooms;
use chats_core::time::Time;
use chats_web::clock;
use chats_web::wallet::{BrowserWallet, WalletError};
use leptos::prelude::*;

impl Engine {
    /// Has the wallet of this id sign that `device` is signed out.
    pub(super) fn revoke(&mut self, device: DeviceKey, id: &str) {
        let Some(session) = &self.session else { return };
        let Some(wallet) = self.wallets.iter().find(|wallet| wallet.id() == id).cloned() else {
            return;
        };
        let (inbox, own) = (self.inbox.clone(), session.wallet());
        self.notices.solved("revoke");
        self.model.rooms.revoking.set(true);
        wasm_bindgen_futures::spawn_local(async move {
            inbox.put(Happening::Revoked(sign(&wallet, own, device).await.map(Box::new)));
        });
    }

    /// The wallet answered.
    pub(super) fn revoked(&mut self, result: Result<Box<Revoke>, Problem>) {
        self.model.rooms.revoking.set(false);
        match result {
            Ok(revoke) => self.act(Action::Rooms(rooms::Action::Revoke { revoke: *revoke })),
            Err(problem) => self.notices.raise("revoke", problem),
        }
    }
}

/// Asks the wallet for its word about a device of `own`.
async fn sign(wallet: &BrowserWallet, own: Wallet, device: DeviceKey) -> Result<Revoke, Problem> {
    let failed = |error: WalletError| not_signed(&error.to_string());
    let address = wallet.request_accounts().await.map_err(failed)?;
    if address != own {
        return Err(not_signed("this is another account than the one you signed in with"));
    }
    let time = Time::from_secs(clock::now().secs());
    let text = Revoke::text(own, device, time);
    let signature = wallet.personal_sign(&text, own).await.map_err(failed)?;
    let mut signature: [u8; 65] = signature
        .try_into()
        .map_err(|_| not_signed("smart accounts cannot sign devices out yet"))?;
    // Some wallets count from 0 where others count from 27.
    if let Some(last @ (0 | 1)) = signature.last_mut() {
        *last += 27;
    }
    let revoke = Revoke { wallet: own, device, time, signature };
    let signed = revoke.is_signed();
    signed.then_some(revoke).ok_or_else(|| not_signed("the signature is not this account's"))
}

fn not_signed(why: &str) -> Problem {
    Problem {
        title: "The device was not signed out.".to_owned(),
        help: format!("{}. Nothing has changed; try again whenever you are ready.", why),
        retry: false,
    }
}

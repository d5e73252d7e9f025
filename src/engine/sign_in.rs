//! Signing in: a wallet, one signature, a device; and signing out, which forgets it.

use super::{Engine, Happening, Inbox, startup};
use crate::model::{Problem, Stage, WalletChoice};
use chats_core::certificate::{self, DeviceCertificate, SignatureKind, Statement};
use chats_core::id::{DeviceSecret, Registry, Wallet};
use chats_core::wire;
use chats_web::storage::Storage;
use chats_web::wallet::test_wallet::{Approve, TestWallet};
use chats_web::wallet::{BrowserWallet, WalletError, WalletEvent};
use chats_web::{clock, page, random};
use futures::channel::oneshot;
use leptos::prelude::*;
use std::rc::Rc;

impl Engine {
    /// Offers these wallets, and the test wallets where the chain is a local one.
    pub(super) fn wallets_found(&mut self, found: Vec<BrowserWallet>) {
        let Some(ready) = &self.ready else { return };
        let mut wallets = found;
        if let Some(rpc) = ready.config.rpc.first() {
            let chain = ready.config.community.registry.chain;
            let approve = approval(self.inbox.clone());
            let test = TestWallet::all(chain, rpc, &approve);
            wallets.extend(test.into_iter().map(BrowserWallet::Test));
        }
        let choice = |wallet: &BrowserWallet| WalletChoice {
            id: wallet.id().to_owned(),
            name: wallet.name().to_owned(),
            icon: wallet.icon().map(str::to_owned),
        };
        self.model.wallets.set(wallets.iter().map(choice).collect());
        self.wallets = wallets;
    }

    pub(super) fn connect(&mut self, id: &str) {
        let Some(ready) = &self.ready else { return };
        let Some(wallet) = self.wallets.iter().find(|wallet| wallet.id() == id).cloned() else {
            return;
        };
        self.attempt += 1;
        let attempt = self.attempt;
        self.notices.solved("sign-in");
        self.model.stage.set(Stage::AskingAddress);
        let events = self.inbox.clone();
        self.wallet_events =
            wallet.on_event(move |event| events.put(Happening::Wallet(attempt, event)));
        let (inbox, storage) = (self.inbox.clone(), Rc::clone(&ready.storage));
        let registry = ready.config.community.registry;
        wasm_bindgen_futures::spawn_local(async move {
            let given = inbox.clone();
            let given = move |wallet| given.put(Happening::Address(attempt, wallet));
            let result = sign_in(&wallet, registry, &storage, given).await;
            inbox.put(Happening::SignedIn(attempt, result));
        });
    }

    pub(super) fn address_given(&mut self, attempt: u32, _wallet: Wallet) {
        if attempt == self.attempt {
            self.model.stage.set(Stage::AskingSignature);
        }
    }

    pub(super) fn wallet_said(&mut self, attempt: u32, event: WalletEvent) {
        let asking = matches!(
            self.model.stage.get_untracked(),
            Stage::AskingAddress | Stage::AskingSignature
        );
        if attempt != self.attempt || !asking {
            return;
        }
        let title = match event {
            // Wallets also report the account that they have just given.
            WalletEvent::AccountsChanged(_)
                if self.model.stage.get_untracked() == Stage::AskingAddress =>
            {
                return;
            }
            WalletEvent::AccountsChanged(_) => "The account was changed in the wallet.",
            WalletEvent::ChainChanged(_) => "The network was changed in the wallet.",
            WalletEvent::Disconnected => "The wallet lost its connection.",
        };
        self.cancel_connect();
        self.notices.raise(
            "sign-in",
            Problem {
                title: title.to_owned(),
                help: "Nothing was signed. Press “Connect wallet” to begin again.".to_owned(),
                retry: false,
            },
        );
    }

    pub(super) fn cancel_connect(&mut self) {
        self.attempt += 1;
        self.wallet_events = None;
        self.approval = None;
        self.model.approval.set(None);
        self.set_stage(Stage::SignedOut);
    }

    pub(super) fn signed_in(
        &mut self,
        attempt: u32,
        result: Result<(DeviceSecret, Box<DeviceCertificate>), Problem>,
    ) {
        if attempt != self.attempt {
            return;
        }
        self.wallet_events = None;
        self.model.approval.set(None);
        match result {
            Ok((secret, certificate)) => {
                self.keep(&certificate);
                self.begin_session(secret, certificate);
            }
            Err(problem) => {
                self.set_stage(Stage::SignedOut);
                self.notices.raise("sign-in", problem);
            }
        }
    }

    /// Keeps the certificate for the next visit. Not earlier: what was asked for in an attempt that
    /// was given up must not sign anybody in.
    fn keep(&self, certificate: &DeviceCertificate) {
        let Some(ready) = &self.ready else { return };
        let (inbox, storage) = (self.inbox.clone(), Rc::clone(&ready.storage));
        let (registry, bytes) = (certificate.statement.registry, wire::encode(certificate));
        wasm_bindgen_futures::spawn_local(async move {
            if let Err(error) = storage.save_certificate(&registry.to_string(), &bytes).await {
                inbox.put(Happening::NotKept(startup::storage_problem(&error)));
            }
        });
    }

    pub(super) fn sign_out(&mut self) {
        self.end_session();
        self.attempt += 1;
        self.notices.clear();
        let Some(ready) = &self.ready else { return };
        let (inbox, storage) = (self.inbox.clone(), Rc::clone(&ready.storage));
        let community = ready.config.community;
        wasm_bindgen_futures::spawn_local(async move {
            // The device first: what its rooms keep is sealed with a key that goes with it.
            let device = storage.forget_device().await;
            let rooms = chats_web::rooms::forget(&community).await;
            let result = match (device, rooms) {
                (Err(error), _) => Err(startup::storage_problem(&error)),
                (_, Err(error)) => Err(startup::storage_problem(&error)),
                _ => Ok(()),
            };
            inbox.put(Happening::SignedOut(result));
        });
    }

    pub(super) fn signed_out(&mut self, result: Result<(), Problem>) {
        self.set_stage(Stage::SignedOut);
        if let Err(problem) = result {
            self.notices.raise("sign-in", problem);
        }
    }
}

/// Puts a test wallet's question to the person.
fn approval(inbox: Inbox) -> Approve {
    Rc::new(move |text| {
        let inbox = inbox.clone();
        Box::pin(async move {
            let (answer, answered) = oneshot::channel();
            inbox.put(Happening::Approval(text, answer));
            // Nobody answers a question that was taken back.
            answered.await.unwrap_or(false)
        })
    })
}

/// Asks the wallet for its address and one signature for this browser's device.
async fn sign_in(
    wallet: &BrowserWallet,
    registry: Registry,
    storage: &Storage,
    given: impl Fn(Wallet),
) -> Result<(DeviceSecret, Box<DeviceCertificate>), Problem> {
    let refused = |error: WalletError| wallet_problem(wallet.name(), &error);
    let address = wallet.request_accounts().await.map_err(refused)?;
    let wallet_chain = wallet.chain_id().await.map_err(refused)?;
    given(address);
    let kept = |error| startup::storage_problem(&error);
    let secret = match storage.load_device().await.map_err(kept)? {
        Some(secret) => secret,
        None => storage.create_device().await.map_err(kept)?,
    };
    let issued = clock::now();
    let statement = Statement {
        version: certificate::VERSION,
        wallet: address,
        device: secret.device(),
        registry,
        domain: page::host(),
        wallet_chain,
        issued: issued.secs(),
        expires: (issued + certificate::DEFAULT_LIFE).secs(),
        nonce: random::bytes(),
    };
    let signature = wallet.personal_sign(&statement.text(), address).await.map_err(refused)?;
    let certificate = statement.certify(SignatureKind::Eip191, signature, &secret);
    let checked = certificate
        .check(secret.device(), registry, clock::now())
        .and_then(|()| certificate.check_wallet());
    checked.map_err(|_| Problem {
        title: "The signature is not that of the address the wallet gave.".to_owned(),
        help: "Smart accounts cannot sign in yet, and the account must not be changed on the way. \
               Choose an ordinary account and try again."
            .to_owned(),
        retry: false,
    })?;
    Ok((secret, Box::new(certificate)))
}

fn wallet_problem(name: &str, error: &WalletError) -> Problem {
    let (title, help) = match error {
        WalletError::Rejected => (
            "You rejected the request in the wallet.".to_owned(),
            "Nothing was signed. Press “Connect wallet” whenever you are ready.".to_owned(),
        ),
        error => (
            format!("{name} did not sign you in."),
            format!("In its words: {error}. Try again, or choose another wallet."),
        ),
    };
    Problem { title, help, retry: false }
}

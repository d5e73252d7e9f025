//! Many wallets with many devices: gives them seats, and writes down what the owner's device knows
//! of theirs, as a backup that a page can take in.

use crate::{
    history::{save, seats},
    identity::{Wallets, device, now, random},
    ledger::say,
    town::Town,
};
use alloy_primitives::{Address, Signature, eip191_hash_message};
use anyhow::Result;
use chats_core::{
    access::Role,
    certificate::{DeviceCertificate, SignatureKind},
    config::Config,
    id::{DeviceSecret, Wallet},
    time::{Duration, Time},
};
use clap::Args;
use k256::ecdsa::SigningKey;
use serde_json::json;
use std::path::PathBuf;

/// The most seats that one transaction gives.
const AT_ONCE: usize = 100;
/// How long ago all of them came.
const AGO: Duration = Duration::from_secs(3600);

#[derive(Args)]
pub(crate) struct Plan {
    /// How many wallets.
    #[arg(long)]
    wallets: usize,
    /// How many devices each of them has; 8 at most get keys.
    #[arg(long)]
    devices: usize,
    /// The file.
    #[arg(long)]
    file: PathBuf,
    /// What seals it.
    #[arg(long)]
    passphrase: String,
}

/// A wallet whose key is known here.
struct Key(SigningKey);

impl Key {
    fn new() -> Result<Self> {
        Ok(Self(SigningKey::from_slice(&random::<32>()?)?))
    }

    fn wallet(&self) -> Wallet {
        Address::from_public_key(self.0.verifying_key()).into()
    }

    /// An honest certificate of one of its devices.
    fn certificate(
        &self,
        wallets: &Wallets,
        secret: &DeviceSecret,
        issued: Time,
    ) -> Result<DeviceCertificate> {
        let statement = wallets.statement_of(self.wallet(), secret.device(), issued)?;
        let hash = eip191_hash_message(statement.text());
        let (signature, parity) = self.0.sign_prehash_recoverable(hash.as_slice())?;
        let signature = Signature::from_signature_and_parity(signature, parity.is_y_odd());
        Ok(statement.certify(SignatureKind::Eip191, signature.as_bytes().to_vec(), secret))
    }
}

pub(crate) async fn run(config: &Config, wallets: &Wallets, plan: &Plan) -> Result<()> {
    let keys = (0..plan.wallets).map(|_| Key::new()).collect::<Result<Vec<_>>>()?;
    let all: Vec<_> = keys.iter().map(Key::wallet).collect();
    for some in all.chunks(AT_ONCE) {
        let call = chats_chain::calls::set_roles(config.community.id, some, Role::Member);
        wallets.transact(wallets.get(0)?, config.community.registry.contract, &call)?;
    }
    let begin = Time(now().0 - u64::try_from(AGO.as_millis())?);
    let mut town = Town::new(config.community, seats(config).await?, begin);
    town.syncs = false;
    let (owner, secret) = (wallets.get(0)?, device()?);
    let certificate = wallets.certificate_of(owner, &secret, begin)?;
    let seeds = || Ok::<_, anyhow::Error>([random()?, random()?, random()?]);
    town.join(secret, certificate, seeds()?)?;
    for key in keys.iter().flat_map(|key| std::iter::repeat_n(key, plan.devices)) {
        let secret = device()?;
        let certificate = key.certificate(wallets, &secret, town.now)?;
        // Who is here says of itself what keys are to be sealed with, and may go.
        town.join(secret, certificate, seeds()?)?;
        town.leave();
        town.now = town.now + Duration::from_millis(100);
    }
    let bytes = save(&mut town, 0, &plan.passphrase, &plan.file)?;
    say(json!({ "event": "written", "devices": plan.wallets * plan.devices, "bytes": bytes }));
    Ok(())
}

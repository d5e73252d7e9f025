//! Who the probe is: the local chain's unlocked wallets, and devices they vouch for.

use alloy_primitives::hex;
use anyhow::{Context, Result, bail};
use chats_core::{
    certificate::{DEFAULT_LIFE, DeviceCertificate, SignatureKind, Statement, VERSION},
    config::Config,
    hello::{Hello, HelloMessage},
    id::{DeviceKey, DeviceSecret, Registry, Wallet},
    time::Time,
    wire,
};
use rand::{TryRngCore, rngs::OsRng};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// A page looks some blocks behind the head; a change must be at least as old to be seen.
const SETTLING_BLOCKS: &str = "0x8";

/// This machine's clock.
pub(crate) fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Random bytes.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    OsRng.try_fill_bytes(&mut bytes)?;
    Ok(bytes)
}

/// A new device.
pub(crate) fn device() -> Result<DeviceSecret> {
    Ok(DeviceSecret::from_seed(&random()?))
}

/// The accounts of the local chain, which sign whatever they are asked to.
pub(crate) struct Wallets {
    rpc: String,
    registry: Registry,
    accounts: Vec<Wallet>,
}

impl Wallets {
    pub(crate) fn new(config: &Config) -> Result<Self> {
        let rpc = config.rpc.first().context("the configuration names no endpoint")?.clone();
        let registry = config.community.registry;
        let mut wallets = Self { rpc, registry, accounts: Vec::new() };
        let accounts: Vec<String> =
            serde_json::from_value(wallets.call("eth_accounts", json!([]))?)?;
        let parse = |text: &String| Wallet::parse(text).with_context(|| format!("{text}?"));
        wallets.accounts = accounts.iter().map(parse).collect::<Result<_>>()?;
        Ok(wallets)
    }

    pub(crate) fn get(&self, number: usize) -> Result<Wallet> {
        self.accounts.get(number).copied().with_context(|| format!("there is no wallet {number}"))
    }

    /// An honest statement about a device.
    pub(crate) fn statement(&self, wallet: Wallet, device: DeviceKey) -> Result<Statement> {
        self.statement_of(wallet, device, now())
    }

    /// The same, issued at another moment.
    pub(crate) fn statement_of(
        &self,
        wallet: Wallet,
        device: DeviceKey,
        issued: Time,
    ) -> Result<Statement> {
        Ok(Statement {
            version: VERSION,
            wallet,
            device,
            registry: self.registry,
            domain: "127.0.0.1:8080".to_owned(),
            wallet_chain: self.registry.chain,
            issued: issued.secs(),
            expires: (issued + DEFAULT_LIFE).secs(),
            nonce: random()?,
        })
    }

    /// What `signer` says to a statement, be it true or not.
    pub(crate) fn sign(&self, signer: Wallet, statement: &Statement) -> Result<Vec<u8>> {
        let text = hex::encode_prefixed(statement.text());
        let signature = self.call("personal_sign", json!([text, signer.to_string()]))?;
        let signature = signature.as_str().context("a signature is not text")?;
        hex::decode(signature).context("a signature is not hexadecimal")
    }

    /// An honest certificate.
    pub(crate) fn certificate(
        &self,
        wallet: Wallet,
        secret: &DeviceSecret,
    ) -> Result<DeviceCertificate> {
        self.certificate_of(wallet, secret, now())
    }

    /// The same, issued at another moment.
    pub(crate) fn certificate_of(
        &self,
        wallet: Wallet,
        secret: &DeviceSecret,
        issued: Time,
    ) -> Result<DeviceCertificate> {
        let statement = self.statement_of(wallet, secret.device(), issued)?;
        let signature = self.sign(wallet, &statement)?;
        Ok(statement.certify(SignatureKind::Eip191, signature, secret))
    }

    /// Has a transaction of one of them mined, and grow old enough for pages to see.
    pub(crate) fn transact(&self, from: Wallet, to: Wallet, data: &[u8]) -> Result<()> {
        let data = hex::encode_prefixed(data);
        let call = json!({ "from": from.to_string(), "to": to.to_string(), "data": data });
        let hash = self.call("eth_sendTransaction", json!([call]))?;
        self.call("anvil_mine", json!([SETTLING_BLOCKS]))?;
        let receipt = self.call("eth_getTransactionReceipt", json!([hash]))?;
        if receipt.get("status").and_then(Value::as_str) != Some("0x1") {
            bail!("a transaction failed: {receipt}");
        }
        Ok(())
    }

    fn call(&self, method: &str, params: Value) -> Result<Value> {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let mut answer: Value = ureq::post(&self.rpc)
            .send_json(request)
            .and_then(|mut answer| answer.body_mut().read_json())
            .with_context(|| format!("{method} got no answer"))?;
        match answer.get_mut("result") {
            Some(result) => Ok(result.take()),
            None => bail!("{method} failed: {answer}"),
        }
    }
}

/// The bytes of a hello that shows `certificate`.
pub(crate) fn hello(config: &Config, certificate: DeviceCertificate) -> Vec<u8> {
    let community = config.community.id;
    wire::encode(&HelloMessage::Hello(Box::new(Hello {
        certificate,
        community,
        version: 0,
        time: now(),
    })))
}

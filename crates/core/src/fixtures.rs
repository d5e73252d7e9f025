//! Wallets, certificates and moments for tests, here and in the simulation.

use crate::certificate::{DEFAULT_LIFE, DeviceCertificate, SignatureKind, Statement, VERSION};
use crate::id::{Community, DeviceKey, DeviceSecret, Registry, Wallet};
use crate::seats::{self, Change};
use crate::time::Time;
use alloy_primitives::{Address, Signature, eip191_hash_message};
use k256::ecdsa::SigningKey;

/// The first moment of 2026, UTC.
pub const NOW: Time = Time::from_secs(1_767_225_600);
/// A registry that exists nowhere.
pub const REGISTRY: Registry = Registry { chain: 31337, contract: Wallet([0xc0; 20]) };
/// Its first community.
pub const COMMUNITY: Community = Community { registry: REGISTRY, id: 1 };

/// An ordinary account with a key that everyone knows.
#[derive(Debug)]
pub struct TestWallet(SigningKey);

impl TestWallet {
    /// The account with the given number, from 1.
    ///
    /// # Panics
    /// For 0, which is no key.
    #[must_use]
    pub fn new(number: u8) -> Self {
        let mut bytes = [0; 32];
        bytes[31] = number;
        Self(SigningKey::from_slice(&bytes).expect("any number from 1 is a key"))
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> Wallet {
        Address::from_public_key(self.0.verifying_key()).into()
    }

    /// Its EIP-191 signature over a text, 65 bytes.
    ///
    /// # Panics
    /// Never: any hash can be signed.
    #[must_use]
    pub fn sign(&self, text: &str) -> Vec<u8> {
        let hash = eip191_hash_message(text);
        let (signature, parity) =
            self.0.sign_prehash_recoverable(hash.as_slice()).expect("a hash can be signed");
        Signature::from_signature_and_parity(signature, parity.is_y_odd()).as_bytes().to_vec()
    }
}

/// What the wallet would say of the device at `now`, for the default life.
#[must_use]
pub fn statement(wallet: &TestWallet, device: DeviceKey, now: Time) -> Statement {
    Statement {
        version: VERSION,
        wallet: wallet.address(),
        device,
        registry: REGISTRY,
        domain: "chats.example".to_owned(),
        wallet_chain: 42161,
        issued: now.secs(),
        expires: (now + DEFAULT_LIFE).secs(),
        nonce: [9; 16],
    }
}

/// A certificate that passes every check from `now` on.
#[must_use]
pub fn certificate(wallet: &TestWallet, secret: &DeviceSecret, now: Time) -> DeviceCertificate {
    let statement = statement(wallet, secret.device(), now);
    let signature = wallet.sign(&statement.text());
    statement.certify(SignatureKind::Eip191, signature, secret)
}

/// The contract's digest after a change, by the digest before it; the change leads to `version`.
#[must_use]
pub fn next_rolling(rolling: [u8; 32], change: &Change, version: u64) -> [u8; 32] {
    seats::next_rolling(rolling, change, version)
}

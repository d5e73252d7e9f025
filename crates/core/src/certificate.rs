//! A wallet vouches for a device.
//!
//! The wallet signs one EIP-4361 text ("Sign in with Ethereum"), rebuilt by every reader from the
//! certificate's fields by one fixed template; the device countersigns. Devices cannot certify
//! devices, and one signature serves all communities of a registry.

use crate::id::{DeviceKey, DeviceSecret, DeviceSignature, Registry, Wallet};
use crate::time::{Duration, Time};
use crate::wire;
use alloy_primitives::{Signature, eip191_hash_message};
use minicbor::{Decode, Encode};
use time::format_description::well_known::Rfc3339;

/// The version of certificates that is written and read.
pub const VERSION: u8 = 1;
/// How long a certificate lasts unless asked otherwise.
pub const DEFAULT_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
/// The longest that a certificate may last.
pub const MAX_LIFE: Duration = Duration::from_secs(90 * 24 * 3600);
/// How far ahead of our clock a certificate may be issued.
pub const CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);
/// The longest wallet signature in bytes (smart accounts need more than 65).
pub const MAX_SIGNATURE: usize = 4096;

const COUNTERSIGN_CONTEXT: &[u8] = b"community-chats/device-certificate/1\0";
const PURPOSE: &str =
    "Let this device speak for you in Community Chats. It costs nothing and moves no money.";

/// What a wallet says of a device: everything in a certificate but the signatures.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Statement {
    /// [`VERSION`].
    #[n(0)]
    pub version: u8,
    /// Who vouches.
    #[n(1)]
    pub wallet: Wallet,
    /// For which device.
    #[n(2)]
    pub device: DeviceKey,
    /// Towards the communities of which registry.
    #[n(3)]
    pub registry: Registry,
    /// The host (and port) of the page that asked, RFC 3986 authority; at most 253 characters.
    #[n(4)]
    pub domain: String,
    /// The EIP-155 chain of the wallet.
    #[n(5)]
    pub wallet_chain: u64,
    /// Unix seconds.
    #[n(6)]
    pub issued: u64,
    /// Unix seconds; not valid from then on.
    #[n(7)]
    pub expires: u64,
    /// Random.
    #[cbor(n(8), with = "minicbor::bytes")]
    pub nonce: [u8; 16],
}

/// How the wallet signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum SignatureKind {
    /// By the key of an ordinary account, over the EIP-191 hash of the text.
    #[n(0)]
    Eip191,
    /// By a smart account that is deployed (ERC-1271).
    #[n(1)]
    Erc1271,
    /// By a smart account that may not be deployed yet (ERC-6492).
    #[n(2)]
    Erc6492,
}

/// A statement with both signatures.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct DeviceCertificate {
    /// What is said.
    #[n(0)]
    pub statement: Statement,
    /// How the wallet signed it.
    #[n(1)]
    pub kind: SignatureKind,
    /// The wallet's signature over [`Statement::text`], at most [`MAX_SIGNATURE`] bytes.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub wallet_signature: Vec<u8>,
    /// The device's signature over the rest.
    #[n(3)]
    pub countersignature: DeviceSignature,
}

/// Why a certificate does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// Not the bytes of a certificate.
    #[error(transparent)]
    Wire(#[from] wire::WireError),
    /// Of another version.
    #[error("the certificate has version {0}, this program reads version {VERSION}")]
    Version(u8),
    /// For another device than the one that shows it.
    #[error("the certificate is for device {0}, shown by another")]
    OtherDevice(DeviceKey),
    /// For another registry.
    #[error("the certificate is for the registry {0}")]
    OtherRegistry(Registry),
    /// The domain could not stand in a sign-in text.
    #[error("the certificate's domain {0:?} is not a host name")]
    Domain(String),
    /// From the future.
    #[error("the certificate is issued more than five minutes ahead: check the clock")]
    NotYet,
    /// Over.
    #[error("the certificate has expired: sign in again")]
    Expired,
    /// Lasts longer than allowed, or not at all.
    #[error("the certificate lasts longer than 90 days, or ends before it begins")]
    Life,
    /// The device did not countersign exactly this.
    #[error("the device's countersignature does not match")]
    Countersignature,
    /// The wallet's signature is not the wallet's, or not over exactly this.
    #[error("the wallet's signature does not match")]
    WalletSignature,
    /// A smart account's signature, which only its chain can judge.
    #[error("the wallet is a smart account, whose signatures are not read yet: use another wallet")]
    SmartAccount,
    /// The wallet declared all its devices of that time void.
    #[error("the wallet has signed out the devices of that time: sign in again")]
    CutOff,
}

impl Statement {
    /// The text to sign (EIP-4361). The resource vouched for is the device's `did:key`; the
    /// registry is named as a CAIP-10 resource.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { wallet, device, registry, domain, wallet_chain, issued, expires, .. } = self;
        let nonce: String = self.nonce.iter().map(|byte| format!("{byte:02x}")).collect();
        format!(
            "{domain} wants you to sign in with your Ethereum account:\n{wallet}\n\n{PURPOSE}\n\n\
             URI: {}\nVersion: 1\nChain ID: {wallet_chain}\nNonce: {nonce}\n\
             Issued At: {}\nExpiration Time: {}\nResources:\n- {registry}",
            device.did_key(),
            rfc3339(*issued),
            rfc3339(*expires),
        )
    }

    /// Joins the wallet's signature over [`Self::text`] and the device's over everything.
    #[must_use]
    pub fn certify(
        self,
        kind: SignatureKind,
        wallet_signature: Vec<u8>,
        secret: &DeviceSecret,
    ) -> DeviceCertificate {
        let countersignature =
            secret.sign(&countersigned(&self, kind, wallet_signature.as_slice()));
        DeviceCertificate { statement: self, kind, wallet_signature, countersignature }
    }
}

impl DeviceCertificate {
    /// Reads a certificate from bytes of others.
    ///
    /// # Errors
    /// [`CertificateError::Wire`], and [`CertificateError::Version`] for versions to come.
    pub fn decode(bytes: &[u8]) -> Result<Self, CertificateError> {
        let certificate: Self = wire::decode("certificate", bytes)?;
        match certificate.statement.version {
            VERSION => Ok(certificate),
            other => Err(CertificateError::Version(other)),
        }
    }

    /// Everything that can be said without chain and without curve arithmetic over secp256k1:
    /// whose it is, for what, until when, and that the device stands by it.
    ///
    /// # Errors
    /// The first of the [`CertificateError`]s that applies, the cheapest first.
    pub fn check(
        &self,
        shown_by: DeviceKey,
        registry: Registry,
        now: Time,
    ) -> Result<(), CertificateError> {
        let statement = &self.statement;
        if statement.version != VERSION {
            return Err(CertificateError::Version(statement.version));
        }
        if statement.device != shown_by {
            return Err(CertificateError::OtherDevice(statement.device));
        }
        if statement.registry != registry {
            return Err(CertificateError::OtherRegistry(statement.registry));
        }
        if !is_host(&statement.domain) {
            return Err(CertificateError::Domain(statement.domain.chars().take(80).collect()));
        }
        let life = statement.expires.saturating_sub(statement.issued);
        if life == 0 || life > MAX_LIFE.as_secs() {
            return Err(CertificateError::Life);
        }
        if statement.issued > (now + CLOCK_SKEW).secs() {
            return Err(CertificateError::NotYet);
        }
        if self.expired(now) {
            return Err(CertificateError::Expired);
        }
        let signed = countersigned(statement, self.kind, &self.wallet_signature);
        if self.wallet_signature.len() > MAX_SIGNATURE
            || !statement.device.verifies(&signed, &self.countersignature)
        {
            return Err(CertificateError::Countersignature);
        }
        Ok(())
    }

    /// Whether it is over at `now`.
    #[must_use]
    pub const fn expired(&self, now: Time) -> bool {
        now.secs() >= self.statement.expires
    }

    /// Whether the wallet's cutoff, as the contract holds it, voids it.
    ///
    /// # Errors
    /// [`CertificateError::CutOff`] if it was issued at or before the cutoff.
    pub const fn check_cutoff(&self, cutoff: Time) -> Result<(), CertificateError> {
        if cutoff.0 > 0 && self.statement.issued <= cutoff.secs() {
            return Err(CertificateError::CutOff);
        }
        Ok(())
    }

    /// Checks the wallet's own signature: the dearest check, asked last.
    ///
    /// # Errors
    /// [`CertificateError::WalletSignature`], or [`CertificateError::SmartAccount`].
    pub fn check_wallet(&self) -> Result<(), CertificateError> {
        if self.kind != SignatureKind::Eip191 {
            return Err(CertificateError::SmartAccount);
        }
        match wallet_signed(self.statement.wallet, &self.statement.text(), &self.wallet_signature) {
            true => Ok(()),
            false => Err(CertificateError::WalletSignature),
        }
    }
}

/// Whether an ordinary account signed `text` (EIP-191).
pub(crate) fn wallet_signed(wallet: Wallet, text: &str, signature: &[u8]) -> bool {
    Signature::from_raw(signature).is_ok_and(|signature| {
        // EIP-2: of the two signatures that fit, only the one with the smaller s counts.
        signature.normalize_s().is_none()
            && signature
                .recover_address_from_prehash(&eip191_hash_message(text))
                .is_ok_and(|address| Wallet::from(address) == wallet)
    })
}

fn countersigned(statement: &Statement, kind: SignatureKind, wallet_signature: &[u8]) -> Vec<u8> {
    let fields = (statement, kind, minicbor::bytes::ByteVec::from(wallet_signature.to_vec()));
    [COUNTERSIGN_CONTEXT, &wire::encode(&fields)].concat()
}

/// A moment in unix seconds, as EIP-4361 writes it.
pub(crate) fn rfc3339(seconds: u64) -> String {
    // Moments beyond the year 9999 have no RFC 3339 form; no such certificate passes `check`.
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| time::OffsetDateTime::from_unix_timestamp(seconds).ok())
        .and_then(|moment| moment.format(&Rfc3339).ok())
        .unwrap_or_else(|| "never".to_owned())
}

/// Whether `text` is a host with an optional port, in characters that cannot break the template.
fn is_host(text: &str) -> bool {
    (1..=253).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-:[]_".contains(&b))
}

#[cfg(test)]
mod tests;

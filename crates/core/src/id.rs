//! Who: wallets, devices, communities, meetings.

use alloy_primitives::Address;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use minicbor::{Decode, Encode};
use std::fmt;
use zeroize::Zeroizing;

/// The libp2p multihash prefix of an Ed25519 public key: identity hash, 36 bytes, then the
/// protobuf header of the key (libp2p/specs `peer-ids/peer-ids.md`).
const PEER_ID_PREFIX: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];

/// A device: an Ed25519 public key, 32 bytes, and by it a libp2p `PeerId`.
///
/// All devices share one `PeerId` prefix, so the order of keys is the order of `PeerId`s.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct DeviceKey(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

impl DeviceKey {
    /// The bytes of the libp2p `PeerId` (38 of them).
    #[must_use]
    pub fn peer_id_bytes(&self) -> Vec<u8> {
        [PEER_ID_PREFIX.as_slice(), self.0.as_slice()].concat()
    }

    /// The device behind the bytes of a `PeerId`, or `None` if that is not an Ed25519 identity.
    #[must_use]
    pub fn from_peer_id_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.strip_prefix(PEER_ID_PREFIX.as_slice()).and_then(|key| key.try_into().ok()).map(Self)
    }

    /// The `did:key` of this device (W3C did:key, multicodec `ed25519-pub`).
    #[must_use]
    pub fn did_key(&self) -> String {
        let multicodec = [[0xed, 0x01].as_slice(), self.0.as_slice()].concat();
        format!("did:key:z{}", bs58::encode(multicodec).into_string())
    }

    /// Checks a signature of this device over `message`.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &DeviceSignature) -> bool {
        VerifyingKey::from_bytes(&self.0).is_ok_and(|key| {
            key.verify_strict(message, &Signature::from_bytes(&signature.0)).is_ok()
        })
    }
}

impl fmt::Display for DeviceKey {
    /// The `PeerId` in base58, as libp2p prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&bs58::encode(self.peer_id_bytes()).into_string())
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An Ed25519 signature of a device, 64 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct DeviceSignature(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 64]);

impl fmt::Debug for DeviceSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceSignature(..)")
    }
}

/// The secret half of a device. Erased on drop, never printed.
#[derive(Clone)]
pub struct DeviceSecret(SigningKey);

impl DeviceSecret {
    /// The secret from its 32-byte Ed25519 seed.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The seed, for sealing at rest and for libp2p.
    #[must_use]
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public half.
    #[must_use]
    pub fn device(&self) -> DeviceKey {
        DeviceKey(self.0.verifying_key().to_bytes())
    }

    /// Signs `message`; callers put a context string of their own in front.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> DeviceSignature {
        DeviceSignature(self.0.sign(message).to_bytes())
    }
}

impl fmt::Debug for DeviceSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceSecret({})", self.device())
    }
}

/// A wallet: an Ethereum address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct Wallet(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 20]);

impl Wallet {
    /// The same as alloy's type.
    #[must_use]
    pub fn address(self) -> Address {
        Address::from(self.0)
    }

    /// Reads `0x` and 40 hexadecimal digits; a mixed-case text must carry a right EIP-55 checksum.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("0x")?;
        let one_case = !digits.bytes().any(|b| b.is_ascii_uppercase())
            || !digits.bytes().any(|b| b.is_ascii_lowercase());
        let address = if one_case {
            text.parse::<Address>().ok()?
        } else {
            Address::parse_checksummed(text, None).ok()?
        };
        Some(Self(address.into_array()))
    }

    /// First and last digits, for people: `0x3C44…93BC`.
    #[must_use]
    pub fn short(&self) -> String {
        let text = self.to_string();
        let head: String = text.chars().take(6).collect();
        let tail: String = text.chars().skip(38).collect();
        format!("{head}…{tail}")
    }
}

impl From<Address> for Wallet {
    fn from(address: Address) -> Self {
        Self(address.into_array())
    }
}

impl fmt::Display for Wallet {
    /// With the EIP-55 checksum.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address().to_checksum(None))
    }
}

impl fmt::Debug for Wallet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A `Communities` contract: the authority that certificates and decisions refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(array)]
pub struct Registry {
    /// EIP-155 chain id.
    #[n(0)]
    pub chain: u64,
    /// The contract's address.
    #[n(1)]
    pub contract: Wallet,
}

impl fmt::Display for Registry {
    /// CAIP-10 account id, which is also a URI: `eip155:42161:0x…`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "eip155:{}:{}", self.chain, self.contract)
    }
}

/// A community of a registry; `id` is the contract's number for it, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(array)]
pub struct Community {
    /// Where it is recorded.
    #[n(0)]
    pub registry: Registry,
    /// Its number there.
    #[n(1)]
    pub id: u64,
}

impl Community {
    /// The tag under which devices of this community find each other at a relay, 32 bytes.
    #[must_use]
    pub fn meet_tag(&self) -> MeetTag {
        MeetTag(blake3::derive_key("community-chats/1 meet tag", &crate::wire::encode(self)))
    }
}

impl Community {
    /// The topic of this community's gossip, 32 bytes. Not the tag that relays are told.
    #[must_use]
    pub fn gossip_topic(&self) -> GossipTopic {
        GossipTopic(blake3::derive_key(
            "community-chats/1 gossip topic",
            &crate::wire::encode(self),
        ))
    }
}

/// What a device names to a relay to find others; a relay cannot list the tags it knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct MeetTag(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

/// Under what members of a community publish to each other; never told to a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GossipTopic(pub [u8; 32]);

/// The name of a meeting within a community: 1 to 32 of `a-z`, `0-9` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Encode)]
#[cbor(transparent)]
pub struct MeetingName(#[n(0)] String);

impl MeetingName {
    /// Reads a name, or `None` if it is empty, too long or has other characters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=32).contains(&text.len())
            && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        fits.then(|| Self(text.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MeetingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'b, C> Decode<'b, C> for MeetingName {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Self::parse(d.str()?).ok_or_else(|| minicbor::decode::Error::message("not a meeting name"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_reads_as_the_peer_id_that_libp2p_prints() {
        let device = DeviceSecret::from_seed(&[7; 32]).device();
        assert!(device.to_string().starts_with("12D3KooW"));
        assert_eq!(DeviceKey::from_peer_id_bytes(&device.peer_id_bytes()), Some(device));
        assert_eq!(DeviceKey::from_peer_id_bytes(b"\x12\x20short"), None);
    }

    #[test]
    fn a_secret_does_not_print_itself() {
        let secret = DeviceSecret::from_seed(&[7; 32]);
        assert!(!format!("{secret:?}").contains("7, 7"));
    }

    #[test]
    fn wallets_with_a_wrong_checksum_are_refused() {
        let text = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC";
        assert_eq!(Wallet::parse(text).map(|w| w.to_string()).as_deref(), Some(text));
        assert!(Wallet::parse(&text.to_lowercase()).is_some());
        assert_eq!(Wallet::parse("0x3c44CdDdB6a900fa2b585dd299e03d12FA4293BC"), None);
        assert_eq!(Wallet::parse("3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"), None);
    }

    #[test]
    fn tags_of_different_communities_differ() {
        let registry = Registry { chain: 31337, contract: Wallet([1; 20]) };
        let tag = |id| Community { registry, id }.meet_tag();
        assert_ne!(tag(1), tag(2));
    }

    #[test]
    fn the_topic_of_a_community_is_not_the_tag_that_relays_know() {
        let registry = Registry { chain: 31337, contract: Wallet([1; 20]) };
        let community = Community { registry, id: 1 };
        assert_ne!(community.gossip_topic().0, community.meet_tag().0);
        assert_ne!(community.gossip_topic(), Community { registry, id: 2 }.gossip_topic());
    }
}

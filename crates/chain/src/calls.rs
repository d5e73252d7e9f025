//! Calldata of the contract's writes, to be sent by a wallet to the registry's address, and the
//! code that deploys it. Who may do what is written in `contracts/README.md`.

use crate::abi::Communities as abi;
use alloy_primitives::{B256, Bytes};
use alloy_sol_types::SolCall;
use chats_core::access::Role;
use chats_core::id::Wallet;
use chats_core::time::Time;

/// What a transaction without `to` carries to deploy the registry. It takes no arguments.
#[must_use]
pub fn deploy() -> Bytes {
    abi::BYTECODE.clone()
}

/// Makes a community that the sender owns; it gets the number `count() + 1`. `name` has 1 to 64
/// bytes, `profile` at most 4,096.
#[must_use]
pub fn create(name: &str, profile: &str) -> Bytes {
    encode(&abi::createCall { name: name.to_owned(), profile: profile.to_owned() })
}

/// Gives all `wallets` (at most 200) the same role: any but [`Role::Owner`].
#[must_use]
pub fn set_roles(id: u64, wallets: &[Wallet], role: Role) -> Bytes {
    let accounts = wallets.iter().map(|wallet| wallet.address()).collect();
    encode(&abi::setRolesCall { id, accounts, role: role.to_contract() })
}

/// Gives up the sender's seat.
#[must_use]
pub fn leave(id: u64) -> Bytes {
    encode(&abi::leaveCommunityCall { id })
}

/// Shuts members out, or lets them in again.
#[must_use]
pub fn set_paused(id: u64, paused: bool) -> Bytes {
    encode(&abi::setPausedCall { id, paused })
}

/// Renames the community: 1 to 64 bytes.
#[must_use]
pub fn set_name(id: u64, name: &str) -> Bytes {
    encode(&abi::setNameCall { id, name: name.to_owned() })
}

/// Replaces the profile: at most 4,096 bytes.
#[must_use]
pub fn set_profile(id: u64, profile: &str) -> Bytes {
    encode(&abi::setProfileCall { id, profile: profile.to_owned() })
}

/// Points to further data, such as an Arweave id; `None` to nothing.
#[must_use]
pub fn set_metadata(id: u64, metadata: Option<[u8; 32]>) -> Bytes {
    encode(&abi::setMetadataCall { id, metadata: B256::from(metadata.unwrap_or_default()) })
}

/// Offers the owner's seat to a wallet; `None` takes the offer back.
#[must_use]
pub fn offer_owner(id: u64, to: Option<Wallet>) -> Bytes {
    encode(&abi::offerOwnerCall { id, to: to.map(Wallet::address).unwrap_or_default() })
}

/// Takes the owner's seat that was offered to the sender.
#[must_use]
pub fn accept_owner(id: u64) -> Bytes {
    encode(&abi::acceptOwnerCall { id })
}

/// Voids the device certificates that the sender issued at or before `cutoff` (whole seconds).
#[must_use]
pub fn set_device_cutoff(cutoff: Time) -> Bytes {
    encode(&abi::setDeviceCutoffCall { cutoff: cutoff.secs() })
}

fn encode(call: &impl SolCall) -> Bytes {
    call.abi_encode().into()
}

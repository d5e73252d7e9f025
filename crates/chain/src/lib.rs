//! What the chain says, read so that no single endpoint has to be believed.
//!
//! * [`rpc`]: one endpoint, as a trait; [`provider`] is the real one, on alloy;
//! * [`quorum`]: all endpoints asked at one block, and what they agree on;
//! * [`communities`]: questions to the `Communities` contract;
//! * [`calls`]: calldata of its writes, for wallets; [`abi`]: its bindings.
//!
//! Nothing here reads a clock: who asks says what time it is.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]
#![cfg_attr(not(test), deny(clippy::string_slice, clippy::panic))]

pub mod abi;
pub mod calls;
pub mod communities;
pub mod provider;
pub mod quorum;
pub mod rpc;

pub use communities::{Communities, CommunityRecord, ReadError};
pub use provider::AlloyRpc;
pub use quorum::{Answer, Problem, Quorum, QuorumError};
pub use rpc::{At, Head, Rpc, RpcError};

//! Bindings of the `Communities` contract, made from the checked-in `contracts/abi/`.
//!
//! The contract's source documents every item.
#![allow(missing_docs, clippy::all, clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::indexing_slicing, clippy::string_slice, clippy::panic)]

alloy_sol_types::sol!(Communities, "../../contracts/abi/Communities.json");

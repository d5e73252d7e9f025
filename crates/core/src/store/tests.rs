//! The memory behind a store, through the checks that all backends pass.

use super::conformance::{self, Place};
use super::{Memory, StoreError};
use futures::executor::block_on;

struct InMemory(Memory);

#[allow(clippy::unused_async, reason = "others wait")]
impl Place for InMemory {
    type Backend = Memory;

    async fn open(&self) -> Result<Memory, StoreError> {
        Ok(self.0.clone())
    }
}

macro_rules! checks {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                block_on(conformance::$name(&InMemory(Memory::default())));
            }
        )*
    };
}

crate::for_each_store_check!(checks);

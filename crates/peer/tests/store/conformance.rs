//! The checks that all backends pass.

use crate::InFolder;
use chats_core::store::conformance;

macro_rules! checks {
    ($($name:ident)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                conformance::$name(&InFolder::new()).await;
            }
        )*
    };
}

chats_core::for_each_store_check!(checks);

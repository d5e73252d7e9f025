//! The checks that all backends pass.

use super::InBrowser;
use chats_core::store::conformance;
use wasm_bindgen_test::wasm_bindgen_test;

macro_rules! checks {
    ($($name:ident)*) => {
        $(
            #[wasm_bindgen_test]
            async fn $name() {
                let place = InBrowser::new().await;
                conformance::$name(&place).await;
                chats_web::storage::delete(&place.0).await.expect("deleted");
            }
        )*
    };
}

chats_core::for_each_store_check!(checks);

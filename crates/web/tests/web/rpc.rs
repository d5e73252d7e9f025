use chats_chain::rpc::{Rpc, RpcError as ChainError};
use chats_web::rpc::{FetchError, RpcError, endpoint, json_rpc};
use serde_json::json;
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test]
async fn an_endpoint_that_is_not_there_is_unreachable() {
    // Port 1 is one that browsers never connect to (Fetch, "port blocking").
    let url = "http://127.0.0.1:1/key";
    match json_rpc(url, "eth_chainId", json!([])).await {
        Err(RpcError::Fetch(FetchError::Unreachable { url: named, .. })) => assert_eq!(named, url),
        other => panic!("{other:?}"),
    }
    let endpoint = endpoint(url);
    assert_eq!(endpoint.name(), "http://127.0.0.1:1");
    match endpoint.chain_id().await {
        Err(ChainError::Unreachable(reason)) => assert!(!reason.contains("key"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[wasm_bindgen_test]
async fn a_host_that_speaks_no_json_rpc_is_named_with_its_status() {
    let url = format!("http://{}/no-such-thing", chats_web::page::host());
    match json_rpc(&url, "eth_chainId", json!([])).await {
        Err(RpcError::Fetch(FetchError::Status { url: named, status, .. })) => {
            assert_eq!(named, url);
            assert!(status >= 400);
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(endpoint(&url).chain_id().await, Err(ChainError::Refused { .. })));
}

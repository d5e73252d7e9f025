use chats_core::id::DeviceSecret;
use chats_web::storage::{Storage, StorageError};
use js_sys::Uint8Array;
use rexie::{Rexie, TransactionMode};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::wasm_bindgen_test;
use web_sys::CryptoKey;

const STORES: [&str; 4] = ["keys", "device", "certificates", "settings"];

/// The same database without the crate's own eyes.
async fn raw() -> Rexie {
    Rexie::builder("community-chats").build().await.expect("the database exists")
}

async fn put(store: &str, key: &str, value: &JsValue) {
    let database = raw().await;
    let transaction = database.transaction(&[store], TransactionMode::ReadWrite).expect("begin");
    let rows = transaction.store(store).expect("store");
    rows.put(value, Some(&JsValue::from_str(key))).await.expect("put");
    transaction.done().await.expect("commit");
    database.close();
}

async fn rows(store: &str) -> Vec<JsValue> {
    let database = raw().await;
    let transaction = database.transaction(&[store], TransactionMode::ReadOnly).expect("begin");
    let rows = transaction.store(store).expect("store").get_all(None, None).await.expect("rows");
    database.close();
    rows
}

async fn with_device() -> (Storage, DeviceSecret) {
    let storage = Storage::open().await.expect("open");
    let device = storage.create_device().await.expect("create");
    (storage, device)
}

#[wasm_bindgen_test]
async fn a_device_survives_a_reopen() {
    let (storage, device) = with_device().await;
    drop(storage);
    let again = Storage::open().await.expect("open").load_device().await.expect("load");
    assert_eq!(again.expect("a device").device(), device.device());
}

#[wasm_bindgen_test]
async fn a_seed_is_in_no_row_in_clear_and_its_key_cannot_be_exported() {
    let (_storage, device) = with_device().await;
    let seed = device.seed();
    let mut seen = 0;
    for store in STORES {
        for row in rows(store).await {
            if let Some(key) = row.dyn_ref::<CryptoKey>() {
                let subtle = web_sys::window().expect("window").crypto().expect("crypto").subtle();
                let exported = subtle.export_key("raw", key).expect("a promise");
                assert!(JsFuture::from(exported).await.is_err(), "the key can be exported");
                seen += 1;
            } else if let Some(bytes) = row.dyn_ref::<Uint8Array>() {
                let bytes = bytes.to_vec();
                assert!(bytes.len() >= 32 || store != "device");
                assert!(!bytes.windows(8).any(|part| seed.windows(8).any(|s| s == part)));
                seen += 1;
            }
        }
    }
    assert!(seen >= 2, "a key and a sealed seed are kept");
}

#[wasm_bindgen_test]
async fn the_same_device_is_sealed_differently_each_time() {
    let (storage, _) = with_device().await;
    let first = rows("device").await.first().map(|row| Uint8Array::new(row).to_vec());
    storage.create_device().await.expect("create");
    let second = rows("device").await.first().map(|row| Uint8Array::new(row).to_vec());
    assert!(first.is_some());
    assert_ne!(first.map(|row| row[..12].to_vec()), second.map(|row| row[..12].to_vec()));
}

#[wasm_bindgen_test]
async fn forgetting_deletes_key_seed_and_certificates_but_no_settings() {
    let (storage, _) = with_device().await;
    storage.save_certificate("eip155:1:0x00", b"certificate").await.expect("save");
    storage.set_setting("theme", "\"dark\"").await.expect("set");
    storage.forget_device().await.expect("forget");
    assert!(storage.load_device().await.expect("load").is_none());
    assert_eq!(storage.load_certificate("eip155:1:0x00").await, Ok(None));
    for store in ["keys", "device", "certificates"] {
        assert!(rows(store).await.is_empty(), "{store} is not empty");
    }
    assert_eq!(storage.setting("theme").await, Ok(Some("\"dark\"".to_owned())));
}

#[wasm_bindgen_test]
async fn a_certificate_comes_back_for_its_own_registry_alone() {
    let (storage, _) = with_device().await;
    storage.save_certificate("eip155:1:0x01", &[1, 2, 3]).await.expect("save");
    assert_eq!(storage.load_certificate("eip155:1:0x01").await, Ok(Some(vec![1, 2, 3])));
    assert_eq!(storage.load_certificate("eip155:1:0x02").await, Ok(None));
}

#[wasm_bindgen_test]
async fn a_new_device_does_not_inherit_certificates() {
    let (storage, first) = with_device().await;
    storage.save_certificate("eip155:1:0x03", &[1]).await.expect("save");
    let second = storage.create_device().await.expect("create");
    assert_ne!(first.device(), second.device());
    assert_eq!(storage.load_certificate("eip155:1:0x03").await, Ok(None));
}

#[wasm_bindgen_test]
async fn damaged_rows_are_named_and_starting_over_works() {
    let (storage, _) = with_device().await;
    let damaged = StorageError::Corrupt { what: "device" };

    put("device", "current", &Uint8Array::new_with_length(60)).await;
    assert_eq!(storage.load_device().await.err(), Some(damaged.clone()));
    put("device", "current", &JsValue::from_str("nonsense")).await;
    assert_eq!(storage.load_device().await.err(), Some(damaged.clone()));

    storage.create_device().await.expect("create");
    put("keys", "current", &JsValue::from_f64(1.0)).await;
    assert_eq!(storage.load_device().await.err(), Some(damaged.clone()));

    storage.forget_device().await.expect("forget");
    put("keys", "current", &JsValue::from_f64(1.0)).await;
    assert_eq!(storage.load_device().await.err(), Some(damaged));

    storage.forget_device().await.expect("forget");
    let device = storage.create_device().await.expect("create");
    let loaded = storage.load_device().await.expect("load").expect("a device");
    assert_eq!(loaded.device(), device.device());

    put("certificates", "eip155:1:0x04", &JsValue::TRUE).await;
    let certificate = storage.load_certificate("eip155:1:0x04").await;
    assert_eq!(certificate, Err(StorageError::Corrupt { what: "certificate" }));
}

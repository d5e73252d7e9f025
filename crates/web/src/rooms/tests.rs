//! Both sides in a real browser: the worker's side at the end of a `MessageChannel`, the page's
//! side with workers that do what they should not.

mod desk;
mod page;
mod worker;

use crate::clock;
use chats_core::certificate::DeviceCertificate;
use chats_core::fixtures::{self, TestWallet};
use chats_core::id::{DeviceKey, DeviceSecret};
use chats_core::rooms::Incoming;
use chats_core::time::Duration;
use std::future::Future;
use wasm_bindgen_test::wasm_bindgen_test_configure;

wasm_bindgen_test_configure!(run_in_browser);

fn certificate(secret: &DeviceSecret) -> Box<DeviceCertificate> {
    Box::new(fixtures::certificate(&TestWallet::new(1), secret, clock::now()))
}

/// A device that passed hello.
fn passed(number: u8) -> (DeviceKey, Incoming) {
    let secret = DeviceSecret::from_seed(&[number; 32]);
    let device = secret.device();
    (device, Incoming::Passed { device, certificate: certificate(&secret) })
}

/// What comes of this, which must not take longer than half a minute.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    futures::pin_mut!(future);
    let limit = clock::sleep(Duration::from_secs(30));
    futures::pin_mut!(limit);
    match futures::future::select(future, limit).await {
        futures::future::Either::Left((value, _)) => value,
        futures::future::Either::Right(_) => panic!("never happened: {what}"),
    }
}

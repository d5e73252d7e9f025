//! One wallet of the browser, spoken to by EIP-1193.

use super::{WalletError, WalletEvent, parse_quantity, parse_signature};
use crate::js::{Subscription, get, shorten};
use alloy_primitives::hex;
use chats_core::id::Wallet;
use js_sys::{Array, Function, Object, Promise, Reflect};
use std::{fmt, rc::Rc};
use wasm_bindgen::{JsCast, JsValue, closure::Closure, prelude::wasm_bindgen};
use wasm_bindgen_futures::{JsFuture, spawn_local};

/// The most accounts taken from one answer.
const MAX_ACCOUNTS: u32 = 32;

#[wasm_bindgen]
extern "C" {
    /// An EIP-1193 provider: an object of somebody else's making.
    #[derive(Debug, Clone)]
    pub(super) type Eip1193;

    #[wasm_bindgen(method, catch)]
    fn request(this: &Eip1193, arguments: &Object) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn on(this: &Eip1193, event: &str, handler: &Function) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch, js_name = removeListener)]
    fn remove_listener(this: &Eip1193, event: &str, handler: &Function)
    -> Result<JsValue, JsValue>;
}

/// A wallet of the browser.
#[derive(Clone)]
pub struct Provider {
    id: Rc<str>,
    name: Rc<str>,
    icon: Option<Rc<str>>,
    inner: Eip1193,
}

impl Provider {
    pub(super) fn new(id: &str, name: &str, icon: Option<&str>, inner: JsValue) -> Self {
        let icon = icon.map(Into::into);
        Self { id: id.into(), name: name.into(), icon, inner: inner.unchecked_into() }
    }

    /// The `uuid` of its announcement (EIP-6963).
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What it calls itself.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A `data:image/` URL.
    #[must_use]
    pub fn icon(&self) -> Option<&str> {
        self.icon.as_deref()
    }

    pub(super) async fn request_accounts(&self) -> Result<Wallet, WalletError> {
        let method = "eth_requestAccounts";
        let answer = self.call(method, &Array::new()).await?;
        accounts(&answer)
            .and_then(|accounts| accounts.into_iter().next())
            .ok_or(WalletError::Malformed { method, expected: "list of addresses" })
    }

    pub(super) async fn chain_id(&self) -> Result<u64, WalletError> {
        let method = "eth_chainId";
        let answer = self.call(method, &Array::new()).await?;
        chain_id(&answer).ok_or(WalletError::Malformed { method, expected: "chain id" })
    }

    pub(super) async fn personal_sign(
        &self,
        text: &str,
        wallet: Wallet,
    ) -> Result<Vec<u8>, WalletError> {
        let method = "personal_sign";
        let text = JsValue::from_str(&hex::encode_prefixed(text));
        let wallet = JsValue::from_str(&wallet.to_string());
        let answer = self.call(method, &Array::of2(&text, &wallet)).await?;
        answer
            .as_string()
            .and_then(|text| parse_signature(&text))
            .ok_or(WalletError::Malformed { method, expected: "signature" })
    }

    pub(super) fn on_event(&self, handler: impl Fn(WalletEvent) + 'static) -> Subscription {
        let handler: Rc<dyn Fn(WalletEvent)> = Rc::new(handler);
        self.listen("accountsChanged", &handler, |value| {
            accounts(value).map(WalletEvent::AccountsChanged)
        })
        .and(self.listen("chainChanged", &handler, |value| {
            chain_id(value).map(WalletEvent::ChainChanged)
        }))
        .and(self.listen("disconnect", &handler, |_| Some(WalletEvent::Disconnected)))
    }

    fn listen(
        &self,
        event: &'static str,
        handler: &Rc<dyn Fn(WalletEvent)>,
        read: impl Fn(&JsValue) -> Option<WalletEvent> + 'static,
    ) -> Subscription {
        let handler = Rc::clone(handler);
        let closure = Closure::<dyn Fn(JsValue)>::new(move |value: JsValue| {
            if let Some(event) = read(&value) {
                // Some wallets report from within the request that caused the change.
                let handler = Rc::clone(&handler);
                spawn_local(async move { handler(event) });
            }
        });
        // A wallet without `on` reports nothing; there is no more to be had from it.
        let _ = self.inner.on(event, closure.as_ref().unchecked_ref());
        let inner = self.inner.clone();
        Subscription::new(move || {
            let function: &Function = closure.as_ref().unchecked_ref();
            if inner.remove_listener(event, function).is_err() {
                // It may go on calling, so the function must stay alive.
                closure.forget();
            }
        })
    }

    async fn call(&self, method: &str, params: &Array) -> Result<JsValue, WalletError> {
        let arguments = Object::new();
        Reflect::set(&arguments, &JsValue::from_str("method"), &JsValue::from_str(method))
            .and_then(|_| Reflect::set(&arguments, &JsValue::from_str("params"), params))
            .map_err(|error| refusal(&error))?;
        let answer = self.inner.request(&arguments).map_err(|error| refusal(&error))?;
        JsFuture::from(Promise::resolve(&answer)).await.map_err(|error| refusal(&error))
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Provider({:?})", self.name)
    }
}

/// What an EIP-1193 error means.
#[allow(clippy::cast_possible_truncation)]
fn refusal(error: &JsValue) -> WalletError {
    let code = get(error, "code").as_f64().map_or(0, |code| code as i64);
    match code {
        4001 => WalletError::Rejected,
        4100 => WalletError::Unauthorized,
        4900 | 4901 => WalletError::Disconnected,
        -32002 => WalletError::Pending,
        code => {
            let message = get(error, "message").as_string().or_else(|| error.as_string());
            let message = message.map_or_else(|| "no reason given".to_owned(), |m| shorten(&m));
            WalletError::Other { code, message }
        }
    }
}

fn accounts(value: &JsValue) -> Option<Vec<Wallet>> {
    let list: &Array = value.dyn_ref()?;
    (0..list.length().min(MAX_ACCOUNTS))
        .map(|index| list.get(index).as_string().and_then(|text| Wallet::parse(&text)))
        .collect()
}

/// EIP-695 has it as a hexadecimal text; some wallets give a number.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn chain_id(value: &JsValue) -> Option<u64> {
    match value.as_string() {
        Some(text) => parse_quantity(&text),
        None => value.as_f64().filter(|id| *id >= 1.0 && id.fract() == 0.0).map(|id| id as u64),
    }
}

//! Finding the wallets of the browser: EIP-6963, and `window.ethereum` if none announces itself.

use super::{BrowserWallet, provider::Provider};
use crate::js::{Subscription, get, window};
use std::{cell::RefCell, rc::Rc};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::Event;

/// The most wallets listed; any script of the page can announce some.
pub const MAX_WALLETS: usize = 32;
/// The longest name shown, in characters.
const MAX_NAME: usize = 48;
/// The longest `uuid` taken, in bytes (a UUID has 36).
const MAX_ID: usize = 64;
/// The largest icon taken, in bytes.
const MAX_ICON: usize = 128 * 1024;

/// Listens for wallets as long as it lives.
#[derive(Debug)]
pub struct Discovery {
    announced: Rc<RefCell<Vec<Provider>>>,
    _subscription: Subscription,
}

impl Discovery {
    /// Asks all wallets to announce themselves, and calls `changed` with the whole list whenever
    /// it grows. Most wallets answer at once, some only when they have finished loading.
    #[must_use]
    pub fn start(changed: impl Fn(Vec<BrowserWallet>) + 'static) -> Self {
        let announced = Rc::new(RefCell::new(Vec::new()));
        let changed = Rc::new(changed);
        let tell = {
            let announced = Rc::clone(&announced);
            move || {
                let (announced, changed) = (Rc::clone(&announced), Rc::clone(&changed));
                spawn_local(async move { changed(list(&announced)) });
            }
        };
        let heard = {
            let (announced, tell) = (Rc::clone(&announced), tell.clone());
            move |event: &Event| {
                if take(&mut announced.borrow_mut(), event) {
                    tell();
                }
            }
        };
        let subscription = Subscription::listen(&window(), "eip6963:announceProvider", heard)
            .and(Subscription::listen(&window(), "ethereum#initialized", move |_| tell()));
        if let Ok(request) = Event::new("eip6963:requestProvider") {
            // Fails only for an event that is being dispatched already.
            let _ = window().dispatch_event(&request);
        }
        Self { announced, _subscription: subscription }
    }

    /// The wallets known by now, in the order of their announcement. If none announced itself
    /// and there is a `window.ethereum`: that one, as "Browser wallet".
    #[must_use]
    pub fn wallets(&self) -> Vec<BrowserWallet> {
        list(&self.announced)
    }
}

fn list(announced: &RefCell<Vec<Provider>>) -> Vec<BrowserWallet> {
    let announced = announced.borrow();
    if announced.is_empty() {
        let injected = get(window().unchecked_ref(), "ethereum");
        return is_provider(&injected)
            .then(|| Provider::new("window.ethereum", "Browser wallet", None, injected))
            .map(BrowserWallet::Provider)
            .into_iter()
            .collect();
    }
    announced.iter().cloned().map(BrowserWallet::Provider).collect()
}

/// Takes a wallet from its announcement; says whether the list grew.
fn take(announced: &mut Vec<Provider>, event: &Event) -> bool {
    let detail = get(event, "detail");
    let (info, provider) = (get(&detail, "info"), get(&detail, "provider"));
    let text = |name| get(&info, name).as_string().filter(|text| !text.trim().is_empty());
    let (Some(id), Some(name)) = (text("uuid"), text("name")) else { return false };
    let known = announced.iter().any(|wallet| wallet.id() == id);
    if known || id.len() > MAX_ID || announced.len() >= MAX_WALLETS || !is_provider(&provider) {
        return false;
    }
    let name: String = name.trim().chars().filter(|c| !c.is_control()).take(MAX_NAME).collect();
    let icon = text("icon").filter(|url| url.starts_with("data:image/") && url.len() <= MAX_ICON);
    announced.push(Provider::new(&id, &name, icon.as_deref(), provider));
    true
}

fn is_provider(value: &JsValue) -> bool {
    get(value, "request").is_function()
}

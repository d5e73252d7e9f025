//! Addresses, shortened in the middle.

use super::copy::copier;
use super::{Icon, press};
use crate::text;
use chats_core::id::Wallet;
use leptos::prelude::*;

/// A short address; a click copies the whole.
#[component]
pub fn ShortAddress(
    /// Whose.
    wallet: Wallet,
) -> impl IntoView {
    let (copied, copy) = copier(Signal::derive(move || wallet.to_string()));
    let short = wallet.short();
    let name = text::shell::copy_address(&short);
    view! {
        <button
            type="button"
            class="address"
            title=wallet.to_string()
            aria-label=name
            on:click=press(move || copy.run(()))
        >
            <span>{short}</span>
            <Icon name=Signal::derive(move || if copied.get() { "check" } else { "copy" }) />
        </button>
    }
}

//! Oneself.

use super::{ask, model};
use crate::engine::Action;
use crate::text::{self, shell};
use crate::ui::{Icon, Portrait, ShortAddress, changing, press};
use leptos::{html, prelude::*};

/// Opens the menu with what concerns oneself; nothing while nobody is signed in.
#[component]
pub fn AccountButton() -> impl IntoView {
    let (model, ask) = (model(), ask());
    let menu = NodeRef::<html::Div>::new();
    let close = move || {
        if let Some(menu) = menu.get_untracked() {
            // It fails only when closed already.
            let _ = menu.hide_popover();
        }
    };
    let sign_out = move || {
        close();
        ask.run(Action::SignOut);
    };
    // The chain is asked again and again. Its answer must not close the menu.
    let wallet = Memo::new(move |_| model.account.with(|it| it.as_ref().map(|it| it.wallet)));
    let role = Memo::new(move |_| model.account.with(|it| it.as_ref().and_then(|it| it.role)));
    let role = move || role.get().map(|role| view! { <p class="quiet">{text::role(role)}</p> });
    changing(move || {
        let menu = wallet.get().map(|wallet| {
            view! {
                <div class="account">
                    <button
                        type="button"
                        class="account-button"
                        popovertarget="account-menu"
                    >
                        <Portrait wallet=wallet />
                        <span class="account-words">
                            <span class="account-label">{shell::ACCOUNT}</span>
                            " "
                            // The name stays "Account" wherever the address is; the menu says it whole.
                            <span class="account-address" aria-hidden="true">
                                {wallet.short()}
                            </span>
                        </span>
                    </button>
                    <div id="account-menu" class="menu" popover="auto" node_ref=menu>
                        <div class="menu-head">
                            <Portrait wallet=wallet />
                            <div>
                                <ShortAddress wallet=wallet />
                                {changing(move || role().into_any())}
                            </div>
                        </div>
                        <a class="menu-item" href="#/settings" on:click=press(close)>
                            <Icon name="settings" />
                            {text::rooms::settings::TITLE}
                        </a>
                        <a class="menu-item" href="#/doctor" on:click=press(close)>
                            <Icon name="shield" />
                            {text::DIAGNOSTICS}
                        </a>
                        <button type="button" class="menu-item" on:click=press(sign_out)>
                            <Icon name="leave" />
                            {text::SIGN_OUT}
                        </button>
                    </div>
                </div>
            }
            .into_any()
        });
        menu.into_any()
    })
}

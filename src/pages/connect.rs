//! Choosing a wallet, and what a test wallet asks.

use super::{ask, model};
use crate::engine::Action;
use crate::model::{Model, Stage, WalletChoice};
use crate::text::{self, welcome};
use crate::ui::{Button, Dialog, Icon, When, changing, each, press, saying};
use leptos::prelude::*;

/// Whether the chooser is open. Provided as context.
#[derive(Debug, Clone, Copy)]
pub struct Choosing(RwSignal<bool>);

impl Choosing {
    /// Closed. Closes again by itself once a wallet is asked or something has to be read.
    pub fn new(model: Model) -> Self {
        let open = RwSignal::new(false);
        Effect::new(move |_| {
            let asked = model.stage.with(|stage| *stage != Stage::SignedOut);
            let noticed = model.notices.with(|notices| !notices.is_empty());
            if asked || noticed {
                open.set(false);
            }
        });
        Self(open)
    }

    /// Opens it.
    pub fn open(self) {
        self.0.set(true);
    }
}

/// The chooser, then the steps while the wallet is asked.
#[component]
pub fn ConnectDialog() -> impl IntoView {
    let (model, ask) = (model(), ask());
    let Choosing(choosing) = expect_context();
    let step = Memo::new(move |_| {
        model.stage.with(|stage| match stage {
            Stage::AskingAddress => Some(0),
            Stage::AskingSignature => Some(1),
            _ => None,
        })
    });
    // A test wallet's question comes in a dialog of its own.
    let steps = move || step.get().is_some() && model.approval.with(Option::is_none);
    let cancel = Callback::new(move |()| ask.run(Action::CancelConnect));
    let close = Callback::new(move |()| choosing.set(false));
    view! {
        <Dialog
            id="choose-wallet"
            title=welcome::CHOOSE
            open=Signal::derive(move || choosing.get() && step.get().is_none())
            on_cancel=close
        >
            <Wallets on_choose=Callback::new(move |id| ask.run(Action::Connect(id))) />
            <div class="actions">
                <Button label=text::CLOSE on_press=close />
            </div>
        </Dialog>
        <Dialog
            id="approve-wallet"
            title=welcome::APPROVE
            open=Signal::derive(steps)
            on_cancel=cancel
        >
            <ol class="steps" role="list">
                <Step number=0 text=welcome::STEP_ADDRESS at=step />
                <Step number=1 text=welcome::STEP_SIGN at=step />
            </ol>
            <p class="quiet">{welcome::APPROVE_HELP}</p>
            <div class="actions">
                <Button label=text::CANCEL on_press=cancel />
            </div>
        </Dialog>
    }
}

/// One button for each wallet, or how to get one.
#[component]
pub fn Wallets(
    /// Called with the chosen one's id.
    on_choose: Callback<String>,
) -> impl IntoView {
    let model = model();
    let none = Signal::derive(move || model.wallets.with(Vec::is_empty));
    let show = move |wallet| view! { <WalletButton wallet=wallet on_choose=on_choose /> };
    view! {
        <When on=none>
            <div class="empty">
                <Icon name="wallet" />
                <strong>{welcome::NO_WALLET}</strong>
                <p>{welcome::NO_WALLET_HELP}</p>
                <a
                    class="link"
                    href=welcome::FIND_WALLET_URL
                    target="_blank"
                    rel="noopener noreferrer"
                >
                    {welcome::FIND_WALLET}
                </a>
            </div>
        </When>
        <div class="wallets">
            {each(move || model.wallets.get(), |wallet| wallet.id.clone(), show)}
        </div>
    }
}

/// A wallet, as it names itself.
#[component]
fn WalletButton(
    /// Which.
    wallet: WalletChoice,
    /// Called with its id.
    on_choose: Callback<String>,
) -> impl IntoView {
    let WalletChoice { id, name, icon } = wallet;
    let icon = match icon.filter(|icon| icon.starts_with("data:image/")) {
        Some(icon) => view! { <img class="wallet-icon" src=icon alt="" /> }.into_any(),
        None => view! {
            <span class="wallet-icon">
                <Icon name="wallet" />
            </span>
        }
        .into_any(),
    };
    view! {
        <button type="button" class="wallet" on:click=press(move || on_choose.run(id.clone()))>
            {icon}
            <span>{name}</span>
            <Icon name="next" />
        </button>
    }
}

/// A step of signing in: to come, under way, or done.
#[component]
fn Step(
    /// Its place, from 0.
    number: u8,
    /// What it is.
    text: &'static str,
    /// The step under way.
    at: Memo<Option<u8>>,
) -> impl IntoView {
    let state = move || match at.get() {
        Some(at) if number < at => "done",
        Some(at) if number == at => "now",
        _ => "next",
    };
    let said = move || match state() {
        "done" => [", ", welcome::STEP_DONE].concat(),
        "now" => [", ", welcome::STEP_NOW].concat(),
        _ => String::new(),
    };
    view! {
        <li class="step" data-step=state>
            <span class="step-mark" aria-hidden="true">
                {changing(move || {
                    if state() == "done" {
                        view! { <Icon name="check" /> }.into_any()
                    } else {
                        (number + 1).to_string().into_any()
                    }
                })}
            </span>
            <span>
                {text}
                <span class="visually-hidden">{saying(said)}</span>
            </span>
        </li>
    }
}

/// A test wallet's question.
#[component]
pub fn Approval() -> impl IntoView {
    let (model, ask) = (model(), ask());
    let answer = move |yes| ask.run(Action::Approve(yes));
    view! {
        <Dialog
            id="test-wallet"
            title=welcome::TEST_WALLET
            open=Signal::derive(move || model.approval.with(Option::is_some))
            on_cancel=Callback::new(move |()| answer(false))
        >
            <p>{welcome::TEST_WALLET_ASKS}</p>
            <pre class="code" role="region" aria-label=welcome::TEST_WALLET_ASKS tabindex="0">
                {saying(move || model.approval.get())}
            </pre>
            <div class="actions">
                <Button
                    label=welcome::REJECT
                    on_press=Callback::new(move |()| answer(false))
                />
                <Button
                    label=welcome::APPROVE_BUTTON
                    look="button-primary"
                    on_press=Callback::new(move |()| answer(true))
                />
            </div>
        </Dialog>
    }
}

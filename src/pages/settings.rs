//! Devices, and what is kept.

use super::backup::Backup;
use super::connect::Wallets;
use super::{ask, model, moderates};
use crate::engine::Action;
use crate::text::rooms::{self as words, settings};
use crate::text::{self, time};
use crate::ui::{Banner, Button, Dialog, Icon, ShortAddress, When, each, saying};
use chats_core::id::DeviceKey;
use chats_core::rooms::{self, DeviceView, Standing};
use leptos::prelude::*;

/// All there is to set.
#[component]
pub fn Settings() -> impl IntoView {
    let (model, ask) = (model(), ask());
    let revoking = RwSignal::new(None::<DeviceKey>);
    let devices = model.rooms.devices;
    let me = move || model.account.with(|account| account.as_ref().map(|it| it.wallet));
    let of = move |own: bool| {
        move || {
            let is = |device: &&DeviceView| (Some(device.wallet) == me()) == own;
            devices.with(|devices| devices.iter().filter(is).cloned().collect::<Vec<_>>())
        }
    };
    let moderates = moderates(model);
    let waiting = move || moderates.get() && !of(false)().is_empty();
    let none = move || of(true)().is_empty();
    let show = move |device| line(device, ask, revoking);
    let key = |device: &DeviceView| (device.device, device.standing as u8, device.until);
    let persisted = model.rooms.persisted;
    let kept = move || if persisted.get() { settings::PERSISTED } else { settings::EVICTABLE };
    view! {
        <section class="settings">
            <h2>{settings::TITLE}</h2>
            <When on=model.rooms.revoking>
                <Banner icon="wallet" text=settings::REVOKE_ASKING />
            </When>
            <div class="card">
                <h3>{settings::DEVICES}</h3>
                <p class="quiet">{settings::DEVICES_HELP}</p>
                <When on=none>
                    <p class="quiet" aria-busy="true">
                        {settings::NO_DEVICES}
                    </p>
                </When>
                <ul class="devices" role="list" aria-label=settings::DEVICES>
                    {each(of(true), key, show)}
                </ul>
            </div>
            <When on=waiting>
                <div class="card">
                    <h3>{settings::WAITING}</h3>
                    <p class="quiet">{settings::WAITING_HELP}</p>
                    <ul class="devices" role="list" aria-label=settings::WAITING>
                        {each(of(false), key, show)}
                    </ul>
                </div>
            </When>
            <div class="card">
                <h3>{settings::STORAGE}</h3>
                <p>{saying(kept)}</p>
            </div>
            <div class="card">
                <Backup />
            </div>
            <div class="card">
                <h3>{settings::FORGET}</h3>
                <p class="quiet">{settings::FORGET_HELP}</p>
                <Button
                    label=settings::FORGET
                    on_press=Callback::new(move |()| ask.run(Action::SignOut))
                />
            </div>
        </section>
        <Revoke device=revoking />
    }
}

/// A device, and what can be done about it.
fn line(view: DeviceView, ask: Callback<Action>, revoking: RwSignal<Option<DeviceKey>>) -> AnyView {
    let DeviceView { device, wallet, since, until, own, standing } = view;
    let mine = revoking_own(wallet);
    let id = device.to_string();
    let approve = (standing == Standing::WaitsForApproval && !own).then(|| {
        let approve = move |()| ask.run(Action::Rooms(rooms::Action::Approve { device }));
        view! {
            <Button
                label=settings::APPROVE
                look="button-small button-primary"
                on_press=Callback::new(approve)
            />
        }
        .into_any()
    });
    let current = matches!(standing, Standing::Good | Standing::WaitsForApproval);
    let revoke = (mine && !own && current).then(|| {
        let revoke = move |()| revoking.set(Some(device));
        view! {
            <Button label=settings::REVOKE look="button-small" on_press=Callback::new(revoke) />
        }
        .into_any()
    });
    let name = if own { settings::THIS } else { settings::DEVICE };
    view! {
        <li class="device" data-device=device.to_string()>
            <Icon name="device" />
            <div>
                <p>
                    <b>{name}</b>
                    " "
                    {words::standing(standing).map(|it| view! { <span class="badge">{it}</span> }.into_any())}
                </p>
                {(!mine).then(|| view! { <ShortAddress wallet=wallet /> }.into_any())}
                <p class="quiet" title=id.clone()>
                    {settings::lasts(&time::whole_day(since), &time::whole_day(until))}
                </p>
                <code>{id}</code>
            </div>
            <div class="actions">{approve} {revoke}</div>
        </li>
    }
    .into_any()
}

/// Whether it is ours whose devices these are.
fn revoking_own(wallet: chats_core::id::Wallet) -> bool {
    let own = |account: &crate::model::Account| account.wallet == wallet;
    model().account.with_untracked(|account| account.as_ref().is_some_and(own))
}

/// Asks for the wallet that signs a device out.
#[component]
fn Revoke(
    /// Which device.
    device: RwSignal<Option<DeviceKey>>,
) -> impl IntoView {
    let ask = ask();
    let choose = Callback::new(move |wallet| {
        if let Some(chosen) = device.get_untracked() {
            ask.run(Action::Revoke(chosen, wallet));
        }
        device.set(None);
    });
    let close = Callback::new(move |()| device.set(None));
    view! {
        <Dialog
            id="revoke"
            title=settings::REVOKE_TITLE
            open=Signal::derive(move || device.with(Option::is_some))
            on_cancel=close
        >
            <p>{settings::REVOKE_HELP}</p>
            <Wallets on_choose=choose />
            <div class="actions">
                <Button label=text::CANCEL on_press=close />
            </div>
        </Dialog>
    }
}

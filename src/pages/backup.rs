//! A copy of what is kept here, and the way back.

use super::{ask, model};
use crate::engine::Action;
use crate::text;
use crate::text::rooms::backup;
use crate::ui::{Banner, Button, Dialog, TextField, When, changing};
use chats_core::rooms::{self, Passphrase};
use leptos::{ev, html, prelude::*};
use wasm_bindgen_futures::JsFuture;
use web_sys::js_sys::Uint8Array;

/// The longest passphrase, in characters.
const MAX_PASSPHRASE: usize = 200;
/// The largest file that is read, in bytes: the core takes no larger one.
const MAX_FILE: f64 = 128.0 * 1024.0 * 1024.0;

/// The buttons, and what came of them.
#[component]
pub fn Backup() -> impl IntoView {
    let said = model().rooms.backup;
    let (writing, reading) = (RwSignal::new(false), RwSignal::new(false));
    let open = |which: RwSignal<bool>| Callback::new(move |()| which.set(true));
    let close = |which: RwSignal<bool>| Callback::new(move |()| which.set(false));
    view! {
        <h3>{backup::TITLE}</h3>
        <p class="quiet">{backup::HELP}</p>
        {changing(move || match said.get() {
            "" => ().into_any(),
            said => view! { <Banner icon="device" text=said /> }.into_any(),
        })}
        <div class="actions">
            <Button label=backup::WRITE on_press=open(writing) />
            <Button label=backup::BRING_BACK on_press=open(reading) />
        </div>
        <Dialog id="write-backup" title=backup::WRITE open=writing on_cancel=close(writing)>
            <When on=writing>
                <Form open=writing file=false />
            </When>
        </Dialog>
        <Dialog id="read-backup" title=backup::BRING_BACK open=reading on_cancel=close(reading)>
            <When on=reading>
                <Form open=reading file=true />
            </When>
        </Dialog>
    }
}

/// What is needed: a passphrase, and to bring back, a file.
#[component]
fn Form(
    /// Whether the dialog is open.
    open: RwSignal<bool>,
    /// Whether a file is taken in.
    file: bool,
) -> impl IntoView {
    let ask = ask();
    let passphrase = RwSignal::new(String::new());
    let chosen = NodeRef::<html::Input>::new();
    let problem = RwSignal::new("");
    let done = move |action| {
        // While a file is read the form may be closed: then nothing is wanted any more.
        if ask.try_run(Action::Rooms(action)).is_some() {
            open.set(false);
        }
    };
    let submit = move |event: ev::SubmitEvent| {
        event.prevent_default();
        let passphrase = Passphrase::new(passphrase.get_untracked().into());
        if !file {
            return done(rooms::Action::Export { passphrase });
        }
        let file = chosen.get_untracked().and_then(|it| it.files()).and_then(|files| files.get(0));
        let Some(file) = file else { return problem.set(backup::NO_FILE) };
        if file.size() > MAX_FILE {
            return problem.set(backup::TOO_LARGE);
        }
        leptos::task::spawn_local(async move {
            match JsFuture::from(file.array_buffer()).await {
                Ok(bytes) => {
                    let file = Uint8Array::new(&bytes).to_vec().into();
                    done(rooms::Action::Import { passphrase, file });
                }
                Err(_) => {
                    // The form may be gone by now.
                    let _ = problem.try_set(backup::UNREADABLE);
                }
            }
        });
    };
    let choose = file.then(|| {
        view! {
            <div class="field">
                <label for="backup-file">{backup::FILE_LABEL}</label>
                <input id="backup-file" type="file" node_ref=chosen />
            </div>
        }
        .into_any()
    });
    view! {
        <form class="room-form" on:submit=submit>
            {choose} <TextField
                id=if file { "open-passphrase" } else { "passphrase" }
                label=backup::PASSPHRASE
                value=passphrase
                most=MAX_PASSPHRASE
                secret=true
            />
            <p class="quiet">{if file { "" } else { backup::PASSPHRASE_HELP }}</p>
            {changing(move || match problem.get() {
                "" => ().into_any(),
                problem => view! { <p role="alert">{problem}</p> }.into_any(),
            })}
            <div class="actions">
                <Button label=text::CANCEL on_press=Callback::new(move |()| open.set(false)) />
                <button type="submit" class="button button-primary">
                    {if file { backup::BRING_BACK } else { backup::WRITE }}
                </button>
            </div>
        </form>
    }
}

//! Community Chats: the page.

// In a program `pub` says what a module offers to the others.
#![allow(unreachable_pub)]

mod app;
mod engine;
mod model;
mod pages;
mod route;
mod text;
mod ui;

use leptos::prelude::*;

fn main() {
    console_error_panic_hook::set_once();
    let model = model::Model::new();
    let actions = engine::start(model);
    mount_to_body(move || view! { <app::App model=model actions=actions /> });
}

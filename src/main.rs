//! Community Chats: the page.

// In a program `pub` says what a module offers to the others.
#![allow(unreachable_pub)]

mod engine;
mod model;
mod route;

fn main() {
    console_error_panic_hook::set_once();
    let model = model::Model::new();
    let _actions = engine::start(model);
}
